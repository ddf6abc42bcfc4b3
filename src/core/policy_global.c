/*
 * What the policy says once: version, the parser's room, admission's numbers.
 */
#include "core/policy_parser.h"

enum {
	CONNECTIONS_MAX = 1000000,
	WORKERS_MAX = 64,
	TIMEOUT_LEAST_MS = 100,
	TIMEOUT_MOST_MS = 60 * 1000,
	RECYCLE_VERDICTS_MAX = 1000000000,
	RECYCLE_AGE_MAX_S = 24 * 60 * 60,
};

void
policy_set_globals(struct policy *policy)
{
	static const char user[] = "_tcpmuxd";

	policy->sessions = 512;
	policy->pending = 256;
	policy->pending_per_source = 8;
	policy->per_source = 32;
	policy_set_admission(policy);
	policy->parser_user.text = (struct text){ user, sizeof(user) - 1 };
	policy->parser_timeout_ms = 5000;
	policy->parser_workers = 1;
	policy->recycle_verdicts = 10000;
	policy->recycle_age_s = 60;
	policy->room = IMAGE_ROOM_FULL;
	policy_set_log(policy);
}

void
policy_take_version(
    struct policy_parser *parser, const struct policy_line *line)
{
	const struct word *version = &line->words[1];

	if (!policy_text_is(version->text, "1"))
		policy_complain(parser, version->place,
		    "policy version '%.*s' is not known: this tcpmuxd reads "
		    "version 1",
		    SHOWN(version->text));
}

void
policy_take_parser_user(
    struct policy_parser *parser, const struct policy_line *line)
{
	if (policy_account(parser, &line->words[1]))
		parser->policy->parser_user = line->words[1];
}

void
policy_take_parser_group(
    struct policy_parser *parser, const struct policy_line *line)
{
	if (policy_account(parser, &line->words[1]))
		parser->policy->parser_group = line->words[1];
}

void
policy_take_timeout(
    struct policy_parser *parser, const struct policy_line *line)
{
	policy_duration(parser, &line->words[1], TIMEOUT_LEAST_MS,
	    TIMEOUT_MOST_MS, &parser->policy->parser_timeout_ms);
}

void
policy_take_workers(
    struct policy_parser *parser, const struct policy_line *line)
{
	policy_number(parser, &line->words[1], 1, WORKERS_MAX,
	    &parser->policy->parser_workers);
}

void
policy_take_recycle(
    struct policy_parser *parser, const struct policy_line *line)
{
	policy_number(parser, &line->words[1], 1, RECYCLE_VERDICTS_MAX,
	    &parser->policy->recycle_verdicts);
	policy_seconds(parser, &line->words[2], 1, RECYCLE_AGE_MAX_S,
	    &parser->policy->recycle_age_s);
}

void
policy_take_room(struct policy_parser *parser, const struct policy_line *line)
{
	uint32_t room = 0;

	if (policy_choice(parser, &line->words[1], policy_room_words, &room))
		parser->policy->room = (enum image_room)room;
}

void
policy_take_program(
    struct policy_parser *parser, const struct policy_line *line)
{
	if (policy_path(parser, &line->words[1]))
		parser->policy->parser_program = line->words[1];
}

static void
take_connections(struct policy_parser *parser, const struct policy_line *line,
    uint32_t *number)
{
	policy_number(parser, &line->words[1], 1, CONNECTIONS_MAX, number);
}

void
policy_take_all_sessions(
    struct policy_parser *parser, const struct policy_line *line)
{
	take_connections(parser, line, &parser->policy->sessions);
}

void
policy_take_pending(
    struct policy_parser *parser, const struct policy_line *line)
{
	take_connections(parser, line, &parser->policy->pending);
}

void
policy_take_pending_per_source(
    struct policy_parser *parser, const struct policy_line *line)
{
	take_connections(parser, line, &parser->policy->pending_per_source);
}

void
policy_take_all_per_source(
    struct policy_parser *parser, const struct policy_line *line)
{
	take_connections(parser, line, &parser->policy->per_source);
}
