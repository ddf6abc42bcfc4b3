/*
 * rider: is the parser that ships, with somebody else in its saddle. It forks
 * who traces it, and executes the program in the second line of PROGRAM.how:
 * that builds its whole room, and is made to do evil from inside, by other
 * calls, arguments and bytes than its own (ptrace(2), x86-64).
 * Usage otherwise is that of every evil parser (evil.h).
 */
#include "lies.h"

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

/* The instruction `syscall`, which is done once more. */
#define SYSCALL_BYTES 2
/* jmp to itself. */
#define SPIN_CODE 0xfeebL
#define SPIN_MASK 0xffffL
#define NO_CALL (~0ULL)
#define FLOOD 1000000

enum step {
	STEP_ASKED, /* before its first look at a client of the batch */
	STEP_CLOSE, /* before each of its closes */
	STEP_ANSWER, /* before its answer is sent */
	STEP_ANSWERED, /* behind that */
	STEP_IDLE, /* before it waits for the next batch */
};

static pid_t pid; /* of whom is ridden */
static char program[PATH_MAX];
static uint8_t bytes[VERDICT_MESSAGE_MAX];
static struct user_regs_struct regs;
static struct user_regs_struct own; /* as it made the call */
static bool is_due; /* it is a batch to be evil with */
static bool was_asked; /* no client of it was looked at yet */
static bool has_greeted;
static unsigned long long result; /* what the call seems to, or NO_CALL */
static unsigned closes, sends;
static uint8_t before[VERDICT_MESSAGE_MAX];
static size_t before_length;

static void
copy(void *here, unsigned long long there, size_t length, bool is_in)
{
	const struct iovec local = { .iov_base = here, .iov_len = length };
	const struct iovec remote = { .iov_base = (void *)(uintptr_t)there,
		.iov_len = length };
	ssize_t done = is_in ? process_vm_readv(pid, &local, 1, &remote, 1, 0)
			     : process_vm_writev(pid, &local, 1, &remote, 1, 0);

	if (done != (ssize_t)length)
		_exit(1);
}

/* --- what is done ------------------------------------------------------- */

static void
call(unsigned long long number, unsigned long long first,
    unsigned long long second, unsigned long long third,
    unsigned long long fourth)
{
	regs.orig_rax = number;
	regs.rdi = first;
	regs.rsi = second;
	regs.rdx = third;
	regs.r10 = fourth;
}

/* Nothing comes of it, and it seems to have returned this. */
static void
skip(unsigned long long returned)
{
	call(SYS_recvfrom, ROOM_CHANNEL_FD, regs.rsp - 1024, 1,
	    MSG_PEEK | MSG_DONTWAIT);
	regs.r8 = regs.r9 = 0;
	result = returned;
}

static void
lie(void)
{
	struct verdict answers[BATCH_MAX];
	size_t count = regs.rdx / VERDICT_BYTES;

	copy(bytes, regs.rsi, regs.rdx, true);
	for (size_t i = 0; i < count; i++)
		verdict_decode(&answers[i], bytes + i * VERDICT_BYTES);
	if (!lies_tell(evil.how, answers, count))
		_exit(1);
	(void)verdict_encode(bytes, answers, count);
	copy(bytes, regs.rsi, regs.rdx, false);
}

static void
replay(void)
{
	if (before_length == 0) {
		before_length = regs.rdx;
		copy(before, regs.rsi, before_length, true);
	} else {
		copy(before, regs.rsi, before_length, false);
		regs.rdx = before_length;
	}
}

static void
send_again(void)
{
	const unsigned most = evil_is(&evil, "twice") ? 2 : FLOOD;

	if (++sends >= most)
		return;
	regs.rip -= SYSCALL_BYTES;
	regs.rax = SYS_sendto;
}

/* And it does not notice. */
static void
send_length(unsigned long long length)
{
	result = regs.rdx;
	regs.rdx = length;
}

static void
send_half(void)
{
	send_length(regs.rdx / 2 + 1);
}

static void
send_one_short(void)
{
	send_length(regs.rdx - 1);
}

static void
send_one_long(void)
{
	send_length(regs.rdx + 1);
}

static void
send_empty(void)
{
	send_length(0);
}

static void
say_nothing_at_all(void)
{
	skip(regs.rdx);
}

static void
spin(void)
{
	long code = ptrace(PTRACE_PEEKTEXT, pid, regs.rip, NULL);

	skip(0);
	(void)ptrace(
	    PTRACE_POKETEXT, pid, regs.rip, (code & ~SPIN_MASK) | SPIN_CODE);
}

