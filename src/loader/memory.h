#ifndef LOADER_MEMORY_H
#define LOADER_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/*
 * The loader's memory. It lives for one policy and has nothing to save, so
 * where there is no memory it says so on stderr and ends with EX_OSERR.
 */
void *memory_resize(void *block, size_t count, size_t size);

/* Ends the process: out of memory, or of what 32 bits can count. */
_Noreturn void memory_fail(void);

/* Bytes that only grow. All zero is an empty one. */
struct buffer {
	uint8_t *bytes; /* owned */
	size_t used, size;
};

/* `count` more bytes, zeroed; good until the next call. */
void *buffer_add(struct buffer *buffer, size_t count);
void buffer_finish(struct buffer *buffer);

/*
 * Texts, each kept once, NUL-terminated and end to end, and a number for
 * each. All zero is an empty one.
 */
struct table_entry {
	uint32_t offset, length; /* of the key, in keys */
	uint32_t hash;
	uint32_t value;
};

struct table {
	struct buffer keys;
	struct buffer entries; /* of struct table_entry */
	uint32_t *slots; /* owned; entry + 1, or 0 */
	uint32_t slot_count; /* a power of two, or 0 */
	uint32_t count;
};

/*
 * The entry of a key, added with value 0 if there was none (`value` is then
 * all that tells); good until the next call.
 */
struct table_entry *
table_put(struct table *table, const void *key, size_t length);
const char *
table_key(const struct table *table, const struct table_entry *entry);
/* Entries are numbered from 0 as they are added. */
uint32_t
table_index(const struct table *table, const struct table_entry *entry);
void table_finish(struct table *table);

#endif
