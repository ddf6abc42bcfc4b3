#ifndef EVIL_PARSER_LIES_H
#define EVIL_PARSER_LIES_H

/*
 * Lies that look like answers, for whoever tells them (liar, rider): each is
 * told of every client of whose kind it can be told.
 */
#include "evil.h"

static struct evil evil;

static void
forge_slot(struct verdict *answer)
{
	answer->slot++;
}

static void
forge_far_slot(struct verdict *answer)
{
	answer->slot = UINT32_MAX;
}

static void
forge_generation(struct verdict *answer)
{
	answer->generation++;
}

static void
old_generation(struct verdict *answer)
{
	answer->generation--;
}

static void
no_generation(struct verdict *answer)
{
	answer->generation = 0;
}

static void
no_outcome(struct verdict *answer)
{
	answer->outcome = 0;
}

static void
unknown_outcome(struct verdict *answer)
{
	answer->outcome = OUTCOME_CLOSED + 1;
}

static void
claim_name(struct verdict *answer, uint32_t index)
{
	size_t length;

	(void)names_get(&evil.names, index, &length);
	answer->outcome = OUTCOME_NAME;
	answer->name = index;
	answer->length = (uint16_t)(length + 2);
	memset(answer->claimed, 0, sizeof(answer->claimed));
}

/* Another service than the one that was asked for. */
static void
other_name(struct verdict *answer)
{
	if (answer->outcome == OUTCOME_NAME)
		claim_name(answer, (answer->name + 1) % evil.names.count);
}

static uint32_t
index_of(const char *name)
{
	return (uint32_t)names_find(
	    &evil.names, (const uint8_t *)name, strlen(name));
}

static bool
is_closed(const struct verdict *answer)
{
	return answer->outcome == OUTCOME_NAME &&
	    (answer->name == index_of("denied") ||
		answer->name == index_of("disabled") ||
		answer->name == index_of("hours"));
}

/* One that is open, for who asked for one that is not. */
static void
open_for_closed(struct verdict *answer)
{
	if (is_closed(answer))
		claim_name(answer, index_of("good"));
}

static void
closed_for_open(struct verdict *answer)
{
	if (answer->outcome == OUTCOME_NAME && !is_closed(answer))
		claim_name(answer, index_of("denied"));
}

/* A service for who asked for none there is. */
static void
name_for_unknown(struct verdict *answer)
{
	if (answer->outcome == OUTCOME_UNKNOWN)
		claim_name(answer, 0);
}

static void
name_for_help(struct verdict *answer)
{
	if (answer->outcome == OUTCOME_HELP)
		claim_name(answer, 0);
}

static void
name_for_malformed(struct verdict *answer)
{
	if (answer->outcome == OUTCOME_MALFORMED)
		claim_name(answer, 0);
}

/* A line that ends with LF alone is one only where its listener says so. */
static void
name_for_bare_lf(struct verdict *answer)
{
	if (answer->outcome != OUTCOME_MALFORMED)
		return;
	claim_name(answer, 0);
	answer->length--;
}

static void
help_for_bare_lf(struct verdict *answer)
{
	if (answer->outcome != OUTCOME_MALFORMED)
		return;
	answer->outcome = OUTCOME_HELP;
	answer->length = sizeof("help\n") - 1;
}

/* Half a line is none, even if it is going to be this one. */
static void
name_for_half(struct verdict *answer)
{
	if (answer->outcome == OUTCOME_MORE)
		claim_name(answer, index_of("good"));
}

static void
help_for_name(struct verdict *answer)
{
	if (answer->outcome != OUTCOME_NAME)
		return;
	answer->outcome = OUTCOME_HELP;
	answer->name = VERDICT_NO_NAME;
	answer->length = 6;
}

static void
add_length(struct verdict *answer, int more)
{
	if (answer->outcome == OUTCOME_NAME)
		answer->length = (uint16_t)(answer->length + more);
}

static void
long_line(struct verdict *answer)
{
	add_length(answer, 1);
}

static void
short_line(struct verdict *answer)
{
	add_length(answer, -1);
}

/* So that what the client sent behind its line would be thrown away. */
static void
longest_line(struct verdict *answer)
{
	if (answer->outcome == OUTCOME_NAME)
		answer->length = LINE_MAX_BYTES;
}

static void
huge_line(struct verdict *answer)
{
	if (answer->outcome == OUTCOME_NAME)
		answer->length = UINT16_MAX;
}

static void
no_line(struct verdict *answer)
{
	if (answer->outcome == OUTCOME_NAME)
		answer->length = 0;
}

/* Not even a name of one byte has such a line. */
static void
one_byte_line(struct verdict *answer)
{
	if (answer->outcome == OUTCOME_NAME)
		answer->length = 1;
}

