#ifndef CORE_NAME_H
#define CORE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Service names (RFC 1078): 1 to 127 bytes of 0x21 to 0x7e, compared without
 * regard to ASCII case, so kept folded to lower case everywhere.
 */
#define NAME_MAX_BYTES 127

/* Whether byte may stand in a service name. */
bool name_is_byte(uint8_t byte);

/* The byte in lower case; bytes other than A to Z are returned as they are. */
uint8_t name_fold(uint8_t byte);

/* Whether bytes[0..length) is a name: its length and each byte. */
bool name_is_valid(const uint8_t *bytes, size_t length);

/* Whether it is HELP in any case, which RFC 1078 reserves. */
bool name_is_help(const uint8_t *bytes, size_t length);

/*
 * Whether wire[0..length) is the folded name followed by CRLF, or, if
 * lenient_lf, by LF alone. wire is in any case; name must be folded.
 */
bool name_is_line(const uint8_t *wire, size_t length, const uint8_t *name,
    size_t name_length, bool lenient_lf);

/* Whether wire[0..length) is how such a line, with CRLF, may begin. */
bool name_begins_line(const uint8_t *wire, size_t length, const uint8_t *name,
    size_t name_length);

/*
 * The names table: what the parser knows of the policy, and all of it.
 * One flat block: magic u32, count u32, offsets u32[count + 1] counted from
 * the start of the block, then the folded names end to end, sorted bytewise
 * (a shorter name before a longer one it begins), without duplicates.
 * Numbers are in the machine's own byte order; the block never leaves it.
 */
#define NAMES_MAGIC 0x316e6d74u
#define NAMES_HEADER_BYTES 8u

struct names {
	const uint8_t *base; /* not owned */
	const uint32_t *offsets;
	uint32_t count;
};

/*
 * Takes the block if every offset and name in it is as described, else
 * returns false and leaves names alone. base is 4-aligned and outlives names.
 */
bool names_init(struct names *names, const void *base, size_t size);

/* The name of index < names->count; *length gets its bytes. Not terminated. */
const uint8_t *
names_get(const struct names *names, uint32_t index, size_t *length);

/*
 * The index of the name bytes[0..length) in any case, or -1. Takes
 * O(log count) comparisons.
 */
int64_t
names_find(const struct names *names, const uint8_t *bytes, size_t length);

#endif
