#ifndef CORE_VERDICT_H
#define CORE_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/message.h"

/*
 * Judges what a parser answered, before the parent looks at any of it. The
 * parser may be in an attacker's hands: whatever it sends, the outcome is
 * either a batch of well-formed answers to exactly what was asked, or the
 * name of the violation, for which the worker is killed.
 */
enum violation {
	VIOLATION_NONE,
	VIOLATION_LENGTH, /* not as many answers as were asked for */
	VIOLATION_SLOT, /* an answer for another slot, or out of order */
	VIOLATION_GENERATION, /* an old answer, or one invented */
	VIOLATION_OUTCOME, /* no such outcome */
	VIOLATION_NAME, /* a name where none belongs, or out of range */
	VIOLATION_LINE, /* a line length that the outcome cannot have */
	VIOLATION_CLAIM, /* a claimed name that is none */
	VIOLATION_UNASKED, /* a message while nothing was asked */
	VIOLATION_DESCRIPTORS, /* descriptors sent along, or kept */
	VIOLATION_MISMATCH, /* the client did not send what it says */
	VIOLATION_SILENCE, /* no answer in time */
	VIOLATION_COUNT,
};

/* The word for the log. */
const char *violation_name(enum violation violation);

/*
 * Checks one message of `length` bytes against the batch of `asked` entries
 * that the worker had open, and fills answers[0..asked). names is how many
 * names the worker's table has. On any violation answers is unspecified.
 */
enum violation
verdict_check(struct verdict answers[BATCH_MAX], const uint8_t *bytes,
    size_t length, const struct handover batch[], size_t asked, uint32_t names);

#endif
