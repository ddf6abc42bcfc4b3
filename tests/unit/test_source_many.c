/*
 * The table of sources when there are very many, and when somebody has chosen
 * them: a million that come and go beside a few with sessions, a million
 * addresses of one network, and addresses that collide where the key is known.
 */
#include "core/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MILLION 1000000u
#define CAPACITY 65536u
#define HELD 1000u
#define PENALTY_MAX_MS 600000u

static const uint8_t secret[SOURCE_HASH_KEY_BYTES] = "a secret of 16 b";
static const uint8_t known[SOURCE_HASH_KEY_BYTES] = "everyone has it.";

static struct source_table
table_of(uint32_t capacity, const uint8_t key[SOURCE_HASH_KEY_BYTES])
{
	struct source_table table;
	void *memory = malloc(source_table_bytes(capacity));

	assert_non_null(memory);
	source_table_init(&table, memory, capacity, PENALTY_MAX_MS, key);
	return table;
}

static void
table_free(struct source_table *table)
{
	free(table->records);
}

static struct addr
v4(uint32_t number)
{
	struct addr addr = { .family = ADDR_V4 };

	for (unsigned i = 0; i < 4; i++)
		addr.bytes[i] = (uint8_t)(number >> (24 - 8 * i));
	return addr;
}

static struct source_key
v4_key(uint32_t number)
{
	struct addr addr = v4(number);

	return source_key(&addr, 32, 64, 0);
}

/* Numbers that look like nothing; a bijection, so all are different. */
static uint32_t
scattered(uint32_t number)
{
	number = (number ^ number >> 16) * 0x7feb352du;
	number = (number ^ number >> 15) * 0x846ca68bu;
	return number ^ number >> 16;
}

/* As a client that asks for something it may not have. */
static void
come_and_go(struct source_table *table, uint32_t number, int64_t now_ms)
{
	struct source_key key = v4_key(scattered(number));
	uint32_t record = source_take(table, &key, now_ms);

	assert_int_not_equal(record, SOURCE_NONE);
	source_add(table, record, SOURCE_PENDING);
	if (number % 3 == 0)
		source_penalise(
		    table, record, now_ms + number % PENALTY_MAX_MS, now_ms);
	source_drop(table, record, SOURCE_PENDING);
}

struct held {
	struct source_key key;
	uint32_t record;
	uint32_t counts[SOURCE_COUNTS];
};

static void
hold(struct source_table *table, struct held *held, uint32_t number)
{
	held->key = v4_key(scattered(MILLION + number));
	held->record = source_take(table, &held->key, 0);
	assert_int_not_equal(held->record, SOURCE_NONE);
	held->counts[number % SOURCE_COUNTS] = 1 + number % 7;
	held->counts[SOURCE_RUNNING] += number % 2;
	for (int i = 0; i < SOURCE_COUNTS; i++)
		for (uint32_t j = 0; j < held->counts[i]; j++)
			source_add(table, held->record, (enum source_count)i);
}

static void
assert_held(const struct source_table *table, const struct held *held)
{
	assert_int_equal(source_find(table, &held->key), held->record);
	for (int i = 0; i < SOURCE_COUNTS; i++)
		assert_int_equal(
		    source_get(table, held->record, (enum source_count)i),
		    held->counts[i]);
}

static void
let_go(struct source_table *table, const struct held *held)
{
	for (int i = 0; i < SOURCE_COUNTS; i++)
		for (uint32_t j = 0; j < held->counts[i]; j++)
			source_drop(table, held->record, (enum source_count)i);
}

/* A thousand have something open while a million others come and go. */
static void
a_million_sources_cost_nobody_its_counts(void **state)
{
	static struct held held[HELD];
	struct source_table table = table_of(CAPACITY, secret);

	(void)state;
	for (uint32_t i = 0; i < HELD; i++)
		hold(&table, &held[i], i);
	for (uint32_t i = 0; i < MILLION; i++) {
		come_and_go(&table, i, i / 100);
		if (i % (MILLION / 10) == 0)
			assert_int_equal(source_busy(&table), HELD);
	}
	for (uint32_t i = 0; i < HELD; i++)
		assert_held(&table, &held[i]);
	for (uint32_t i = 0; i < HELD; i++)
		let_go(&table, &held[i]);
	assert_int_equal(source_busy(&table), 0);
	table_free(&table);
}

