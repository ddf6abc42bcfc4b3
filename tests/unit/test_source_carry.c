/*
 * One table of sources becomes another: what was remembered is remembered,
 * counts are not, and what a worker claimed can still be taken back.
 */
#include "core/claim.h"
#include "core/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RECORDS 64u
#define MAX_MS 600000u
#define NOW_MS 1000

static const uint8_t hash_key[SOURCE_HASH_KEY_BYTES] = "one more secret.";
static const struct source_bits whole = { .v4 = 32, .v6 = 64 };
static const struct source_bits nets = { .v4 = 24, .v6 = 48 };
static const struct rate slow_rate = { 1, 3600000, 10 };

struct tables {
	struct source_table from, to;
	void *memory[2];
};

static void
tables_init(struct tables *tables, uint32_t to_records)
{
	tables->memory[0] = malloc(source_table_bytes(RECORDS));
	tables->memory[1] = malloc(source_table_bytes(to_records));
	assert_non_null(tables->memory[0]);
	assert_non_null(tables->memory[1]);
	source_table_init(
	    &tables->from, tables->memory[0], RECORDS, MAX_MS, hash_key);
	source_table_init(
	    &tables->to, tables->memory[1], to_records, MAX_MS, hash_key);
}

static void
tables_finish(struct tables *tables)
{
	free(tables->memory[0]);
	free(tables->memory[1]);
}

/* 192.0.NET.HOST */
static struct source_key
key_of(struct source_bits bits, uint8_t net, uint8_t host)
{
	const struct addr addr = { .family = ADDR_V4,
		.bytes = { 192, 0, net, host } };

	return source_key(&addr, bits.v4, bits.v6, 7);
}

static uint32_t
take(struct source_table *table, struct source_bits bits, uint8_t net,
    uint8_t host)
{
	const struct source_key key = key_of(bits, net, host);

	return source_take(table, &key, NOW_MS);
}

static uint32_t
left(const struct tables *tables, struct source_bits bits, uint8_t net,
    uint8_t host)
{
	const struct source_key key = key_of(bits, net, host);
	uint32_t record = source_find(&tables->to, &key);

	return record == SOURCE_NONE
	    ? 0
	    : source_penalty_left_ms(&tables->to, record, NOW_MS);
}

static void
penalise(struct tables *tables, uint8_t net, uint8_t host, uint32_t amount_ms)
{
	source_penalise(&tables->from, take(&tables->from, whole, net, host),
	    NOW_MS + amount_ms, NOW_MS);
}

static void
penalties_and_rates_stay_and_counts_do_not(void **state)
{
	struct tables tables;
	uint32_t busy, spent, record;
	struct source_key key = key_of(whole, 0, 2);

	(void)state;
	tables_init(&tables, 2 * RECORDS);
	penalise(&tables, 0, 1, 5000);
	busy = take(&tables.from, whole, 0, 2);
	source_add(&tables.from, busy, SOURCE_RUNNING);
	assert_true(
	    rate_take(source_rate(&tables.from, busy), &slow_rate, NOW_MS));
	(void)take(&tables.from, whole, 0, 3);
	source_table_carry(
	    &tables.to, &tables.from, whole, whole, MAX_MS, NOW_MS);
	assert_int_equal(left(&tables, whole, 0, 1), 5000);
	record = source_find(&tables.to, &key);
	assert_int_not_equal(record, SOURCE_NONE);
	assert_int_equal(source_get(&tables.to, record, SOURCE_RUNNING), 0);
	for (spent = 1;
	     rate_take(source_rate(&tables.to, record), &slow_rate, NOW_MS);
	     spent++)
		continue;
	assert_int_equal(spent, slow_rate.burst);
	/* Of whom nothing is known, nothing is kept. */
	key = key_of(whole, 0, 3);
	assert_int_equal(source_find(&tables.to, &key), SOURCE_NONE);
	tables_finish(&tables);
}

