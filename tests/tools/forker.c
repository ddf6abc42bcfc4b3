/*
 * A service that leaves something behind, as far out of reach as it can:
 *   forker [COUNT [mild|deaf]]
 * COUNT processes (1) that have forked twice, in sessions of their own, with
 * none of the descriptors, and deaf to every signal that can be ignored; mild:
 * these end on SIGTERM, and this one does not; deaf: none of them does. It
 * writes their pids, a line each, and ends when its input does.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void
set_all(void (*how)(int))
{
	for (int number = 1; number < NSIG; number++)
		if (number != SIGCHLD)
			(void)signal(number, how);
}

static _Noreturn void
hide(bool is_mild)
{
	if (setsid() == -1)
		_exit(1);
	set_all(is_mild ? SIG_DFL : SIG_IGN);
	printf("%d\n", (int)getpid());
	(void)fflush(stdout);
	(void)close(0);
	(void)close(1);
	(void)close(2);
	for (;;)
		(void)pause();
}

static void
leave_one(bool is_mild)
{
	const pid_t between = fork();

	if (between == 0) {
		if (fork() == 0)
			hide(is_mild);
		_exit(0);
	}
	(void)waitpid(between, NULL, 0);
}

int
main(int argc, char *argv[])
{
	const long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
	const bool is_mild = argc > 2 && strcmp(argv[2], "mild") == 0;
	const bool is_deaf = argc > 2 && strcmp(argv[2], "deaf") == 0;
	char byte;

	for (long i = 0; i < count; i++)
		leave_one(is_mild);
	if (is_mild || is_deaf)
		(void)signal(SIGTERM, SIG_IGN);
	while (read(0, &byte, 1) > 0)
		continue;
	return 0;
}
