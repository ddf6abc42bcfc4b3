/*
 * Token buckets against what they promise, taken literally: in no stretch of
 * time do more get in than a burst and what that time gives back, and nobody
 * is turned away who would not have broken that. The slow one remembers
 * everyone who got in and looks at every stretch; it has no bucket.
 */
#include "core/rate.h"
#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CASES 100000u
#define TRIES 40u

struct slow {
	int64_t admitted_ms[TRIES];
	uint32_t count;
};

/* Would one more break the promise for any stretch that ends now? */
static bool
slow_take(struct slow *slow, const struct rate *rate, int64_t now_ms)
{
	for (uint32_t i = 0; i <= slow->count; i++) {
		int64_t since_ms =
		    i < slow->count ? slow->admitted_ms[i] : now_ms;
		uint64_t in = slow->count - i + 1;
		uint64_t given = (uint64_t)(now_ms - since_ms) * rate->tokens +
		    (uint64_t)rate->burst * rate->period_ms;

		if (in * rate->period_ms > given)
			return false;
	}
	slow->admitted_ms[slow->count++] = now_ms;
	return true;
}

static uint64_t random_state = 0x1234567u;

static uint32_t
draw(uint32_t below)
{
	return (uint32_t)(random_next(&random_state) >> 20) % below;
}

static struct rate
draw_rate(void)
{
	static const uint32_t periods_ms[] = { 1000, 60000, 3600000, 7 };
	struct rate rate = { .tokens = 1 + draw(draw(2) == 0 ? 5 : 2000),
		.period_ms = periods_ms[draw(4)],
		.burst = 1 + draw(draw(2) == 0 ? 3 : 30) };

	assert_true(rate_is_valid(&rate));
	return rate;
}

/* Steps of about the time of a token, so that both answers are common. */
static int64_t
draw_step(const struct rate *rate)
{
	uint32_t token_ms = rate->period_ms / rate->tokens + 1;

	switch (draw(4)) {
	case 0:
		return 0;
	case 1:
		return 1;
	case 2:
		return (int64_t)draw(2 * token_ms + 1);
	}
	return (int64_t)draw(2) * token_ms * draw(rate->burst + 2);
}

static void
same_as_slow(void **state)
{
	uint64_t taken = 0, refused = 0;

	(void)state;
	for (uint32_t i = 0; i < CASES; i++) {
		const struct rate rate = draw_rate();
		struct rate_bucket bucket = { .spent_parts = 0 };
		struct slow slow = { .count = 0 };
		int64_t now_ms = (int64_t)draw(1000000);

		for (uint32_t j = 0; j < TRIES; j++) {
			bool has = rate_has(&bucket, &rate, now_ms);
			bool is_taken = rate_take(&bucket, &rate, now_ms);

			assert_int_equal(has, is_taken);
			assert_int_equal(
			    is_taken, slow_take(&slow, &rate, now_ms));
			taken += is_taken;
			refused += !is_taken;
			now_ms += draw_step(&rate);
		}
	}
	assert_true(taken > CASES && refused > CASES);
}

static void
burst_then_one_by_one(void **state)
{
	const struct rate rate = {
		.tokens = 60, .period_ms = 60000, .burst = 3
	};
	struct rate_bucket bucket = { .spent_parts = 0 };

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(rate_take(&bucket, &rate, 5000));
	assert_false(rate_take(&bucket, &rate, 5000));
	assert_false(rate_take(&bucket, &rate, 5999));
	assert_true(rate_take(&bucket, &rate, 6000));
	assert_false(rate_take(&bucket, &rate, 6000));
	/* Being refused costs nothing, and more than a burst is not saved. */
	for (int i = 0; i < 3; i++)
		assert_true(rate_take(&bucket, &rate, 1000000));
	assert_false(rate_take(&bucket, &rate, 1000000));
}

static void
clock_that_runs_back(void **state)
{
	const struct rate rate = { .tokens = 1, .period_ms = 1000, .burst = 1 };
	struct rate_bucket bucket = { .spent_parts = 0 };

	(void)state;
	assert_true(rate_take(&bucket, &rate, 10000));
	assert_false(rate_take(&bucket, &rate, 0));
	assert_false(rate_take(&bucket, &rate, 10999));
	assert_true(rate_take(&bucket, &rate, 11000));
}

/* The largest numbers that the language has, and the longest time. */
static void
extremes(void **state)
{
	const struct rate rate = { .tokens = RATE_TOKENS_MAX,
		.period_ms = RATE_PERIOD_MAX_MS,
		.burst = RATE_TOKENS_MAX };
	const struct rate slow = {
		.tokens = 1, .period_ms = RATE_PERIOD_MAX_MS, .burst = 1
	};
	const struct rate none = { .tokens = 0 };
	struct rate_bucket bucket = { .spent_parts = 0 };

	(void)state;
	for (uint32_t i = 0; i < RATE_TOKENS_MAX; i++)
		assert_true(rate_take(&bucket, &rate, 0));
	assert_false(rate_take(&bucket, &rate, 0));
	assert_false(rate_has(&bucket, &rate, 3));
	assert_true(rate_take(&bucket, &rate, 4)); /* 3.6 ms each */
	/* What another rate had spent is no more than all of this one. */
	assert_false(rate_take(&bucket, &slow, 4));
	assert_false(rate_has(&bucket, &slow, 4 + 3599999));
	assert_true(rate_take(&bucket, &slow, INT64_MAX));
	for (int i = 0; i < 100; i++)
		assert_true(rate_has(&bucket, &none, 0) &&
		    rate_take(&bucket, &none, 0));
	bucket = (struct rate_bucket){ .spent_parts = 0 };
	assert_true(
	    rate_has(&bucket, &none, 5) && rate_take(&bucket, &none, 5));
	assert_true(rate_is_valid(&rate));
	assert_true(rate_is_valid(&none));
}

/* A reload changes the rate: what is spent stays spent, token for token. */
static void
another_rate(void **state)
{
	const struct rate minutes = {
		.tokens = 60, .period_ms = 60000, .burst = 10
	};
	const struct rate seconds = {
		.tokens = 1, .period_ms = 1000, .burst = 10
	};
	struct rate_bucket bucket = { .spent_parts = 0 };

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_true(rate_take(&bucket, &minutes, 5000));
	for (int i = 0; i < 3; i++)
		assert_true(rate_take(&bucket, &seconds, 5000));
	for (int i = 0; i < 3; i++)
		assert_true(rate_take(&bucket, &minutes, 5000));
	assert_false(rate_take(&bucket, &minutes, 5000));
	assert_false(rate_take(&bucket, &seconds, 5000));
	assert_true(rate_take(&bucket, &seconds, 6000));
}

static void
not_rates(void **state)
{
	static const struct rate bad[] = {
		{ 0, 1000, 1 },
		{ 0, 0, 1 },
		{ 1, 0, 1 },
		{ 1, 1000, 0 },
		{ RATE_TOKENS_MAX + 1, 1000, 1 },
		{ 1, RATE_PERIOD_MAX_MS + 1, 1 },
		{ 1, 1000, RATE_TOKENS_MAX + 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(rate_is_valid(&bad[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_as_slow),
		cmocka_unit_test(burst_then_one_by_one),
		cmocka_unit_test(clock_that_runs_back),
		cmocka_unit_test(extremes),
		cmocka_unit_test(another_rate),
		cmocka_unit_test(not_rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
