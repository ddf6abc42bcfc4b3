/*
 * How long the end waits for processes of our own that do not end. Time is the
 * test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "failing.h"

#include "sys/clock.h"

static long slept_us;

static void
nap(long nap_us)
{
	slept_us += nap_us;
}

#define clock_nap_us nap
#include "parent/cgroup_place.c"

#define MOST_US 200000L

static int
remove_them(void)
{
	struct cgroups cgroups = { .own_fd = -1,
		.all_fd = -1,
		.limited_fd = STDIN_FILENO,
		.name = "all",
		.limited_name = "limited" };

	cgroups_remove(&cgroups);
	return slept_us == MOST_US ? 0 : slept_us == 0 ? 1 : 2;
}

static void
expect(struct failing failing, int expected)
{
	const int got = failing_run(&failing, 1, remove_them);

	if (got == FAILING_CANNOT)
		skip();
	assert_int_equal(got, expected);
}

static void
whose_processes_stay_is_left(void **state)
{
	(void)state;
	expect(
	    (struct failing)FAILS_WHERE(unlinkat, EBUSY, 2, AT_REMOVEDIR), 0);
}

static void
who_is_gone_is_not_waited_for(void **state)
{
	(void)state;
	expect((struct failing)FAILS_WHERE(unlinkat, 0, 2, AT_REMOVEDIR), 1);
}

static void
who_cannot_be_removed_is_not_waited_for(void **state)
{
	(void)state;
	expect(
	    (struct failing)FAILS_WHERE(unlinkat, EACCES, 2, AT_REMOVEDIR), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whose_processes_stay_is_left),
		cmocka_unit_test(who_is_gone_is_not_waited_for),
		cmocka_unit_test(who_cannot_be_removed_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
