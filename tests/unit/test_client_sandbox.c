/*
 * The client's sandbox, tried from inside: what a relay needs passes, and
 * each forbidden act, or an allowed call with another argument, kills.
 */
#include "client/sandbox.c"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#define SOCKET_FD 100
#define OTHER_FD 101
#define LAST_NUMBER 600

#ifdef __x86_64__
#define IS_X86_64 true
#else
#define IS_X86_64 false
#endif

/* Closed descriptors and null pointers: what passes the filter only fails. */
struct act {
	const char *what;
	long number;
	long arguments[6];
};

static const struct act permitted[] = {
	{ "peek", SYS_recvfrom, { SOCKET_FD, 0, 1, MSG_PEEK | MSG_DONTWAIT } },
	{ "receive", SYS_recvfrom, { SOCKET_FD, 0, 1, MSG_DONTWAIT } },
	{ "receive input", SYS_recvfrom, { 0, 0, 1, MSG_DONTWAIT } },
	{ "send", SYS_sendto, { SOCKET_FD, 0, 1, RELAY_SEND_FLAGS } },
	{ "send output", SYS_sendto, { 1, 0, 1, RELAY_SEND_FLAGS } },
	{ "splice up", SYS_splice,
	    { 0, 0, SOCKET_FD, 0, 1, RELAY_SPLICE_FLAGS } },
	{ "splice down", SYS_splice,
	    { SOCKET_FD, 0, 1, 0, 1, RELAY_SPLICE_FLAGS } },
	{ "read", SYS_read, { 0, 0, 0 } },
	{ "write", SYS_write, { 1, 0, 0 } },
	{ "message", SYS_write, { 2, 0, 0 } },
	{ "half-close", SYS_shutdown, { SOCKET_FD, SHUT_WR } },
	{ "wait", SYS_ppoll, { 1, 1, 0, 0 } },
	{ "clock", SYS_clock_gettime, { CLOCK_MONOTONIC, 0 } },
};

static const struct act pinned[] = {
	{ "receive on another", SYS_recvfrom,
	    { OTHER_FD, 0, 1, MSG_DONTWAIT } },
	{ "receive blocking", SYS_recvfrom, { SOCKET_FD, 0, 1, 0 } },
	{ "receive the address", SYS_recvfrom,
	    { SOCKET_FD, 0, 1, MSG_DONTWAIT, 8 } },
	{ "receive on output", SYS_recvfrom, { 1, 0, 1, MSG_DONTWAIT } },
	{ "send on another", SYS_sendto, { OTHER_FD, 0, 1, RELAY_SEND_FLAGS } },
	{ "send with SIGPIPE", SYS_sendto, { SOCKET_FD, 0, 1, MSG_DONTWAIT } },
	{ "send fast open", SYS_sendto,
	    { SOCKET_FD, 0, 1, RELAY_SEND_FLAGS | MSG_FASTOPEN } },
	{ "send elsewhere", SYS_sendto,
	    { SOCKET_FD, 0, 1, RELAY_SEND_FLAGS, 8, 16 } },
	{ "send on input", SYS_sendto, { 0, 0, 1, RELAY_SEND_FLAGS } },
	{ "splice backwards", SYS_splice,
	    { 1, 0, SOCKET_FD, 0, 1, RELAY_SPLICE_FLAGS } },
	{ "splice past the socket", SYS_splice,
	    { 0, 0, 1, 0, 1, RELAY_SPLICE_FLAGS } },
	{ "splice at an offset", SYS_splice,
	    { 0, 8, SOCKET_FD, 0, 1, RELAY_SPLICE_FLAGS } },
	{ "splice blocking", SYS_splice, { 0, 0, SOCKET_FD, 0, 1, 0 } },
	{ "read another", SYS_read, { OTHER_FD, 0, 0 } },
	{ "read the socket", SYS_read, { SOCKET_FD, 0, 0 } },
	{ "write another", SYS_write, { OTHER_FD, 0, 0 } },
	{ "write the socket", SYS_write, { SOCKET_FD, 0, 0 } },
	{ "shut the reading side", SYS_shutdown, { SOCKET_FD, SHUT_RD } },
	{ "shut both sides", SYS_shutdown, { SOCKET_FD, SHUT_RDWR } },
	{ "shut another", SYS_shutdown, { OTHER_FD, SHUT_WR } },
	{ "wait with a mask", SYS_ppoll, { 0, 0, 0, 8, 8 } },
	{ "the date", SYS_clock_gettime, { CLOCK_REALTIME, 0 } },
};

