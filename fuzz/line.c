/*
 * Fuzzes the request line: read at every length, both ways of ending it, and
 * compared with a slow reader that knows only what a whole line looks like.
 * Once a prefix is decided nothing behind it may change that.
 */
#include "core/line.h"

#include <stdlib.h>
#include <string.h>

#define LOOKED_AT_MAX 300u /* far behind what any line can be */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* RFC 1078 as it stands there: a name, CRLF. Nothing of core/ is asked. */
static bool
is_whole_line(const uint8_t *bytes, size_t length, bool lenient_lf)
{
	static const char visible[] = "!\"#$%&'()*+,-./0123456789:;<=>?@"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
				      "abcdefghijklmnopqrstuvwxyz{|}~";

	if (length == 0 || bytes[length - 1] != '\n')
		return false;
	length--;
	if (length > 0 && bytes[length - 1] == '\r')
		length--;
	else if (!lenient_lf)
		return false;
	if (length == 0 || length > 127)
		return false;
	for (size_t i = 0; i < length; i++)
		if (bytes[i] == '\0' || strchr(visible, bytes[i]) == NULL)
			return false;
	return true;
}

/* Whether it is one as soon as the right bytes follow. */
static bool
may_become_line(const uint8_t *bytes, size_t length, bool lenient_lf)
{
	static const char *const ends[] = { "\n", "\r\n", "x\r\n" };
	uint8_t whole[LOOKED_AT_MAX + 4];

	memcpy(whole, bytes, length);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t end_length = strlen(ends[i]);

		memcpy(whole + length, ends[i], end_length);
		if (is_whole_line(whole, length + end_length, lenient_lf))
			return true;
	}
	return false;
}

/* Tries every length that a line could have; *name_length without its end. */
static enum line_state
read_slowly(const uint8_t *bytes, size_t count, bool lenient_lf, size_t *length,
    size_t *name_length)
{
	for (size_t i = 1; i <= count; i++) {
		if (!is_whole_line(bytes, i, lenient_lf))
			continue;
		*length = i;
		*name_length = i - (i > 1 && bytes[i - 2] == '\r' ? 2 : 1);
		return LINE_COMPLETE;
	}
	return may_become_line(bytes, count, lenient_lf) ? LINE_MORE
							 : LINE_MALFORMED;
}

/* The first `count` bytes, with nothing readable behind them. */
static struct line
read_prefix(const uint8_t *bytes, size_t count, bool lenient_lf)
{
	uint8_t *prefix = malloc(count > 0 ? count : 1);
	struct line line;

	if (prefix == NULL)
		abort();
	memcpy(prefix, bytes, count);
	line = line_read(prefix, count, lenient_lf);
	free(prefix);
	return line;
}

static void
check_slowly(
    const uint8_t *bytes, size_t count, struct line line, bool lenient_lf)
{
	size_t length = 0, name_length = 0;

	if (read_slowly(bytes, count, lenient_lf, &length, &name_length) !=
	    line.state)
		abort();
	if (line.length != length || line.name_length != name_length)
		abort();
}

static void
check_complete(const uint8_t *bytes, struct line line, bool lenient_lf)
{
	uint8_t folded[NAME_MAX_BYTES];

	if (line.length > LINE_MAX_BYTES || line.name_length >= line.length ||
	    !name_is_valid(bytes, line.name_length))
		abort();
	for (size_t i = 0; i < line.name_length; i++)
		folded[i] = name_fold(bytes[i]);
	if (!name_is_line(
		bytes, line.length, folded, line.name_length, lenient_lf))
		abort();
	for (size_t i = 0; i < line.length; i++)
		if (!name_begins_line(bytes, i, folded, line.name_length) &&
		    bytes[line.length - 2] == '\r')
			abort();
}

/* The parent's comparison: any beginning is a name, the rest is its end. */
static void
check_comparison(const uint8_t *bytes, size_t count, bool lenient_lf)
{
	uint8_t folded[LOOKED_AT_MAX];

	for (size_t i = 0; i < count; i++)
		folded[i] = name_fold(bytes[i]);
	for (size_t name_length = 0; name_length <= count; name_length++) {
		const uint8_t *end = bytes + name_length;
		size_t left = count - name_length;
		bool is_end = (left == 2 && memcmp(end, "\r\n", 2) == 0) ||
		    (left == 1 && *end == '\n' && lenient_lf);
		bool is_begin = left == 0 || (left == 1 && *end == '\r');

		if (name_is_line(bytes, count, folded, name_length,
			lenient_lf) != is_end)
			abort();
		if (name_begins_line(bytes, count, folded, name_length) !=
		    is_begin)
			abort();
	}
}

static void
check_every_split(const uint8_t *bytes, size_t length, bool lenient_lf)
{
	struct line before = { .state = LINE_MORE };

	for (size_t count = 0; count <= length; count++) {
		struct line line = read_prefix(bytes, count, lenient_lf);

		if (before.state != LINE_MORE &&
		    memcmp(&line, &before, sizeof(line)) != 0)
			abort();
		if (line.state == LINE_MORE && count >= LINE_MAX_BYTES)
			abort();
		check_slowly(bytes, count, line, lenient_lf);
		if (line.state == LINE_COMPLETE)
			check_complete(bytes, line, lenient_lf);
		before = line;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	if (length > LOOKED_AT_MAX)
		length = LOOKED_AT_MAX;
	check_every_split(bytes, length, false);
	check_every_split(bytes, length, true);
	check_comparison(bytes, length, false);
	check_comparison(bytes, length, true);
	return 0;
}
