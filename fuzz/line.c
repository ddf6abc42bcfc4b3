/*
 * Fuzzes the request line: read at every length, both ways of ending it. Once
 * a prefix is decided nothing behind it may change that, and a complete line
 * is one that core/name recognises.
 */
#include "core/line.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

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
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	for (int lenient = 0; lenient < 2; lenient++) {
		struct line before = { .state = LINE_MORE };

		for (size_t count = 0; count <= length && count < 200;
		     count++) {
			struct line line =
			    read_prefix(bytes, count, lenient == 1);

			if (before.state != LINE_MORE &&
			    memcmp(&line, &before, sizeof(line)) != 0)
				abort();
			if (line.state == LINE_MORE && count >= LINE_MAX_BYTES)
				abort();
			if (line.state == LINE_COMPLETE)
				check_complete(bytes, line, lenient == 1);
			before = line;
		}
	}
	return 0;
}
