#ifndef POLICY_FIXTURE_H
#define POLICY_FIXTURE_H

#include "core/policy_parse.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * A parsed text, with the problems as lines of "LINE:COL: message". A line
 * `#=== PATH` ends it and begins a file to be included: by its own path, or
 * by that of its directory. The places of such a file begin with its PATH.
 */
enum { TEXTS_MAX = 16 };

struct parsed {
	struct policy policy;
	enum policy_result result;
	struct arena arena;
	char *problems;
	size_t problems_length;
	struct policy_text texts[TEXTS_MAX];
	char names[TEXTS_MAX][64];
	uint32_t count;
	const char *bytes; /* all of it */
	size_t length, main_length;
	FILE *stream;
};

static inline void
parsed_problem(
    void *context, struct place place, bool is_warning, const char *message)
{
	const struct parsed *parsed = context;

	assert_true(place.file < parsed->count);
	fprintf(parsed->stream, "%s", is_warning ? "warning " : "");
	if (place.file > 0)
		fprintf(parsed->stream, "%s:", parsed->texts[place.file].name);
	fprintf(
	    parsed->stream, "%u:%u: %s\n", place.line, place.column, message);
}

/* Where the first `#===` line at or behind `from` begins, or the end. */
static inline size_t
find_section(const char *bytes, size_t length, size_t from)
{
	static const char mark[] = "#=== ";

	for (size_t at = from; at + sizeof(mark) - 1 < length; at++)
		if ((at == 0 || bytes[at - 1] == '\n') &&
		    memcmp(bytes + at, mark, sizeof(mark) - 1) == 0)
			return at;
	return length;
}

/* Whether the path includes the file of that name. */
static inline bool
path_includes(struct text path, const char *name)
{
	const char *slash = strrchr(name, '/');

	if (path.length == strlen(name))
		return memcmp(path.bytes, name, path.length) == 0;
	return slash != NULL && path.length == (size_t)(slash - name) &&
	    memcmp(path.bytes, name, path.length) == 0;
}

/* Adds each section that the include line is about. */
static inline void
add_included(void *context, const struct word *path)
{
	struct parsed *parsed = context;
	size_t at = parsed->main_length;

	while (at < parsed->length) {
		const char *line = parsed->bytes + at;
		const char *end = memchr(line, '\n', parsed->length - at);
		char *name = parsed->names[parsed->count];
		size_t begin;

		assert_true(end != NULL && parsed->count < TEXTS_MAX);
		begin = (size_t)(end - parsed->bytes) + 1;
		snprintf(name, sizeof(parsed->names[0]), "%.*s",
		    (int)(end - line - 5), line + 5);
		at = find_section(parsed->bytes, parsed->length, begin);
		if (path_includes(path->text, name))
			parsed->texts[parsed->count++] = (struct policy_text){
				.text = { parsed->bytes + begin, at - begin },
				.name = name,
				.include = path->place
			};
	}
}

/* Parses once in an arena of that size. */
static inline struct parsed
parse_in(size_t size, const char *text, size_t length)
{
	struct parsed parsed = { .arena = { .size = size },
		.bytes = text,
		.length = length,
		.count = 1 };
	struct policy_report report = { parsed_problem, &parsed };

	parsed.main_length = find_section(text, length, 0);
	parsed.texts[0] =
	    (struct policy_text){ .text = { text, parsed.main_length },
		    .name = "main" };
	policy_find_includes(parsed.texts[0].text, add_included, &parsed);
	parsed.stream =
	    open_memstream(&parsed.problems, &parsed.problems_length);
	assert_non_null(parsed.stream);
	/* from malloc, so that ASan sees what is behind the end */
	parsed.arena.base = malloc(size);
	assert_non_null(parsed.arena.base);
	parsed.result = policy_parse(
	    &parsed.policy, parsed.texts, parsed.count, &parsed.arena, &report);
	assert_int_equal(fclose(parsed.stream), 0);
	return parsed;
}

static inline void
parsed_finish(struct parsed *parsed)
{
	free(parsed->arena.base);
	free(parsed->problems);
}

/* Parses as the loader does: twice the arena until it suffices. */
static inline struct parsed
parse_text(const char *text, size_t length)
{
	for (size_t size = 65536;; size *= 2) {
		struct parsed parsed = parse_in(size, text, length);

		if (parsed.result != POLICY_ARENA_FULL)
			return parsed;
		assert_int_equal(parsed.problems_length, 0);
		parsed_finish(&parsed);
		assert_true(size < (size_t)1 << 31);
	}
}

/* The whole file and a NUL, to be freed; tests run in the repository's root. */
static inline char *
read_whole(const char *path, size_t *length)
{
	enum { FILE_BYTES_MAX = 1 << 20 };
	FILE *file = fopen(path, "r");
	char *bytes = malloc(FILE_BYTES_MAX);

	if (file == NULL)
		fail_msg("cannot open %s", path);
	assert_non_null(bytes);
	*length = fread(bytes, 1, FILE_BYTES_MAX - 1, file);
	assert_true(*length < FILE_BYTES_MAX - 1);
	bytes[*length] = '\0';
	fclose(file);
	return bytes;
}

/* A file below the root, or below $TCPMUXD_ROOT. */
static inline void
root_path(char path[], size_t size, const char *name)
{
	const char *root = getenv("TCPMUXD_ROOT");

	snprintf(path, size, "%s/%s", root != NULL ? root : ".", name);
}

#endif
