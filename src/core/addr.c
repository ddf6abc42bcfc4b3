/*
 * Internet addresses and prefixes: from sockets, from text, to text.
 * Trusts nothing; text is checked to its last byte.
 * Never resolves a name.
 */
#include "core/addr.h"

#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static void
set_v6(struct addr *addr, const uint8_t bytes[16])
{
	memset(addr, 0, sizeof(*addr));
	if (memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		addr->family = ADDR_V4;
		memcpy(addr->bytes, bytes + sizeof(mapped), 4);
	} else {
		addr->family = ADDR_V6;
		memcpy(addr->bytes, bytes, 16);
	}
}

bool
addr_from_sockaddr(
    struct addr *addr, const struct sockaddr *sa, socklen_t length)
{
	if (sa->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof(in));
		memset(addr, 0, sizeof(*addr));
		addr->family = ADDR_V4;
		memcpy(addr->bytes, &in.sin_addr, 4);
		addr->port = ntohs(in.sin_port);
		return true;
	}
	if (sa->sa_family == AF_INET6 &&
	    length >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in;

		memcpy(&in, sa, sizeof(in));
		set_v6(addr, in.sin6_addr.s6_addr);
		if (addr->family == ADDR_V6)
			addr->scope = in.sin6_scope_id;
		addr->port = ntohs(in.sin6_port);
		return true;
	}
	return false;
}

socklen_t
addr_to_sockaddr(const struct addr *addr, struct sockaddr_storage *storage)
{
	memset(storage, 0, sizeof(*storage));
	if (addr->family == ADDR_V4) {
		struct sockaddr_in in = { .sin_family = AF_INET,
			.sin_port = htons(addr->port) };

		memcpy(&in.sin_addr, addr->bytes, 4);
		memcpy(storage, &in, sizeof(in));
		return sizeof(in);
	}
	struct sockaddr_in6 in = { .sin6_family = AF_INET6,
		.sin6_port = htons(addr->port),
		.sin6_scope_id = addr->scope };

	memcpy(&in.sin6_addr, addr->bytes, 16);
	memcpy(storage, &in, sizeof(in));
	return sizeof(in);
}

static size_t
append_number(char *text, size_t length, uint32_t number)
{
	char digits[10];
	size_t count = 0;

	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	while (count > 0)
		text[length++] = digits[--count];
	text[length] = '\0';
	return length;
}

static size_t
append_byte(char *text, size_t length, uint8_t byte)
{
	if (byte >= 100)
		text[length++] = (char)('0' + byte / 100);
	if (byte >= 10)
		text[length++] = (char)('0' + byte / 10 % 10);
	text[length++] = (char)('0' + byte % 10);
	return length;
}

static size_t
format_v4(const struct addr *addr, char text[ADDR_TEXT_BYTES])
{
	size_t length = 0;

	for (size_t i = 0; i < 4; i++) {
		if (i > 0)
			text[length++] = '.';
		length = append_byte(text, length, addr->bytes[i]);
	}
	text[length] = '\0';
	return length;
}

static unsigned
group_at(const struct addr *addr, size_t group)
{
	return (unsigned)addr->bytes[2 * group] << 8 |
	    addr->bytes[2 * group + 1];
}

/* How many groups from here on are zero. */
static size_t
count_zeros(const struct addr *addr, size_t group)
{
	size_t count = 0;

	while (group + count < 8 && group_at(addr, group + count) == 0)
		count++;
	return count;
}

static size_t
append_hex(char *text, size_t length, unsigned group)
{
	static const char hex[] = "0123456789abcdef";

	for (int shift = 12; shift >= 0; shift -= 4)
		if (group >> shift != 0 || shift == 0)
			text[length++] = hex[group >> shift & 15];
	return length;
}

/*
 * RFC 5952: the first of the longest runs of zero groups, if it is not a
 * single one, is `::`. inet_ntop(3) does the same ten times as slowly, which
 * would be half of what a line of the log costs.
 */
