/*
 * What the policy says once: version, listeners, the parser's room,
 * admission's numbers.
 */
#include "core/policy_parser.h"

#include <string.h>

enum {
	LISTENS_MAX = 256,
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

static bool
read_listen_address(
    struct policy_parser *parser, const struct word *word, struct addr *addr)
{
	static const char any[] = "0.0.0.0";

	if (policy_text_is(word->text, "*"))
		return addr_parse(addr, any, sizeof(any) - 1);
	if (addr_parse(addr, word->text.bytes, word->text.length))
		return true;
	policy_complain(parser, word->place,
	    "'%.*s' is not an address: write an IPv4 or IPv6 address, * for "
	    "all of IPv4 or :: for all of IPv6",
	    SHOWN(word->text));
	return false;
}

/* The words behind the address; only `port N` is in this version. */
static bool
read_listen_options(struct policy_parser *parser,
    const struct policy_line *line, struct addr *addr)
{
	static const char *const later[] = { "name", "interface", "freebind",
		"backlog", "lenient-lf" };
	struct suggestion nearest = { NULL, 0 };
	const struct word *option = &line->words[2];
	uint32_t port = 1;

	addr->port = 1;
	if (line->count == 2)
		return true;
	if (policy_text_is(option->text, "port") && line->count == 4) {
		if (!policy_number(
			parser, &line->words[3], 1, UINT16_MAX, &port))
			return false;
		addr->port = (uint16_t)port;
		return true;
	}
	if (policy_text_is(option->text, "port") && line->count == 3) {
		policy_complain(parser, option->place,
		    "'port' lacks its number: write 'listen ADDRESS [port "
		    "N]'");
		return false;
	}
	if (policy_text_is(option->text, "port"))
		option = &line->words[4];
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		if (policy_text_is(option->text, later[i])) {
			policy_complain(parser, option->place,
			    "'listen ... %s' is not in this version of "
			    "tcpmuxd",
			    later[i]);
			return false;
		}
	}
	suggest_consider(&nearest, option->text, "port");
	policy_complain_nearest(parser, option->place, &nearest,
	    "'%.*s' does not belong here: write 'listen ADDRESS [port N]'",
	    SHOWN(option->text));
	return false;
}

static bool
is_listened_to(struct policy_parser *parser, const struct policy_line *line,
    const struct addr *addr)
{
	const struct policy *policy = parser->policy;

	for (uint32_t i = 0; i < policy->listen_count; i++) {
		const struct policy_listen *other = &policy->listens[i];

		if (other->addr.family != addr->family ||
		    other->addr.port != addr->port ||
		    memcmp(other->addr.bytes, addr->bytes,
			sizeof(addr->bytes)) != 0)
			continue;
		policy_complain(parser, line->words[0].place,
		    "this address and port are listened on already: line %u",
		    other->place.line);
		return true;
	}
	return false;
}

void
policy_take_listen(struct policy_parser *parser, const struct policy_line *line)
{
	struct policy *policy = parser->policy;
	struct addr addr = { .family = ADDR_NONE };
	bool is_read = read_listen_address(parser, &line->words[1], &addr);

	if (!read_listen_options(parser, line, &addr) || !is_read)
		return;
	if (policy->listen_count == LISTENS_MAX) {
		policy_complain(parser, line->words[0].place,
		    "more than %u listeners", (unsigned)LISTENS_MAX);
		return;
	}
	if (is_listened_to(parser, line, &addr))
		return;
	if (policy->listen_count == parser->listen_capacity) {
		parser->is_full = true;
		return;
	}
	policy->listens[policy->listen_count++] =
	    (struct policy_listen){ .addr = addr,
		    .place = line->words[0].place };
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
