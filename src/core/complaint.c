/*
 * What is wrong, in words.
 * Trusts its callers for texts fit to be shown: it changes no byte of them.
 * Never writes behind its room, whatever the text.
 */
#include "core/complaint.h"

#include <string.h>

#include "core/zone.h"

_Static_assert(
    ZONE_ADDRESS_BYTES >= ADDR_TEXT_BYTES, "room for any address, written");

enum { SHOWN_BYTES = 64 };

void
complaint_append(struct complaint *complaint, const char *bytes, size_t length)
{
	size_t room = sizeof(complaint->text) - 1 - complaint->length;

	if (length > room)
		length = room;
	memcpy(complaint->text + complaint->length, bytes, length);
	complaint->length += length;
}

static void
append_number(struct complaint *complaint, unsigned number)
{
	char digits[10];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	complaint_append(complaint, digits + at, sizeof(digits) - at);
}

void
complaint_add_list(
    struct complaint *complaint, const char *format, va_list arguments)
{
	for (const char *at = format; *at != '\0'; at++) {
		const char *string;
		int length;

		if (*at != '%') {
			complaint_append(complaint, at, 1);
			continue;
		}
		switch (*++at) {
		case 's':
			string = va_arg(arguments, const char *);
			complaint_append(complaint, string, strlen(string));
			break;
		case '%':
			complaint_append(complaint, at, 1);
			break;
		case 'u':
			append_number(complaint, va_arg(arguments, unsigned));
			break;
		case '.':
			at += 2; /* over *s */
			length = va_arg(arguments, int);
			string = va_arg(arguments, const char *);
			complaint_append(complaint, string, (size_t)length);
			break;
		}
	}
}

void
complaint_add(struct complaint *complaint, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	complaint_add_list(complaint, format, arguments);
	va_end(arguments);
}

int
complaint_shown_length(struct text text)
{
	size_t length = text.length;

	if (length <= SHOWN_BYTES)
		return (int)length;
	length = SHOWN_BYTES;
	while (length > 0 && ((unsigned char)text.bytes[length] & 0xc0) == 0x80)
		length--;
	return (int)length;
}

/* The prefix as it was perhaps meant: the bits behind its length cleared. */
static void
add_host_bits(struct complaint *complaint, struct text word)
{
	char address[ZONE_ADDRESS_BYTES]; /* it is written back there */
	struct text zone;
	struct addr addr;
	unsigned count = 0;

	if (zone_cut(word, address, &zone) != PREFIX_OK)
		return;

	char *slash = strchr(address, '/');

	if (slash == NULL ||
	    !addr_parse(&addr, address, (size_t)(slash - address)))
		return;
	for (const char *digit = slash + 1; *digit != '\0'; digit++)
		count = count * 10 + (unsigned)(*digit - '0');
	*slash = '\0';
	if (addr.family == ADDR_V4 && strchr(address, ':') != NULL)
		count -= 96;
	addr_mask(&addr, count);
	addr_format(&addr, address);
	complaint_add(complaint,
	    "'%.*s' has bits set behind its length: write %s%s%.*s/%u for the "
	    "network or leave the length out for the host",
	    SHOWN(word), address, zone.length > 0 ? "%" : "", SHOWN(zone),
	    count);
}

void
complaint_of_prefix(struct complaint *complaint, enum prefix_error error,
    struct text word, const char *others)
{
	switch (error) {
	case PREFIX_OK:
		break;
	case PREFIX_BAD_ADDRESS:
		complaint_add(complaint,
		    "'%.*s' is not an address or prefix%s (names of hosts are "
		    "not looked up)",
		    SHOWN(word), others);
		break;
	case PREFIX_BAD_BITS:
		complaint_add(complaint,
		    "'%.*s' has a wrong prefix length: 0 to 32 for IPv4, 0 to "
		    "128 for IPv6, at least 96 for ::ffff:0:0",
		    SHOWN(word));
		break;
	case PREFIX_HOST_BITS_SET:
		add_host_bits(complaint, word);
		break;
	case PREFIX_BAD_ZONE:
		complaint_add(complaint,
		    "'%.*s' has no zone behind its %%: the name of an "
		    "interface, or its number",
		    SHOWN(word));
		break;
	case PREFIX_ZONE_BEHIND:
		complaint_add(complaint,
		    "'%.*s' has its zone behind its length: write it before, "
		    "as in fe80::%%eth0/64",
		    SHOWN(word));
		break;
	case PREFIX_ZONE_OF_ALL:
		complaint_add(complaint,
		    "'%.*s' has a zone, but only addresses of fe80::/10 have "
		    "one",
		    SHOWN(word));
		break;
	}
}
