/*
 * Starting a program of ours: a child with the descriptors it is given and
 * nothing else of its parent's.
 * Trusts the caller's descriptors; takes nothing from the environment.
 * Never execs with a descriptor, signal or variable that was not meant.
 */
#include "sys/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* Those of a struct spawn, the program and stderr. */
#define KEPT_MAX (SPAWN_FDS_MAX + 2)

#define SIGNALS_BYTES 8u /* of the kernel's own signal set */

static void
sort(int numbers[], size_t count)
{
	for (size_t i = 1; i < count; i++) {
		int number = numbers[i];
		size_t to = i;

		for (; to > 0 && numbers[to - 1] > number; to--)
			numbers[to] = numbers[to - 1];
		numbers[to] = number;
	}
}

/*
 * Closes all others now, not at the exec: a parent that has run out of
 * descriptors can still start a child, which needs some to move things about.
 */
static int
close_all_but(int kept[], size_t count)
{
	int next = 0;

	sort(kept, count);
	for (size_t i = 0; i < count; i++) {
		if (kept[i] > next &&
		    close_range((unsigned)next, (unsigned)kept[i] - 1, 0) != 0)
			return -1;
		if (kept[i] >= next)
			next = kept[i] + 1;
	}
	return close_range((unsigned)next, ~0U, 0);
}

/* 0 and 1, and 2 if there is none to be: /dev/null. */
static int
place_standard(int stderr_fd, int above)
{
	int opened = open("/dev/null", O_RDWR | O_CLOEXEC);
	int null_fd = fcntl(opened, F_DUPFD_CLOEXEC, above);

	if (null_fd < 0)
		return -1;
	if (stderr_fd < 0)
		stderr_fd = null_fd;
	if (dup2(null_fd, STDIN_FILENO) < 0 ||
	    dup2(null_fd, STDOUT_FILENO) < 0 ||
	    dup2(stderr_fd, STDERR_FILENO) < 0)
		return -1;
	return 0;
}

/* Puts all in their places; returns the program's, or -1. */
static int
place_descriptors(const struct spawn *spawn)
{
	int kept[KEPT_MAX];
	int moved[KEPT_MAX];
	size_t count = 0;
	int above = SPAWN_FIRST_FD + (int)spawn->fd_count;

	for (; count < spawn->fd_count; count++)
		kept[count] = spawn->fds[count];
	kept[count++] = spawn->program_fd;
	if (spawn->stderr_fd >= 0)
		kept[count++] = spawn->stderr_fd;
	for (size_t i = 0; i < count; i++)
		moved[i] = kept[i];
	if (close_all_but(kept, count) != 0)
		return -1;
	/* First out of the way, then into place: none overwrites another. */
	for (size_t i = 0; i < count; i++) {
		moved[i] = fcntl(moved[i], F_DUPFD_CLOEXEC, above);
		if (moved[i] < 0)
			return -1;
	}
	for (size_t i = 0; i < spawn->fd_count; i++)
		if (dup2(moved[i], SPAWN_FIRST_FD + (int)i) < 0)
			return -1;
	if (place_standard(
		spawn->stderr_fd < 0 ? -1 : moved[count - 1], above) != 0)
		return -1;
	if (close_range((unsigned)above, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
		return -1;
	return moved[spawn->fd_count];
}

/*
 * Handlers do not survive an exec, but what is ignored would stay so. By the
 * system call: the C library keeps two numbers to itself, and a program that
 * posix_spawn(3) started, as make's are, has those ignored.
 */
int
spawn_reset_signals(void)
{
	static const unsigned char default_action[64]; /* larger than any */
	sigset_t none;

	/* SIGKILL and SIGSTOP are refused, and need nothing. */
	for (int number = 1; number < NSIG; number++)
		(void)syscall(SYS_rt_sigaction, number, default_action, NULL,
		    SIGNALS_BYTES);
	(void)sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A parent that died before the prctl sends no signal any more. */
static int
die_with_parent(const struct spawn *spawn, pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		return -1;
	/* Out of a new pid namespace no parent can be seen. */
	if ((spawn->clone_flags & CLONE_NEWPID) == 0 && getppid() != parent)
		return -1;
	return 0;
}

static _Noreturn void
become(const struct spawn *spawn, pid_t parent)
{
	char *const no_environment[] = { NULL };
	int program_fd;

	if (die_with_parent(spawn, parent) != 0 || spawn_reset_signals() != 0)
		_exit(SPAWN_EXIT_PREPARE);
	program_fd = place_descriptors(spawn);
	if (program_fd < 0)
		_exit(SPAWN_EXIT_PREPARE);
	if (spawn->has_nofile && setrlimit(RLIMIT_NOFILE, &spawn->nofile) != 0)
		_exit(SPAWN_EXIT_PREPARE);
	if (spawn->prepare != NULL && spawn->prepare(spawn->context) != 0)
		_exit(SPAWN_EXIT_PREPARE);
	/* execveat takes char *const; it does not write there. */
	(void)execveat(program_fd, "", (char *const *)(uintptr_t)spawn->argv,
	    no_environment, AT_EMPTY_PATH);
	_exit(SPAWN_EXIT_EXEC);
}

pid_t
spawn_program(const struct spawn *spawn)
{
	pid_t parent = getpid();
	sigset_t all;
	sigset_t before;
	long pid;
	int error;

	if (spawn->fd_count > SPAWN_FDS_MAX || spawn->program_fd < 0) {
		errno = EINVAL;
		return -1;
	}
	/* No handler of the parent's shall run in the child. */
	(void)sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, &before) != 0)
		return -1;
	/* A null stack: like fork, the child goes on with a copy of this one.
	 * The order of the other arguments differs by machine; all are 0. */
	pid = syscall(SYS_clone, spawn->clone_flags | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		become(spawn, parent);
	error = errno;
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return (pid_t)pid;
}
