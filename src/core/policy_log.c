/*
 * The log: where it goes, what it looks like, and what is kept out of it.
 * Trusts nothing; a value out of range is refused with the range.
 */
#include "core/policy_parser.h"

void
policy_set_log(struct policy *policy)
{
	policy->log_sink = IMAGE_LOG_STDERR;
	policy->log_format = IMAGE_LOG_LOGFMT;
	policy->log_addresses = IMAGE_ADDRESSES_FULL;
	policy->log_limit = (struct rate){ 200, 1000, 1000 };
}

void
policy_take_log_to(struct policy_parser *parser, const struct policy_line *line)
{
	static const char *const facilities[] = { "daemon", "auth", "authpriv",
		"cron", "ftp", "lpr", "mail", "news", "user", "uucp", "local0",
		"local1", "local2", "local3", "local4", "local5", "local6",
		"local7", NULL };
	uint32_t sink = 0, facility;

	if (!policy_choice(parser, &line->words[1], policy_sink_words, &sink))
		return;
	parser->policy->log_sink = (enum image_log_sink)sink;
	if (line->count == 2)
		return;
	if (sink != IMAGE_LOG_SYSLOG)
		policy_complain(parser, line->words[2].place,
		    "only 'to syslog' takes a facility");
	else if (policy_choice(parser, &line->words[2], facilities, &facility))
		parser->policy->log_facility = line->words[2];
}

void
policy_take_log_format(
    struct policy_parser *parser, const struct policy_line *line)
{
	uint32_t format = 0;

	if (policy_choice(
		parser, &line->words[1], policy_format_words, &format))
		parser->policy->log_format = (enum image_log_format)format;
}

void
policy_take_log_addresses(
    struct policy_parser *parser, const struct policy_line *line)
{
	uint32_t addresses = 0;

	if (policy_choice(
		parser, &line->words[1], policy_addresses_words, &addresses))
		parser->policy->log_addresses = (enum image_addresses)addresses;
}

void
policy_take_log_limit(
    struct policy_parser *parser, const struct policy_line *line)
{
	bool is_off = policy_text_is(line->words[1].text, "off");

	if (is_off && line->count == 2)
		parser->policy->log_limit = (struct rate){ .tokens = 0 };
	else if (line->count == 4)
		policy_rate(parser, line, &parser->policy->log_limit);
	else
		policy_complain(parser, line->words[1].place,
		    "'%.*s' does not belong here: write 'limit 200/s burst "
		    "1000' or 'limit off'",
		    SHOWN(line->words[1].text));
}

void
policy_take_log(struct policy_parser *parser, const struct policy_line *line)
{
	uint32_t logged = 0;

	if (policy_choice(
		parser, &line->words[1], policy_logged_words, &logged))
		parser->service->logged = (enum image_logged)logged;
}
