/* Timers against a plain table that is searched from end to end. */
#include "core/timer.h"
#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cmocka.h>

#define NUMBERS 97u
#define OPERATIONS 100000u

struct slow {
	bool is_set[NUMBERS];
	int64_t due_ms[NUMBERS];
};

static uint64_t seed;

static uint32_t
draw(uint32_t below)
{
	return (uint32_t)(random_next(&seed) >> 20) % below;
}

static struct timers
make(uint32_t capacity)
{
	struct timers timers;
	void *memory = calloc(1, timers_bytes(capacity));

	assert_non_null(memory);
	timers_init(&timers, memory, capacity);
	return timers;
}

static void
expect_same(const struct timers *timers, const struct slow *slow)
{
	int64_t due_ms = -1;
	uint32_t first = timers_first(timers, &due_ms);
	int64_t soonest = INT64_MAX;
	uint32_t count = 0;

	for (uint32_t i = 0; i < NUMBERS; i++) {
		count += slow->is_set[i];
		if (slow->is_set[i] && slow->due_ms[i] < soonest)
			soonest = slow->due_ms[i];
	}
	assert_int_equal(timers->count, count);
	if (count == 0) {
		assert_int_equal(first, TIMERS_NONE);
		return;
	}
	assert_true(first < NUMBERS && slow->is_set[first]);
	assert_int_equal(due_ms, soonest);
	assert_int_equal(slow->due_ms[first], soonest);
}

/* Set, set again, dropped, dropped again, taken when due. */
static void
act(struct timers *timers, struct slow *slow)
{
	uint32_t number = draw(NUMBERS);
	int64_t due_ms;

	switch (draw(5)) {
	case 0:
		timers_drop(timers, number);
		slow->is_set[number] = false;
		break;
	case 1:
		number = timers_first(timers, &due_ms);
		if (number == TIMERS_NONE)
			break;
		timers_drop(timers, number);
		slow->is_set[number] = false;
		break;
	default:
		slow->is_set[number] = true;
		slow->due_ms[number] = draw(1000);
		timers_set(timers, number, slow->due_ms[number]);
		break;
	}
}

static void
same_as_slow(void **state)
{
	struct timers timers = make(NUMBERS);
	struct slow slow = { .is_set = { false } };

	(void)state;
	seed = 20260101;
	for (uint32_t i = 0; i < OPERATIONS; i++) {
		act(&timers, &slow);
		expect_same(&timers, &slow);
	}
	free(timers.due_ms);
}

static void
the_same_in_a_larger_table(void **state)
{
	struct slow slow = { .is_set = { false } };
	struct timers timers = make(NUMBERS);
	struct timers larger = make(2 * NUMBERS);

	(void)state;
	seed = 7;
	for (uint32_t i = 0; i < NUMBERS; i++)
		act(&timers, &slow);
	timers_carry(&larger, &timers);
	expect_same(&larger, &slow);
	timers_set(&larger, 2 * NUMBERS - 1, -1);
	assert_int_equal(
	    timers_first(&larger, &(int64_t){ 0 }), 2 * NUMBERS - 1);
	timers_drop(&larger, 2 * NUMBERS - 1);
	for (uint32_t i = 0; i < OPERATIONS / 10; i++) {
		act(&larger, &slow);
		expect_same(&larger, &slow);
	}
	free(timers.due_ms);
	free(larger.due_ms);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_as_slow),
		cmocka_unit_test(the_same_in_a_larger_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