static size_t
format_v6(const struct addr *addr, char text[ADDR_TEXT_BYTES])
{
	size_t first = 8, longest = 1, length = 0;

	for (size_t group = 0; group < 8; group++) {
		size_t zeros = count_zeros(addr, group);

		if (zeros > longest) {
			first = group;
			longest = zeros;
		}
	}
	for (size_t group = 0; group < 8; group++) {
		if (group == first) {
			text[length++] = ':';
			group += longest - 1;
			if (group == 7)
				text[length++] = ':';
			continue;
		}
		if (group > 0)
			text[length++] = ':';
		length = append_hex(text, length, group_at(addr, group));
	}
	text[length] = '\0';
	return length;
}

/* Those with an IPv4 address in them (RFC 4291) have a form of their own. */
static bool
is_plain_v6(const struct addr *addr)
{
	static const uint8_t zeros[10] = { 0 };

	return memcmp(addr->bytes, zeros, sizeof(zeros)) != 0;
}

size_t
addr_format(const struct addr *addr, char text[ADDR_TEXT_BYTES])
{
	size_t length;

	if (addr->family == ADDR_V4)
		return format_v4(addr, text);
	if (is_plain_v6(addr))
		length = format_v6(addr, text);
	else if (inet_ntop(AF_INET6, addr->bytes, text, ADDR_TEXT_BYTES) !=
	    NULL)
		length = strlen(text);
	else
		length = 0;
	if (addr->scope != 0) {
		text[length++] = '%';
		length = append_number(text, length, addr->scope);
	}
	return length;
}

bool
addr_parse(struct addr *addr, const char *text, size_t length)
{
	char copy[INET6_ADDRSTRLEN];
	uint8_t bytes[16];

	if (length == 0 || length >= sizeof(copy) ||
	    memchr(text, '\0', length) != NULL)
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	if (inet_pton(AF_INET6, copy, bytes) == 1) {
		set_v6(addr, bytes);
		return true;
	}
	if (inet_pton(AF_INET, copy, bytes) != 1)
		return false;
	memset(addr, 0, sizeof(*addr));
	addr->family = ADDR_V4;
	memcpy(addr->bytes, bytes, 4);
	return true;
}

void
addr_mask(struct addr *addr, unsigned bits)
{
	size_t whole = bits / 8;

	addr->scope = 0;
	addr->port = 0;
	if (whole >= sizeof(addr->bytes))
		return;
	addr->bytes[whole] &= (uint8_t)(0xff00u >> bits % 8);
	memset(addr->bytes + whole + 1, 0, sizeof(addr->bytes) - whole - 1);
}

bool
addr_is_link_local(const struct addr *addr)
{
	return addr->family == ADDR_V6 && addr->bytes[0] == 0xfe &&
	    (addr->bytes[1] & 0xc0) == 0x80;
}

uint32_t
addr_v4(const struct addr *addr)
{
	return (uint32_t)addr->bytes[0] << 24 | (uint32_t)addr->bytes[1] << 16 |
	    (uint32_t)addr->bytes[2] << 8 | addr->bytes[3];
}

/* The bits behind the slash, or all of them; false if not a number <= most. */
static bool
parse_bits(const char *text, size_t length, unsigned most, unsigned *bits)
{
	unsigned number = 0;

	if (length == 0 || length > 3 || (length > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		number = number * 10 + (unsigned)(text[i] - '0');
	}
	*bits = number;
	return number <= most;
}

enum prefix_error
prefix_parse(struct prefix *prefix, const char *text, size_t length)
{
	const char *slash = memchr(text, '/', length);
	size_t addr_length = slash != NULL ? (size_t)(slash - text) : length;
	bool is_v6_text = memchr(text, ':', addr_length) != NULL;
	unsigned bits = is_v6_text ? 128 : 32;
	struct addr masked;

	if (!addr_parse(&prefix->addr, text, addr_length))
		return PREFIX_BAD_ADDRESS;
	if (slash != NULL &&
	    !parse_bits(slash + 1, length - addr_length - 1, bits, &bits))
		return PREFIX_BAD_BITS;
	if (is_v6_text && prefix->addr.family == ADDR_V4) {
		if (bits < 96)
			return PREFIX_BAD_BITS;
		bits -= 96;
	}
	masked = prefix->addr;
	addr_mask(&masked, bits);
	if (memcmp(masked.bytes, prefix->addr.bytes, sizeof(masked.bytes)) != 0)
		return PREFIX_HOST_BITS_SET;
	prefix->bits = (uint8_t)bits;
	return PREFIX_OK;
}