static void
a_network_has_the_worst_of_its_hosts(void **state)
{
	struct tables tables;

	(void)state;
	tables_init(&tables, RECORDS);
	penalise(&tables, 1, 1, 5000);
	penalise(&tables, 1, 2, 9000);
	penalise(&tables, 1, 3, 7000);
	penalise(&tables, 2, 1, 3000);
	source_table_carry(
	    &tables.to, &tables.from, nets, whole, MAX_MS, NOW_MS);
	assert_int_equal(left(&tables, nets, 1, 77), 9000);
	assert_int_equal(left(&tables, nets, 2, 77), 3000);
	tables_finish(&tables);
}

static void
a_host_does_not_pay_for_its_network(void **state)
{
	struct tables tables;

	(void)state;
	tables_init(&tables, RECORDS);
	source_penalise(&tables.from, take(&tables.from, nets, 1, 0),
	    NOW_MS + 5000, NOW_MS);
	source_table_carry(
	    &tables.to, &tables.from, whole, nets, MAX_MS, NOW_MS);
	for (unsigned host = 0; host < 256; host++)
		assert_int_equal(left(&tables, whole, 1, (uint8_t)host), 0);
	tables_finish(&tables);
}

static void
no_penalty_is_longer_than_the_longest(void **state)
{
	struct tables tables;

	(void)state;
	tables_init(&tables, RECORDS);
	penalise(&tables, 0, 1, 500000);
	source_table_init(
	    &tables.to, tables.memory[1], RECORDS, 20000, hash_key);
	source_table_carry(
	    &tables.to, &tables.from, whole, whole, 20000, NOW_MS);
	assert_int_equal(left(&tables, whole, 0, 1), 20000);
	tables_finish(&tables);
}

static void
claims_are_still_taken_back(void **state)
{
	static struct claim entries[CLAIMS_MAX];
	struct claims claims = { .all = entries };
	struct tables tables;
	uint32_t record;

	(void)state;
	tables_init(&tables, 2 * RECORDS);
	claims_begin(&claims, 1);
	/* Others first, so that records are not where they were, nor new. */
	for (uint8_t host = 100; host < 120; host++)
		(void)take(&tables.from, whole, 0, host);
	for (uint32_t host = 0; host < 2 * RECORDS + 9; host++)
		(void)take(&tables.to, whole, 9, (uint8_t)host);
	record = take(&tables.from, whole, 0, 1);
	claim_add_sure(&tables.from, record, 4000, MAX_MS, NOW_MS);
	assert_true(
	    claim_add(&claims, &tables.from, record, 5000, MAX_MS, NOW_MS));
	source_table_carry(
	    &tables.to, &tables.from, whole, whole, MAX_MS, NOW_MS);
	claims_carry(&claims, &tables.to, &tables.from, whole, whole);
	assert_int_equal(left(&tables, whole, 0, 1), 9000);
	assert_int_equal(claims_wipe(&claims, &tables.to, NOW_MS), 1);
	assert_int_equal(left(&tables, whole, 0, 1), 4000);
	tables_finish(&tables);
}

/* The record that it was claimed of is another's, who has its own. */
static void
a_claim_does_not_become_another_s(void **state)
{
	static struct claim entries[CLAIMS_MAX];
	struct claims claims = { .all = entries };
	struct tables tables;
	uint32_t record;

	(void)state;
	tables_init(&tables, RECORDS);
	claims_begin(&claims, 1);
	record = take(&tables.from, whole, 0, 1);
	assert_true(
	    claim_add(&claims, &tables.from, record, 5000, MAX_MS, NOW_MS));
	/* All others are in use, so it is the one that goes. */
	for (uint8_t host = 2; host <= RECORDS; host++)
		source_add(&tables.from, take(&tables.from, whole, 0, host),
		    SOURCE_RUNNING);
	assert_int_equal(take(&tables.from, whole, 0, 200), record);
	penalise(&tables, 0, 200, 9000);
	source_table_carry(
	    &tables.to, &tables.from, whole, whole, MAX_MS, NOW_MS);
	claims_carry(&claims, &tables.to, &tables.from, whole, whole);
	assert_int_equal(claims_wipe(&claims, &tables.to, NOW_MS), 0);
	assert_int_equal(left(&tables, whole, 0, 200), 9000);
	tables_finish(&tables);
}

