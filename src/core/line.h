#ifndef CORE_LINE_H
#define CORE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/name.h"

/* The longest request line: the longest name and CRLF. */
#define LINE_MAX_BYTES (NAME_MAX_BYTES + 2)

enum line_state {
	LINE_MORE, /* may still become a line */
	LINE_COMPLETE,
	LINE_MALFORMED, /* no bytes that follow could make it one */
};

struct line {
	enum line_state state;
	uint16_t name_length; /* bytes of the name, if complete */
	uint16_t length; /* bytes of the line with its end, if complete */
};

/*
 * Reads one request line, NAME CRLF (RFC 1078), from the first `count` bytes
 * that a client sent. The first byte that cannot belong to a line decides,
 * without waiting for the end. A pure function of the bytes: feeding a
 * longer prefix of the same stream can only turn LINE_MORE into something
 * else. lenient_lf takes a bare LF as the end too.
 */
struct line line_read(const uint8_t *bytes, size_t count, bool lenient_lf);

#endif
