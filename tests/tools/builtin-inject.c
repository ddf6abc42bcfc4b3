/*
 * Makes small services call the kernel, and says what came of it:
 *   builtin-inject PROGRAM KIND WAITING
 * Each line of standard input is one call in a process of its own, put in the
 * place of the first call of the number WAITING that it makes, which is one
 * that only its serving makes:
 *   NUMBER ARG0 ARG1 ARG2 ARG3 ARG4 ARG5
 * An argument M is the address of some memory. Each gets a line: killed
 * (SIGSYS), returned N, exited N, or what else happened.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS 6
#define SCRATCH_BELOW 2048u /* beyond the red zone: nobody's */
#define STOPPED_AT_CALL (SIGTRAP | 0x80) /* PTRACE_O_TRACESYSGOOD */
#define TIME_LIMIT_S 60u

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "builtin-inject: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* A kind as the launcher starts it, stopped right after its exec. */
static pid_t
start(char *program, char *kind, int connection)
{
	char *argv[] = { program, kind, NULL };
	const pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		    dup2(connection, 0) == -1 || dup2(connection, 1) == -1 ||
		    ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(125);
		execv(program, argv);
		_exit(126);
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		die("cannot start it");
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL,
		PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD) != 0)
		die("PTRACE_SETOPTIONS");
	return pid;
}

static struct user_regs_struct
registers(pid_t pid)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) != 0)
		die("PTRACE_GETREGS");
	return regs;
}

static void
print_end(int status)
{
	if (WIFEXITED(status))
		printf("exited %d\n", WEXITSTATUS(status));
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		printf("killed\n");
	else if (WIFSIGNALED(status))
		printf("signal %d\n", WTERMSIG(status));
	else
		printf("stopped by signal %d\n", WSTOPSIG(status));
}

/* To the next entry or return of a call; false after telling its end. */
static bool
run(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) != 0 ||
	    waitpid(pid, &status, 0) != pid)
		die("cannot run it");
	if (WIFSTOPPED(status) && WSTOPSIG(status) == STOPPED_AT_CALL)
		return true;
	print_end(status);
	return false;
}

static unsigned long long
argument(const char *text, unsigned long long memory)
{
	return strcmp(text, "M") == 0 ? memory : strtoull(text, NULL, 0);
}

/* Filters are asked after whoever traces, so they see what is put here. */
static void
exchange(pid_t pid, unsigned long long number, char arguments[ARGUMENTS][24])
{
	struct user_regs_struct regs = registers(pid);
	const unsigned long long memory = (regs.rsp - SCRATCH_BELOW) & ~63ull;

	regs.orig_rax = number;
	regs.rdi = argument(arguments[0], memory);
	regs.rsi = argument(arguments[1], memory);
	regs.rdx = argument(arguments[2], memory);
	regs.r10 = argument(arguments[3], memory);
	regs.r8 = argument(arguments[4], memory);
	regs.r9 = argument(arguments[5], memory);
	if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) != 0)
		die("PTRACE_SETREGS");
}

static void
inject(pid_t pid, unsigned long long waiting, unsigned long long number,
    char arguments[ARGUMENTS][24])
{
	long long returned;

	do
		if (!run(pid))
			return;
	while (registers(pid).orig_rax != waiting);
	exchange(pid, number, arguments);
	/* Even a call that kills returns; who calls again has survived. */
	if (!run(pid))
		return;
	returned = (long long)registers(pid).rax;
	if (run(pid))
		printf("returned %lld\n", returned);
}

int
main(int argc, char *argv[])
{
	char arguments[ARGUMENTS][24];
	unsigned long long number;

	if (argc != 4)
		exit(2);
	(void)alarm(TIME_LIMIT_S);
	while (scanf("%llu %23s %23s %23s %23s %23s %23s", &number,
		   arguments[0], arguments[1], arguments[2], arguments[3],
		   arguments[4], arguments[5]) == 1 + ARGUMENTS) {
		int ends[2];
		pid_t pid;

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) !=
		    0)
			die("socketpair");
		/* There is something to be received, and then the end. */
		if (write(ends[0], "hello", 5) != 5 ||
		    shutdown(ends[0], SHUT_WR) != 0)
			die("write");
		pid = start(argv[1], argv[2], ends[1]);
		inject(pid, strtoull(argv[3], NULL, 10), number, arguments);
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		(void)close(ends[0]);
		(void)close(ends[1]);
	}
	return 0;
}
