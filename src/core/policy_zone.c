/*
 * Interfaces, and the zone of a link-local address: fe80::1%eth0 (RFC 4007).
 * Trusts nothing; a word is read to its last byte.
 * Never asks whether there is such an interface: the loader does.
 */
#include "core/policy_parser.h"

#include <string.h>

/*
 * Narrower than the kernel, which has no objection to quotes and braces: one
 * that stands behind an address is written there without quotes.
 */
bool
policy_is_interface(struct text text)
{
	if (text.length == 0 || text.length > IMAGE_INTERFACE_MAX ||
	    policy_text_is(text, ".") || policy_text_is(text, ".."))
		return false;
	for (size_t i = 0; i < text.length; i++) {
		char c = text.bytes[i];

		if (c <= ' ' || c > '~' || strchr("/:%\"'\\{}", c) != NULL)
			return false;
	}
	return true;
}

static void
complain_of_zone(
    struct policy_parser *parser, const struct word *word, struct text zone)
{
	const char *slash = memchr(word->text.bytes, '/', word->text.length);

	if (slash != NULL && slash < zone.bytes)
		policy_complain(parser, word->place,
		    "'%.*s' has its zone behind its length: write it before, "
		    "as in fe80::%%eth0/64",
		    SHOWN(word->text));
	else
		policy_complain(parser, word->place,
		    "'%.*s' is not the zone of an address: the name of an "
		    "interface, or its number",
		    SHOWN(zone));
}

bool
policy_cut_zone(struct policy_parser *parser, const struct word *word,
    char address[POLICY_ADDRESS_BYTES], struct text *zone)
{
	struct text text = word->text;
	const char *end = text.bytes + text.length;
	const char *sign =
	    text.length == 0 ? NULL : memchr(text.bytes, '%', text.length);
	const char *head_end = sign == NULL ? end : sign;
	const char *slash = memchr(head_end, '/', (size_t)(end - head_end));
	const char *tail = sign == NULL || slash == NULL ? end : slash;
	size_t head_length = (size_t)(head_end - text.bytes);
	size_t tail_length = (size_t)(end - tail);

	*zone = (struct text){ "", 0 };
	if (sign != NULL) {
		*zone = (struct text){ sign + 1, (size_t)(tail - sign - 1) };
		if (memchr(text.bytes, '/', head_length) != NULL ||
		    !policy_is_interface(*zone)) {
			complain_of_zone(parser, word, *zone);
			return false;
		}
	}
	/* What is longer than any address is none, cut off or not. */
	if (head_length + tail_length >= POLICY_ADDRESS_BYTES) {
		head_length = POLICY_ADDRESS_BYTES - 1;
		tail_length = 0;
	}
	memcpy(address, text.bytes, head_length);
	memcpy(address + head_length, tail, tail_length);
	address[head_length + tail_length] = '\0';
	return true;
}

bool
policy_takes_zone(struct policy_parser *parser, const struct word *word,
    const struct addr *addr, struct text zone)
{
	if (zone.length == 0 || addr_is_link_local(addr))
		return true;
	policy_complain(parser, word->place,
	    "'%.*s' has a zone, but only addresses of fe80::/10 have one",
	    SHOWN(word->text));
	return false;
}
