/*
 * Reaching a server that runs already, by its Unix socket.
 * Trusts no path; the kernel for who listens there.
 * Never waits for a server, and reads nothing from it.
 */
#include "sys/server.h"

#include <errno.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <linux/sockios.h>

#include "sys/fd.h"

/* The user whose rights to files count; -1 and EPERM if it is not that one. */
static int
become_for_files(uid_t uid)
{
	(void)setfsuid(uid);
	/* It tells the one before, and fails by changing nothing. */
	if ((uid_t)setfsuid((uid_t)-1) == uid)
		return 0;
	errno = EPERM;
	return -1;
}

static int
connect_to(int fd, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);

	if (length >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, length + 1);
	return connect(fd, (const struct sockaddr *)&address, sizeof(address));
}

static int
connect_as(int fd, const char *path, uid_t uid)
{
	const uid_t own = (uid_t)setfsuid((uid_t)-1);
	int result = become_for_files(uid);
	int error;

	if (result == 0)
		result = connect_to(fd, path);
	error = errno;
	if (become_for_files(own) != 0)
		return -1;
	errno = error;
	return result;
}

int
server_connect(const char *path, uid_t uid, bool as_uid)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int result;

	if (fd < 0)
		return -1;
	result = as_uid ? connect_as(fd, path, uid) : connect_to(fd, path);
	if (result != 0)
		fd_close(&fd);
	return fd;
}

bool
server_is(int fd, uid_t uid)
{
	struct ucred server;
	socklen_t length = sizeof(server);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &server, &length) == 0 &&
	    length == sizeof(server) && server.uid == uid;
}

enum server_state
server_state(int fd)
{
	int error = 0;
	int unread = 1;
	socklen_t length = sizeof(error);

	/* Closed with the message unread, it is an error: ECONNRESET. */
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0 ||
	    error != 0)
		return SERVER_GONE;
	if (ioctl(fd, SIOCOUTQ, &unread) != 0 || unread > 0)
		return SERVER_WAITING;
	return SERVER_HAS_READ;
}
