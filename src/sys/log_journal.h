#ifndef SYS_LOG_JOURNAL_H
#define SYS_LOG_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "sys/log_sink.h"

/*
 * A line as the journal takes it: systemd's native protocol, fields as in
 * systemd.journal-fields(7). MESSAGE is the line itself, and each pair is a
 * field of its own, TCPMUX_ and the key in capitals, with the text that the
 * line has for the value: escaped, printable, and so never in need of the
 * protocol's form for binary values. MESSAGE_ID tells events apart.
 */
#define LOG_JOURNAL_BYTES \
	(256u + 2 * LOG_LINE_BYTES + LOG_PAIRS_MAX * sizeof("TCPMUX_"))

/* Returns the message's length. */
size_t log_journal_format(char message[LOG_JOURNAL_BYTES],
    const struct log_line *line, unsigned priority);

/*
 * Whether fd is the stream to the journal that the service manager has made
 * and named: $JOURNAL_STREAM, systemd.exec(5). Lines on it may begin with
 * their priority, as in <4>. What was redirected since is another.
 */
bool log_journal_is_stream(int fd);

#define LOG_MESSAGE_ID_DIGITS 32u

/*
 * The event's 128 bits, in hexadecimal: eight bytes that all of ours have,
 * then FNV-1a of the event's word. A UUID of version 8 (RFC 9562).
 */
void log_message_id(char digits[LOG_MESSAGE_ID_DIGITS], const char *event);

#endif
