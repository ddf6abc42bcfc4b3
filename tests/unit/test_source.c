/*
 * The table of sources against a slow one: a list that is searched from end
 * to end and knows nothing of hashes, chains, links or lists of terms.
 */
#include "core/source.h"
#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEYS 200u
#define OPERATIONS 100000u
#define PENALTY_MAX_MS 60000u
#define TERM_MS (PENALTY_MAX_MS / 254 + 1)

static const uint8_t hash_key[SOURCE_HASH_KEY_BYTES] = "a secret of 16 b";

struct slow_entry {
	bool is_there;
	uint32_t record;
	uint32_t counts[SOURCE_COUNTS];
	uint64_t unused_since;
	int64_t penalty_ms;
};

struct slow {
	struct slow_entry entries[KEYS];
	uint32_t capacity, there;
	uint64_t clock;
	int64_t term; /* terms before it are over */
};

struct both {
	struct source_table table;
	struct slow slow;
	struct source_key keys[KEYS];
	void *memory;
	uint64_t random;
	int64_t now_ms;
	bool has_penalties;
};

static uint32_t
draw(struct both *both, uint32_t below)
{
	return (uint32_t)(random_next(&both->random) >> 20) % below;
}

static struct addr
numbered_addr(uint32_t number)
{
	struct addr addr = { .family = number % 3 == 0 ? ADDR_V6 : ADDR_V4,
		.port = (uint16_t)number };

	addr.bytes[0] = 10;
	addr.bytes[1] = (uint8_t)(number / 256);
	addr.bytes[2] = (uint8_t)number;
	return addr;
}

static void
both_init(struct both *both, uint32_t capacity, uint64_t seed)
{
	*both = (struct both){ .slow = { .capacity = capacity },
		.memory = malloc(source_table_bytes(capacity)),
		.random = seed,
		.now_ms = 5000 };
	assert_non_null(both->memory);
	/* What is in there is nobody's business. */
	memset(both->memory, 0xa5, source_table_bytes(capacity));
	source_table_init(
	    &both->table, both->memory, capacity, PENALTY_MAX_MS, hash_key);
	both->slow.term = 1;
	for (uint32_t i = 0; i < KEYS; i++) {
		struct addr addr = numbered_addr(i);

		both->keys[i] = source_key(&addr, 32, 128, i % 2);
	}
}

static bool
is_counted(const struct slow_entry *entry)
{
	for (int i = 0; i < SOURCE_COUNTS; i++)
		if (entry->counts[i] > 0)
			return true;
	return false;
}

static bool
is_unused(const struct slow_entry *entry)
{
	return entry->is_there && !is_counted(entry);
}

static bool
is_penalised(const struct slow *slow, const struct slow_entry *entry)
{
	return entry->penalty_ms / TERM_MS >= slow->term;
}

/* Whether the one goes before the other, both innocent or both not. */
static bool
goes_before(const struct slow_entry *a, const struct slow_entry *b, bool is_by)
{
	int64_t first = a->penalty_ms / TERM_MS;
	int64_t second = b->penalty_ms / TERM_MS;

	if (is_by && first != second)
		return first < second;
	return a->unused_since < b->unused_since;
}

/* The first to go of the unused that are penalised, or not. KEYS: nobody. */
static uint32_t
slow_first(const struct slow *slow, bool penalised)
{
	uint32_t first = KEYS;

	for (uint32_t i = 0; i < KEYS; i++) {
		const struct slow_entry *entry = &slow->entries[i];

		if (!is_unused(entry) || is_penalised(slow, entry) != penalised)
			continue;
		if (first == KEYS ||
		    goes_before(entry, &slow->entries[first], penalised))
			first = i;
	}
	return first;
}

