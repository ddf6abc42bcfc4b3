/*
 * A launch's first steps, as whoever the launcher is: what the service shall
 * not inherit, and where its descriptors and its directory are.
 * Trusts the launcher's own descriptors to be where base.h says.
 * Never leaves a descriptor open but 0, 1, 2, the status pipe, Landlock's and
 * that of /proc.
 */
#include "launcher/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/stat.h>

#include "core/message.h"
#include "sys/cgroup.h"
#include "sys/restore.h"

static int
refuse(void)
{
	errno = EPERM;
	return -1;
}

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

/*
 * Nothing else is ever in it at this moment. Born into it, there was nothing
 * to do: that clone3(2) does this, or fails, was tried at tcpmuxd's start.
 */
int
child_enter_cgroup(struct child *child)
{
	if (child->cgroup_fd == -1 || child->is_born_there)
		return 0;
	if (cgroup_enter(child->cgroup_fd) != 0)
		return -1;
	return cgroup_has_process(child->cgroup_fd) ? 0 : refuse();
}

/*
 * Its number is then also its group's: what the session leaves behind. And in
 * no other's session: setpgid(2) would let it join their groups, for the
 * kernel to end when they are orphaned, and autogroups share the processors.
 */
int
child_lead_session(struct child *child)
{
	(void)child;
	if (setsid() == -1)
		return -1;
	return getsid(0) == getpid() ? 0 : refuse();
}

/* The launcher has set all to their defaults; only its mask is left. */
int
child_reset_signals(struct child *child)
{
	const sigset_t none = { 0 }; /* to Linux, a bit a signal */

	(void)child;
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

/* What the mux needed of the socket while it was undecided ends here. */
int
child_reset_socket(struct child *child)
{
	return restore_socket(STDIN_FILENO, child->plan->service->keepalive_s);
}

int
child_set_umask(struct child *child)
{
	const mode_t mask = (mode_t)child->plan->service->umask;

	/* The base has it. */
	if (mask == BASE_UMASK)
		return 0;
	(void)umask(mask);
	return umask(mask) == mask ? 0 : refuse();
}

static bool
is_same(const struct stat *one, const struct stat *other)
{
	return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
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
	return is_same(&wanted, &is) ? 0 : refuse();
}

int
child_drop_tools(struct child *child)
{
	(void)child;
	return close_range(CHILD_STATUS_FD + 1, ~0U, 0);
}

/* In the root is where the base is, and who went to another one. */
int
child_change_directory(struct child *child)
{
	const char *path = child->plan->chdir;
	struct stat wanted, is;

	if (path[1] == '\0')
		return 0;
	if (chdir(path) != 0 || stat(path, &wanted) != 0 || stat(".", &is) != 0)
		return -1;
	return is_same(&wanted, &is) ? 0 : refuse();
}
