/*
 * Penalties: that they sum, end and are capped, and that what a worker only
 * claimed is taken back, to the millisecond, and nothing else with it.
 */
#include "core/claim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_MS 600000u
#define RECORDS 6000u

struct fixture {
	struct source_table table;
	struct claims claims, others;
	uint32_t records[RECORDS];
	void *memory;
};

static void
fixture_init(struct fixture *f)
{
	static const uint8_t hash_key[SOURCE_HASH_KEY_BYTES] = "another secret";

	f->memory = malloc(source_table_bytes(RECORDS));
	f->claims.all = malloc(CLAIMS_MAX * sizeof(struct claim));
	f->others.all = malloc(CLAIMS_MAX * sizeof(struct claim));
	assert_non_null(f->memory);
	assert_non_null(f->claims.all);
	assert_non_null(f->others.all);
	source_table_init(&f->table, f->memory, RECORDS, MAX_MS, hash_key);
	claims_begin(&f->claims, 1);
	claims_begin(&f->others, 2);
	for (uint32_t i = 0; i < RECORDS; i++) {
		struct addr addr = { .family = ADDR_V4 };
		struct source_key key;

		memcpy(addr.bytes, &i, sizeof(i));
		key = source_key(&addr, 32, 64, 0);
		f->records[i] = source_take(&f->table, &key, 0);
	}
}

static void
fixture_finish(struct fixture *f)
{
	free(f->memory);
	free(f->claims.all);
	free(f->others.all);
}

static uint32_t
left(const struct fixture *f, uint32_t source, int64_t now_ms)
{
	return source_penalty_left_ms(&f->table, f->records[source], now_ms);
}

static void
add(struct fixture *f, uint32_t source, uint32_t amount_ms, int64_t now_ms)
{
	claim_add_sure(
	    &f->table, f->records[source], amount_ms, MAX_MS, now_ms);
}

static bool
claim(struct fixture *f, struct claims *claims, uint32_t source,
    uint32_t amount_ms, int64_t now_ms)
{
	return claim_add(
	    claims, &f->table, f->records[source], amount_ms, MAX_MS, now_ms);
}

static void
they_sum_and_end(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	add(&f, 0, 5000, 1000);
	add(&f, 0, 2000, 2000);
	assert_int_equal(left(&f, 0, 2000), 6000);
	assert_int_equal(left(&f, 0, 7999), 1);
	assert_int_equal(left(&f, 0, 8000), 0);
	assert_int_equal(left(&f, 1, 2000), 0);
	/* What is over does not count for the next one. */
	add(&f, 0, 5000, 20000);
	assert_int_equal(left(&f, 0, 20000), 5000);
	add(&f, 0, 0, 20000);
	assert_int_equal(left(&f, 0, 20000), 5000);
	fixture_finish(&f);
}

static void
they_are_capped(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	add(&f, 0, MAX_MS - 1, 1000);
	add(&f, 0, 90000, 1000);
	assert_int_equal(left(&f, 0, 1000), MAX_MS);
	add(&f, 0, 90000, 1000);
	assert_int_equal(left(&f, 0, 1000), MAX_MS);
	add(&f, 0, 90000, 2000);
	assert_int_equal(left(&f, 0, 2000), MAX_MS);
	/* A reload may bring a smaller cap: it takes nothing, nor adds. */
	claim_add_sure(&f.table, f.records[0], 5000, MAX_MS - 7000, 2000);
	assert_int_equal(left(&f, 0, 2000), MAX_MS);
	fixture_finish(&f);
}

static void
a_liar_s_are_taken_back(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	add(&f, 0, 90000, 0);
	assert_true(claim(&f, &f.claims, 0, 5000, 0));
	assert_true(claim(&f, &f.claims, 0, 2000, 0));
	assert_true(claim(&f, &f.others, 0, 1000, 0));
	add(&f, 0, 10000, 0);
	assert_true(claim(&f, &f.claims, 1, 5000, 0));
	assert_true(claim(&f, &f.others, 2, 5000, 0));
	assert_int_equal(claims_wipe(&f.claims, &f.table, 1000), 2);
	assert_int_equal(left(&f, 0, 1000), 90000 + 1000 + 10000 - 1000);
	assert_int_equal(left(&f, 1, 1000), 0);
	assert_int_equal(left(&f, 2, 1000), 4000);
	assert_int_equal(claims_wipe(&f.claims, &f.table, 1000), 0);
	assert_int_equal(left(&f, 0, 1000), 100000);
	assert_int_equal(claims_wipe(&f.others, &f.table, 1000), 2);
	assert_int_equal(left(&f, 0, 1000), 99000);
	fixture_finish(&f);
}

