/*
 * FILE:LINE:COL: what is wrong, and what would be right.
 * Trusts no byte of what it quotes: it may end on a terminal.
 * Never writes before all is known.
 */
#include "loader/problems.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/log_journal.h"

#define LINE_BYTES 6144 /* a path twice the longest is cut */

static const struct {
	const char *text;
	const char *priority; /* for the journal, sd-daemon(3) */
} problem_kinds[] = {
	[PROBLEM_ERROR] = { "", "<3>" },
	[PROBLEM_WARNING] = { "warning: ", "<4>" },
	[PROBLEM_NOTE] = { "note: ", "<5>" },
};

struct entry {
	struct place place;
	uint32_t index; /* in the order of finding */
	enum problem_kind kind;
	size_t offset, length;
};

static void
add_line(struct problems *problems, enum problem_kind kind, struct place place,
    const char *line, size_t length)
{
	struct entry *entry = buffer_add(&problems->entries, sizeof(*entry));
	char *to;

	*entry = (struct entry){ .place = place,
		.index = problems->count,
		.kind = kind,
		.offset = problems->lines.used,
		.length = length + 1 };
	to = buffer_add(&problems->lines, length + 1);
	for (size_t i = 0; i < length; i++)
		to[i] =
		    (uint8_t)line[i] < 0x20 || line[i] == 0x7f ? '?' : line[i];
	to[length] = '\n';
}

/* What snprintf wrote, whatever it would have written. */
static size_t
written(int length, size_t size)
{
	if (length < 0)
		return 0;
	return (size_t)length < size ? (size_t)length : size - 1;
}

void
problems_add(struct problems *problems, enum problem_kind kind,
    struct place place, const char *format, ...)
{
	char line[LINE_BYTES];
	const char *file;
	size_t length;
	va_list arguments;

	if (kind == PROBLEM_ERROR)
		problems->errors++;
	if (problems->count++ >= PROBLEMS_KEPT_MAX)
		return;
	file = files_name(problems->files, place.file);
	length = place.line == 0
	    ? written(snprintf(line, sizeof(line), "%s: %s", file,
			  problem_kinds[kind].text),
		  sizeof(line))
	    : written(snprintf(line, sizeof(line), "%s:%u:%u: %s", file,
			  place.line, place.column, problem_kinds[kind].text),
		  sizeof(line));
	va_start(arguments, format);
	length += written(
	    vsnprintf(line + length, sizeof(line) - length, format, arguments),
	    sizeof(line) - length);
	va_end(arguments);
	add_line(problems, kind, place, line, length);
}

static int
compare_entries(const void *left, const void *right)
{
	const struct entry *a = left;
	const struct entry *b = right;
	const uint32_t keys[][2] = { { a->place.file, b->place.file },
		{ a->place.line, b->place.line },
		{ a->place.column, b->place.column }, { a->index, b->index } };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i][0] != keys[i][1])
			return keys[i][0] < keys[i][1] ? -1 : 1;
	return 0;
}

static bool
write_all(int fd, const uint8_t *bytes, size_t left)
{
	while (left > 0) {
		ssize_t count = write(fd, bytes, left);

		if (count == -1 && errno == EINTR)
			continue;
		if (count == -1)
			return false; /* nobody is reading */
		bytes += count;
		left -= (size_t)count;
	}
	return true;
}

void
problems_write(struct problems *problems, int fd)
{
	struct entry *entries = (void *)problems->entries.bytes;
	size_t count = problems->entries.used / sizeof(*entries);
	struct buffer sorted = { .bytes = NULL };
	bool has_priorities = log_journal_is_stream(fd);
	char more[64];
	int length;

	if (count > 0)
		qsort(entries, count, sizeof(*entries), compare_entries);
	for (size_t i = 0; i < count && i < PROBLEMS_MAX; i++) {
		if (has_priorities)
			memcpy(buffer_add(&sorted, 3),
			    problem_kinds[entries[i].kind].priority, 3);
		memcpy(buffer_add(&sorted, entries[i].length),
		    problems->lines.bytes + entries[i].offset,
		    entries[i].length);
	}
	if (write_all(fd, sorted.bytes, sorted.used) &&
	    problems->count > PROBLEMS_MAX) {
		length = snprintf(more, sizeof(more), "and %u more\n",
		    problems->count - PROBLEMS_MAX);
		write_all(
		    fd, (const uint8_t *)more, written(length, sizeof(more)));
	}
	buffer_finish(&sorted);
	problems_finish(problems);
}

void
problems_finish(struct problems *problems)
{
	buffer_finish(&problems->lines);
	buffer_finish(&problems->entries);
	problems->count = 0;
}
