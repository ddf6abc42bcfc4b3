#ifndef LOADER_PROBLEMS_H
#define LOADER_PROBLEMS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/policy.h"
#include "loader/files.h"
#include "loader/memory.h"

/* What is wrong with a policy, collected until it is all known. */
enum problem_kind {
	PROBLEM_ERROR,
	PROBLEM_WARNING,
	PROBLEM_NOTE,
};

struct problems {
	const struct files *files; /* not owned; whose places they have */
	struct buffer lines; /* their text, end to end */
	struct buffer entries; /* where each is from, and where its text is */
	uint32_t errors; /* how many of them were errors */
	uint32_t count; /* lines, those not kept included */
};

/* Of more lines than anybody reads, the first in the text are written. */
#define PROBLEMS_MAX 1000u
#define PROBLEMS_KEPT_MAX 100000u

/* Adds a line; place.line 0 is the file as a whole. Adds no newline. */
void problems_add(struct problems *problems, enum problem_kind kind,
    struct place place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Writes them all to fd, as their places come in the files; forgets
 * them. */
void problems_write(struct problems *problems, int fd);

void problems_finish(struct problems *problems);

/* For "%.*s": the text's length and bytes. */
#define TEXT_ARGS(text) (int)(text).length, (text).bytes

#endif
