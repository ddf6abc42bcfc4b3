/*
 * LAUNCH messages as they come off the channel.
 * Trusts the parent to mean well, not to be well: a message that is not
 * exactly one is none.
 * Never keeps a descriptor that came with something else.
 */
#include "launcher/receive.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

/* Room for one more than is ever sent: it would be seen. */
#define CONTROL_BYTES CMSG_SPACE((LAUNCH_FDS_MAX + 1) * sizeof(int))
#define CONTROL_FDS (CONTROL_BYTES / sizeof(int))

union control {
	struct cmsghdr header;
	char bytes[CONTROL_BYTES];
};

/* All descriptors of the message; *is_plain if there was nothing else. */
static size_t
take_descriptors(struct msghdr *message, int fds[CONTROL_FDS], bool *is_plain)
{
	size_t count = 0;
	size_t headers = 0;

	*is_plain = true;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
	     header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level != SOL_SOCKET ||
		    header->cmsg_type != SCM_RIGHTS || headers++ > 0) {
			*is_plain = false;
			continue;
		}
		count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(header), count * sizeof(int));
	}
	return count;
}

static void
close_all(const int fds[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

/* As many as its flags say, in their order; false: they are not. */
static bool
place_all(struct received *received, const int fds[], size_t count)
{
	const uint8_t flags = received->launch.flags;
	size_t next = 2;

	received->socket_fd = fds[0];
	received->status_fd = fds[1];
	received->stderr_fd = (flags & LAUNCH_STDERR) != 0 ? fds[next++] : -1;
	received->cgroup_fd = (flags & LAUNCH_CGROUP) != 0 ? fds[next++] : -1;
	return count == next;
}

static ssize_t
receive(int channel_fd, struct msghdr *message)
{
	ssize_t length;

	do
		length = recvmsg(channel_fd, message, MSG_CMSG_CLOEXEC);
	while (length == -1 && errno == EINTR);
	return length;
}

enum receive_result
receive_launch(int channel_fd, struct received *received)
{
	uint8_t bytes[LAUNCH_BYTES];
	union control control;
	struct iovec part = { .iov_base = bytes, .iov_len = sizeof(bytes) };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	const ssize_t length = receive(channel_fd, &message);
	int fds[CONTROL_FDS] = { -1 };
	size_t count;
	bool is_plain;

	if (length == -1)
		return RECEIVE_BAD;
	count = take_descriptors(&message, fds, &is_plain);
	if (length == 0 && count == 0)
		return RECEIVE_CLOSED;
	if (!is_plain || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
	    !launch_decode(&received->launch, bytes, (size_t)length) ||
	    !place_all(received, fds, count)) {
		close_all(fds, count);
		return RECEIVE_BAD;
	}
	return RECEIVE_LAUNCH;
}