/* What time has worn off cannot be taken back from what came later. */
static void
only_what_is_left_of_it(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	assert_true(claim(&f, &f.claims, 0, 5000, 0));
	add(&f, 0, 90000, 4000);
	assert_int_equal(claims_wipe(&f.claims, &f.table, 4000), 1);
	assert_int_equal(left(&f, 0, 4000), 90000);

	assert_true(claim(&f, &f.others, 1, 5000, 0));
	add(&f, 1, 90000, 6000);
	assert_int_equal(claims_wipe(&f.others, &f.table, 6000), 0);
	assert_int_equal(left(&f, 1, 6000), 90000);
	/* Nor what the cap did not let it have. */
	claims_begin(&f.claims, 3);
	add(&f, 2, MAX_MS - 1000, 0);
	assert_true(claim(&f, &f.claims, 2, 5000, 0));
	assert_int_equal(claims_wipe(&f.claims, &f.table, 0), 1);
	assert_int_equal(left(&f, 2, 0), MAX_MS - 1000);
	fixture_finish(&f);
}

/* Its record belongs to somebody else by now. */
static void
nobody_else_s(void **state)
{
	struct fixture f;
	uint32_t reused;

	(void)state;
	fixture_init(&f);
	assert_true(claim(&f, &f.claims, 7, 5000, 0));
	for (uint32_t i = 0; i < RECORDS; i++)
		if (i != 7)
			source_add(&f.table, f.records[i], SOURCE_PENDING);
	reused = source_take(
	    &f.table, &(struct source_key){ .family = ADDR_V4, .scope = 9 }, 0);
	assert_int_equal(reused, f.records[7]);
	assert_int_equal(left(&f, 7, 0), 0);
	add(&f, 7, 30000, 0);
	assert_int_equal(claims_wipe(&f.claims, &f.table, 0), 0);
	assert_int_equal(left(&f, 7, 0), 30000);
	fixture_finish(&f);
}

/* Another worker in the same place: what the one before said, stays. */
static void
only_its_own(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	assert_true(claim(&f, &f.claims, 0, 5000, 0));
	claims_begin(&f.claims, 3);
	assert_int_equal(claims_wipe(&f.claims, &f.table, 0), 0);
	assert_int_equal(left(&f, 0, 0), 5000);
	fixture_finish(&f);
}

/* Its entry went to another source, long after it was over. */
static void
an_entry_that_is_another_s_by_now(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	for (uint32_t i = 0; i < CLAIMS_MAX; i++)
		assert_true(claim(&f, &f.claims, i, 5000, 0));
	assert_true(claim(&f, &f.claims, CLAIMS_MAX, 5000, 20000));
	assert_true(claim(&f, &f.claims, 0, 3000, 20000));
	assert_int_equal(claims_wipe(&f.claims, &f.table, 20000), 2);
	assert_int_equal(left(&f, CLAIMS_MAX, 20000), 0);
	assert_int_equal(left(&f, 0, 20000), 0);
	fixture_finish(&f);
}

/* More sources than can be written down: the rest is not penalised. */
static void
what_cannot_be_taken_back_is_not_given(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	for (uint32_t i = 0; i < RECORDS; i++)
		assert_int_equal(
		    claim(&f, &f.claims, i, 5000, 100), i < CLAIMS_MAX);
	for (uint32_t i = 0; i < RECORDS; i++)
		assert_int_equal(left(&f, i, 100), i < CLAIMS_MAX ? 5000 : 0);
	/* Who is written down already may get more. */
	assert_true(claim(&f, &f.claims, 9, 5000, 100));
	/* Nothing needs no room. */
	assert_true(claim(&f, &f.claims, RECORDS - 1, 0, 100));
	/* What is over makes room, from the eldest on, again and again. */
	for (int64_t now_ms = 20000; now_ms < 100000; now_ms += 20000)
		for (uint32_t i = 0; i < 3000; i++)
			assert_true(claim(&f, &f.claims,
			    (i + (uint32_t)now_ms) % RECORDS, 5000, now_ms));
	/* However many: it is a number of 32 bits. */
	assert_in_range(f.claims.begun, CLAIMS_MAX, 2 * CLAIMS_MAX - 1);
	assert_int_equal(claims_wipe(&f.claims, &f.table, 80000), 3000);
	for (uint32_t i = 0; i < RECORDS; i++)
		assert_int_equal(left(&f, i, 80000), 0);
	fixture_finish(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_sum_and_end),
		cmocka_unit_test(they_are_capped),
		cmocka_unit_test(a_liar_s_are_taken_back),
		cmocka_unit_test(only_what_is_left_of_it),
		cmocka_unit_test(nobody_else_s),
		cmocka_unit_test(only_its_own),
		cmocka_unit_test(an_entry_that_is_another_s_by_now),
		cmocka_unit_test(what_cannot_be_taken_back_is_not_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
