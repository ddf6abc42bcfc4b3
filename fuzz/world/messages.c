/*
 * Calls that move bytes and descriptors, of the kernel in memory.
 */
#include "calls.h"
#include "kernel.h"
#include "stream.h"

#include <errno.h>
#include <string.h>

/* An answer that could not go is the peer's fault, or for want of room. */
static ssize_t
put(int fd, const void *bytes, size_t length, const int fds[], size_t count)
{
	struct file *file = fd_file(fd);

	kernel_require(file != NULL, "sends to what is not open");
	if (packet_put(file->peer, bytes, length, fds, count, kernel.current))
		return (ssize_t)length;
	errno = file->peer == NULL ? EPIPE : EAGAIN;
	return -1;
}

ssize_t
fuzz_send(int fd, const void *bytes, size_t length, int flags)
{
	struct file *file = fd_file(fd);

	if (fd < 0) {
		errno = EBADF;
		return -1;
	}
	kernel_require((flags & MSG_NOSIGNAL) != 0, "sends with a signal");
	kernel_require(file != NULL, "sends to what is not open");
	if (file->kind != FILE_STREAM)
		return put(fd, bytes, length, NULL, 0);
	kernel_require((flags & MSG_DONTWAIT) != 0, "waits to send");
	return stream_send(file->connection, bytes, length);
}

ssize_t
fuzz_sendto(int fd, const void *bytes, size_t length, int flags,
    const struct sockaddr *to, socklen_t to_length)
{
	(void)to;
	(void)to_length;
	return fuzz_send(fd, bytes, length, flags);
}

ssize_t
fuzz_sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	int fds[PACKET_FDS];
	size_t count = 0;

	kernel_require((flags & (MSG_DONTWAIT | MSG_NOSIGNAL)) ==
		(MSG_DONTWAIT | MSG_NOSIGNAL),
	    "waits to send, or sends with a signal");
	if (header != NULL) {
		count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		kernel_require(count <= PACKET_FDS, "sends too many");
		memcpy(fds, CMSG_DATA(header), count * sizeof(int));
	}
	return put(fd, message->msg_iov[0].iov_base,
	    message->msg_iov[0].iov_len, fds, count);
}

ssize_t
fuzz_recv(int fd, void *bytes, size_t size, int flags)
{
	struct file *file = fd_file(fd);

	if (fd < 0) {
		errno = EBADF;
		return -1;
	}
	kernel_require(file != NULL, "receives from what is not open");
	kernel_require(file->kind == FILE_STREAM, "receives from no client");
	kernel_require((flags & MSG_DONTWAIT) != 0, "waits for a client");
	return stream_receive(file->connection, bytes, size, flags);
}

ssize_t
fuzz_recvfrom(int fd, void *bytes, size_t size, int flags,
    struct sockaddr *from, socklen_t *from_length)
{
	(void)from;
	(void)from_length;
	return fuzz_recv(fd, bytes, size, flags);
}

/* As many as there is room for become descriptors; the others are dropped. */
static void
give_files(struct msghdr *message, const struct packet *packet)
{
	size_t room = message->msg_controllen < CMSG_LEN(sizeof(int))
	    ? 0
	    : (message->msg_controllen - CMSG_LEN(0)) / sizeof(int);
	size_t count = packet->file_count < room ? packet->file_count : room;
	struct cmsghdr *header = message->msg_control;
	int fds[PACKET_FDS];

	message->msg_controllen = 0;
	if (packet->file_count > count)
		message->msg_flags |= MSG_CTRUNC;
	if (count == 0)
		return;
	for (size_t i = 0; i < count; i++)
		fds[i] = fd_make(packet->files[i], kernel.current);
	*header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(count * sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	message->msg_controllen = CMSG_SPACE(count * sizeof(int));
}

static void
give_sender(struct msghdr *message, const struct packet *packet)
{
	const struct ucred sender = { .pid = packet->sender };
	struct cmsghdr *header = message->msg_control;

	if (packet->file_count > 0)
		message->msg_flags |= MSG_CTRUNC;
	*header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(sender)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_CREDENTIALS };
	memcpy(CMSG_DATA(header), &sender, sizeof(sender));
}

/*
 * A channel whose control buffer is just as large as credentials is one that
 * asked for them (sys/channel.c). A parser that would wait for ever is told
 * that its parent is gone.
 */
ssize_t
fuzz_recvmsg(int fd, struct msghdr *message, int flags)
{
	struct file *file = fd_file(fd);
	struct packet *packet;
	size_t length;

	kernel_require(file != NULL, "receives from what is not open");
	packet = packet_take(file);
	message->msg_flags = 0;
	if (packet == NULL) {
		message->msg_controllen = 0;
		if (file->peer == NULL || (flags & MSG_DONTWAIT) == 0)
			return 0;
		errno = EAGAIN;
		return -1;
	}
	length = packet->length;
	if (length > message->msg_iov[0].iov_len) {
		length = message->msg_iov[0].iov_len;
		message->msg_flags |= MSG_TRUNC;
	}
	memcpy(message->msg_iov[0].iov_base, packet->bytes, length);
	if (message->msg_control != NULL &&
	    message->msg_controllen == CMSG_LEN(sizeof(struct ucred)))
		give_sender(message, packet);
	else
		give_files(message, packet);
	packet_free(packet);
	return (ssize_t)length;
}
