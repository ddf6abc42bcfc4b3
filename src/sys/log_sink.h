#ifndef SYS_LOG_SINK_H
#define SYS_LOG_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "core/image.h"
#include "sys/log.h"

/* Where log lines go. Only sys/log uses this. */

#define LOG_LINE_BYTES 4096u
#define LOG_PAIRS_MAX 64u

/* A pair of a line: where its key and its value, quotes included, stand. */
struct log_pair {
	uint16_t key, key_length;
	uint16_t value, value_end;
};

struct log_line {
	char bytes[LOG_LINE_BYTES];
	size_t length; /* its newline included */
	enum log_level level;
	const char *event;
	uint32_t pair_count; /* all pairs but time, level and event */
	struct log_pair pairs[LOG_PAIRS_MAX];
};

/*
 * 0, or -1 with errno: then lines go where they went before, to stderr at
 * first. What was collected for another sink is written to that one, or lost.
 */
int log_sink_open(enum image_log_sink kind, uint32_t syslog_facility);

/* Takes one line; collects or sends it. */
void log_sink_write(const struct log_line *line);

/*
 * Writes what was collected. Returns how many lines have been lost and not
 * been told of yet, once the sink may take lines again; else 0.
 */
uint64_t log_sink_flush(void);

/*
 * The last line was one that told of so many; if it was not taken either,
 * they are still to be told of.
 */
void log_sink_told(uint64_t lines);

uint64_t log_sink_lost(void);

#endif
