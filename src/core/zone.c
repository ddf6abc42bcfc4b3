/*
 * Link-local addresses with their links, as text.
 * Trusts nothing; a word is read to its last byte.
 * Never asks whether there is such an interface.
 */
#include "core/zone.h"

#include <string.h>

enum { NUMBER_DIGITS = 10 };

/*
 * Narrower than the kernel, which has no objection to quotes and braces: one
 * that stands behind an address is written there without quotes.
 */
bool
zone_is_interface(struct text text)
{
	bool is_dots = text.length <= 2;

	if (text.length == 0 || text.length > IMAGE_INTERFACE_MAX)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		char c = text.bytes[i];

		if (c <= ' ' || c > '~' || strchr("/:%\"'\\{}", c) != NULL)
			return false;
		is_dots = is_dots && c == '.';
	}
	return !is_dots;
}

uint32_t
zone_number(struct text zone)
{
	uint64_t number = 0;

	if (zone.length == 0 || zone.length > NUMBER_DIGITS ||
	    zone.bytes[0] == '0')
		return 0;
	for (size_t i = 0; i < zone.length; i++) {
		if (zone.bytes[i] < '0' || zone.bytes[i] > '9')
			return 0;
		number = number * 10 + (uint64_t)(zone.bytes[i] - '0');
	}
	return number <= INT32_MAX ? (uint32_t)number : 0;
}

/* Where the byte is at or behind `from`, or the end. */
static const char *
find(const char *from, const char *end, char byte)
{
	const char *found =
	    from == end ? NULL : memchr(from, byte, (size_t)(end - from));

	return found == NULL ? end : found;
}

enum prefix_error
zone_cut(struct text word, char address[ZONE_ADDRESS_BYTES], struct text *zone)
{
	const char *end = word.bytes + word.length;
	const char *sign = find(word.bytes, end, '%');
	const char *slash = find(sign, end, '/');
	size_t head = (size_t)(sign - word.bytes);
	size_t tail = (size_t)(end - slash);

	*zone = (struct text){ "", 0 };
	if (sign != end) {
		*zone = (struct text){ sign + 1, (size_t)(slash - sign - 1) };
		if (find(word.bytes, sign, '/') != sign)
			return PREFIX_ZONE_BEHIND;
		if (!zone_is_interface(*zone))
			return PREFIX_BAD_ZONE;
	}
	/* What is longer than any address is none, however it is cut. */
	if (head + tail >= ZONE_ADDRESS_BYTES ||
	    find(word.bytes, end, '\0') != end)
		return PREFIX_BAD_ADDRESS;
	memcpy(address, word.bytes, head);
	memcpy(address + head, slash, tail);
	address[head + tail] = '\0';
	return PREFIX_OK;
}

bool
zone_fits(const struct addr *addr, struct text zone)
{
	return zone.length == 0 || addr_is_link_local(addr);
}

enum prefix_error
zone_prefix_parse(struct prefix *prefix, struct text *zone, struct text word)
{
	char address[ZONE_ADDRESS_BYTES];
	enum prefix_error error = zone_cut(word, address, zone);

	if (error != PREFIX_OK)
		return error;
	error = prefix_parse(prefix, address, strlen(address));
	if (error != PREFIX_OK)
		return error;
	return zone_fits(&prefix->addr, *zone) ? PREFIX_OK : PREFIX_ZONE_OF_ALL;
}
