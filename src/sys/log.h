#ifndef SYS_LOG_H
#define SYS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/image.h"

/*
 * The log: one line an event, of key=value pairs (logfmt) or as a JSON
 * object, collected and written once a turn of the event loop. It never
 * waits: what its sink does not take at once is dropped, counted, and
 * reported by event=log-lost as soon as there is room again.
 *
 *	log_begin(LOG_LEVEL_INFO, "refuse");
 *	log_word("reason", "acl");
 *	log_addr(&peer);
 *	log_end();
 *
 * Event names, keys and reasons are a stable interface: tcpmuxd(8).
 */
enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

struct log_options {
	enum image_log_sink sink;
	enum image_log_format format;
	enum image_addresses addresses;
	uint32_t syslog_facility; /* as in syslog(3), already shifted */
	bool has_debug;
};

/*
 * Opens the sink; before that, and if it cannot be opened, lines go to
 * stderr. Returns 0, or -1 with errno (the sink stays stderr).
 */
int log_open(const struct log_options *options);

/* Whether a line of this level would be written. */
bool log_has(enum log_level level);

/* A line: begin, pairs, end. Values are bounded; a line is cut, never lost. */
void log_begin(enum log_level level, const char *event);
/* A word of ours: it needs neither quotes nor escapes. */
void log_word(const char *key, const char *word);
/* Bytes of anybody's: quoted and escaped, cut at 1,024. */
void log_bytes(const char *key, const void *bytes, size_t length);
void log_text(const char *key, const char *text);
void log_number(const char *key, uint64_t number);
/* Seconds with three decimals, from milliseconds. */
void log_duration(const char *key, int64_t duration_ms);
/* errno's name and number, as error=ENOENT. */
void log_errno(int error);
/* addr= and port= of a client, as far as `addresses` lets them be seen. */
void log_addr(const struct addr *addr);
/* addr= and port= of ours. */
void log_own_addr(const struct addr *addr);
/* key=FILE:LINE */
void log_place(const char *key, const char *file, uint32_t number);
void log_end(void);

/* Writes what has been collected. Call once a turn, and before exit. */
void log_flush(void);

/* Lines lost since start, because the sink did not take them. */
uint64_t log_lost(void);

#endif
