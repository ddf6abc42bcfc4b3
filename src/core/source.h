#ifndef CORE_SOURCE_H
#define CORE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"

/*
 * Who is connected, and how often: one fixed-size record for each source
 * (an address cut to its prefix, with a scope that tells tables' uses
 * apart), found by keyed SipHash so that nobody can choose collisions.
 *
 * A record with any count above zero stays. One with none may be reused for
 * another source, the longest unused first. So a table with at least as many
 * records as there can be connections never fails to find room.
 */
enum source_count {
	SOURCE_PENDING, /* undecided connections */
	SOURCE_RUNNING, /* launched sessions, from LAUNCH to reaped */
	SOURCE_LINGERING, /* refused, waiting for the client to close */
	SOURCE_COUNTS,
};

#define SOURCE_NONE UINT32_MAX
#define SOURCE_HASH_KEY_BYTES 16u

struct source_key {
	uint8_t bytes[16]; /* of the address, masked */
	uint32_t scope; /* what else it is counted for: a service, or 0 */
	uint8_t family;
	uint8_t unused[3]; /* zero: the key is hashed and compared whole */
};

struct source {
	struct source_key key;
	uint32_t counts[SOURCE_COUNTS];
	uint32_t chain; /* the next with the same hash */
	uint32_t newer, older; /* among the unused */
	uint32_t bucket; /* whose chain it is in; SOURCE_NONE: never used */
};

struct source_table {
	struct source *records; /* not owned */
	uint32_t *buckets; /* not owned; a power of two of them */
	uint32_t capacity, bucket_mask;
	uint32_t newest, oldest; /* of the unused */
	uint8_t hash_key[SOURCE_HASH_KEY_BYTES];
};

/* The bytes a table of `capacity` records takes, its buckets included. */
size_t source_table_bytes(uint32_t capacity);

/*
 * Makes an empty table in `memory` (8-aligned, source_table_bytes(capacity)
 * long, the caller's). hash_key is random and secret.
 */
void source_table_init(struct source_table *table, void *memory,
    uint32_t capacity, const uint8_t hash_key[SOURCE_HASH_KEY_BYTES]);

/* The key of an address's first v4_bits or v6_bits bits. */
struct source_key source_key(const struct addr *addr, unsigned v4_bits,
    unsigned v6_bits, uint32_t scope);

/* The record of key, or SOURCE_NONE if it has none. */
uint32_t
source_find(const struct source_table *table, const struct source_key *key);

/*
 * The record of key, made if need be; SOURCE_NONE if every record is in use.
 * A new one stays only if it is counted before the next is asked for.
 */
uint32_t source_take(struct source_table *table, const struct source_key *key);

/* What the record's count is. */
uint32_t source_get(
    const struct source_table *table, uint32_t record, enum source_count count);

void source_add(
    struct source_table *table, uint32_t record, enum source_count count);
/* The count must be above zero. */
void source_drop(
    struct source_table *table, uint32_t record, enum source_count count);

#endif