static void
keep_one(void)
{
	if (closes++ == 0)
		skip(0);
}

static void
keep_all(void)
{
	skip(0);
}

static void
close_channel(void)
{
	call(SYS_close, ROOM_CHANNEL_FD, 0, 0, 0);
}

static void
end_well(void)
{
	call(SYS_exit_group, 0, 0, 0, 0);
}

static void
end_badly(void)
{
	call(SYS_exit_group, 3, 0, 0, 0);
}

/* What follows is the end of it, by the filter. All that is to be had for an
 * address is the stack: what is there does not matter. */

static void
write_client(void)
{
	call(SYS_write, regs.rdi, regs.rsp, 1, 0);
}

static void
send_client(void)
{
	call(SYS_sendto, regs.rdi, regs.rsp, 1, MSG_NOSIGNAL);
	regs.r8 = regs.r9 = 0;
}

static void
take_from_client(void)
{
	call(SYS_recvfrom, regs.rdi, regs.rsp - 1024, 1, MSG_DONTWAIT);
	regs.r8 = regs.r9 = 0;
}

static void
read_client(void)
{
	call(SYS_read, regs.rdi, regs.rsp - 1024, 1, 0);
}

static void
shut_client(void)
{
	call(SYS_shutdown, regs.rdi, SHUT_RDWR, 0, 0);
}

static void
set_linger(void)
{
	const struct linger minute = { .l_onoff = 1, .l_linger = 60 };

	copy(
	    (void *)(uintptr_t)&minute, regs.rsp - 1024, sizeof(minute), false);
	call(SYS_setsockopt, regs.rdi, SOL_SOCKET, SO_LINGER, regs.rsp - 1024);
	regs.r8 = sizeof(minute);
}

static void
set_nonblocking(void)
{
	call(SYS_fcntl, regs.rdi, F_SETFL, O_NONBLOCK, 0);
}

static void
copy_client(void)
{
	call(SYS_dup, regs.rdi, 0, 0, 0);
}

/* With descriptors in it, or without: it is the call that is not allowed. */
static void
smuggle(void)
{
	call(SYS_sendmsg, ROOM_CHANNEL_FD, regs.rsp - 1024, MSG_NOSIGNAL, 0);
}

static void
make_socket(void)
{
	call(SYS_socket, AF_INET, SOCK_STREAM, 0, 0);
}

static void
open_file(void)
{
	call(SYS_openat, (unsigned long long)AT_FDCWD, regs.rsp, O_RDONLY, 0);
}

static void
execute(void)
{
	call(SYS_execve, regs.rsp, 0, 0, 0);
}

static void
breed(void)
{
	call(SYS_clone, SIGCHLD, 0, 0, 0);
}

/* Process 0 is all of its group; in its pid namespace, itself. */
static void
shoot(void)
{
	call(SYS_kill, 0, SIGKILL, 0, 0);
}

static const struct way {
	const char *how;
	enum step step;
	void (*act)(void);
} ways[] = {
	{ "replay", STEP_ANSWER, replay },
	{ "twice", STEP_ANSWERED, send_again },
	{ "flood", STEP_ANSWERED, send_again },
	{ "half", STEP_ANSWER, send_half },
	{ "one-short", STEP_ANSWER, send_one_short },
	{ "one-long", STEP_ANSWER, send_one_long },
	{ "empty", STEP_ANSWER, send_empty },
	{ "nothing", STEP_ANSWER, say_nothing_at_all },
	{ "spin", STEP_ANSWER, spin },
	{ "hang-up", STEP_ANSWER, close_channel },
	{ "keep-one", STEP_CLOSE, keep_one },
	{ "keep-all", STEP_CLOSE, keep_all },
	{ "asked-zero", STEP_ASKED, end_well },
	{ "asked-three", STEP_ASKED, end_badly },
	{ "closed-zero", STEP_ANSWER, end_well },
	{ "answered-zero", STEP_IDLE, end_well },
	{ "write", STEP_CLOSE, write_client },
	{ "send", STEP_CLOSE, send_client },
	{ "take", STEP_CLOSE, take_from_client },
	{ "read", STEP_CLOSE, read_client },
	{ "shutdown", STEP_CLOSE, shut_client },
	{ "set-linger", STEP_CLOSE, set_linger },
	{ "set-nonblocking", STEP_CLOSE, set_nonblocking },
	{ "dup", STEP_CLOSE, copy_client },
	{ "smuggle", STEP_ANSWER, smuggle },
	{ "socket", STEP_ANSWER, make_socket },
	{ "open", STEP_ANSWER, open_file },
	{ "execute", STEP_ANSWER, execute },
	{ "breed", STEP_ANSWER, breed },
	{ "shoot", STEP_ANSWER, shoot },
};

