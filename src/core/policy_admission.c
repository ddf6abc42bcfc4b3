/*
 * What admission remembers of a source: how often it may come, what it is
 * penalised for, and what counts as one source.
 * Trusts nothing; a value out of range is refused with the range.
 */
#include "core/policy_parser.h"

enum {
	SOURCES_MAX = 1000000,
	V4_LEAST = 8,
	V4_MOST = 32,
	V6_LEAST = 16,
	V6_MOST = 128,
	PENALTY_MOST_MS = 24 * 60 * 60 * 1000,
	CLAIM_MOST_MS = 60 * 1000, /* of what only a parser says */
};

void
policy_set_admission(struct policy *policy)
{
	policy->count_by_v4 = 32;
	policy->count_by_v6 = 64;
	policy->rate = (struct rate){ 60, 60000, 30 };
	policy->sources = 65536;
	policy->penalties_ms[IMAGE_PENALTY_MALFORMED] = 5000;
	policy->penalties_ms[IMAGE_PENALTY_UNKNOWN] = 2000;
	policy->penalties_ms[IMAGE_PENALTY_DENIED] = 2000;
	policy->penalties_ms[IMAGE_PENALTY_TIMEOUT] = 10000;
	policy->penalties_ms[IMAGE_PENALTY_CRASH] = 90000;
	policy->penalties_ms[IMAGE_PENALTY_TRAP] = 600000;
	policy->penalty_threshold_ms = 15000;
	policy->penalty_max_ms = 600000;
}

/* /BITS */
static bool
read_bits(struct policy_parser *parser, const struct word *word,
    const char *family, uint32_t least, uint32_t most, uint32_t *bits)
{
	uint32_t value = 0;
	bool is_number = word->text.length > 1 && word->text.length < 5 &&
	    word->text.bytes[0] == '/' && word->text.bytes[1] != '0';

	for (size_t i = 1; i < word->text.length && is_number; i++) {
		char digit = word->text.bytes[i];

		is_number = digit >= '0' && digit <= '9';
		value = value * 10 + (uint32_t)(digit - '0');
	}
	if (!is_number || value < least || value > most) {
		policy_complain(parser, word->place,
		    "'%.*s' is not a length of %s from /%u to /%u",
		    SHOWN(word->text), family, least, most);
		return false;
	}
	*bits = value;
	return true;
}

void
policy_take_count_by(
    struct policy_parser *parser, const struct policy_line *line)
{
	struct policy *policy = parser->policy;

	read_bits(parser, &line->words[1], "IPv4", V4_LEAST, V4_MOST,
	    &policy->count_by_v4);
	read_bits(parser, &line->words[2], "IPv6", V6_LEAST, V6_MOST,
	    &policy->count_by_v6);
}

void
policy_take_all_rate(
    struct policy_parser *parser, const struct policy_line *line)
{
	policy_rate(parser, line, &parser->policy->rate);
}

void
policy_take_sources(
    struct policy_parser *parser, const struct policy_line *line)
{
	policy_number(
	    parser, &line->words[1], 1, SOURCES_MAX, &parser->policy->sources);
}

void
policy_take_penalty(
    struct policy_parser *parser, const struct policy_line *line)
{
	uint32_t kind = 0;
	uint32_t most_ms = PENALTY_MOST_MS;

	if (!policy_choice(
		parser, &line->words[1], policy_penalty_words, &kind))
		return;
	if (parser->penalties[kind].line != 0) {
		policy_complain(parser, line->words[1].place,
		    "'penalty %s' is given twice: the first is in line %u",
		    policy_penalty_words[kind], parser->penalties[kind].line);
		return;
	}
	parser->penalties[kind] = line->words[1].place;
	if (kind == IMAGE_PENALTY_MALFORMED || kind == IMAGE_PENALTY_UNKNOWN)
		most_ms = CLAIM_MOST_MS;
	policy_duration(parser, &line->words[2], 0, most_ms,
	    &parser->policy->penalties_ms[kind]);
}

/* Whether the code is in the list of the service already. */
static bool
has_code(struct policy_parser *parser, const struct word *word, uint32_t code)
{
	struct span list = parser->service->exits;

	for (uint32_t i = 0; i < list.count; i++) {
		const struct policy_exit *other =
		    &parser->policy->exits[list.first + i];

		if (other->code != code)
			continue;
		policy_complain(parser, word->place,
		    "'penalty exit %u' is given twice: the first is in line %u",
		    code, other->place.line);
		return true;
	}
	return false;
}

static void
add_code(struct policy_parser *parser, const struct word *word, uint32_t ms)
{
	struct policy *policy = parser->policy;
	struct span *list = &parser->service->exits;
	uint32_t code = 0;

	if (!policy_number(parser, word, 1, UINT8_MAX, &code) ||
	    has_code(parser, word, code))
		return;
	if (list->count == IMAGE_EXITS_MAX) {
		policy_complain(parser, word->place, "more than %u exit codes",
		    IMAGE_EXITS_MAX);
		return;
	}
	if (policy->exit_count == parser->exit_capacity) {
		parser->is_full = true;
		return;
	}
	policy->exits[policy->exit_count++] = (struct policy_exit){
		.code = (uint8_t)code, .penalty_ms = ms, .place = word->place
	};
	list->count++;
}

void
policy_take_exit_penalty(
    struct policy_parser *parser, const struct policy_line *line)
{
	const struct word *words = line->words;
	uint32_t last = line->count - 1;
	uint32_t ms = 0;

	/* the first of its own replaces what the service inherited */
	if (line->is_first)
		parser->service->exits =
		    (struct span){ .first = parser->policy->exit_count };
	if (!policy_text_is(words[1].text, "exit")) {
		policy_complain(parser, words[1].place,
		    "'%.*s' does not belong here: write 'penalty exit CODE ... "
		    "DURATION'",
		    SHOWN(words[1].text));
		return;
	}
	policy_duration(parser, &words[last], 0, PENALTY_MOST_MS, &ms);
	for (uint32_t i = 2; i < last; i++)
		add_code(parser, &words[i], ms);
}

static void
take_bound(struct policy_parser *parser, const struct policy_line *line,
    uint32_t *bound_ms)
{
	if (parser->penalty_bounds.line == 0)
		parser->penalty_bounds = line->words[0].place;
	policy_duration(
	    parser, &line->words[1], 1000, PENALTY_MOST_MS, bound_ms);
}

void
policy_take_penalty_threshold(
    struct policy_parser *parser, const struct policy_line *line)
{
	take_bound(parser, line, &parser->policy->penalty_threshold_ms);
}

void
policy_take_penalty_max(
    struct policy_parser *parser, const struct policy_line *line)
{
	take_bound(parser, line, &parser->policy->penalty_max_ms);
}

void
policy_take_drop_in_kernel(
    struct policy_parser *parser, const struct policy_line *line)
{
	static const char *const choices[] = { "off", "on", NULL };
	uint32_t choice = 0;

	if (policy_choice(parser, &line->words[1], choices, &choice))
		parser->policy->drops_in_kernel = choice == 1;
}

void
policy_finish_admission(struct policy_parser *parser)
{
	const struct policy *policy = parser->policy;

	if (parser->penalty_bounds.line != 0 &&
	    policy->penalty_max_ms <= policy->penalty_threshold_ms)
		policy_complain(parser, parser->penalty_bounds,
		    "'penalty-max' has to be more than 'penalty-threshold': "
		    "nobody would ever be shut out");
}
