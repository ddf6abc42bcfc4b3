/*
 * The request line: NAME CRLF and not a byte else.
 * Trusts nothing; the bytes are a stranger's.
 * Never looks past the line's end and never keeps state between calls.
 */
#include "core/line.h"

static struct line
complete(size_t name_length, size_t end_length)
{
	return (struct line){ .state = LINE_COMPLETE,
		.name_length = (uint16_t)name_length,
		.length = (uint16_t)(name_length + end_length) };
}

struct line
line_read(const uint8_t *bytes, size_t count, bool lenient_lf)
{
	const struct line more = { .state = LINE_MORE };
	const struct line malformed = { .state = LINE_MALFORMED };
	size_t length = 0;

	while (length < count && name_is_byte(bytes[length])) {
		length++;
		if (length > NAME_MAX_BYTES)
			return malformed;
	}
	if (length == count)
		return more;
	if (length == 0)
		return malformed;
	if (bytes[length] == '\n' && lenient_lf)
		return complete(length, 1);
	if (bytes[length] != '\r')
		return malformed;
	if (length + 1 == count)
		return more;
	if (bytes[length + 1] != '\n')
		return malformed;
	return complete(length, 2);
}