static const struct way lying = { NULL, STEP_ANSWER, lie };

static const struct way *
way_of(const char *how)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(ways[i].how, how) == 0)
			return &ways[i];
	return &lying;
}

/* --- when --------------------------------------------------------------- */

static void
act_at(enum step step)
{
	const struct way *way = way_of(evil.how);

	if (!is_due || way->step != step)
		return;
	way->act();
	if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) != 0)
		_exit(1);
}

static void
enter_call(void)
{
	result = NO_CALL;
	own = regs;
	switch (regs.orig_rax) {
	case SYS_recvfrom:
		if (was_asked)
			act_at(STEP_ASKED);
		was_asked = false;
		break;
	case SYS_close:
		act_at(STEP_CLOSE);
		break;
	case SYS_sendto:
		if (has_greeted)
			act_at(STEP_ANSWER);
		break;
	case SYS_recvmsg:
		act_at(STEP_IDLE);
		is_due = false;
		break;
	}
}

static void
leave_call(unsigned long long number)
{
	if (result != NO_CALL) {
		regs.rax = result;
		/* A call changes no other register. */
		regs.rdi = own.rdi;
		regs.rsi = own.rsi;
		regs.rdx = own.rdx;
		regs.r10 = own.r10;
		regs.r8 = own.r8;
		regs.r9 = own.r9;
		(void)ptrace(PTRACE_SETREGS, pid, NULL, &regs);
		return;
	}
	if (number == SYS_sendto && has_greeted) {
		act_at(STEP_ANSWERED);
	} else if (number == SYS_sendto) {
		has_greeted = true;
	} else if (number == SYS_recvmsg && (long long)regs.rax > 0) {
		was_asked = true;
		closes = sends = 0;
		/* What is to be replayed has to be heard first. */
		is_due = (strcmp(evil.when, "once") != 0 &&
			     strcmp(evil.when, "marked") != 0) ||
		    (evil_is(&evil, "replay") && before_length == 0) ||
		    (strcmp(evil.when, "once") == 0 && evil_spend(&evil));
	} else if (number == SYS_recvfrom && (long long)regs.rax > 0 &&
	    strcmp(evil.when, "marked") == 0) {
		copy(bytes, own.rsi, 1, true);
		is_due |= bytes[0] == '!';
	}
}

/* At the entry of a call, or at its exit. */
static void
look_at_call(void)
{
	static unsigned long long number = NO_CALL;
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 ||
	    ptrace(PTRACE_GETREGS, pid, NULL, &regs) != 0)
		_exit(0);
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		number = regs.orig_rax;
		enter_call();
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
		leave_call(number);
	}
}

static _Noreturn void
ride(void)
{
	int status;

	for (;;) {
		int signal_number = 0;

		if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
			_exit(0);
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			look_at_call();
		else if (status >> 16 == 0)
			signal_number = WSTOPSIG(status);
		(void)ptrace(PTRACE_SYSCALL, pid, NULL, signal_number);
	}
}

/* It is a descendant that traces: its own names, and nothing of ours. */
static _Noreturn void
mount_rider(int ready)
{
	const unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
	int status;

	pid = getppid();
	if (ptrace(PTRACE_SEIZE, pid, NULL, options) != 0 ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) != 0 ||
	    waitpid(pid, &status, __WALL) != pid ||
	    ptrace(PTRACE_SYSCALL, pid, NULL, NULL) != 0 ||
	    write(ready, "", 1) != 1)
		_exit(1);
	(void)close_range(0, ~0U, 0);
	ride();
}

static void
read_program(void)
{
	char path[PATH_MAX + 8];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s.how", evil.path);
	file = fopen(path, "re");
	if (file == NULL || fscanf(file, "%*[^\n] %4095s", program) != 1)
		err(1, "%s", path);
	(void)fclose(file);
}

int
main(int argc, char *argv[])
{
	int ends[2];
	char byte;

	(void)argc;
	evil_read_how(&evil);
	evil_map_names(&evil);
	read_program();
	if (pipe2(ends, O_CLOEXEC) != 0)
		err(1, "pipe");
	switch (fork()) {
	case -1:
		err(1, "fork");
	case 0:
		mount_rider(ends[1]);
	}
	if (read(ends[0], &byte, 1) != 1)
		return 1;
	/* Both ends are gone with the exec. */
	(void)execv(program, argv);
	err(1, "%s", program);
}
