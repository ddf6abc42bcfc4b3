/*
 * Namespaces that a child makes and its parent keeps, and ids in a user's own.
 * Trusts the kernel, after asking it again.
 * Never lets the caller itself leave a namespace, unless it says so.
 */
#include "sys/namespace.h"

#include "sys/channel.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ID_BYTES 11 /* a 32-bit number in decimal, and the end */
#define FDS_BYTES (NAMESPACES_MAX * sizeof(int))

/* The helper: all of them and 0, or none and errno; or nothing, by its end. */
static void
send_descriptors(int end, int (*make)(int fds[]), size_t count)
{
	int fds[NAMESPACES_MAX];
	int32_t error = 0;

	if (make(fds) != 0) {
		error = errno;
		count = 0;
	}
	(void)channel_send(end, &error, sizeof(error), fds, count);
}

/* All that came, or at the descriptor limit fewer, which are no use then. */
static int
take_rights(const struct cmsghdr *rights, int fds[], size_t count)
{
	size_t bytes = rights == NULL ? 0 : rights->cmsg_len - CMSG_LEN(0);

	if (rights != NULL && bytes == count * sizeof(int)) {
		memcpy(fds, CMSG_DATA(rights), bytes);
		return 0;
	}
	for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
		int fd;

		memcpy(&fd, CMSG_DATA(rights) + at, sizeof(fd));
		fd_close(&fd);
	}
	errno = EMFILE;
	return -1;
}

/* Takes what the helper sends; it is our own code, but may have died. */
static int
receive_descriptors(int end, int fds[], size_t count)
{
	int32_t error = 0;
	union {
		char bytes[CMSG_SPACE(FDS_BYTES)];
		struct cmsghdr align;
	} control;
	struct iovec part = { .iov_base = &error, .iov_len = sizeof(error) };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t length = recvmsg(end, &message, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

	if (length < 0)
		return -1;
	if ((size_t)length != sizeof(error)) {
		errno = ECHILD;
		return -1;
	}
	if (error != 0) {
		errno = error;
		return -1;
	}
	return take_rights(rights, fds, count);
}

static int
wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int
namespaces_make(int (*make)(int fds[]), int fds[], size_t count)
{
	int ends[2];
	pid_t helper;
	int result = -1;

	if (channel_pair(ends) != 0)
		return -1;
	helper = fork();
	if (helper == 0) {
		send_descriptors(ends[1], make, count);
		_exit(0);
	}
	fd_close(&ends[1]);
	if (helper > 0) {
		int error;

		result = receive_descriptors(ends[0], fds, count);
		error = errno;
		(void)wait_for(helper);
		errno = error;
	}
	fd_close(&ends[0]);
	return result;
}

static int
make_network(int fds[])
{
	if (unshare(CLONE_NEWNET) != 0)
		return -1;
	fds[0] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return fds[0] < 0 ? -1 : namespace_verify_network();
}

int
namespace_make_network(void)
{
	int fd;

	return namespaces_make(make_network, &fd, 1) == 0 ? fd : -1;
}

int
namespace_try(int flags)
{
	pid_t child = fork();
	int error;

	if (child == 0)
		_exit(unshare(flags) == 0 ? 0 : errno);
	if (child < 0)
		return errno;
	error = wait_for(child);
	return error < 0 ? ECHILD : error;
}

int
namespace_try_network(void)
{
	return namespace_try(
	    geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWNET | CLONE_NEWUSER);
}

int
namespace_join_network(int fd)
{
	return setns(fd, CLONE_NEWNET);
}

/* The kernel's first interface is always there, and is down until told. */
static int
verify_interfaces(int socket_fd)
{
	struct ifreq loopback = { .ifr_name = "lo" };
	struct ifconf addressed = { .ifc_len = 0 };

	if (ioctl(socket_fd, SIOCGIFFLAGS, &loopback) != 0 ||
	    ioctl(socket_fd, SIOCGIFCONF, &addressed) != 0)
		return -1;
	if ((loopback.ifr_flags & IFF_UP) == 0 && addressed.ifc_len == 0)
		return 0;
	errno = EEXIST;
	return -1;
}

int
namespace_verify_network(void)
{
	int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result;

	/* Where there is no IPv4 at all, there is none to be kept from. */
	if (probe < 0)
		return errno == EAFNOSUPPORT ? 0 : -1;
	result = verify_interfaces(probe);
	fd_close(&probe);
	return result;
}

static int
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return -1;
	length = write(fd, text, strlen(text));
	(void)close(fd);
	return length == (ssize_t)strlen(text) ? 0 : -1;
}

/* The one id there is keeps its number: nobody is root in there. */
static int
write_map(const char *path, unsigned id)
{
	char line[2 * ID_BYTES + 3];

	(void)snprintf(line, sizeof(line), "%u %u 1", id, id);
	return write_file(path, line);
}

/* Files of a process that is not dumpable belong to root, so it is made so
 * for this moment. */
int
namespace_map_ids(uid_t uid, gid_t gid)
{
	if (prctl(PR_SET_DUMPABLE, 1) != 0 ||
	    write_file("/proc/self/setgroups", "deny") != 0 ||
	    write_map("/proc/self/uid_map", uid) != 0 ||
	    write_map("/proc/self/gid_map", gid) != 0)
		return -1;
	return prctl(PR_SET_DUMPABLE, 0);
}
