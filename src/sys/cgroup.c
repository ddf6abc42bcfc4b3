/*
 * Groups of processes that none of them can leave by forking.
 * Trusts the kernel's files; a number in them is a process only for as long
 * as a second look finds it there.
 * Never waits for a process to end.
 */
#include "sys/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/sched.h>

#include "sys/fd.h"

/* NUMBER/cgroup.events */
#define PATH_BYTES 48
#define PROCS_BYTES 4096

static const char *
path_of(char path[PATH_BYTES], uint64_t number, const char *file)
{
	(void)snprintf(path, PATH_BYTES, "%" PRIu64 "/%s", number, file);
	return path;
}

/* By its number: <sys/file.h> would be our own file of that name. */
int
cgroup_lock(int group_fd)
{
	return (int)syscall(SYS_flock, group_fd, LOCK_EX | LOCK_NB);
}

int
cgroup_make_locked(int above_fd, const char *name)
{
	int fd;

	if (mkdirat(above_fd, name, 0700) != 0)
		return -1;
	fd = openat(above_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && cgroup_lock(fd) != 0)
		fd_close(&fd);
	return fd;
}

int
cgroup_make(int above_fd, uint64_t number)
{
	char path[PATH_BYTES];

	return mkdirat(above_fd, path_of(path, number, ""), 0700);
}

int
cgroup_remove(int above_fd, uint64_t number)
{
	char path[PATH_BYTES];

	return unlinkat(above_fd, path_of(path, number, ""), AT_REMOVEDIR);
}

int
cgroup_open(int above_fd, uint64_t number)
{
	char path[PATH_BYTES];

	return openat(above_fd, path_of(path, number, ""),
	    O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int
cgroup_watch(int above_fd, uint64_t number)
{
	char path[PATH_BYTES];

	return openat(above_fd, path_of(path, number, "cgroup.events"),
	    O_RDONLY | O_CLOEXEC);
}

bool
cgroup_is_populated(int watch_fd)
{
	static const char none[] = "populated 0\n";
	char text[64];
	ssize_t length = pread(watch_fd, text, sizeof(text), 0);

	return length < (ssize_t)sizeof(none) - 1 ||
	    memcmp(text, none, sizeof(none) - 1) != 0;
}

int
cgroup_write(int dir_fd, const char *path, const char *text)
{
	const size_t length = strlen(text);
	int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC);
	ssize_t written;

	if (fd < 0)
		return -1;
	written = write(fd, text, length);
	fd_close(&fd);
	return written == (ssize_t)length ? 0 : -1;
}

int
cgroup_kill(int above_fd, uint64_t number)
{
	char path[PATH_BYTES];

	return cgroup_write(
	    above_fd, path_of(path, number, "cgroup.kill"), "1");
}

/* What is in it, by its ids here: how many. */
static size_t
read_pids(int procs_fd, pid_t pids[CGROUP_SIGNALS_MAX])
{
	char text[PROCS_BYTES + 1];
	const ssize_t length = pread(procs_fd, text, PROCS_BYTES, 0);
	const char *at = text;
	size_t count = 0;

	text[length < 0 ? 0 : length] = '\0';
	while (count < CGROUP_SIGNALS_MAX) {
		char *end;
		const long pid = strtol(at, &end, 10);

		/* A number that is cut off is not looked at. */
		if (*end != '\n')
			break;
		if (pid > 0)
			pids[count++] = (pid_t)pid;
		at = end + 1;
	}
	return count;
}

static bool
has(const pid_t pids[], size_t count, pid_t pid)
{
	for (size_t i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/*
 * A process may end, and its number be given to another, at any time: so each
 * is held by a pidfd first, and still has to be in the group after that.
 */
void
cgroup_signal(int above_fd, uint64_t number, int signal_number, pid_t except)
{
	char path[PATH_BYTES];
	pid_t pids[CGROUP_SIGNALS_MAX], again[CGROUP_SIGNALS_MAX];
	int held[CGROUP_SIGNALS_MAX];
	size_t count, again_count;
	int fd = openat(above_fd, path_of(path, number, "cgroup.procs"),
	    O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	count = read_pids(fd, pids);
	for (size_t i = 0; i < count; i++)
		held[i] = pids[i] == except ? -1 : pidfd_open(pids[i], 0);
	again_count = read_pids(fd, again);
	for (size_t i = 0; i < count; i++) {
		if (held[i] >= 0 && has(again, again_count, pids[i]))
			(void)pidfd_send_signal(
			    held[i], signal_number, NULL, 0);
		fd_close(&held[i]);
	}
	fd_close(&fd);
}

long
cgroup_clone(int group_fd, uint64_t flags, uint64_t key)
{
	struct clone_args args = { .flags = flags | CLONE_INTO_CGROUP,
		.exit_signal = (flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD,
		.cgroup = (unsigned)group_fd };

	return syscall(SYS_clone3, &args, sizeof(args), key);
}

bool
cgroup_can_clone(int group_fd)
{
	const long pid = cgroup_clone(group_fd, 0, 0);
	int status = -1;

	if (pid == 0)
		_exit(cgroup_has_process(group_fd) ? 0 : 1);
	return pid > 0 && waitpid((pid_t)pid, &status, 0) == pid && status == 0;
}

int
cgroup_enter(int group_fd)
{
	return cgroup_write(group_fd, "cgroup.procs", "0");
}

/* What cannot be read has none: this is to be sure of. */
bool
cgroup_has_process(int group_fd)
{
	static const char some[] = "populated 1\n";
	char text[sizeof(some)];
	int fd = openat(group_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	const ssize_t length =
	    fd < 0 ? -1 : pread(fd, text, sizeof(some) - 1, 0);

	fd_close(&fd);
	return length == (ssize_t)sizeof(some) - 1 &&
	    memcmp(text, some, sizeof(some) - 1) == 0;
}
