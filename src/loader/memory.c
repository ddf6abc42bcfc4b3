/*
 * Memory that grows, and texts kept once.
 * Trusts its caller; the sizes come from a policy of root's own.
 * Never returns without what was asked for.
 */
#include "loader/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

_Noreturn void
memory_fail(void)
{
	static const char message[] = "tcpmuxd: loader: out of memory\n";

	if (write(STDERR_FILENO, message, sizeof(message) - 1) == -1)
		_exit(EX_OSERR);
	_exit(EX_OSERR);
}

void *
memory_resize(void *block, size_t count, size_t size)
{
	void *resized = reallocarray(block, count, size);

	if (resized == NULL)
		memory_fail();
	return resized;
}

void *
buffer_add(struct buffer *buffer, size_t count)
{
	size_t needed;
	void *added;

	if (__builtin_add_overflow(buffer->used, count, &needed))
		memory_fail();
	/* nothing is something to copy from and to, too */
	if (needed > buffer->size || buffer->bytes == NULL) {
		size_t size = buffer->size < 512 ? 1024 : buffer->size * 2;

		if (size < needed)
			size = needed;
		buffer->bytes = memory_resize(buffer->bytes, size, 1);
		buffer->size = size;
	}
	added = buffer->bytes + buffer->used;
	memset(added, 0, count);
	buffer->used = needed;
	return added;
}

void
buffer_finish(struct buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct buffer){ .bytes = NULL };
}

/* FNV-1a: short keys, and nobody to choose them against us. */
static uint32_t
hash_of(const uint8_t *key, size_t length)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ key[i]) * 16777619u;
	return hash;
}

static struct table_entry *
entry_at(const struct table *table, uint32_t index)
{
	struct table_entry *entries =
	    (struct table_entry *)(void *)table->entries.bytes;

	return entries + index;
}

/* Twice the slots, each entry in its new one. */
static void
spread(struct table *table)
{
	uint32_t count = table->slot_count == 0 ? 64 : table->slot_count * 2;

	if (count == 0)
		memory_fail();
	table->slots =
	    memory_resize(table->slots, count, sizeof(table->slots[0]));
	table->slot_count = count;
	memset(table->slots, 0, count * sizeof(table->slots[0]));
	for (uint32_t i = 0; i < table->count; i++) {
		uint32_t slot = entry_at(table, i)->hash;

		while (table->slots[slot & (count - 1)] != 0)
			slot++;
		table->slots[slot & (count - 1)] = i + 1;
	}
}

/* The slot in which the key is, or would be. */
static uint32_t *
find_slot(
    const struct table *table, const void *key, size_t length, uint32_t hash)
{
	for (uint32_t slot = hash;; slot++) {
		uint32_t *found = &table->slots[slot & (table->slot_count - 1)];

		if (*found == 0)
			return found;

		const struct table_entry *entry = entry_at(table, *found - 1);

		if (entry->hash == hash && entry->length == length &&
		    (length == 0 ||
			memcmp(table_key(table, entry), key, length) == 0))
			return found;
	}
}

struct table_entry *
table_put(struct table *table, const void *key, size_t length)
{
	uint32_t hash = hash_of(key, length);
	struct table_entry *entry;
	uint32_t *slot;

	if (table->count >= table->slot_count / 2)
		spread(table);
	slot = find_slot(table, key, length, hash);
	if (*slot != 0)
		return entry_at(table, *slot - 1);
	if (length >= UINT32_MAX - table->keys.used)
		memory_fail();

	uint32_t offset = (uint32_t)table->keys.used;

	if (length > 0)
		memcpy(buffer_add(&table->keys, length + 1), key, length);
	else
		buffer_add(&table->keys, 1);
	entry = buffer_add(&table->entries, sizeof(*entry));
	*entry = (struct table_entry){
		.offset = offset, .length = (uint32_t)length, .hash = hash
	};
	*slot = ++table->count;
	return entry;
}

const char *
table_key(const struct table *table, const struct table_entry *entry)
{
	return (const char *)table->keys.bytes + entry->offset;
}

uint32_t
table_index(const struct table *table, const struct table_entry *entry)
{
	return (uint32_t)(entry - entry_at(table, 0));
}

void
table_finish(struct table *table)
{
	buffer_finish(&table->keys);
	buffer_finish(&table->entries);
	free(table->slots);
	*table = (struct table){ .slots = NULL };
}
