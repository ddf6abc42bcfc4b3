#ifndef SYS_LOG_SINK_H
#define SYS_LOG_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "core/image.h"
#include "sys/log.h"

/* Where log lines go. Only sys/log uses this. */

/* 0, or -1 with errno: then lines go to stderr as before. */
int log_sink_open(enum image_log_sink sink, uint32_t syslog_facility);

/* Takes one line, its newline included; collects or sends it. */
void log_sink_write(enum log_level level, const char *bytes, size_t length);

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