static void
index_past_end(struct verdict *answer)
{
	if (answer->outcome == OUTCOME_NAME)
		answer->name = evil.names.count;
}

static void
index_none(struct verdict *answer)
{
	if (answer->outcome == OUTCOME_NAME)
		answer->name = VERDICT_NO_NAME;
}

static void
index_for_unknown(struct verdict *answer)
{
	if (answer->outcome == OUTCOME_UNKNOWN)
		answer->name = 0;
}

static void
claim_garbage(struct verdict *answer)
{
	if (answer->outcome == OUTCOME_UNKNOWN)
		memcpy(answer->claimed, "\x08x\n\"\x1b[2J\x80", 9);
}

static void
claim_nothing(struct verdict *answer)
{
	if (answer->outcome == OUTCOME_UNKNOWN)
		answer->claimed[0] = 0;
}

/* Would be read past the end of the answer, and of the message. */
static void
claim_too_much(struct verdict *answer)
{
	if (answer->outcome != OUTCOME_UNKNOWN)
		return;
	memset(answer->claimed, 'x', sizeof(answer->claimed));
	answer->claimed[0] = 255;
}

static void
claim_with_name(struct verdict *answer)
{
	if (answer->outcome == OUTCOME_NAME)
		memcpy(answer->claimed, "\x01x", 2);
}

static void
more_than_a_line(struct verdict *answer)
{
	answer->outcome = OUTCOME_MORE;
	answer->name = VERDICT_NO_NAME;
	answer->length = LINE_MAX_BYTES;
	memset(answer->claimed, 0, sizeof(answer->claimed));
}

/*
 * What follows nobody can find out: it is what a parser says, each day, of
 * who really is like that.
 */
static void
say(struct verdict *answer, enum outcome outcome, uint16_t length)
{
	answer->outcome = (uint8_t)outcome;
	answer->name = VERDICT_NO_NAME;
	answer->length = length;
	memset(answer->claimed, 0, sizeof(answer->claimed));
}

static void
say_unknown(struct verdict *answer)
{
	say(answer, OUTCOME_UNKNOWN, 3);
	memcpy(answer->claimed, "\x01x", 2);
}

static void
say_malformed(struct verdict *answer)
{
	say(answer, OUTCOME_MALFORMED, 0);
}

static void
say_closed(struct verdict *answer)
{
	say(answer, OUTCOME_CLOSED, 0);
}

/* As if nothing had come. */
static void
say_nothing_came(struct verdict *answer)
{
	say(answer, OUTCOME_MORE, 0);
}

/* As if all of it had been looked at, and were half a line. */
static void
say_more(struct verdict *answer)
{
	say(answer, OUTCOME_MORE, LINE_MAX_BYTES - 1);
}

static const struct {
	const char *how;
	void (*twist)(struct verdict *answer);
} lies[] = {
	{ "slot", forge_slot },
	{ "far-slot", forge_far_slot },
	{ "generation", forge_generation },
	{ "old-generation", old_generation },
	{ "no-generation", no_generation },
	{ "no-outcome", no_outcome },
	{ "unknown-outcome", unknown_outcome },
	{ "other-name", other_name },
	{ "open-for-closed", open_for_closed },
	{ "closed-for-open", closed_for_open },
	{ "name-for-unknown", name_for_unknown },
	{ "name-for-help", name_for_help },
	{ "name-for-malformed", name_for_malformed },
	{ "name-for-bare-lf", name_for_bare_lf },
	{ "help-for-bare-lf", help_for_bare_lf },
	{ "name-for-half", name_for_half },
	{ "help-for-name", help_for_name },
	{ "long-line", long_line },
	{ "short-line", short_line },
	{ "longest-line", longest_line },
	{ "huge-line", huge_line },
	{ "no-line", no_line },
	{ "one-byte-line", one_byte_line },
	{ "index-past-end", index_past_end },
	{ "index-none", index_none },
	{ "index-for-unknown", index_for_unknown },
	{ "claim-garbage", claim_garbage },
	{ "claim-nothing", claim_nothing },
	{ "claim-too-much", claim_too_much },
	{ "claim-with-name", claim_with_name },
	{ "more-than-a-line", more_than_a_line },
	{ "say-unknown", say_unknown },
	{ "say-malformed", say_malformed },
	{ "say-closed", say_closed },
	{ "say-nothing-came", say_nothing_came },
	{ "say-more", say_more },
};

/* False: it is no lie's name. */
static inline bool
lies_tell(const char *how, struct verdict *answers, size_t count)
{
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		if (strcmp(lies[i].how, how) != 0)
			continue;
		for (size_t j = 0; j < count; j++)
			lies[i].twist(&answers[j]);
		return true;
	}
	return false;
}

#endif
