#ifndef PARENT_EXPLAIN_H
#define PARENT_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/addr.h"
#include "core/image.h"
#include "core/name.h"

/* What is asked with tcpmuxd -C (tcpmuxd(8)). */
struct explain_query {
	char service[NAME_MAX_BYTES + 1];
	struct addr peer;
	char listener[256]; /* as it is written; empty: any */
	uint32_t minute; /* of the local week */
	bool skips_system; /* the image knows no user */
};

/* Bytes of a text that says what is wrong with a query. */
#define EXPLAIN_PROBLEM_BYTES 512

/*
 * Reads `service=S,addr=A[,listener=L][,time=T]`, in any order; a `\` stands
 * before a comma or `\` that belongs to a value. The time is `now` where it is
 * not given. Returns whether it could; if not, problem says why.
 */
bool explain_read(struct explain_query *query, const char *text, uint32_t now,
    char problem[EXPLAIN_PROBLEM_BYTES]);

enum explain_verdict {
	EXPLAIN_ALLOWED, /* through at least one of the listeners */
	EXPLAIN_REFUSED,
	EXPLAIN_NO_LISTENER, /* there is none of that name; nothing is written
			      */
};

/*
 * Writes what the policy decides, and by which of its lines, asking the
 * functions that the parent asks. Whether `out` took it is the caller's
 * question.
 */
enum explain_verdict explain_write(
    const struct image *image, const struct explain_query *query, FILE *out);

#endif
