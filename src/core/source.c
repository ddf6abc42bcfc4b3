/*
 * Exact counts for each source of connections, and what it is remembered for.
 * Trusts its caller to drop what it added, once, and its clock not to run back.
 * Never allocates: a full table of busy records answers so.
 */
#include "core/source.h"

#include <assert.h>
#include <string.h>

#include <sodium/crypto_shorthash.h>

static uint32_t
bucket_count(uint32_t capacity)
{
	uint32_t count = 16;

	while (count < capacity)
		count *= 2;
	return count;
}

size_t
source_table_bytes(uint32_t capacity)
{
	return capacity * sizeof(struct source) +
	    bucket_count(capacity) * sizeof(uint32_t);
}

static void
list_push(struct source_table *table, struct source_list *list, uint32_t record)
{
	struct source *source = &table->records[record];

	source->newer = SOURCE_NONE;
	source->older = list->newest;
	if (list->newest != SOURCE_NONE)
		table->records[list->newest].newer = record;
	else
		list->oldest = record;
	list->newest = record;
	list->count++;
}

static void
list_remove(
    struct source_table *table, struct source_list *list, uint32_t record)
{
	const struct source *source = &table->records[record];

	if (source->newer != SOURCE_NONE)
		table->records[source->newer].older = source->older;
	else
		list->newest = source->older;
	if (source->older != SOURCE_NONE)
		table->records[source->older].newer = source->newer;
	else
		list->oldest = source->newer;
	list->count--;
}

static void
list_init(struct source_list *list)
{
	*list = (struct source_list){ .newest = SOURCE_NONE,
		.oldest = SOURCE_NONE };
}

/* All of a list behind what is newest in the other. */
static void
list_join(struct source_table *table, struct source_list *list,
    struct source_list *joining)
{
	if (joining->count == 0)
		return;
	table->records[joining->oldest].older = list->newest;
	if (list->newest != SOURCE_NONE)
		table->records[list->newest].newer = joining->oldest;
	else
		list->oldest = joining->oldest;
	list->newest = joining->newest;
	list->count += joining->count;
	list_init(joining);
}

/* Where an unused record belongs; terms that are over are innocent. */
static struct source_list *
list_of(struct source_table *table, uint32_t record)
{
	int64_t penalty_ms = table->records[record].penalty_ms;

	if (penalty_ms < table->term * table->term_ms)
		return &table->innocent;
	return &table->penalised[penalty_ms / table->term_ms % SOURCE_TERMS];
}

static void
unused_push(struct source_table *table, uint32_t record)
{
	struct source_list *list = list_of(table, record);

	list_push(table, list, record);
	table->penalised_count += list != &table->innocent;
}

static void
unused_remove(struct source_table *table, uint32_t record)
{
	struct source_list *list = list_of(table, record);

	list_remove(table, list, record);
	table->penalised_count -= list != &table->innocent;
}

/* Whose term is over is innocent again, as if last heard of now. */
static void
absolve(struct source_table *table, int64_t now_ms)
{
	int64_t now = now_ms / table->term_ms;

	for (uint32_t i = 0; i < SOURCE_TERMS && table->term < now; i++) {
		struct source_list *over =
		    &table->penalised[table->term % SOURCE_TERMS];

		table->penalised_count -= over->count;
		list_join(table, &table->innocent, over);
		table->term++;
	}
	if (table->term < now)
		table->term = now;
}

void
source_table_init(struct source_table *table, void *memory, uint32_t capacity,
    uint32_t penalty_max_ms, const uint8_t hash_key[SOURCE_HASH_KEY_BYTES])
{
	uint32_t buckets = bucket_count(capacity);

	table->records = memory;
	table->buckets = (uint32_t *)(void *)((uint8_t *)memory +
	    capacity * sizeof(struct source));
	table->capacity = capacity;
	table->used = 0;
	table->bucket_mask = buckets - 1;
	list_init(&table->innocent);
	for (uint32_t i = 0; i < SOURCE_TERMS; i++)
		list_init(&table->penalised[i]);
	table->penalised_count = 0;
	/* The first and the last may be begun. */
	table->term_ms = penalty_max_ms / (SOURCE_TERMS - 2) + 1;
	table->term = 1;
	memcpy(table->hash_key, hash_key, sizeof(table->hash_key));
	for (uint32_t i = 0; i < buckets; i++)
		table->buckets[i] = SOURCE_NONE;
}

/*
 * A link-local address is another host's on another link, so its link counts
 * too. Its number stands where such addresses have zeros (RFC 4291, 2.5.6);
 * what a host has there instead makes it no other source.
 */
enum { LINK_AT = 4, LINK_BYTES = 4 };

static void
put_link(uint8_t bytes[16], uint32_t scope)
{
	for (unsigned i = 0; i < LINK_BYTES; i++)
		bytes[LINK_AT + i] = (uint8_t)(scope >> (24 - 8 * i));
}

uint32_t
source_key_link(const struct source_key *key)
{
	const struct addr addr = { .family = key->family,
		.bytes = { key->bytes[0], key->bytes[1] } };
	uint32_t scope = 0;

	for (unsigned i = 0; i < LINK_BYTES; i++)
		scope = scope << 8 | key->bytes[LINK_AT + i];
	return addr_is_link_local(&addr) ? scope : 0;
}

struct source_key
source_key(
    const struct addr *addr, unsigned v4_bits, unsigned v6_bits, uint32_t scope)
{
	struct addr masked = *addr;
	struct source_key key = { .family = addr->family, .scope = scope };

	addr_mask(&masked, addr->family == ADDR_V4 ? v4_bits : v6_bits);
	memcpy(key.bytes, masked.bytes, sizeof(key.bytes));
	if (addr->scope != 0 && addr_is_link_local(addr))
		put_link(key.bytes, addr->scope);
	return key;
}