/* Those whose term is over become the newest innocents, one by one. */
static void
slow_absolve(struct slow *slow, int64_t now_ms)
{
	while (slow->term < now_ms / TERM_MS) {
		uint32_t key = slow_first(slow, true);
		struct slow_entry *entry = &slow->entries[key];

		if (key == KEYS || entry->penalty_ms / TERM_MS > slow->term) {
			slow->term++;
			continue;
		}
		entry->penalty_ms = 0;
		entry->unused_since = ++slow->clock;
	}
}

/* Who has to go. KEYS: nobody can. */
static uint32_t
slow_least_needed(const struct slow *slow)
{
	uint32_t innocent = slow_first(slow, false);
	uint32_t guilty = 0;

	for (uint32_t i = 0; i < KEYS; i++)
		guilty += is_unused(&slow->entries[i]) &&
		    is_penalised(slow, &slow->entries[i]);
	if (innocent != KEYS && guilty <= slow->capacity / 2)
		return innocent;
	return guilty > 0 ? slow_first(slow, true) : innocent;
}

/* False if there is no room. */
static bool
slow_take(struct slow *slow, uint32_t key, int64_t now_ms)
{
	struct slow_entry *entry = &slow->entries[key];

	slow_absolve(slow, now_ms);
	if (entry->is_there) {
		if (!is_counted(entry))
			entry->unused_since = ++slow->clock;
		return true;
	}
	if (slow->there == slow->capacity) {
		uint32_t victim = slow_least_needed(slow);

		if (victim == KEYS)
			return false;
		slow->entries[victim].is_there = false;
		slow->there--;
	}
	*entry = (struct slow_entry){ .is_there = true,
		.record = SOURCE_NONE,
		.unused_since = ++slow->clock };
	slow->there++;
	return true;
}

/* At once, or step by step with another's steps in between. */
static uint32_t
take_record(struct both *both, uint32_t key)
{
	struct source_place place, other;

	if (both->slow.clock % 2 == 0)
		return source_take(
		    &both->table, &both->keys[key], both->now_ms);
	place = source_seek(&both->table, &both->keys[key]);
	other = source_seek(&both->table, &both->keys[(key + 1) % KEYS]);
	source_approach(&both->table, &place);
	source_approach(&both->table, &other);
	return source_take_at(&both->table, &place, both->now_ms);
}

static void
take(struct both *both, uint32_t key)
{
	struct slow_entry *entry = &both->slow.entries[key];
	bool has_room = slow_take(&both->slow, key, both->now_ms);
	uint32_t record = take_record(both, key);

	if (!has_room) {
		assert_int_equal(record, SOURCE_NONE);
		return;
	}
	assert_true(record < both->slow.capacity);
	/* While it is there its record stays the same one. */
	if (entry->record != SOURCE_NONE)
		assert_int_equal(record, entry->record);
	entry->record = record;
}

static void
count_one(struct both *both, uint32_t key, enum source_count which)
{
	struct slow_entry *entry = &both->slow.entries[key];

	take(both, key);
	if (!entry->is_there)
		return;
	entry->counts[which]++;
	source_add(&both->table, entry->record, which);
}

static void
drop_one(struct both *both, uint32_t key, enum source_count which)
{
	struct slow_entry *entry = &both->slow.entries[key];

	if (!entry->is_there || entry->counts[which] == 0)
		return;
	entry->counts[which]--;
	if (!is_counted(entry))
		entry->unused_since = ++both->slow.clock;
	source_drop(&both->table, entry->record, which);
}

static void
penalise_one(struct both *both, uint32_t key)
{
	struct slow_entry *entry = &both->slow.entries[key];
	int64_t until_ms = both->now_ms + draw(both, PENALTY_MAX_MS + 1);

	if (!entry->is_there)
		return;
	slow_absolve(&both->slow, both->now_ms);
	entry->penalty_ms = until_ms;
	if (!is_counted(entry))
		entry->unused_since = ++both->slow.clock;
	source_penalise(&both->table, entry->record, until_ms, both->now_ms);
	assert_int_equal(
	    source_penalty_left_ms(&both->table, entry->record, both->now_ms),
	    until_ms - both->now_ms);
}

