/*
 * A launch's first steps, as whoever the launcher is: what the service shall
 * not inherit, and where its descriptors and its directory are.
 * Trusts the launcher's own descriptors to be where base.h says.
 * Never leaves a descriptor open but 0, 1, 2, the status pipe and Landlock's.
 */
#include "launcher/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/message.h"

/* A silent peer is asked this often and, dead, found out after about twice
 * its keepalive time. */
#define PROBES 9
#define PROBE_INTERVAL_MAX_S 75u

/* First of all, so that the parent knows whom to kill if it hangs. */
int
child_announce(struct child *child)
{
	uint8_t bytes[LAUNCHED_BYTES];

	launched_encode(bytes, child->session);
	if (send(BASE_CHANNEL_FD, bytes, sizeof(bytes), MSG_NOSIGNAL) !=
	    sizeof(bytes))
		return -1;
	return 0;
}

/* Its number is then also the group's: what the session leaves behind. */
int
child_lead_group(struct child *child)
{
	(void)child;
	if (setpgid(0, 0) != 0)
		return -1;
	if (getpgrp() != getpid()) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

/* The launcher has set all to their defaults; only its mask is left. */
int
child_reset_signals(struct child *child)
{
	sigset_t none;

	(void)child;
	(void)sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL);
}

static int
stderr_source(const struct child *child)
{
	switch ((enum image_stderr)child->plan->service->stderr_to) {
	case IMAGE_STDERR_LOG:
		return child->stderr_fd;
	case IMAGE_STDERR_NULL:
		return BASE_NULL_FD;
	case IMAGE_STDERR_SOCKET:
		return child->socket_fd;
	}
	return -1;
}

/* What arrived was opened above all of these places: none is overwritten
 * before it is used. */
int
child_place_descriptors(struct child *child)
{
	if (dup2(stderr_source(child), STDERR_FILENO) != STDERR_FILENO ||
	    dup2(child->socket_fd, STDIN_FILENO) != STDIN_FILENO ||
	    dup2(child->socket_fd, STDOUT_FILENO) != STDOUT_FILENO ||
	    dup3(child->status_fd, CHILD_STATUS_FD, O_CLOEXEC) !=
		CHILD_STATUS_FD)
		return -1;
	child->socket_fd = STDIN_FILENO;
	child->status_fd = CHILD_STATUS_FD;
	child->stderr_fd = -1;
	return close_range(child->base->first_free_fd, ~0U, 0);
}

static int
set_option(int level, int name, int value)
{
	return setsockopt(STDIN_FILENO, level, name, &value, sizeof(value));
}

static int
set_keepalive(uint32_t keepalive_s)
{
	uint32_t interval_s = keepalive_s / PROBES;

	if (keepalive_s == 0)
		return set_option(SOL_SOCKET, SO_KEEPALIVE, 0);
	if (interval_s == 0)
		interval_s = 1;
	if (interval_s > PROBE_INTERVAL_MAX_S)
		interval_s = PROBE_INTERVAL_MAX_S;
	if (set_option(IPPROTO_TCP, TCP_KEEPIDLE, (int)keepalive_s) != 0 ||
	    set_option(IPPROTO_TCP, TCP_KEEPINTVL, (int)interval_s) != 0 ||
	    set_option(IPPROTO_TCP, TCP_KEEPCNT, PROBES) != 0)
		return -1;
	return set_option(SOL_SOCKET, SO_KEEPALIVE, 1);
}

/* What the mux needed of the socket while it was undecided ends here. */
int
child_reset_socket(struct child *child)
{
	const int flags = fcntl(STDIN_FILENO, F_GETFL);

	if (flags == -1)
		return -1;
	if ((flags & (O_NONBLOCK | O_ASYNC)) != 0 &&
	    fcntl(STDIN_FILENO, F_SETFL, 0) != 0)
		return -1;
	/* Linux 6.8 and older do not know it for TCP: then it was not set. */
	if (set_option(SOL_SOCKET, SO_PEEK_OFF, -1) != 0 && errno != EOPNOTSUPP)
		return -1;
	if (set_option(SOL_SOCKET, SO_OOBINLINE, 0) != 0 ||
	    set_option(SOL_SOCKET, SO_RCVLOWAT, 1) != 0 ||
	    set_option(IPPROTO_TCP, TCP_USER_TIMEOUT, 0) != 0)
		return -1;
	return set_keepalive(child->plan->service->keepalive_s);
}

int
child_set_umask(struct child *child)
{
	const mode_t mask = (mode_t)child->plan->service->umask;

	(void)umask(mask);
	if (umask(mask) != mask) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

/*
 * By a descriptor, so that what is made the root is what is then looked for
 * there. Nothing of the old root is left to the child: it has no directory
 * open, and its working directory is below the new one.
 */
int
child_change_root(struct child *child)
{
	const char *path = child->plan->chroot;
	struct stat wanted, is;
	int fd;

	if (path == NULL)
		return 0;
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &wanted) != 0 || fchdir(fd) != 0 ||
	    close(fd) != 0 || chroot(".") != 0 || stat("/", &is) != 0)
		return -1;
	if (is.st_dev != wanted.st_dev || is.st_ino != wanted.st_ino) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

int
child_drop_tools(struct child *child)
{
	(void)child;
	return close_range(CHILD_STATUS_FD + 1, ~0U, 0);
}

int
child_change_directory(struct child *child)
{
	return chdir(child->plan->chdir);
}
