/*
 * Fuzzes the file of a net: whatever its bytes, each line is a prefix without
 * bits behind its length, nothing, or a problem that can be shown. Built by
 * afl-clang-fast or clang with -fsanitize=fuzzer, linked with libcore.a.
 */
#include "core/net_file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

struct seen {
	size_t lines; /* that said something */
	uint32_t last_line;
};

static void
note_prefix(void *context, const struct prefix *prefix, struct text zone,
    struct place place)
{
	struct seen *seen = context;
	struct addr masked = prefix->addr;

	if (prefix->bits > (prefix->addr.family == ADDR_V4 ? 32 : 128))
		abort();
	if (place.line <= seen->last_line ||
	    zone.length > IMAGE_INTERFACE_MAX ||
	    (zone.length > 0 && !addr_is_link_local(&prefix->addr)))
		abort();
	addr_mask(&masked, prefix->bits);
	if (memcmp(masked.bytes, prefix->addr.bytes, sizeof(masked.bytes)) != 0)
		abort();
	seen->lines++;
}

static void
note_problem(void *context, struct place place, const char *message)
{
	struct seen *seen = context;

	if (place.line <= seen->last_line || place.column == 0 ||
	    *message == '\0')
		abort();
	for (; *message != '\0'; message++)
		if (*message < ' ' || *message > '~')
			abort();
	seen->last_line = place.line;
	seen->lines++;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct seen seen = { .lines = 0 };
	const struct net_file_reader reader = { note_prefix, note_problem,
		&seen };
	size_t lines = 1;

	for (size_t i = 0; i < length; i++)
		lines += bytes[i] == '\n';
	net_file_read((struct text){ (const char *)bytes, length }, 0, &reader);
	if (seen.lines > lines)
		abort();
	return 0;
}