/* Whoever has a /64 has 2^64 addresses, and is one source. */
static void
a_million_addresses_of_a_network_are_one(void **state)
{
	struct source_table table = table_of(CAPACITY, secret);
	struct addr addr = { .family = ADDR_V6,
		.bytes = { 0x20, 1, 0xd, 0xb8 } };
	struct source_key key = source_key(&addr, 32, 64, 0);
	uint32_t first = source_take(&table, &key, 0);

	(void)state;
	for (uint32_t i = 0; i < MILLION; i++) {
		uint32_t low = scattered(i);

		memcpy(addr.bytes + 8, &i, sizeof(i));
		memcpy(addr.bytes + 12, &low, sizeof(low));
		key = source_key(&addr, 32, 64, 0);
		assert_int_equal(source_take(&table, &key, 0), first);
		source_add(&table, first, SOURCE_PENDING);
	}
	assert_int_equal(source_get(&table, first, SOURCE_PENDING), MILLION);
	assert_int_equal(source_busy(&table), 1);
	/* The next network is another. */
	addr.bytes[7] ^= 1;
	key = source_key(&addr, 32, 64, 0);
	assert_int_not_equal(source_take(&table, &key, 0), first);
	table_free(&table);
}

#define CHOSEN 1024u

static uint32_t
bucket_in(struct source_table *table, uint32_t number)
{
	struct source_key key = v4_key(number);

	return table->records[source_take(table, &key, 0)].bucket;
}

/* The most of these sources that have to be looked through one by one. */
static uint32_t
longest_chain(const uint32_t numbers[CHOSEN],
    const uint8_t hash_key[SOURCE_HASH_KEY_BYTES])
{
	static uint32_t lengths[CHOSEN];
	struct source_table table = table_of(CHOSEN, hash_key);
	uint32_t longest = 0;

	memset(lengths, 0, sizeof(lengths));
	assert_int_equal(table.bucket_mask, CHOSEN - 1);
	for (uint32_t i = 0; i < CHOSEN; i++) {
		uint32_t length = ++lengths[bucket_in(&table, numbers[i])];

		if (length > longest)
			longest = length;
	}
	table_free(&table);
	return longest;
}

/* All in sixteen of the buckets, for who has the table's key. */
static void
choose_collisions(uint32_t numbers[CHOSEN])
{
	struct source_table table = table_of(CHOSEN, known);
	uint32_t count = 0;

	for (uint32_t i = 0; count < CHOSEN; i++)
		if (bucket_in(&table, i) < 16)
			numbers[count++] = i;
	table_free(&table);
}

/*
 * 1024 in as many buckets: thrown at random, the longest chain is 5 to 7, and
 * more than 10 is one in millions. Chosen ones have to do no better.
 */
static void
chosen_collisions_are_as_random_ones(void **state)
{
	uint32_t numbers[CHOSEN];

	(void)state;
	choose_collisions(numbers);
	assert_true(longest_chain(numbers, known) >= CHOSEN / 16);
	assert_true(longest_chain(numbers, secret) <= 10);
	/* Those that a hash without a key would be bad at. */
	for (uint32_t shift = 0; shift <= 20; shift += 4) {
		for (uint32_t i = 0; i < CHOSEN; i++)
			numbers[i] = i << shift;
		assert_true(longest_chain(numbers, secret) <= 10);
	}
	for (uint32_t i = 0; i < CHOSEN; i++)
		numbers[i] = scattered(i);
	assert_true(longest_chain(numbers, secret) <= 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_sources_cost_nobody_its_counts),
		cmocka_unit_test(a_million_addresses_of_a_network_are_one),
		cmocka_unit_test(chosen_collisions_are_as_random_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
