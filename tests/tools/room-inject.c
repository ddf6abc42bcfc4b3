/*
 * Makes confined parsers call the kernel, and says what came of it:
 *   room-inject PROGRAM ROOM UID GID NAMES_FD
 * Each line of standard input is one call in a parser of its own, started as
 * the parent would and stopped where it waits for a batch:
 *   ABI NUMBER ARG0 ARG1 ARG2 ARG3 ARG4 ARG5
 * ABI: native or x32 (the syscall instruction) or i386 (int 0x80). An argument
 * M is the address of some memory. Each gets a line: killed (SIGSYS),
 * returned N, exited N, waited (for ever), or what else happened.
 */
#include "sys/channel.h"
#include "sys/fd.h"
#include "sys/room.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* The kernel's own: a call that is to be taken up again. */
#ifndef ERESTARTSYS
#define ERESTARTSYS 512
#endif

#define X32_BIT 0x40000000u
#define ARGUMENTS 6
/* Below the stack pointer, beyond the red zone: nobody's. */
#define SCRATCH_BELOW 2048u
/* Nobody sends anything: whoever waits for longer waits for ever. */
#define WAIT_SECONDS 20

struct call {
	char abi[8];
	unsigned long number;
	char arguments[ARGUMENTS][24];
};

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "room-inject: %s: %s\n", what, strerror(errno));
	exit(2);
}

struct parser {
	pid_t pid;
	int channel; /* owned: ours */
};

static struct parser
start(const struct room *room, int program, int names, uid_t uid, gid_t gid)
{
	int ends[2];
	int status[2];
	char greeting;
	struct parser parser;

	if (channel_pair(ends) != 0 || pipe2(status, O_CLOEXEC) != 0)
		die("descriptors");
	parser.channel = ends[0];
	parser.pid =
	    room_spawn(room, program, ends[1], names, status[1], uid, gid);
	if (parser.pid < 0)
		die("room_spawn");
	fd_close(&ends[1]);
	fd_close(&status[1]);
	fd_close(&status[0]);
	if (recv(parser.channel, &greeting, 1, 0) != 1)
		die("no greeting");
	return parser;
}

static unsigned long long
argument(const struct call *call, int index, unsigned long long memory)
{
	const char *text = call->arguments[index];

	return strcmp(text, "M") == 0 ? memory : strtoull(text, NULL, 0);
}

static struct user_regs_struct
registers(pid_t pid)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) != 0)
		die("PTRACE_GETREGS");
	return regs;
}

/* The registers and, at rip, the instruction of this call. */
static void
aim(pid_t pid, const struct call *call)
{
	struct user_regs_struct regs = registers(pid);
	bool is_i386 = strcmp(call->abi, "i386") == 0;
	unsigned long long memory;
	long code;

	/* It was stopped right behind the syscall instruction of recvmsg. */
	regs.rip -= 2;
	errno = 0;
	code = ptrace(PTRACE_PEEKTEXT, pid, regs.rip, NULL);
	if (errno != 0 || (code & 0xffff) != 0x050f)
		die("not at a syscall instruction");
	if (is_i386 &&
	    ptrace(PTRACE_POKETEXT, pid, regs.rip,
		(code & ~0xffffL) | 0x80cd) != 0)
		die("PTRACE_POKETEXT");
	memory = (regs.rsp - SCRATCH_BELOW) & ~63ull;
	regs.rax = call->number;
	if (strcmp(call->abi, "x32") == 0)
		regs.rax |= X32_BIT;
	regs.orig_rax = ~0ull; /* nothing is to be restarted */
	regs.rdi = argument(call, 0, memory);
	regs.rsi = argument(call, 1, memory);
	regs.rdx = argument(call, 2, memory);
	regs.r10 = argument(call, 3, memory);
	regs.r8 = argument(call, 4, memory);
	regs.r9 = argument(call, 5, memory);
	if (is_i386) {
		regs.rbx = regs.rdi;
		regs.rcx = regs.rsi;
		regs.rsi = regs.r10;
		regs.rdi = regs.r8;
		regs.rbp = regs.r9;
	}
	if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) != 0)
		die("PTRACE_SETREGS");
}

