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

#include <stdlib.h>
#include <string.h>

#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>

#include "failing.h"
#include "sys/drop.h"
#include "sys/filter.h"
#include "sys/landlock.h"

#define KEY 5
#define LONG_COUNT (65536 + 1) /* one, for a number of 16 bits */
#define NET_RAW (UINT64_C(1) << 13)

static int
told(int result)
{
	return result == 0 ? 0 : errno;
}

static int
deny_all(void)
{
	return told(landlock_deny_all());
}

static int
forbid_tcp(void)
{
	return told(landlock_forbid_tcp());
}

static int
enter_long(void)
{
	static struct sock_filter program[LONG_COUNT];

	for (size_t i = 0; i < LONG_COUNT; i++)
		program[i] = (struct sock_filter)BPF_STMT(
		    BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return told(filter_enter(program, LONG_COUNT));
}

static int
enter_without_clone3(void)
{
	return told(filter_enter_without_clone3(KEY));
}

static int
load(void)
{
	static const struct filter_table table = { .otherwise = FILTER_ALLOW };

	return told(filter_load(&table));
}

/* Each set has something left in it, one after the other. */
static int
verify_capabilities(void)
{
	static const struct drop_capabilities none = { 0 };
	const struct drop_capabilities left[] = { { .permitted = NET_RAW },
		{ .inheritable = NET_RAW }, none };
	struct drop_capabilities sets;

	if (drop_get_capabilities(&sets) != 0 || sets.permitted == 0)
		return FAILING_CANNOT;
	for (size_t i = 0; i < 2; i++) {
		sets = left[i];
		sets.permitted |= NET_RAW * (i == 0);
		if (drop_set_capabilities(&sets) != 0)
			return 1;
		if (drop_verify_capabilities(&none) == 0 || errno != EPERM)
			return (int)i + 2;
	}
	return drop_set_capabilities(&none) == 0
	    ? told(drop_verify_capabilities(&none))
	    : 1;
}

static const struct {
	const char *what;
	int (*act)(void);
	int error; /* that is told */
	struct failing failing[2];
	size_t count;
} rows[] = {
	{ "no Landlock", deny_all, EOPNOTSUPP,
	    { FAILS(landlock_create_ruleset, ENOSYS) }, 1 },
	{ "no Landlock for TCP", forbid_tcp, EOPNOTSUPP,
	    { FAILS(landlock_create_ruleset, ENOSYS) }, 1 },
	{ "no ruleset", deny_all, EIO,
	    { FAILS_WHERE(landlock_create_ruleset, EIO, 2, 0) }, 1 },
	{ "no ruleset for TCP", forbid_tcp, EIO,
	    { FAILS_WHERE(landlock_create_ruleset, EIO, 2, 0) }, 1 },
	{ "a filter too long", enter_long, EINVAL, { FAILS_NOT }, 1 },
	{ "without clone3", enter_without_clone3, 0, { FAILS_NOT }, 1 },
	/* Another filter is there, and refuses but the one without a key. */
	{ "without one clone3", enter_without_clone3, EPERM,
	    { FAILS(seccomp, 0), FAILS_WHERE(clone3, ENOSYS, 2, 0) }, 2 },
	{ "a filter that is refused", load, ENOMEM,
	    { FAILS_WHERE(seccomp, ENOMEM, 0, SECCOMP_SET_MODE_FILTER) }, 1 },
	{ "capabilities", verify_capabilities, 0, { FAILS_NOT }, 1 },
};

static void
what_fails_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int result =
		    failing_run(rows[i].failing, rows[i].count, rows[i].act);

		if (result != FAILING_CANNOT && result != rows[i].error)
			fail_msg("%s: %d, not %d", rows[i].what, result,
			    rows[i].error);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fails_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
