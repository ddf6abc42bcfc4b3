#ifndef CORE_POLICY_PARSE_H
#define CORE_POLICY_PARSE_H

#include <stddef.h>
#include <stdint.h>

#include "core/policy.h"

/*
 * Memory for one parse, given by the caller; nothing is ever freed singly.
 * Large enough is a question of trying: on POLICY_ARENA_FULL the caller
 * parses again with twice as much.
 */
struct arena {
	uint8_t *base; /* not owned, 16-aligned */
	size_t size, used; /* bytes */
};

/* Told of every mistake, in the order of the text, at the end of the parse;
 * severity is the caller's business: warnings are marked. message has no
 * newline and no control bytes, and ends with the call. */
struct policy_report {
	void (*problem)(void *context, struct place place, bool is_warning,
	    const char *message);
	void *context;
};

enum policy_result {
	POLICY_OK,
	POLICY_BAD, /* at least one error was reported */
	POLICY_ARENA_FULL, /* nothing was reported: begin again */
};

/*
 * Parses the policy language, version 1 (tcpmuxd.policy(5)), from one text of
 * `length` bytes; `file` is the index put in every place. Pure: looks up no
 * user, group, file or clock. Fills policy, defaults included; all its
 * memory is the arena's or the text's. All errors are reported, not only the
 * first.
 */
enum policy_result
policy_parse(struct policy *policy, const char *text, size_t length,
    uint32_t file, struct arena *arena, const struct policy_report *report);

#endif
