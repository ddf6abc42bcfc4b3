#ifndef CORE_CROWD_H
#define CORE_CROWD_H

#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/source.h"

/*
 * Who crowds the door. Undecided connections, gathered by neighbourhood (a
 * /24 of IPv4, a /48 of IPv6), so that when no more fit the oldest of the
 * heaviest neighbourhood is found at once. Of neighbourhoods of equal weight
 * it is the one that has had this weight the longest. Every operation takes
 * constant time.
 */
#define CROWD_V4_BITS 24u
#define CROWD_V6_BITS 48u
#define CROWD_NONE UINT32_MAX

/* A member: one undecided connection, known by its slot. */
struct crowd_member {
	uint32_t hood; /* CROWD_NONE: not in the crowd */
	uint32_t younger, elder; /* in the same neighbourhood */
};

struct crowd_hood {
	uint32_t eldest, youngest; /* members */
	uint32_t weight; /* members */
	uint32_t next, before; /* hoods of the same weight */
};

struct crowd_weight {
	uint32_t first, last; /* hoods that have it, the longest first */
};

struct crowd {
	struct source_table keys; /* record i is hood i's */
	struct crowd_member *members; /* by slot; none of these are owned */
	struct crowd_hood *hoods;
	struct crowd_weight *weights; /* by weight */
	uint32_t slots, most; /* most: members at a time */
	uint32_t heaviest; /* no hood weighs more */
	uint32_t count; /* members */
};

/* Bytes for members of slots 0 to `slots` - 1, at most `most` at a time. */
size_t crowd_bytes(uint32_t slots, uint32_t most);

/* An empty crowd in `memory`: 8-aligned, crowd_bytes() long, the caller's. */
void crowd_init(struct crowd *crowd, void *memory, uint32_t slots,
    uint32_t most, const uint8_t hash_key[SOURCE_HASH_KEY_BYTES]);

/* The slot is not in it yet, and crowd->count < most. */
void crowd_join(struct crowd *crowd, uint32_t slot, const struct addr *peer);

/* The slot is in it. */
void crowd_leave(struct crowd *crowd, uint32_t slot);

/* The slot that has to go, or CROWD_NONE if nobody is there. */
uint32_t crowd_heaviest_eldest(const struct crowd *crowd);

#endif
