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

/*
 * One text of a policy. The first is the main one; the others are what its
 * include lines stand for, in the order in which they are read. Who calls has
 * found those lines with policy_find_includes, and opened the files.
 */
struct policy_text {
	struct text text; /* bytes NULL: it exists, but could not be had */
	const char *name; /* for people */
	struct place include; /* the path word that brings it in; main: none */
};

/*
 * Tells `found` of the path of every `include` in a main text, in its order,
 * misplaced ones too; the word's text ends with the call. What is no path is
 * left for policy_parse to complain of.
 */
void policy_find_includes(struct text text,
    void (*found)(void *context, const struct word *path), void *context);

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
 * Parses the policy language, version 1 (tcpmuxd.policy(5)), from `count`
 * texts, at least one; every place has the index of its text. Pure: looks up
 * no user, group, file or clock. Fills policy, defaults included; all its
 * memory is the arena's or the texts'. All errors are reported, not only the
 * first.
 */
enum policy_result
policy_parse(struct policy *policy, const struct policy_text texts[],
    uint32_t count, struct arena *arena, const struct policy_report *report);

#endif
