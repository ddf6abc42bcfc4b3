/*
 * A service that turns against tcpmuxd as its child: run as its main process.
 *   fork     makes tcpmuxd the parent (CLONE_PARENT) of processes that end at
 *            once, from four processes and for at most 10 s
 *   litter   makes BROOD of them for each byte that it reads, one after the
 *            other, and says so
 *   hold     a process that has left the group traces the main process and
 *            never waits for it: who is traced is reaped by nobody else
 * Both end by themselves.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "untraced.h"

#define FORKERS 3
#define BROOD 520
#define SECONDS 10
#define HOLD_SECONDS 40

static long
make_sibling(int flags)
{
	return syscall(SYS_clone, CLONE_PARENT | flags, 0, 0, 0, 0);
}

static int
fork_on(void)
{
	const time_t end = time(NULL) + SECONDS;

	for (int i = 0; i < FORKERS; i++) {
		/* A sibling's own exit signal is its leader's: SIGCHLD. */
		if (make_sibling(0) == 0)
			break;
	}
	while (time(NULL) < end)
		if (make_sibling(0) == 0)
			_exit(0);
	return 0;
}

static int
litter(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) == 1) {
		for (int i = 0; i < BROOD; i++)
			if (make_sibling(CLONE_VFORK) == 0)
				_exit(0);
		(void)!write(STDOUT_FILENO, "made\n", 5);
	}
	return 0;
}

static int
hold(void)
{
	const pid_t main_pid = getpid();

	switch (fork()) {
	case -1:
		return 1;
	case 0:
		if (setsid() == -1 ||
		    ptrace(PTRACE_SEIZE, main_pid, NULL, NULL) != 0)
			return 1;
		(void)!write(STDOUT_FILENO, "held\n", 5);
		close(STDIN_FILENO);
		close(STDOUT_FILENO);
		sleep(HOLD_SECONDS);
		return 0;
	default:
		sleep(HOLD_SECONDS);
		return 0;
	}
}

int
main(int argc, char *argv[])
{
	if (argc == 2 && strcmp(argv[1], "fork") == 0)
		return fork_on();
	if (argc == 2 && strcmp(argv[1], "litter") == 0)
		return litter();
	if (argc == 2 && strcmp(argv[1], "hold") == 0)
		return hold();
	return 64;
}
