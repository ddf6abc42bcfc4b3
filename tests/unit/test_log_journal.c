/*
 * Lines as the journal gets them: whatever is logged, a message is fields of
 * printable text, each name once, that say what the line says.
 */
#include "sys/log_journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char message[LOG_JOURNAL_BYTES + 1];

/* A line with these pairs, as sys/log makes it; the message it becomes. */
static size_t
format(const char *text, const char *event, unsigned priority)
{
	static struct log_line line;
	const char *at = text;
	size_t length;

	line = (struct log_line){ .event = event };
	line.length = strlen(text);
	memcpy(line.bytes, text, line.length);
	for (line.pair_count = 0; (at = strchr(at, '#')) != NULL; at++) {
		struct log_pair *pair = &line.pairs[line.pair_count++];
		const char *value = strchr(at, '=') + 1;
		const char *end = value + strcspn(value, "#\n");

		pair->key = (uint16_t)(at + 1 - text);
		pair->key_length = (uint16_t)(value - 1 - (at + 1));
		pair->value = (uint16_t)(value - text);
		pair->value_end = (uint16_t)(end - text);
	}
	length = log_journal_format(message, &line, priority);
	assert_true(length < sizeof(message));
	message[length] = '\0';
	return length;
}

static void
a_line_is_fields(void **state)
{
	(void)state;
	format(
	    "line#reason=acl#text=\"a \\\" b\"#empty=\"\"#n=7\n", "refuse", 6);
	assert_string_equal(message,
	    "SYSLOG_IDENTIFIER=tcpmuxd\nPRIORITY=6\n"
	    "MESSAGE_ID=df2a11bdc559888d8b8ce71d1dfcc915\n"
	    "MESSAGE=line#reason=acl#text=\"a \\\" b\"#empty=\"\"#n=7\n"
	    "TCPMUX_EVENT=refuse\nTCPMUX_REASON=acl\n"
	    "TCPMUX_TEXT=a \\\" b\nTCPMUX_EMPTY=\nTCPMUX_N=7\n");
	format("line\n", "log-lost", 3);
	assert_non_null(strstr(message, "\nPRIORITY=3\n"));
	assert_non_null(strstr(message, "\nTCPMUX_EVENT=log-lost\n"));
}

/* The largest line there can be has room. */
static void
the_longest_line(void **state)
{
	static char text[LOG_LINE_BYTES + 1];
	size_t at = 0;

	(void)state;
	for (unsigned i = 0; i < LOG_PAIRS_MAX; i++) {
		memcpy(text + at, "#key=", 5);
		at += 5;
		memset(text + at, 'x', 58);
		at += 58;
	}
	memset(text + at, 'y', LOG_LINE_BYTES - at);
	text[LOG_LINE_BYTES - 1] = '\n';
	assert_true(format(text, "a-long-event-name", 7) > LOG_LINE_BYTES);
}

/* Version 8, and the variant of RFC 9562, whatever the word. */
static void
every_event_has_an_id(void **state)
{
	static const char *const events[] = { "refuse", "launch", "exit", "" };
	static const char *const ids[] = { "df2a11bdc559888d8b8ce71d1dfcc915",
		"df2a11bdc559888d95b5b769b706fd66",
		"df2a11bdc559888da79e4d608e807965",
		"df2a11bdc559888d8bf29ce484222325" };
	char digits[LOG_MESSAGE_ID_DIGITS + 1] = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		log_message_id(digits, events[i]);
		assert_string_equal(digits, ids[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_fields),
		cmocka_unit_test(the_longest_line),
		cmocka_unit_test(every_event_has_an_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
