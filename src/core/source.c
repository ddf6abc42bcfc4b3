/*
 * Exact counts for each source of connections.
 * Trusts its caller to drop what it added, once.
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

/* A record nobody counts on goes to the newest end of the unused. */
static void
unused_push(struct source_table *table, uint32_t record)
{
	struct source *source = &table->records[record];

	source->newer = SOURCE_NONE;
	source->older = table->newest;
	if (table->newest != SOURCE_NONE)
		table->records[table->newest].newer = record;
	else
		table->oldest = record;
	table->newest = record;
}

static void
unused_remove(struct source_table *table, uint32_t record)
{
	const struct source *source = &table->records[record];

	if (source->newer != SOURCE_NONE)
		table->records[source->newer].older = source->older;
	else
		table->newest = source->older;
	if (source->older != SOURCE_NONE)
		table->records[source->older].newer = source->newer;
	else
		table->oldest = source->newer;
}

void
source_table_init(struct source_table *table, void *memory, uint32_t capacity,
    const uint8_t hash_key[SOURCE_HASH_KEY_BYTES])
{
	uint32_t buckets = bucket_count(capacity);

	table->records = memory;
	table->buckets = (uint32_t *)(void *)((uint8_t *)memory +
	    capacity * sizeof(struct source));
	table->capacity = capacity;
	table->bucket_mask = buckets - 1;
	table->newest = SOURCE_NONE;
	table->oldest = SOURCE_NONE;
	memcpy(table->hash_key, hash_key, sizeof(table->hash_key));
	for (uint32_t i = 0; i < buckets; i++)
		table->buckets[i] = SOURCE_NONE;
	memset(table->records, 0, capacity * sizeof(struct source));
	for (uint32_t i = 0; i < capacity; i++) {
		table->records[i].bucket = SOURCE_NONE;
		unused_push(table, i);
	}
}

struct source_key
source_key(
    const struct addr *addr, unsigned v4_bits, unsigned v6_bits, uint32_t scope)
{
	struct addr masked = *addr;
	struct source_key key = { .family = addr->family, .scope = scope };

	addr_mask(&masked, addr->family == ADDR_V4 ? v4_bits : v6_bits);
	memcpy(key.bytes, masked.bytes, sizeof(key.bytes));
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

	if (source->bucket == SOURCE_NONE)
		return;
	link = &table->buckets[source->bucket];
	while (*link != record)
		link = &table->records[*link].chain;
	*link = source->chain;
}

uint32_t
source_take(struct source_table *table, const struct source_key *key)
{
	uint32_t bucket = bucket_of(table, key);
	uint32_t record = find_in(table, bucket, key);
	struct source *source;

	if (record != SOURCE_NONE)
		return record;
	record = table->oldest;
	if (record == SOURCE_NONE)
		return SOURCE_NONE;
	chain_remove(table, record);
	unused_remove(table, record);
	source = &table->records[record];
	source->key = *key;
	source->bucket = bucket;
	source->chain = table->buckets[bucket];
	table->buckets[bucket] = record;
	unused_push(table, record);
	return record;
}

static bool
is_unused(const struct source *source)
{
	for (int i = 0; i < SOURCE_COUNTS; i++)
		if (source->counts[i] != 0)
			return false;
	return true;
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