static void
assert_same(const struct both *both, uint32_t key)
{
	const struct slow_entry *entry = &both->slow.entries[key];
	uint32_t record = source_find(&both->table, &both->keys[key]);

	if (!entry->is_there) {
		assert_int_equal(record, SOURCE_NONE);
		return;
	}
	assert_int_equal(record, entry->record);
	for (int i = 0; i < SOURCE_COUNTS; i++)
		assert_int_equal(
		    source_get(&both->table, record, (enum source_count)i),
		    entry->counts[i]);
}

static void
assert_all_same(const struct both *both)
{
	uint32_t busy = 0;

	for (uint32_t key = 0; key < KEYS; key++) {
		assert_same(both, key);
		busy += both->slow.entries[key].is_there &&
		    is_counted(&both->slow.entries[key]);
	}
	assert_int_equal(source_busy(&both->table), busy);
}

/* Rises and falls, so that it is nearly empty and full again and again. */
static void
step(struct both *both, uint32_t operation)
{
	bool is_rising = operation / 2000 % 2 == 0;
	uint32_t key = draw(both, KEYS);
	enum source_count which = (enum source_count)draw(both, SOURCE_COUNTS);
	uint32_t choice = draw(both, 10);

	both->now_ms += draw(both, draw(both, 1000) == 0 ? 90000 : 20);
	if (choice == 0)
		take(both, key);
	else if (choice == 1 && both->has_penalties)
		penalise_one(both, key);
	else if (choice < (is_rising ? 7u : 3u))
		count_one(both, key, which);
	else
		drop_one(both, key, which);
	assert_same(both, key);
}

static void
compare_run(uint32_t capacity, uint64_t seed, bool has_one_bucket)
{
	struct both both;

	both_init(&both, capacity, seed);
	both.has_penalties = seed % 2 != 0;
	/* Every key collides with every other: chains are all there is. */
	if (has_one_bucket)
		both.table.bucket_mask = 0;
	for (uint32_t i = 0; i < OPERATIONS; i++) {
		step(&both, i);
		if (i % 500 == 0)
			assert_all_same(&both);
	}
	free(both.memory);
}

static void
same_as_slow(void **state)
{
	(void)state;
	compare_run(64, 0x1234567u, false);
}

static void
same_as_slow_when_roomy(void **state)
{
	(void)state;
	compare_run(KEYS, 0x89abcdefu, false);
}

static void
same_as_slow_when_all_collide(void **state)
{
	(void)state;
	compare_run(48, 0x13579bdu, true);
}

static void
same_as_slow_with_one_record(void **state)
{
	(void)state;
	compare_run(1, 0x2468aceu, false);
	compare_run(1, 0x2468acfu, false);
}

static void
same_as_slow_without_penalties(void **state)
{
	(void)state;
	compare_run(64, 0x7654320u, false);
}

/* As many records as connections: there is always room for one more. */
static void
full_only_when_all_are_counted(void **state)
{
	struct both both;
	uint32_t record;

	(void)state;
	both_init(&both, 8, 1);
	for (uint32_t i = 0; i < 8; i++) {
		record = source_take(&both.table, &both.keys[i], 0);
		assert_int_not_equal(record, SOURCE_NONE);
		source_add(&both.table, record, SOURCE_RUNNING);
	}
	assert_int_equal(
	    source_take(&both.table, &both.keys[8], 0), SOURCE_NONE);
	record = source_find(&both.table, &both.keys[3]);
	source_drop(&both.table, record, SOURCE_RUNNING);
	assert_int_equal(source_take(&both.table, &both.keys[8], 0), record);
	assert_int_equal(source_find(&both.table, &both.keys[3]), SOURCE_NONE);
	assert_int_equal(source_get(&both.table, record, SOURCE_RUNNING), 0);
	free(both.memory);
}

static uint32_t
take_key(struct both *both, uint32_t key)
{
	return source_take(&both->table, &both->keys[key], both->now_ms);
}