static void
end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static void
print_end(pid_t pid, int status)
{
	if (WIFEXITED(status)) {
		printf("exited %d\n", WEXITSTATUS(status));
	} else if (WIFSIGNALED(status)) {
		if (WTERMSIG(status) == SIGSYS)
			printf("killed\n");
		else
			printf("signal %d\n", WTERMSIG(status));
	} else {
		printf("stopped by signal %d\n", WSTOPSIG(status));
		end(pid);
	}
}

static void
ring(int signal_number)
{
	(void)signal_number;
}

static void
set_bell(void)
{
	const struct sigaction action = { .sa_handler = ring };

	if (sigaction(SIGALRM, &action, NULL) != 0)
		die("sigaction");
}

/* Lets it run to its next stop at a system call; if not: how it ended. */
static bool
run(pid_t pid)
{
	int status;
	pid_t waited;

	if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) != 0)
		die("PTRACE_SYSCALL");
	(void)alarm(WAIT_SECONDS);
	waited = waitpid(pid, &status, 0);
	(void)alarm(0);
	if (waited == -1 && errno == EINTR) {
		printf("waited\n");
		end(pid);
		return false;
	}
	if (waited != pid)
		die("waitpid");
	if (WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80))
		return true;
	print_end(pid, status);
	return false;
}

static void
interrupt(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) != 0 ||
	    waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		die("cannot stop the parser");
}

/*
 * Stops it where it waits for a batch. It may not have come that far when it
 * greets: then it is led to the entry of recvmsg, and stopped inside.
 */
static void
stop_in_recvmsg(pid_t pid)
{
	struct user_regs_struct regs;

	interrupt(pid);
	regs = registers(pid);
	if (regs.orig_rax == SYS_recvmsg && (long long)regs.rax == -ERESTARTSYS)
		return;
	do {
		if (!run(pid))
			die("the parser has ended");
		regs = registers(pid);
	} while (
	    regs.orig_rax != SYS_recvmsg || (long long)regs.rax != -ENOSYS);
	if (ptrace(PTRACE_CONT, pid, NULL, NULL) != 0)
		die("PTRACE_CONT");
	interrupt(pid);
}

static void
inject(const struct parser *parser, const struct call *call)
{
	const unsigned long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD;
	long long returned;

	if (ptrace(PTRACE_SEIZE, parser->pid, NULL, options) != 0)
		die("PTRACE_SEIZE");
	stop_in_recvmsg(parser->pid);
	aim(parser->pid, call);
	/* Its entry, and its return, which even a call that kills has. */
	/* NOLINTNEXTLINE(misc-redundant-expression): it runs on twice */
	if (!run(parser->pid) || !run(parser->pid))
		return;
	returned = (long long)registers(parser->pid).rax;
	/* Whoever comes as far as the next call has survived this one. */
	if (!run(parser->pid))
		return;
	printf("returned %lld\n", returned);
	end(parser->pid);
}

static bool
read_call(struct call *call)
{
	return scanf("%7s %lu %23s %23s %23s %23s %23s %23s", call->abi,
		   &call->number, call->arguments[0], call->arguments[1],
		   call->arguments[2], call->arguments[3], call->arguments[4],
		   call->arguments[5]) == 2 + ARGUMENTS;
}

int
main(int argc, char *argv[])
{
	enum room_kind kind;
	struct room room;
	struct call call;

	if (argc != 6 || !room_from_word(&kind, argv[2]))
		exit(2);
	int program = open(argv[1], O_RDONLY | O_CLOEXEC);

	set_bell();
	if (program < 0 || room_prepare(&room, kind) != 0)
		die("room_prepare");
	while (read_call(&call)) {
		struct parser parser =
		    start(&room, program, (int)strtol(argv[5], NULL, 0),
			(uid_t)strtoul(argv[3], NULL, 0),
			(gid_t)strtoul(argv[4], NULL, 0));

		inject(&parser, &call);
		fd_close(&parser.channel);
	}
	room_finish(&room);
	return 0;
}
