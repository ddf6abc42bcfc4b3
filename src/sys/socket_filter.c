/*
 * Classic BPF programs on sockets.
 * Trusts the kernel to check what it is given.
 * Never locks one in place: it could not be taken from an accepted socket.
 */
#include "sys/socket_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/capability.h>

#include "sys/drop.h"
#include "sys/fd.h"

#define ROOM_USUAL 20480u /* before Linux 6.7, net/core/sock.c */

static int
attach(int fd, const struct sock_filter *instructions, uint32_t count)
{
	/* The kernel only reads them, but its structure does not say so. */
	const struct sock_fprog program = {
		.len = (unsigned short)count,
		.filter = (struct sock_filter *)(uintptr_t)instructions,
	};

	return setsockopt(
	    fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* With a capability that is not in effect otherwise. */
static int
attach_raised(int fd, const struct sock_filter *instructions, uint32_t count)
{
	const uint64_t net_admin = UINT64_C(1) << CAP_NET_ADMIN;
	struct drop_capabilities raised;
	int result, error;

	if (drop_get_capabilities(&raised) != 0)
		return -1;
	if ((raised.permitted & ~raised.effective & net_admin) == 0) {
		errno = EPERM;
		return -1;
	}
	raised.effective |= net_admin;
	if (drop_set_capabilities(&raised) != 0)
		return -1;
	result = attach(fd, instructions, count);
	error = errno;
	raised.effective &= ~net_admin;
	if (drop_set_capabilities(&raised) != 0)
		return -1;
	errno = error;
	return result;
}

int
socket_filter_attach(
    int fd, const struct sock_filter *instructions, uint32_t count)
{
	if (attach(fd, instructions, count) == 0)
		return 0;
	return errno == EPERM ? attach_raised(fd, instructions, count) : -1;
}

void
socket_filter_detach(int fd)
{
	const int unused = 0;

	/* It fails if there is none, which is fine. */
	(void)setsockopt(
	    fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused));
}

bool
socket_filter_works(void)
{
	const struct sock_filter let_in = { .code = BPF_RET | BPF_K,
		.k = UINT32_MAX };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool works;

	if (fd < 0)
		fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	works = socket_filter_attach(fd, &let_in, 1) == 0;
	fd_close(&fd);
	return works;
}

int
socket_filter_family(int fd)
{
	int family = AF_UNSPEC;
	socklen_t length = sizeof(family);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) != 0)
		return AF_UNSPEC;
	return family;
}

size_t
socket_filter_room(void)
{
	char text[24] = "";
	int fd = open("/proc/sys/net/core/optmem_max", O_RDONLY | O_CLOEXEC);
	unsigned long room = 0;

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
		room = strtoul(text, NULL, 10);
	fd_close(&fd);
	return room > 0 ? room : ROOM_USUAL;
}
