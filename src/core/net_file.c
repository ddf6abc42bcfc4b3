/*
 * Reads a file of prefixes, such as a blocklist that somebody publishes.
 * Trusts no byte of it, and shows none that is not printable.
 * Never takes half a line: it is a prefix, nothing, or a problem.
 */
#include "core/net_file.h"

#include <stdbool.h>
#include <string.h>

#include "core/complaint.h"
#include "core/zone.h"

/* Longer than any address, so that what is cut would be refused as well. */
enum { WORD_SHOWN = 80 };

static bool
is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static bool
begins_comment(char byte)
{
	return byte == '#' || byte == ';';
}

static size_t
skip_blanks(struct text line, size_t at)
{
	while (at < line.length && is_blank(line.bytes[at]))
		at++;
	return at;
}

/* The word that begins at `at`, not empty. */
static struct text
word_at(struct text line, size_t at)
{
	size_t end = at;

	while (end < line.length && !is_blank(line.bytes[end]))
		end++;
	return (struct text){ line.bytes + at, end - at };
}

/* The word with nothing in it that a terminal would obey. */
static struct text
shown(struct text word, char bytes[WORD_SHOWN])
{
	size_t length = word.length < WORD_SHOWN ? word.length : WORD_SHOWN;

	for (size_t i = 0; i < length; i++)
		bytes[i] = word.bytes[i] > ' ' && word.bytes[i] < 0x7f
		    ? word.bytes[i]
		    : '?';
	return (struct text){ bytes, length };
}

static void
complain(const struct net_file_reader *reader, struct place place,
    enum prefix_error error, struct text word)
{
	struct complaint complaint = { .length = 0 };
	char bytes[WORD_SHOWN];

	word = shown(word, bytes);
	if (error == PREFIX_OK)
		complaint_add(&complaint,
		    "a line holds one prefix: '%.*s' is one word too many (a "
		    "comment begins with '#')",
		    SHOWN(word));
	else
		complaint_of_prefix(&complaint, error, word, "");
	reader->problem(reader->context, place, complaint.text);
}

static void
read_line(
    struct text line, struct place place, const struct net_file_reader *reader)
{
	struct prefix prefix;
	struct text zone;
	enum prefix_error error;
	size_t at = skip_blanks(line, 0);
	size_t behind;
	struct text word;

	if (at == line.length || begins_comment(line.bytes[at]))
		return;
	word = word_at(line, at);
	behind = skip_blanks(line, at + word.length);
	error = zone_prefix_parse(&prefix, &zone, word);
	if (error == PREFIX_OK && behind < line.length &&
	    !begins_comment(line.bytes[behind])) {
		at = behind;
		word = word_at(line, at);
	} else if (error == PREFIX_OK) {
		place.column = (uint32_t)at + 1;
		reader->prefix(reader->context, &prefix, zone, place);
		return;
	}
	place.column = (uint32_t)at + 1;
	complain(reader, place, error, word);
}

void
net_file_read(
    struct text text, uint32_t file, const struct net_file_reader *reader)
{
	struct place place = { .file = file, .line = 1 };

	for (size_t at = 0; at < text.length; place.line++) {
		const char *begin = text.bytes + at;
		const char *end = memchr(begin, '\n', text.length - at);
		struct text line = { begin,
			end == NULL ? text.length - at
				    : (size_t)(end - begin) };

		at += line.length + 1;
		if (line.length > 0 && line.bytes[line.length - 1] == '\r')
			line.length--;
		read_line(line, place, reader);
	}
}