/* What a source spent and was given is there when it comes again. */
static void
a_penalty_outlives_connections(void **state)
{
	const struct rate rate = { 1, 1000, 2 };
	struct both both;
	uint32_t record;

	(void)state;
	both_init(&both, 4, 1);
	record = take_key(&both, 0);
	source_add(&both.table, record, SOURCE_PENDING);
	assert_true(rate_take(source_rate(&both.table, record), &rate, 5000));
	source_penalise(&both.table, record, 35000, 5000);
	source_drop(&both.table, record, SOURCE_PENDING);
	/* Seven innocents come and go: it is they who make room. */
	for (uint32_t key = 1; key < 8; key++)
		take_key(&both, key);
	assert_int_equal(take_key(&both, 0), record);
	assert_int_equal(
	    source_penalty_left_ms(&both.table, record, 10000), 25000);
	assert_true(rate_take(source_rate(&both.table, record), &rate, 5000));
	assert_false(rate_take(source_rate(&both.table, record), &rate, 5000));
	/* Once it is over, this one is like the others. */
	both.now_ms = 40000;
	for (uint32_t key = 1; key < 8; key++)
		take_key(&both, key);
	assert_int_equal(source_find(&both.table, &both.keys[0]), SOURCE_NONE);
	record = take_key(&both, 0);
	assert_int_equal(source_penalty_left_ms(&both.table, record, 0), 0);
	assert_true(rate_take(source_rate(&both.table, record), &rate, 5000));
	assert_true(rate_take(source_rate(&both.table, record), &rate, 5000));
	free(both.memory);
}

/* Nothing came for days: that is no longer work, and nothing is forgotten. */
static void
a_long_silence_is_over_at_once(void **state)
{
	struct both both;
	uint32_t record;

	(void)state;
	both_init(&both, 4, 1);
	record = take_key(&both, 0);
	both.now_ms = INT64_C(1000000000);
	source_penalise(&both.table, record, both.now_ms + 50000, both.now_ms);
	for (uint32_t key = 1; key < 20; key++) {
		take_key(&both, key);
		assert_int_equal(
		    source_find(&both.table, &both.keys[0]), record);
	}
	/* As long as a clock can go. */
	both.now_ms = INT64_MAX - PENALTY_MAX_MS;
	assert_int_equal(take_key(&both, 0), record);
	free(both.memory);
}

/* Half of the table, and those with the least left go first. */
static void
penalties_do_not_fill_the_table(void **state)
{
	struct both both;
	uint32_t innocent;

	(void)state;
	both_init(&both, 8, 1);
	for (uint32_t key = 0; key < 7; key++)
		source_penalise(&both.table, take_key(&both, key),
		    both.now_ms + 50000 - 5000 * key, both.now_ms);
	innocent = take_key(&both, 7);
	for (uint32_t key = 8; key < 11; key++) {
		take_key(&both, key);
		assert_int_equal(take_key(&both, 7), innocent);
		assert_int_equal(source_find(&both.table, &both.keys[14 - key]),
		    SOURCE_NONE);
		assert_int_not_equal(
		    source_find(&both.table, &both.keys[13 - key]),
		    SOURCE_NONE);
	}
	/* Four penalties, four innocents: from now on these go. */
	take_key(&both, 11);
	assert_int_equal(source_find(&both.table, &both.keys[8]), SOURCE_NONE);
	for (uint32_t key = 0; key < 4; key++)
		assert_int_not_equal(
		    source_find(&both.table, &both.keys[key]), SOURCE_NONE);
	free(both.memory);
}

static bool
same_key(const char *a, const char *b, unsigned v4_bits, unsigned v6_bits)
{
	struct addr first, second;
	struct source_key keys[2];

	assert_true(addr_parse(&first, a, strlen(a)));
	assert_true(addr_parse(&second, b, strlen(b)));
	first.port = 1;
	second.port = 2;
	keys[0] = source_key(&first, v4_bits, v6_bits, 0);
	keys[1] = source_key(&second, v4_bits, v6_bits, 0);
	return memcmp(&keys[0], &keys[1], sizeof(keys[0])) == 0;
}

