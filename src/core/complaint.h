#ifndef CORE_COMPLAINT_H
#define CORE_COMPLAINT_H

#include <stdarg.h>
#include <stddef.h>

#include "core/addr.h"
#include "core/policy.h"

/*
 * The words of one problem; what has no room is left out. All zero is none;
 * there is always a NUL behind them.
 */
#define COMPLAINT_BYTES 4608 /* a path, and what is wrong with it */

struct complaint {
	char text[COMPLAINT_BYTES];
	size_t length;
};

void
complaint_append(struct complaint *complaint, const char *bytes, size_t length);

/* A printf of %s, %.*s, %u and %% alone. */
void complaint_add(struct complaint *complaint, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void complaint_add_list(
    struct complaint *complaint, const char *format, va_list arguments);

/* The arguments of a %.*s that shows a text, cut if it is very long. */
#define SHOWN(text) complaint_shown_length(text), (text).bytes
int complaint_shown_length(struct text text);

/*
 * What is wrong with a word that prefix_parse refused, and what would be
 * right; others: what else could have stood there, such as " or @set".
 */
void complaint_of_prefix(struct complaint *complaint, enum prefix_error error,
    struct text word, const char *others);

#endif
