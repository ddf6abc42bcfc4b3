#ifndef CORE_SOURCE_H
#define CORE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/rate.h"

/*
 * Who is connected, how often, and how it behaved: one fixed-size record for
 * each source (an address cut to its prefix, with a scope that tells tables'
 * uses apart), found by keyed SipHash so that nobody can choose collisions.
 *
 * A record with any count above zero stays. One with none is remembered until
 * another source needs its place: first goes the innocent that was not heard
 * of for the longest time, then whoever has the least of a penalty left (to
 * within 1/254 of the largest penalty). But sources with a penalty keep at
 * most half of the table: nobody fills it with those. So a table with at
 * least as many records as there can be connections never fails to find room.
 * All of this takes the same time however many records there are.
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
	uint8_t bytes[16]; /* of the address, masked; see source_key_link */
	uint32_t scope; /* what else it is counted for: a service, or 0 */
	uint8_t family;
	uint8_t unused[3]; /* zero: the key is hashed and compared whole */
};

struct source {
	struct source_key key;
	uint32_t counts[SOURCE_COUNTS];
	uint32_t chain; /* the next with the same hash */
	uint32_t newer, older; /* in its list of the unused */
	uint32_t bucket; /* whose chain it is in */
	uint32_t round; /* how often the record was given to another source */
	struct rate_bucket rate; /* what it spent */
	int64_t penalty_ms; /* it is penalised until then */
	uint32_t claims, claim; /* where core/claim last wrote of it */
	uint32_t ban; /* where core/ban did */
};

#define SOURCE_TERMS 256u

/* Records nobody counts on, in the order in which that came to be. */
struct source_list {
	uint32_t newest, oldest;
	uint32_t count;
};

struct source_table {
	struct source *records; /* not owned */
	uint32_t *buckets; /* not owned; a power of two of them */
	uint32_t capacity, bucket_mask;
	uint32_t used; /* the first so many records: the others never were */
	struct source_list innocent;
	/* the others, by the term in which their penalty ends */
	struct source_list penalised[SOURCE_TERMS];
	uint32_t penalised_count;
	int64_t term; /* the first that is not over */
	int64_t term_ms; /* how long one is */
	uint8_t hash_key[SOURCE_HASH_KEY_BYTES];
};

/* The bytes a table of `capacity` records takes, its buckets included. */
size_t source_table_bytes(uint32_t capacity);

/*
 * Makes an empty table in `memory` (8-aligned, source_table_bytes(capacity)
 * long, the caller's). No penalty ends later than penalty_max_ms after it is
 * given. hash_key is random and secret.
 */
void
source_table_init(struct source_table *table, void *memory, uint32_t capacity,
    uint32_t penalty_max_ms, const uint8_t hash_key[SOURCE_HASH_KEY_BYTES]);

/* The key of an address's first v4_bits or v6_bits bits. */
struct source_key source_key(const struct addr *addr, unsigned v4_bits,
    unsigned v6_bits, uint32_t scope);

/* The link of a link-local source, by its number; 0: it is no such source. */
uint32_t source_key_link(const struct source_key *key);

/* How many bits of an address tell sources apart. */
struct source_bits {
	uint8_t v4, v6;
};

/*
 * Has `to`, a table nobody is counted in yet, remember what `from` does: rates
 * that are partly spent, penalties, and who claimed them; not the counts.
 * Where `to` tells addresses apart by fewer bits, sources become one, which has
 * the worst of them; where it does by more, nobody can say whose it was, and
 * it is forgotten. No penalty is longer than penalty_max_ms, that of `to`.
 */
void source_table_carry(struct source_table *to,
    const struct source_table *from, struct source_bits to_bits,
    struct source_bits from_bits, uint32_t penalty_max_ms, int64_t now_ms);

/* The key in `to` of what was that key in `from`; false: it has none. */
bool source_key_carry(struct source_key *key, struct source_bits to_bits,
    struct source_bits from_bits);

/* The record of key, or SOURCE_NONE if it has none. */
uint32_t
source_find(const struct source_table *table, const struct source_key *key);

/*
 * The record of key, made if need be; SOURCE_NONE if every record is counted
 * on. One that is not counted on is good until another source is asked for.
 */
uint32_t source_take(
    struct source_table *table, const struct source_key *key, int64_t now_ms);

/*
 * The same in three steps, for many keys at a time: a large table is in no
 * processor's cache, and so the memory is waited for once for all of them, not
 * twice for each. The first two only make the third faster.
 */
struct source_place {
	struct source_key key;
	uint32_t bucket;
};

struct source_place
source_seek(const struct source_table *table, const struct source_key *key);
void source_approach(
    const struct source_table *table, const struct source_place *place);
uint32_t source_take_at(struct source_table *table,
    const struct source_place *place, int64_t now_ms);

/*
 * Lets its penalty end at until_ms, which may be over already. At most
 * penalty_max_ms from now_ms.
 */
void source_penalise(struct source_table *table, uint32_t record,
    int64_t until_ms, int64_t now_ms);
/* What is left of its penalty; 0: nothing. */
uint32_t source_penalty_left_ms(
    const struct source_table *table, uint32_t record, int64_t now_ms);

/* What it spent of the rate that it is held to. */
struct rate_bucket *
source_rate(const struct source_table *table, uint32_t record);

/* How many records have a count above zero. */
uint32_t source_busy(const struct source_table *table);

/* What the record's count is. */
uint32_t source_get(
    const struct source_table *table, uint32_t record, enum source_count count);

void source_add(
    struct source_table *table, uint32_t record, enum source_count count);
/* The count must be above zero. */
void source_drop(
    struct source_table *table, uint32_t record, enum source_count count);

#endif
