/*
 * A breaker: when it opens, how long for, when it lets one try, when it closes.
 */
#include "core/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
fail_times(struct breaker *breaker, unsigned times, int64_t now_ms)
{
	for (unsigned i = 0; i < times; i++)
		assert_false(breaker_fail(breaker, now_ms));
}

static void
opens_behind_failures_in_a_row(void **state)
{
	struct breaker breaker = { .failures = 0 };

	(void)state;
	fail_times(&breaker, BREAKER_FAILURES - 1, 100);
	assert_false(breaker_is_open(&breaker));
	assert_false(breaker_succeed(&breaker, 100));
	fail_times(&breaker, BREAKER_FAILURES - 1, 100);
	assert_true(breaker_lets(&breaker, 1000, 100));
	assert_true(breaker_fail(&breaker, 100));
	assert_true(breaker_is_open(&breaker));
	assert_false(breaker_lets(&breaker, 0, 100 + BREAKER_MIN_MS - 1));
	assert_true(breaker_lets(&breaker, 0, 100 + BREAKER_MIN_MS));
}

static void
tries_one_at_a_time(void **state)
{
	struct breaker breaker = { .failures = 0 };

	(void)state;
	fail_times(&breaker, BREAKER_FAILURES - 1, 0);
	assert_true(breaker_fail(&breaker, 0));
	assert_false(breaker_lets(&breaker, 1, BREAKER_MIN_MS));
	assert_true(breaker_lets(&breaker, 0, BREAKER_MIN_MS));
}

static void
waits_twice_as_long_each_time(void **state)
{
	struct breaker breaker = { .failures = 0 };
	int64_t now_ms = 0;

	(void)state;
	fail_times(&breaker, BREAKER_FAILURES - 1, now_ms);
	assert_true(breaker_fail(&breaker, now_ms));
	for (int64_t wait_ms = BREAKER_MIN_MS; wait_ms < 100 * BREAKER_MAX_MS;
	     wait_ms *= 2) {
		int64_t bounded_ms =
		    wait_ms < BREAKER_MAX_MS ? wait_ms : BREAKER_MAX_MS;

		assert_false(
		    breaker_lets(&breaker, 0, now_ms + bounded_ms - 1));
		now_ms += bounded_ms;
		assert_true(breaker_lets(&breaker, 0, now_ms));
		assert_false(breaker_fail(&breaker, now_ms));
	}
}

/* Those that were under way when it opened say nothing new. */
static void
is_not_moved_by_late_failures(void **state)
{
	struct breaker breaker = { .failures = 0 };

	(void)state;
	fail_times(&breaker, BREAKER_FAILURES - 1, 0);
	assert_true(breaker_fail(&breaker, 0));
	for (int64_t now_ms = 0; now_ms < BREAKER_MIN_MS; now_ms++)
		assert_false(breaker_fail(&breaker, now_ms));
	assert_true(breaker_lets(&breaker, 0, BREAKER_MIN_MS));
}

static void
closes_with_one_success(void **state)
{
	struct breaker breaker = { .failures = 0 };

	(void)state;
	fail_times(&breaker, BREAKER_FAILURES - 1, 0);
	assert_true(breaker_fail(&breaker, 0));
	assert_true(breaker_succeed(&breaker, 5));
	assert_false(breaker_is_open(&breaker));
	assert_false(breaker_succeed(&breaker, 6));
	assert_int_equal(breaker.good_ms, 6);
	fail_times(&breaker, BREAKER_FAILURES - 1, 7);
	assert_true(breaker_fail(&breaker, 7));
	assert_true(breaker_lets(&breaker, 0, 7 + BREAKER_MIN_MS));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_behind_failures_in_a_row),
		cmocka_unit_test(tries_one_at_a_time),
		cmocka_unit_test(waits_twice_as_long_each_time),
		cmocka_unit_test(is_not_moved_by_late_failures),
		cmocka_unit_test(closes_with_one_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
