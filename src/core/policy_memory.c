/*
 * The arrays of a parse. A first look through the texts counts what each has
 * to hold at most, so that each is made once, in its final place.
 */
#include "core/policy_parser.h"

#include <string.h>

void *
policy_take(struct policy_parser *parser, size_t count, size_t size)
{
	void *taken = arena_take(parser->arena, count, size);

	if (taken == NULL)
		parser->is_full = true;
	return taken;
}

/* What is in the texts at most, so that every array is made once. */
struct tally {
	uint32_t words, longest; /* to be kept; all of one line */
	uint32_t services, names, nets, members, listens, rules, exempts;
	uint32_t hours, ons, exits, grants;
};

static void
tally_line(struct tally *tally, struct text directive, uint32_t words)
{
	uint32_t more = words - 1; /* behind the directive */

	if (words > tally->longest)
		tally->longest = words;
	if (policy_text_is(directive, "service")) {
		tally->services++;
		tally->names++;
	} else if (policy_text_is(directive, "alias")) {
		tally->names += more;
		tally->words += more;
	} else if (policy_text_is(directive, "net")) {
		tally->nets++;
		tally->members += more;
		tally->words++; /* a file's path */
	} else if (policy_text_is(directive, "listen")) {
		tally->listens++;
	} else if (policy_text_is(directive, "allow") ||
	    policy_text_is(directive, "deny")) {
		tally->rules += more;
	} else if (policy_text_is(directive, "exempt")) {
		tally->rules += more;
		tally->exempts += more;
	} else if (policy_text_is(directive, "hours")) {
		tally->hours++;
	} else if (policy_text_is(directive, "penalty")) {
		tally->exits += words;
	} else if (policy_text_is(directive, "filesystem")) {
		tally->grants += more;
	} else if (policy_text_is(directive, "on")) {
		tally->ons += more;
		tally->words += more;
	} else if (more > 1) {
		/* One word alone is a value; reserve_words helps lists. */
		tally->words += more;
	}
}

/* No escape can stand for a letter, so escaped words need not be undone. */
static void
tally_text(struct tally *tally, struct text text)
{
	struct text directive = { NULL, 0 };
	uint32_t words = 0;
	struct lex lex;

	lex_init(&lex, text, 0);
	for (;;) {
		struct lex_token token = lex_next(&lex);

		switch (token.kind) {
		case LEX_WORD:
			if (words++ == 0)
				directive = token.text;
			continue;
		case LEX_OPEN:
		case LEX_CLOSE:
			continue;
		case LEX_BAD:
			lex_skip_line(&lex);
			continue;
		case LEX_LINE_END:
		case LEX_END:
			if (words > 0)
				tally_line(tally, directive, words);
			words = 0;
		}
		if (token.kind == LEX_END)
			return;
	}
}

void
policy_make_arrays(struct policy_parser *parser)
{
	struct tally tally = { .longest = 1 };
	struct policy *policy = parser->policy;

	for (uint32_t i = 0; i < parser->text_count; i++)
		tally_text(&tally, parser->texts[i].text);
	parser->words = policy_take(parser, tally.longest, sizeof(struct word));
	parser->word_capacity = tally.longest;
	policy->words = policy_take(parser, tally.words, sizeof(struct word));
	parser->stored_capacity = tally.words;
	policy->services =
	    policy_take(parser, tally.services, sizeof(*policy->services));
	parser->service_capacity = tally.services;
	policy->nets = policy_take(parser, tally.nets, sizeof(*policy->nets));
	parser->net_capacity = tally.nets;
	policy->matches =
	    policy_take(parser, tally.members, sizeof(*policy->matches));
	parser->members =
	    policy_take(parser, tally.members, sizeof(*parser->members));
	parser->member_capacity = tally.members;
	policy->listens =
	    policy_take(parser, tally.listens, sizeof(*policy->listens));
	parser->listen_capacity = tally.listens;
	policy->rules =
	    policy_take(parser, tally.rules, sizeof(*policy->rules));
	parser->rule_nets =
	    policy_take(parser, tally.rules, sizeof(*parser->rule_nets));
	parser->rule_capacity = tally.rules;
	parser->exempts =
	    policy_take(parser, tally.exempts, sizeof(*parser->exempts));
	parser->exempt_nets =
	    policy_take(parser, tally.exempts, sizeof(*parser->exempt_nets));
	parser->exempt_capacity = tally.exempts;
	policy->hours =
	    policy_take(parser, tally.hours, sizeof(*policy->hours));
	parser->hours_capacity = tally.hours;
	policy->exits =
	    policy_take(parser, tally.exits, sizeof(*policy->exits));
	parser->exit_capacity = tally.exits;
	policy->grants =
	    policy_take(parser, tally.grants, sizeof(*policy->grants));
	parser->grant_capacity = tally.grants;
	parser->ons = policy_take(parser, tally.ons, sizeof(*parser->ons));
	parser->on_capacity = tally.ons;
	if (!policy_index_init(&parser->names, parser->arena, tally.names) ||
	    !policy_index_init(&parser->nets, parser->arena, tally.nets))
		parser->is_full = true;
}

/* Room for `more` stored words; lists that alternate may need copies. */
static bool
reserve_words(struct policy_parser *parser, uint32_t more)
{
	struct policy *policy = parser->policy;
	uint32_t capacity = parser->stored_capacity;
	struct word *words;

	if (more <= capacity - policy->word_count)
		return true;
	capacity = capacity * 2 + more;
	words = policy_take(parser, capacity, sizeof(*words));
	if (words == NULL)
		return false;
	memcpy(words, policy->words, policy->word_count * sizeof(*words));
	policy->words = words;
	parser->stored_capacity = capacity;
	return true;
}

bool
policy_store_word(
    struct policy_parser *parser, const struct word *word, uint32_t *index)
{
	struct policy *policy = parser->policy;

	if (!reserve_words(parser, 1))
		return false;
	*index = policy->word_count++;
	policy->words[*index] = *word;
	return true;
}

bool
policy_store_words(struct policy_parser *parser, struct span *list,
    const struct policy_line *line, uint32_t most)
{
	struct policy *policy = parser->policy;
	uint32_t count = line->count - 1;

	if (line->is_first)
		*list = (struct span){ .first = policy->word_count };
	if (count > most - list->count) {
		policy_complain(parser, line->words[0].place,
		    "'%.*s' is given more than %u words",
		    SHOWN(line->words[0].text), most);
		return false;
	}
	if (!reserve_words(parser, count + list->count))
		return false;
	if (list->first + list->count != policy->word_count) {
		memcpy(policy->words + policy->word_count,
		    policy->words + list->first,
		    list->count * sizeof(*policy->words));
		list->first = policy->word_count;
		policy->word_count += list->count;
	}
	memcpy(policy->words + policy->word_count, line->words + 1,
	    count * sizeof(*policy->words));
	policy->word_count += count;
	list->count += count;
	return true;
}