static uint32_t
bucket_of(const struct source_table *table, const struct source_key *key)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint32_t bucket;

	(void)crypto_shorthash(
	    hash, (const uint8_t *)key, sizeof(*key), table->hash_key);
	memcpy(&bucket, hash, sizeof(bucket));
	return bucket & table->bucket_mask;
}

struct source_place
source_seek(const struct source_table *table, const struct source_key *key)
{
	struct source_place place = { .key = *key,
		.bucket = bucket_of(table, key) };

	__builtin_prefetch(&table->buckets[place.bucket]);
	return place;
}

void
source_approach(
    const struct source_table *table, const struct source_place *place)
{
	uint32_t record = table->buckets[place->bucket];
	const uint8_t *source;

	if (record == SOURCE_NONE)
		return;
	source = (const uint8_t *)&table->records[record];
	__builtin_prefetch(source, 1);
	__builtin_prefetch(source + sizeof(struct source) - 1, 1);
}

static uint32_t
find_in(const struct source_table *table, uint32_t bucket,
    const struct source_key *key)
{
	uint32_t record = table->buckets[bucket];

	while (record != SOURCE_NONE &&
	    memcmp(&table->records[record].key, key, sizeof(*key)) != 0)
		record = table->records[record].chain;
	return record;
}

uint32_t
source_find(const struct source_table *table, const struct source_key *key)
{
	return find_in(table, bucket_of(table, key), key);
}

static void
chain_remove(struct source_table *table, uint32_t record)
{
	const struct source *source = &table->records[record];
	uint32_t *link;

	link = &table->buckets[source->bucket];
	while (*link != record)
		link = &table->records[*link].chain;
	*link = source->chain;
}

static bool
is_unused(const struct source *source)
{
	for (int i = 0; i < SOURCE_COUNTS; i++)
		if (source->counts[i] != 0)
			return false;
	return true;
}

/* Whose record may be given to another; SOURCE_NONE: nobody's. */
static uint32_t
least_needed(const struct source_table *table)
{
	uint32_t stalest = table->innocent.oldest;

	if (stalest != SOURCE_NONE &&
	    table->penalised_count <= table->capacity / 2)
		return stalest;
	for (uint32_t i = 0; i < SOURCE_TERMS; i++) {
		int64_t term = table->term + i;
		const struct source_list *list =
		    &table->penalised[term % SOURCE_TERMS];

		if (list->count > 0)
			return list->oldest;
	}
	return stalest;
}

/* Heard of again: an innocent source is the newest of them once more. */
static void
refresh(struct source_table *table, uint32_t record)
{
	if (!is_unused(&table->records[record]))
		return;
	unused_remove(table, record);
	unused_push(table, record);
}

/* A record that is nobody's any more, or SOURCE_NONE. */
static uint32_t
get_record(struct source_table *table)
{
	uint32_t record;

	if (table->used < table->capacity) {
		table->records[table->used].round = 0;
		return table->used++;
	}
	record = least_needed(table);
	if (record == SOURCE_NONE)
		return SOURCE_NONE;
	chain_remove(table, record);
	unused_remove(table, record);
	return record;
}

uint32_t
source_take_at(struct source_table *table, const struct source_place *place,
    int64_t now_ms)
{
	uint32_t record = find_in(table, place->bucket, &place->key);
	struct source *source;

	absolve(table, now_ms);
	if (record != SOURCE_NONE) {
		refresh(table, record);
		return record;
	}
	record = get_record(table);
	if (record == SOURCE_NONE)
		return SOURCE_NONE;
	source = &table->records[record];
	*source = (struct source){ .key = place->key,
		.bucket = place->bucket,
		.chain = table->buckets[place->bucket],
		.round = source->round + 1 };
	table->buckets[place->bucket] = record;
	unused_push(table, record);
	return record;
}

uint32_t
source_take(
    struct source_table *table, const struct source_key *key, int64_t now_ms)
{
	const struct source_place place = { .key = *key,
		.bucket = bucket_of(table, key) };

	return source_take_at(table, &place, now_ms);
}

void
source_penalise(struct source_table *table, uint32_t record, int64_t until_ms,
    int64_t now_ms)
{
	bool is_listed = is_unused(&table->records[record]);

	absolve(table, now_ms);
	if (is_listed)
		unused_remove(table, record);
	table->records[record].penalty_ms = until_ms;
	if (is_listed)
		unused_push(table, record);
}

uint32_t
source_penalty_left_ms(
    const struct source_table *table, uint32_t record, int64_t now_ms)
{
	int64_t left_ms = table->records[record].penalty_ms - now_ms;

	return left_ms > 0 ? (uint32_t)left_ms : 0;
}

struct rate_bucket *
source_rate(const struct source_table *table, uint32_t record)
{
	return &table->records[record].rate;
}

uint32_t
source_busy(const struct source_table *table)
{
	return table->used - table->innocent.count - table->penalised_count;
}

uint32_t
source_get(
    const struct source_table *table, uint32_t record, enum source_count count)
{
	return table->records[record].counts[count];
}

void
source_add(struct source_table *table, uint32_t record, enum source_count count)
{
	struct source *source = &table->records[record];

	if (is_unused(source))
		unused_remove(table, record);
	source->counts[count]++;
}

void
source_drop(
    struct source_table *table, uint32_t record, enum source_count count)
{
	struct source *source = &table->records[record];

	assert(source->counts[count] > 0);
	source->counts[count]--;
	if (is_unused(source))
		unused_push(table, record);
}
