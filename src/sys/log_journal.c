/*
 * A log line as fields of systemd's journal.
 * Trusts the line: it is sys/log's, so keys are words and values printable.
 * Never writes a byte that could end a field early.
 */
#include "sys/log_journal.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ID_OURS UINT64_C(0xdf2a11bdc559888d)
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)
#define ID_VARIANT (UINT64_C(1) << 63)
#define ID_VARIANT_MASK (UINT64_C(3) << 62)

static size_t
put(char *to, size_t at, const char *bytes, size_t length)
{
	memcpy(to + at, bytes, length);
	return at + length;
}

static size_t
put_string(char *to, size_t at, const char *string)
{
	return put(to, at, string, strlen(string));
}

static uint64_t
hash_of(const char *word)
{
	uint64_t hash = FNV_BASIS;

	for (; *word != '\0'; word++)
		hash = (hash ^ (uint8_t)*word) * FNV_PRIME;
	return hash;
}

void
log_message_id(char digits[LOG_MESSAGE_ID_DIGITS], const char *event)
{
	static const char hex[] = "0123456789abcdef";
	const uint64_t halves[] = { ID_OURS,
		(hash_of(event) & ~ID_VARIANT_MASK) | ID_VARIANT };

	for (unsigned i = 0; i < LOG_MESSAGE_ID_DIGITS; i++)
		digits[i] = hex[halves[i / 16] >> (60 - i % 16 * 4) & 15];
}

static size_t
put_field_name(char *to, size_t at, const char *key, size_t length)
{
	at = put_string(to, at, "TCPMUX_");
	for (size_t i = 0; i < length; i++)
		to[at++] = key[i] >= 'a' && key[i] <= 'z'
		    ? (char)(key[i] - 'a' + 'A')
		    : key[i];
	to[at++] = '=';
	return at;
}

static size_t
put_pair(char *to, size_t at, const struct log_line *line,
    const struct log_pair *pair)
{
	size_t first = pair->value;
	size_t end = pair->value_end;

	if (end - first >= 2 && line->bytes[first] == '"') {
		first++;
		end--;
	}
	at = put_field_name(to, at, line->bytes + pair->key, pair->key_length);
	at = put(to, at, line->bytes + first, end - first);
	to[at++] = '\n';
	return at;
}

bool
log_journal_is_stream(int fd)
{
	const char *named = getenv("JOURNAL_STREAM");
	struct stat about;
	char number[48];

	if (named == NULL || fstat(fd, &about) != 0)
		return false;
	(void)snprintf(number, sizeof(number), "%ju:%ju",
	    (uintmax_t)about.st_dev, (uintmax_t)about.st_ino);
	return strcmp(named, number) == 0;
}

size_t
log_journal_format(char message[LOG_JOURNAL_BYTES], const struct log_line *line,
    unsigned priority)
{
	size_t at =
	    put_string(message, 0, "SYSLOG_IDENTIFIER=tcpmuxd\nPRIORITY=");

	message[at++] = (char)('0' + priority);
	at = put_string(message, at, "\nMESSAGE_ID=");
	log_message_id(message + at, line->event);
	at += LOG_MESSAGE_ID_DIGITS;
	/* The line's own newline is the field's end. */
	at = put_string(message, at, "\nMESSAGE=");
	at = put(message, at, line->bytes, line->length);
	at = put_string(message, at, "TCPMUX_EVENT=");
	at = put_string(message, at, line->event);
	message[at++] = '\n';
	for (uint32_t i = 0; i < line->pair_count; i++)
		at = put_pair(message, at, line, &line->pairs[i]);
	return at;
}
