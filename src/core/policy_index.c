/*
 * Memory of the arena, and the hash index that keeps names unique however
 * many there are.
 * Trusts that nobody attacks his own policy with colliding names.
 * Never frees.
 */
#include "core/policy_index.h"

#include <string.h>

enum { ALIGNMENT = 16 };

void *
arena_take(struct arena *arena, size_t count, size_t size)
{
	size_t begin = (arena->used + (ALIGNMENT - 1)) & ~(size_t)15;

	if (begin > arena->size ||
	    (size != 0 && count > (arena->size - begin) / size))
		return NULL;
	arena->used = begin + count * size;
	memset(arena->base + begin, 0, count * size);
	return arena->base + begin;
}

bool
policy_index_init(
    struct policy_index *index, struct arena *arena, uint32_t capacity)
{
	uint32_t slots = 4;

	while (slots / 2 < capacity)
		slots *= 2;
	*index =
	    (struct policy_index){ .mask = slots - 1, .capacity = capacity };
	index->entries = arena_take(arena, capacity, sizeof(*index->entries));
	index->slots = arena_take(arena, slots, sizeof(*index->slots));
	return index->entries != NULL && index->slots != NULL;
}

/* FNV-1a */
static uint32_t
hash(struct text key)
{
	uint64_t value = 0xcbf29ce484222325u;

	for (size_t i = 0; i < key.length; i++) {
		value ^= (unsigned char)key.bytes[i];
		value *= 0x100000001b3u;
	}
	return (uint32_t)(value ^ value >> 32);
}

/* The slot that holds the key, or the empty one where it would stand. */
static uint32_t *
slot_of(const struct policy_index *index, struct text key)
{
	uint32_t at = hash(key) & index->mask;

	/* at most half of the slots are ever in use, so this ends */
	while (index->slots[at] != 0) {
		struct text other = index->entries[index->slots[at] - 1].key;

		if (other.length == key.length &&
		    memcmp(other.bytes, key.bytes, key.length) == 0)
			break;
		at = (at + 1) & index->mask;
	}
	return &index->slots[at];
}

const struct policy_entry *
policy_index_find(const struct policy_index *index, struct text key)
{
	uint32_t slot = *slot_of(index, key);

	return slot == 0 ? NULL : &index->entries[slot - 1];
}

bool
policy_index_add(struct policy_index *index, struct text key,
    struct place place, uint32_t value)
{
	if (index->count == index->capacity)
		return false;
	index->entries[index->count++] =
	    (struct policy_entry){ .key = key, .place = place, .value = value };
	*slot_of(index, key) = index->count;
	return true;
}
