/*
 * Fuzzes addresses and prefixes as text, with zones and without: what is taken
 * reads the same once it is written, is what inet_pton(3) says it is, and has
 * no bit behind its length. What is an address in a socket comes back whole.
 */
#include "core/addr.h"
#include "core/complaint.h"
#include "core/zone.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static bool
is_same_addr(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && a->scope == b->scope &&
	    memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* The bit counted from the left, one at a time: slow, and sure. */
static unsigned
bit_of(const struct addr *addr, unsigned bit)
{
	return (unsigned)addr->bytes[bit / 8] >> (7 - bit % 8) & 1U;
}

static void
check_masked(const struct prefix *prefix)
{
	unsigned all = prefix->addr.family == ADDR_V4 ? 32 : 128;
	struct addr inside = prefix->addr;

	if (prefix->bits > all)
		abort();
	for (unsigned bit = 0; bit < 128; bit++)
		if ((bit >= prefix->bits || bit >= all) &&
		    bit_of(&prefix->addr, bit) != 0)
			abort();
	/* Every other address that begins so is masked to it. */
	for (unsigned bit = prefix->bits; bit < all; bit++)
		inside.bytes[bit / 8] |= (uint8_t)(1U << (7 - bit % 8));
	addr_mask(&inside, prefix->bits);
	if (!is_same_addr(&inside, &prefix->addr))
		abort();
}

/* Written and read again; in a socket and back. */
static void
check_round(const struct addr *addr)
{
	char text[ADDR_TEXT_BYTES];
	struct sockaddr_storage storage;
	struct addr again;
	size_t length = addr_format(addr, text);
	socklen_t stored;

	if (length != strlen(text) || length >= sizeof(text))
		abort();
	if (!addr_parse(&again, text, length) || !is_same_addr(addr, &again))
		abort();
	stored = addr_to_sockaddr(addr, &storage);
	if (!addr_from_sockaddr(&again, (struct sockaddr *)&storage, stored) ||
	    !is_same_addr(addr, &again) || again.port != addr->port)
		abort();
	if (addr_from_sockaddr(
		&again, (struct sockaddr *)&storage, sizeof(sa_family_t)))
		abort();
}

/* What libc makes of the same text, IPv4-mapped addresses folded. */
static void
check_against_libc(const struct addr *addr, bool is_taken, const char *text)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t v4[4], v6[16];

	if (inet_pton(AF_INET, text, v4) == 1) {
		if (!is_taken || addr->family != ADDR_V4 ||
		    memcmp(addr->bytes, v4, 4) != 0)
			abort();
	} else if (inet_pton(AF_INET6, text, v6) == 1) {
		bool is_mapped = memcmp(v6, mapped, sizeof(mapped)) == 0;

		if (!is_taken ||
		    addr->family != (is_mapped ? ADDR_V4 : ADDR_V6) ||
		    memcmp(addr->bytes, is_mapped ? v6 + 12 : v6,
			is_mapped ? 4 : 16) != 0)
			abort();
	} else if (is_taken) {
		abort();
	}
}

static void
check_address(const uint8_t *bytes, size_t length)
{
	char text[ADDR_TEXT_BYTES];
	struct addr addr = { .family = ADDR_NONE };
	bool is_taken = addr_parse(&addr, (const char *)bytes, length);

	if (is_taken)
		check_round(&addr);
	if (length >= sizeof(text) || memchr(bytes, '\0', length) != NULL)
		return;
	memcpy(text, bytes, length);
	text[length] = '\0';
	check_against_libc(&addr, is_taken, text);
}

/* What is refused can be told; no word of a policy has a NUL in it. */
static void
check_complaint(enum prefix_error error, struct text word)
{
	struct complaint complaint = { .length = 0 };

	if (memchr(word.bytes, '\0', word.length) != NULL)
		return;
	complaint_of_prefix(&complaint, error, word, " or @set");
	if (complaint.length == 0 || strlen(complaint.text) != complaint.length)
		abort();
}

static void
check_zone(struct text word)
{
	struct prefix prefix;
	struct text zone;
	enum prefix_error error = zone_prefix_parse(&prefix, &zone, word);

	if (error != PREFIX_OK) {
		check_complaint(error, word);
		return;
	}
	check_masked(&prefix);
	if (zone.length > 0 &&
	    (!zone_is_interface(zone) || !addr_is_link_local(&prefix.addr) ||
		memchr(word.bytes, '%', word.length) == NULL))
		abort();
	if (zone_number(zone) > INT32_MAX)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct prefix prefix;

	if (length == 0)
		return 0;
	check_address(bytes, length);
	if (prefix_parse(&prefix, (const char *)bytes, length) == PREFIX_OK) {
		check_masked(&prefix);
		check_round(&prefix.addr);
	}
	check_zone((struct text){ (const char *)bytes, length });
	return 0;
}