static void
keys_are_prefixes(void **state)
{
	struct addr addr;
	struct source_key keys[2];

	(void)state;
	assert_true(same_key("192.0.2.1", "192.0.2.1", 32, 64));
	assert_false(same_key("192.0.2.1", "192.0.2.2", 32, 64));
	assert_true(same_key("192.0.2.1", "192.0.2.254", 24, 48));
	assert_false(same_key("192.0.2.1", "192.0.3.1", 24, 48));
	assert_true(same_key("2001:db8::1", "2001:db8::ffff:1", 32, 64));
	assert_false(same_key("2001:db8::1", "2001:db8:0:1::1", 32, 64));
	assert_true(same_key("2001:db8::1", "2001:db8:0:1::1", 24, 48));
	assert_false(same_key("2001:db8::1", "2001:db8:1::1", 24, 48));
	assert_false(same_key("0.0.0.0", "::", 0, 0));
	assert_true(addr_parse(&addr, "192.0.2.1", 9));
	keys[0] = source_key(&addr, 32, 64, 0);
	keys[1] = source_key(&addr, 32, 64, 7);
	assert_memory_not_equal(&keys[0], &keys[1], sizeof(keys[0]));
}

static struct source_key
key_on(const char *text, uint32_t link, unsigned v6_bits)
{
	struct addr addr;

	assert_true(addr_parse(&addr, text, strlen(text)));
	addr.scope = link;
	return source_key(&addr, 32, v6_bits, 5);
}

static bool
same_on(const char *a, uint32_t a_link, const char *b, uint32_t b_link,
    unsigned v6_bits)
{
	struct source_key keys[] = { key_on(a, a_link, v6_bits),
		key_on(b, b_link, v6_bits) };

	return memcmp(&keys[0], &keys[1], sizeof(keys[0])) == 0;
}

/* One address on two links is two hosts, however few bits are counted by. */
static void
links_are_told_apart(void **state)
{
	struct source_key key;

	(void)state;
	for (unsigned bits = 16; bits <= 128; bits++) {
		assert_false(same_on("fe80::1", 2, "fe80::1", 3, bits));
		assert_false(same_on("fe80::1", 2, "fe80::1", 1u << 30, bits));
		/* Nobody gets into another link's by what he calls himself. */
		assert_false(same_on("fe80::1", 2, "fe80:0:0:3::1", 3, bits));
		assert_true(same_on("fe80::1", 2, "fe80:0:0:3::1", 2, bits));
		key = key_on("fe80::1", 7, bits);
		assert_int_equal(source_key_link(&key), 7);
	}
	/* Of whom no link is known, what he calls himself has to do. */
	assert_false(same_on("fe80::1", 0, "fe80:0:0:3::1", 0, 64));
	assert_true(same_on("fe80::1", 2, "fe80::2", 2, 64));
	assert_false(same_on("fe80::1", 2, "fe80::2", 2, 128));
	/* Whoever has an address of everywhere is one, whatever the link. */
	assert_true(same_on("2001:db8::1", 2, "2001:db8::1", 3, 64));
	key = key_on("2001:db8:1:2::1", 7, 64);
	assert_int_equal(source_key_link(&key), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_as_slow),
		cmocka_unit_test(same_as_slow_when_roomy),
		cmocka_unit_test(same_as_slow_when_all_collide),
		cmocka_unit_test(same_as_slow_with_one_record),
		cmocka_unit_test(same_as_slow_without_penalties),
		cmocka_unit_test(a_penalty_outlives_connections),
		cmocka_unit_test(a_long_silence_is_over_at_once),
		cmocka_unit_test(penalties_do_not_fill_the_table),
		cmocka_unit_test(full_only_when_all_are_counted),
		cmocka_unit_test(keys_are_prefixes),
		cmocka_unit_test(links_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