/* The wait status of a confined child that does it and exits with 42. */
static int
try_act(long number, const long *arguments)
{
	int status = -1;
	pid_t child = fork();

	assert_int_not_equal(child, -1);
	if (child == 0) {
		const struct rlimit no_core = { 0, 0 };

		setrlimit(RLIMIT_CORE, &no_core);
		if (sandbox_enter(SOCKET_FD) == -1)
			_exit(1);
		syscall(number, arguments[0], arguments[1], arguments[2],
		    arguments[3], arguments[4], arguments[5]);
		_exit(42);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

/* The sanitizers' own calls only get logged: see sandbox.c. */
static void
skip_if_relaxed(void)
{
	if (sandbox_note[0] != '\0')
		skip();
}

static void
assert_killed(const char *what, long number, const long *arguments)
{
	int status = try_act(number, arguments);

	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
		fail_msg("%s (call %ld): status %x", what, number,
		    (unsigned int)status);
}

static void
a_relay_passes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(permitted) / sizeof(*permitted); i++) {
		const struct act *act = &permitted[i];
		int status = try_act(act->number, act->arguments);

		if (!WIFEXITED(status) || WEXITSTATUS(status) != 42)
			fail_msg(
			    "%s: status %x", act->what, (unsigned int)status);
	}
}

static void
other_arguments_kill(void **state)
{
	(void)state;
	skip_if_relaxed();
	for (size_t i = 0; i < sizeof(pinned) / sizeof(*pinned); i++)
		assert_killed(
		    pinned[i].what, pinned[i].number, pinned[i].arguments);
}

static bool
is_in_table(long number)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
		if (allowed[i].number == number)
			return true;
	return false;
}

/*
 * x86-64's uretprobe and uprobe: newer kernels let them past every filter;
 * outside a probe's trampoline they do nothing.
 */
static bool
is_unfiltered(long number)
{
	return IS_X86_64 && (number == 335 || number == 336);
}

static void
every_other_call_kills(void **state)
{
	const long none[6] = { 0 };

	(void)state;
	skip_if_relaxed();
	for (long number = 0; number <= LAST_NUMBER; number++)
		if (!is_in_table(number) && !is_unfiltered(number))
			assert_killed("other", number, none);
}

#ifdef __x86_64__
/* getpid of the i386 table, by the gate that leads to it. */
static void
foreign_abi_kills(void **state)
{
	int status = -1;
	pid_t child = fork();

	(void)state;
	assert_int_not_equal(child, -1);
	if (child == 0) {
		/* Only the foreign ABI kills in a relaxed sandbox, too. */
		long number = 20;

		if (sandbox_enter(SOCKET_FD) == -1)
			_exit(1);
		__asm__ volatile("int $0x80" : "+a"(number) : : "memory");
		_exit(42);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);

	const long x32_read[6] = { 0 };

	assert_killed("x32 read", 0x40000000, x32_read);
}
#endif

static const struct CMUnitTest all[] = {
	cmocka_unit_test(a_relay_passes),
	cmocka_unit_test(other_arguments_kill),
	cmocka_unit_test(every_other_call_kills),
#ifdef __x86_64__
	cmocka_unit_test(foreign_abi_kills),
#endif
};

int
main(void)
{
	return cmocka_run_group_tests(all, NULL, NULL);
}