/* A network was claimed of; its first address is a host like any other. */
static void
a_claim_on_a_network_is_no_host_s(void **state)
{
	static struct claim entries[CLAIMS_MAX];
	struct claims claims = { .all = entries };
	struct tables tables;

	(void)state;
	tables_init(&tables, RECORDS);
	claims_begin(&claims, 1);
	assert_true(claim_add(&claims, &tables.from,
	    take(&tables.from, nets, 1, 0), 5000, MAX_MS, NOW_MS));
	source_table_carry(
	    &tables.to, &tables.from, whole, nets, MAX_MS, NOW_MS);
	source_penalise(
	    &tables.to, take(&tables.to, whole, 1, 0), NOW_MS + 9000, NOW_MS);
	claims_carry(&claims, &tables.to, &tables.from, whole, nets);
	assert_int_equal(claims_wipe(&claims, &tables.to, NOW_MS), 0);
	assert_int_equal(left(&tables, whole, 1, 0), 9000);
	tables_finish(&tables);
}

/* Once around the ring, all entries are carried, and none behind them. */
static void
a_full_ring_is_carried(void **state)
{
	static struct {
		struct claim entries[CLAIMS_MAX], behind[CLAIMS_MAX];
	} ring;
	struct claims claims = { .all = ring.entries };
	struct tables tables;
	uint32_t record;

	(void)state;
	tables_init(&tables, RECORDS);
	claims_begin(&claims, 1);
	record = take(&tables.from, whole, 0, 1);
	assert_true(
	    claim_add(&claims, &tables.from, record, 5000, MAX_MS, NOW_MS));
	claims.begun = CLAIMS_MAX + 1;
	ring.behind[0] = ring.entries[0];
	/* A claim on nobody that is there: forgotten, where it is carried. */
	source_table_carry(
	    &tables.to, &tables.from, whole, whole, MAX_MS, NOW_MS);
	tables.from.records[record].round++;
	claims_carry(&claims, &tables.to, &tables.from, whole, whole);
	assert_int_equal(ring.entries[0].amount_ms, 0);
	assert_int_equal(ring.behind[0].amount_ms, 5000);
	tables_finish(&tables);
}

/* A key that is carried is the one that its host has anew. */
static void
links_are_carried(void **state)
{
	static const struct source_bits bits[] = { { 32, 128 }, { 32, 64 },
		{ 24, 48 }, { 24, 20 } };
	const struct addr addr = { .family = ADDR_V6,
		.bytes = { 0xfe, 0x80, [15] = 1 },
		.scope = 0x01020304 };

	(void)state;
	for (size_t from = 0; from < 4; from++)
		for (size_t to = from; to < 4; to++) {
			struct source_key key =
			    source_key(&addr, bits[from].v4, bits[from].v6, 7);
			struct source_key anew =
			    source_key(&addr, bits[to].v4, bits[to].v6, 7);

			assert_true(
			    source_key_carry(&key, bits[to], bits[from]));
			assert_memory_equal(&key, &anew, sizeof(key));
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_are_carried),
		cmocka_unit_test(penalties_and_rates_stay_and_counts_do_not),
		cmocka_unit_test(a_network_has_the_worst_of_its_hosts),
		cmocka_unit_test(a_host_does_not_pay_for_its_network),
		cmocka_unit_test(no_penalty_is_longer_than_the_longest),
		cmocka_unit_test(claims_are_still_taken_back),
		cmocka_unit_test(a_claim_does_not_become_another_s),
		cmocka_unit_test(a_claim_on_a_network_is_no_host_s),
		cmocka_unit_test(a_full_ring_is_carried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
