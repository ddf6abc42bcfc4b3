/*
 * The loader as a child: it may read every file and change nothing.
 * Trusts the child for nothing but an image that will be checked.
 * Never waits for it without a deadline.
 */
#include "loader/loader.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/drop.h"
#include "sys/fd.h"
#include "sys/memfd.h"
#include "sys/spawn.h"

/* Where the child keeps what it was given; all above is closed. */
enum {
	CHILD_PROBLEMS = 3,
	CHILD_CHANNEL = 4,
	CHILD_REST = 5,
};

/* All that a loader says: here is the image, or there is none. */
#define RESULT_IMAGE 'i'
#define RESULT_BAD 'b'

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static int
send_result(int channel, int image)
{
	char result = image != -1 ? RESULT_IMAGE : RESULT_BAD;
	struct iovec part = { .iov_base = &result, .iov_len = 1 };
	union control control = { .bytes = { 0 } };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (image != -1) {
		struct cmsghdr *header;

		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(image));
		memcpy(CMSG_DATA(header), &image, sizeof(image));
	}
	return sendmsg(channel, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

/* Moves both descriptors to where they belong, whatever was there. */
static int
arrange_descriptors(int problems_fd, int channel)
{
	int problems = fcntl(problems_fd, F_DUPFD_CLOEXEC, CHILD_REST);
	int answer = fcntl(channel, F_DUPFD_CLOEXEC, CHILD_REST);

	if (problems == -1 || answer == -1 ||
	    dup3(problems, CHILD_PROBLEMS, O_CLOEXEC) == -1 ||
	    dup3(answer, CHILD_CHANNEL, O_CLOEXEC) == -1)
		return -1;
	return close_range(CHILD_REST, UINT_MAX, 0);
}

/* Keeps what reads files, if there is anything to keep. */
static int
drop_capabilities(void)
{
	const int what = CAPNG_EFFECTIVE | CAPNG_PERMITTED;
	bool can_read;
	bool can_bound;

	if (capng_get_caps_process() == -1)
		return -1;
	can_read =
	    capng_have_capability(CAPNG_PERMITTED, CAP_DAC_READ_SEARCH) != 0;
	can_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
	capng_clear(CAPNG_SELECT_ALL);
	if (can_read &&
	    capng_update(CAPNG_ADD, what, CAP_DAC_READ_SEARCH) == -1)
		return -1;
	return capng_apply(can_bound ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS);
}

/* The child's life. parent: whose child it has to be. */
static _Noreturn void
live(const struct loader_options *options, int problems_fd, int channel,
    pid_t parent)
{
	struct loader_options own = *options;
	struct drop_capabilities sets = { .permitted = 0 };
	int image;

	(void)drop_get_capabilities(&sets);
	own.capabilities = sets.permitted;
	if (!own.skips_system)
		machine_look(&own.machine, own.is_to_serve, own.group_fd);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent ||
	    arrange_descriptors(problems_fd, channel) == -1 ||
	    spawn_reset_signals() == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    drop_capabilities() != 0 || prctl(PR_SET_DUMPABLE, 0) == -1) {
		dprintf(
		    STDERR_FILENO, "tcpmuxd: loader: %s\n", strerror(errno));
		_exit(EX_OSERR);
	}
	image = loader_load(&own, CHILD_PROBLEMS);
	_exit(send_result(CHILD_CHANNEL, image) == 0 ? EX_OK : EX_OSERR);
}

int
loader_start(struct loader_job *job, const struct loader_options *options,
    int problems_fd)
{
	pid_t parent = getpid();
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1)
		return -1;
	pid = fork();
	if (pid == 0)
		live(options, problems_fd, ends[1], parent);
	fd_close(&ends[1]);
	if (pid == -1) {
		fd_close(&ends[0]);
		return -1;
	}
	*job = (struct loader_job){ .pid = pid, .channel = ends[0] };
	return 0;
}

/* The one descriptor that came with the message, or -1. */
static int
descriptor_of(struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	int fd = -1;

	if (header != NULL && header->cmsg_level == SOL_SOCKET &&
	    header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* The image if the message is one with a sealed image, else -1 with errno. */
static int
judge(ssize_t length, char result, int flags, int image)
{
	size_t size;
	const void *mapped;

	if (length <= 0) {
		fd_close(&image);
		errno = EPIPE;
		return -1;
	}
	if (length == 1 && result == RESULT_BAD && image == -1) {
		errno = EINVAL;
		return -1;
	}
	mapped = NULL;
	if (length == 1 && result == RESULT_IMAGE && image != -1 &&
	    (flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
		mapped = memfd_map(image, &size);
	if (mapped == NULL) {
		fd_close(&image);
		errno = EPROTO;
		return -1;
	}
	munmap((void *)(uintptr_t)mapped, size);
	return image;
}

int
loader_take(struct loader_job *job)
{
	char result = 0;
	struct iovec part = { .iov_base = &result, .iov_len = 1 };
	union control control = { .bytes = { 0 } };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		/* Not CMSG_SPACE: its padding would take a second one. */
		.msg_controllen = CMSG_LEN(sizeof(int)) };
	ssize_t length =
	    recvmsg(job->channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (length == -1 && (errno == EAGAIN || errno == EINTR)) {
		errno = EAGAIN;
		return -1;
	}

	int image = judge(length, result, message.msg_flags,
	    length > 0 ? descriptor_of(&message) : -1);

	fd_close(&job->channel);
	return image;
}

void
loader_cancel(struct loader_job *job)
{
	int error = errno;

	/* One that was reaped has no number: 0 would be our own group's. */
	if (job->pid > 0)
		kill(job->pid, SIGKILL);
	fd_close(&job->channel);
	errno = error;
}

/* 0 once the channel is readable, -1 with errno. */
static int
wait_for_result(const struct loader_job *job, int timeout_ms)
{
	int64_t deadline = clock_now_ms() + timeout_ms;
	struct pollfd wanted = { .fd = job->channel, .events = POLLIN };

	for (;;) {
		int64_t left = deadline - clock_now_ms();
		int count = poll(&wanted, 1, left > 0 ? (int)left : 0);

		if (count == 1)
			return 0;
		if (count == -1 && errno != EINTR)
			return -1;
		if (count == 0 && left <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
}

int
loader_run(
    const struct loader_options *options, int problems_fd, int timeout_ms)
{
	struct loader_job job;
	int image = -1;
	int error;

	if (loader_start(&job, options, problems_fd) == -1)
		return -1;
	if (wait_for_result(&job, timeout_ms) == 0)
		image = loader_take(&job);
	error = errno;
	if (image == -1)
		loader_cancel(&job);
	while (waitpid(job.pid, NULL, 0) == -1 && errno == EINTR)
		continue;
	errno = error;
	return image;
}
