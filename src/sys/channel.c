/*
 * Messages over SOCK_SEQPACKET, with descriptors one way only.
 * Trusts neither the length nor the ancillary data of what arrives.
 * Never takes a descriptor that came with a message, and never waits.
 */
#include "sys/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int
channel_pair(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
}

int
channel_want_sender(int end)
{
	const int on = 1;

	return setsockopt(end, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
}

int
channel_send(
    int end, const void *bytes, size_t length, const int fds[], size_t fd_count)
{
	union {
		struct cmsghdr header; /* for its alignment */
		uint8_t bytes[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
	} control;
	/* sendmsg reads through a pointer that is not const: it only reads. */
	struct iovec part = { .iov_base = (void *)(uintptr_t)bytes,
		.iov_len = length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd_count > CHANNEL_FDS_MAX) {
		errno = EINVAL;
		return -1;
	}
	if (fd_count > 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		memset(control.bytes, 0, message.msg_controllen);

		struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(rights), fds, sizeof(int) * fd_count);
	}
	return sendmsg(end, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static pid_t
sender_of(struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	struct ucred sender;

	if (header == NULL || header->cmsg_level != SOL_SOCKET ||
	    header->cmsg_type != SCM_CREDENTIALS)
		return 0;
	memcpy(&sender, CMSG_DATA(header), sizeof(sender));
	return sender.pid;
}

struct channel_message
channel_receive(int end, void *bytes, size_t size, bool wants_sender)
{
	/*
	 * Room for credentials or for nothing at all: the kernel drops every
	 * descriptor that came along, and says so by MSG_CTRUNC.
	 */
	union {
		struct cmsghdr header;
		uint8_t bytes[CMSG_LEN(sizeof(struct ucred))];
	} control;
	struct iovec part = { .iov_base = bytes, .iov_len = size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct channel_message got = { .length = -1 };

	if (wants_sender) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
	}
	do
		got.length = recvmsg(end, &message, MSG_DONTWAIT);
	while (got.length < 0 && errno == EINTR);
	if (got.length < 0)
		return got;
	got.is_cut = (message.msg_flags & MSG_TRUNC) != 0;
	got.has_descriptors = (message.msg_flags & MSG_CTRUNC) != 0;
	if (wants_sender)
		got.sender = sender_of(&message);
	return got;
}
