#ifndef CORE_POLICY_INDEX_H
#define CORE_POLICY_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/policy_parse.h"

/*
 * `count` elements of `size` bytes from the arena, zeroed, 16-aligned; NULL
 * if they do not fit. Lives as long as the arena.
 */
void *arena_take(struct arena *arena, size_t count, size_t size);

/* Texts and what each stands for; looks one up in constant time. */
struct policy_entry {
	struct text key;
	struct place place; /* where it was first written */
	uint32_t value;
};

struct policy_index {
	struct policy_entry *entries; /* the arena's */
	uint32_t *slots; /* entry + 1, or 0; a power of two of them */
	uint32_t mask;
	uint32_t count, capacity;
};

/* Makes an empty index for at most `capacity` texts; false: arena full. */
bool policy_index_init(
    struct policy_index *index, struct arena *arena, uint32_t capacity);

/* NULL if there is none. */
const struct policy_entry *
policy_index_find(const struct policy_index *index, struct text key);

/*
 * Adds a key that is not there yet; false if the capacity is used up. The
 * key's bytes must stay where they are.
 */
bool policy_index_add(struct policy_index *index, struct text key,
    struct place place, uint32_t value);

#endif
