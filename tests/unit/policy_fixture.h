#ifndef POLICY_FIXTURE_H
#define POLICY_FIXTURE_H

#include "core/policy_parse.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A parsed text, with the problems as lines of "LINE:COL: message". */
struct parsed {
	struct policy policy;
	enum policy_result result;
	struct arena arena;
	char *problems;
	size_t problems_length;
};

static inline void
parsed_problem(
    void *context, struct place place, bool is_warning, const char *message)
{
	fprintf(context, "%s%u:%u: %s\n", is_warning ? "warning " : "",
	    place.line, place.column, message);
}

/* Parses once in an arena of that size. */
static inline struct parsed
parse_in(size_t size, const char *text, size_t length)
{
	struct parsed parsed = { .arena = { .size = size } };
	FILE *stream =
	    open_memstream(&parsed.problems, &parsed.problems_length);
	struct policy_report report = { parsed_problem, stream };

	assert_non_null(stream);
	/* from malloc, so that ASan sees what is behind the end */
	parsed.arena.base = malloc(size);
	assert_non_null(parsed.arena.base);
	parsed.result = policy_parse(
	    &parsed.policy, text, length, 3, &parsed.arena, &report);
	assert_int_equal(fclose(stream), 0);
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
