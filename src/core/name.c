/*
 * Service names and the sorted table of them that the parser searches.
 * Trusts nothing: the table is checked as a whole before it is used.
 * Never allocates, never keeps state.
 */
#include "core/name.h"

#include <string.h>

bool
name_is_byte(uint8_t byte)
{
	return byte >= 0x21 && byte <= 0x7e;
}

uint8_t
name_fold(uint8_t byte)
{
	if (byte >= 'A' && byte <= 'Z')
		return (uint8_t)(byte + ('a' - 'A'));
	return byte;
}

bool
name_is_valid(const uint8_t *bytes, size_t length)
{
	if (length == 0 || length > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!name_is_byte(bytes[i]))
			return false;
	return true;
}

static bool
equals_folded(const uint8_t *wire, const uint8_t *folded, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (name_fold(wire[i]) != folded[i])
			return false;
	return true;
}

bool
name_is_help(const uint8_t *bytes, size_t length)
{
	return length == 4 && equals_folded(bytes, (const uint8_t *)"help", 4);
}

bool
name_is_line(const uint8_t *wire, size_t length, const uint8_t *name,
    size_t name_length, bool lenient_lf)
{
	if (length <= name_length || !equals_folded(wire, name, name_length))
		return false;

	const uint8_t *end = wire + name_length;
	size_t end_length = length - name_length;

	if (end_length == 2)
		return end[0] == '\r' && end[1] == '\n';
	return lenient_lf && end_length == 1 && end[0] == '\n';
}

bool
name_begins_line(
    const uint8_t *wire, size_t length, const uint8_t *name, size_t name_length)
{
	if (length <= name_length)
		return equals_folded(wire, name, length);
	return length == name_length + 1 && wire[name_length] == '\r' &&
	    equals_folded(wire, name, name_length);
}

/* memcmp order, a shorter name before a longer one that it begins. */
static int
compare(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length)
{
	size_t shorter = a_length < b_length ? a_length : b_length;
	int order = memcmp(a, b, shorter);

	if (order != 0)
		return order;
	return (a_length > b_length) - (a_length < b_length);
}

static bool
is_folded_name(const uint8_t *bytes, size_t length)
{
	if (!name_is_valid(bytes, length))
		return false;
	for (size_t i = 0; i < length; i++)
		if (name_fold(bytes[i]) != bytes[i])
			return false;
	return true;
}

const uint8_t *
names_get(const struct names *names, uint32_t index, size_t *length)
{
	uint32_t begin = names->offsets[index];

	*length = names->offsets[index + 1] - begin;
	return names->base + begin;
}

static bool
names_are_sorted(const struct names *names)
{
	const uint8_t *before = (const uint8_t *)"";
	size_t before_length = 0;

	for (uint32_t i = 0; i < names->count; i++) {
		size_t length;
		const uint8_t *name = names_get(names, i, &length);

		if (!is_folded_name(name, length) ||
		    compare(before, before_length, name, length) >= 0)
			return false;
		before = name;
		before_length = length;
	}
	return true;
}

/* Each offset in the block, none before the one it follows. */
static bool
offsets_are_ordered(const struct names *names, size_t first, size_t size)
{
	if (names->offsets[0] != first || names->offsets[names->count] != size)
		return false;
	for (uint32_t i = 0; i < names->count; i++)
		if (names->offsets[i] > names->offsets[i + 1])
			return false;
	return true;
}

bool
names_init(struct names *names, const void *base, size_t size)
{
	uint32_t header[2];

	if (size < NAMES_HEADER_BYTES + sizeof(uint32_t) || size > UINT32_MAX)
		return false;
	memcpy(header, base, sizeof(header));
	if (header[0] != NAMES_MAGIC ||
	    header[1] > (size - NAMES_HEADER_BYTES) / sizeof(uint32_t) - 1)
		return false;

	const uint8_t *bytes = base;
	struct names found = { .base = bytes,
		.offsets = (const uint32_t *)(const void *)(bytes +
		    NAMES_HEADER_BYTES),
		.count = header[1] };
	size_t first =
	    NAMES_HEADER_BYTES + ((size_t)found.count + 1) * sizeof(uint32_t);

	if (!offsets_are_ordered(&found, first, size) ||
	    !names_are_sorted(&found))
		return false;
	*names = found;
	return true;
}

int64_t
names_find(const struct names *names, const uint8_t *bytes, size_t length)
{
	uint8_t folded[NAME_MAX_BYTES];
	uint32_t low = 0;
	uint32_t high = names->count;

	if (length == 0 || length > sizeof(folded))
		return -1;
	for (size_t i = 0; i < length; i++)
		folded[i] = name_fold(bytes[i]);
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		size_t name_length;
		const uint8_t *name = names_get(names, middle, &name_length);
		int order = compare(folded, length, name, name_length);

		if (order == 0)
			return middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}
