/*
 * Landlock, filters and capabilities that are entered, in children: a call
 * that fails is told, and what only seems to be there is found out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>

#include "failing.h"
#include "sys/drop.h"
#include "sys/filter.h"
#include "sys/landlock.h"

#define KEY 5u
#define LONG_COUNT (65536 + 1) /* one, for a number of 16 bits */
#define NET_RAW (UINT64_C(1) << 13)

static int
deny_all(void)
{
	return failing_told(landlock_deny_all());
}

static int
forbid_tcp(void)
{
	return failing_told(landlock_forbid_tcp());
}

/* Before Linux 6.7 it does not come as far as a ruleset. */
static int
forbid_tcp_with_a_ruleset(void)
{
	return landlock_abi() < LANDLOCK_ABI_TCP ? FAILING_CANNOT
						 : forbid_tcp();
}

/* What came with a later version of Landlock than its files did. */
static int
bind_among_denied(void)
{
	const struct sockaddr_in any = { .sin_family = AF_INET };
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (landlock_abi() < LANDLOCK_ABI_TCP)
		return FAILING_CANNOT;
	if (landlock_deny_all() != 0)
		return 1;
	return failing_told(bind(fd, (const void *)&any, sizeof(any)));
}

/* Nothing can be allowed that a ruleset of an older version knows not. */
static int
allow_newer(void)
{
	const int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const int ruleset = landlock_files_ruleset(LANDLOCK_ABI_TRUNCATE - 1);

	if (landlock_abi() < LANDLOCK_ABI_TRUNCATE)
		return FAILING_CANNOT;
	if (landlock_allow(ruleset, LANDLOCK_ABI_TRUNCATE - 1, root,
		LANDLOCK_MAY_WRITE, true) != 0)
		return 1;
	return failing_told(landlock_allow(
	    ruleset, LANDLOCK_ABI_TRUNCATE, root, LANDLOCK_MAY_WRITE, true));
}

static int
make_session_ruleset(void)
{
	return landlock_session_ruleset() < 0 ? errno : 0;
}

static int
enter_one(void)
{
	static const struct sock_filter program =
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

	return failing_told(filter_enter(&program, 1));
}

static int
enter_long(void)
{
	static struct sock_filter program[LONG_COUNT];

	for (size_t i = 0; i < LONG_COUNT; i++)
		program[i] = (struct sock_filter)BPF_STMT(
		    BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return failing_told(filter_enter(program, LONG_COUNT));
}

static int
enter_without_clone3(void)
{
	return failing_told(filter_enter_without_clone3(KEY));
}

static int
load(void)
{
	static const struct filter_table table = { .otherwise = FILTER_ALLOW };

	return failing_told(filter_load(&table));
}

/* Each set has something left in it, one after the other. */
static int
verify_capabilities(void)
{
	static const struct drop_capabilities none = { 0 };
	static const struct drop_capabilities whole = { .effective = NET_RAW,
		.permitted = NET_RAW };
	const struct drop_capabilities left[] = { { .permitted = NET_RAW },
		{ .inheritable = NET_RAW }, none };
	struct drop_capabilities sets;

	if (drop_get_capabilities(&sets) != 0 || sets.permitted == 0)
		return FAILING_CANNOT;
	/* What is permitted is not all in effect. */
	if (drop_set_capabilities(&left[0]) != 0 ||
	    drop_verify_capabilities(&whole) == 0 || errno != EPERM)
		return 4;
	for (size_t i = 0; i < 2; i++) {
		sets = left[i];
		sets.permitted |= NET_RAW * (i == 0);
		if (drop_set_capabilities(&sets) != 0)
			return 1;
		if (drop_verify_capabilities(&none) == 0 || errno != EPERM)
			return (int)i + 2;
	}
	return drop_set_capabilities(&none) == 0
	    ? failing_told(drop_verify_capabilities(&none))
	    : 1;
}

static const struct failing_row rows[] = {
	{ "no Landlock", deny_all, EOPNOTSUPP,
	    { FAILS(landlock_create_ruleset, ENOSYS) }, 1 },
	{ "no Landlock for TCP", forbid_tcp, EOPNOTSUPP,
	    { FAILS(landlock_create_ruleset, ENOSYS) }, 1 },
	{ "no ruleset", deny_all, EIO,
	    { FAILS_WHERE(landlock_create_ruleset, EIO, 2, 0) }, 1 },
	{ "no ruleset for TCP", forbid_tcp_with_a_ruleset, EIO,
	    { FAILS_WHERE(landlock_create_ruleset, EIO, 2, 0) }, 1 },
	{ "denied TCP", bind_among_denied, EACCES, { FAILS_NOT }, 1 },
	{ "a newer right", allow_newer, EINVAL, { FAILS_NOT }, 1 },
	{ "no Landlock for a session", make_session_ruleset, EOPNOTSUPP,
	    { FAILS(landlock_create_ruleset, ENOSYS) }, 1 },
	/* The process has a filter, but another. */
	{ "a program that is refused", enter_one, ENOMEM,
	    { FAILS_WHERE(seccomp, ENOMEM, 0, SECCOMP_SET_MODE_FILTER) }, 1 },
	{ "a filter too long", enter_long, EINVAL, { FAILS_NOT }, 1 },
	{ "without clone3", enter_without_clone3, 0, { FAILS_NOT }, 1 },
	/* Another filter is there, and refuses but the one without a key. */
	{ "without one clone3", enter_without_clone3, EPERM,
	    { FAILS(seccomp, 0), FAILS_WHERE(clone3, ENOSYS, 2, 0) }, 2 },
	/* And one that refuses only this. */
	{ "without another clone3", enter_without_clone3, EPERM,
	    { FAILS(seccomp, 0), FAILS_WHERE(clone3, ENOSYS, 2, ~KEY) }, 2 },
	{ "with clone3", enter_without_clone3, ENOMEM,
	    { FAILS_WHERE(seccomp, ENOMEM, 0, SECCOMP_SET_MODE_FILTER) }, 1 },
	{ "a filter that is refused", load, ENOMEM,
	    { FAILS_WHERE(seccomp, ENOMEM, 0, SECCOMP_SET_MODE_FILTER) }, 1 },
	{ "capabilities", verify_capabilities, 0, { FAILS_NOT }, 1 },
};

static void
what_fails_is_told(void **state)
{
	(void)state;
	failing_expect(rows, sizeof(rows) / sizeof(rows[0]));
}

/* libseccomp would: it is a step of its own, which is verified. */
static void
a_filter_takes_no_privileges(void **state)
{
	const pid_t child = fork();
	int status = -1;

	(void)state;
	if (child == 0) {
		const int before = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);

		(void)load();
		_exit(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != before);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fails_is_told),
		cmocka_unit_test(a_filter_takes_no_privileges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
