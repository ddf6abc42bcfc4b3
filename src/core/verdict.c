/*
 * Is this message an answer to what was asked? The first half of the
 * recheck; the second, parent/recheck, asks whether policy agrees.
 * Trusts no byte of the message. Never blames the client for it.
 */
#include "core/verdict.h"

#include "core/line.h"

static const char *const names_of[VIOLATION_COUNT] = {
	[VIOLATION_NONE] = "none",
	[VIOLATION_LENGTH] = "length",
	[VIOLATION_SLOT] = "slot",
	[VIOLATION_GENERATION] = "generation",
	[VIOLATION_OUTCOME] = "outcome",
	[VIOLATION_NAME] = "name",
	[VIOLATION_LINE] = "line",
	[VIOLATION_CLAIM] = "claim",
	[VIOLATION_UNASKED] = "unasked",
	[VIOLATION_DESCRIPTORS] = "descriptors",
	[VIOLATION_MISMATCH] = "mismatch",
	[VIOLATION_SILENCE] = "silence",
};

const char *
violation_name(enum violation violation)
{
	return names_of[violation];
}

static bool
has_no_claim(const struct verdict *answer)
{
	return answer->claimed[0] == 0;
}

static enum violation
check_name(const struct verdict *answer, uint32_t names)
{
	if (answer->name >= names)
		return VIOLATION_NAME;
	/* A name of one byte and LF, at the least. */
	if (answer->length < 2 || answer->length > LINE_MAX_BYTES)
		return VIOLATION_LINE;
	return has_no_claim(answer) ? VIOLATION_NONE : VIOLATION_CLAIM;
}

static enum violation
check_nameless(const struct verdict *answer, uint16_t least, uint16_t most)
{
	if (answer->name != VERDICT_NO_NAME)
		return VIOLATION_NAME;
	if (answer->length < least || answer->length > most)
		return VIOLATION_LINE;
	return has_no_claim(answer) ? VIOLATION_NONE : VIOLATION_CLAIM;
}

static enum violation
check_unknown(const struct verdict *answer)
{
	if (answer->name != VERDICT_NO_NAME)
		return VIOLATION_NAME;
	if (answer->length < 2 || answer->length > LINE_MAX_BYTES)
		return VIOLATION_LINE;
	if (!name_is_valid(answer->claimed + 1, answer->claimed[0]))
		return VIOLATION_CLAIM;
	return VIOLATION_NONE;
}

static enum violation
check_outcome(const struct verdict *answer, uint32_t names)
{
	if (answer->outcome < OUTCOME_MORE || answer->outcome > OUTCOME_CLOSED)
		return VIOLATION_OUTCOME;
	switch ((enum outcome)answer->outcome) {
	case OUTCOME_MORE:
		return check_nameless(answer, 0, LINE_MAX_BYTES - 1);
	case OUTCOME_NAME:
		return check_name(answer, names);
	case OUTCOME_HELP:
		return check_nameless(answer, 5, 6);
	case OUTCOME_UNKNOWN:
		return check_unknown(answer);
	case OUTCOME_MALFORMED:
	case OUTCOME_CLOSED:
		return check_nameless(answer, 0, 0);
	}
	return VIOLATION_OUTCOME;
}

enum violation
verdict_check(struct verdict answers[BATCH_MAX], const uint8_t *bytes,
    size_t length, const struct handover batch[], size_t asked, uint32_t names)
{
	if (asked == 0)
		return VIOLATION_UNASKED;
	if (length != asked * VERDICT_BYTES)
		return VIOLATION_LENGTH;
	for (size_t i = 0; i < asked; i++) {
		enum violation violation;

		verdict_decode(&answers[i], bytes + i * VERDICT_BYTES);
		if (answers[i].slot != batch[i].slot)
			return VIOLATION_SLOT;
		if (answers[i].generation != batch[i].generation)
			return VIOLATION_GENERATION;
		violation = check_outcome(&answers[i], names);
		if (violation != VIOLATION_NONE)
			return violation;
		/* Nothing more can come behind a FIN. */
		if (answers[i].outcome == OUTCOME_MORE &&
		    (batch[i].flags & HANDOVER_FINAL) != 0)
			return VIOLATION_OUTCOME;
	}
	return VIOLATION_NONE;
}
