/*
 * A service: its names, what it inherits, what it must say, and how many may
 * use it how.
 * A name means one service, whatever its case, aliases included.
 */
#include "core/policy_parser.h"

#include <string.h>

enum {
	TEXT_MAX = 255, /* bytes of reply and summary */
	ALIASES_MAX = 64,
	SESSIONS_MAX = 1000000,
	KEEPALIVE_MAX_S = 9 * 60 * 60, /* TCP_KEEPIDLE takes 32767 s */
	LIFETIME_MAX_S = IMAGE_LIFETIME_MAX_S,
};

void
policy_set_defaults(struct policy_service *defaults)
{
	*defaults = (struct policy_service){ .umask = 077,
		.groups_kind = POLICY_GROUPS_NONE,
		.reply = IMAGE_REPLY_MUX,
		.stderr_to = IMAGE_STDERR_LOG,
		.leftovers = IMAGE_LEFTOVERS_KILL,
		.limits.set = 1u << IMAGE_RLIMIT_CORE, /* of 0 bytes */
		.sessions = 64,
		.keepalive_s = 600 };
}

uint32_t
policy_service_per_source(const struct policy_service *service)
{
	uint32_t eighth = service->sessions / 8;

	if (service->per_source != 0)
		return service->per_source;
	return eighth == 0 ? 1 : eighth;
}

void
policy_begin_service(
    struct policy_parser *parser, uint8_t block, const struct word *directive)
{
	struct policy *policy = parser->policy;

	parser->service = &parser->defaults;
	if (block == BLOCK_DEFAULTS)
		return;
	if (policy->service_count == parser->service_capacity) {
		parser->is_full = true;
		return;
	}
	parser->service = &policy->services[policy->service_count++];
	*parser->service = parser->defaults;
	parser->service->place = directive->place;
	parser->service->name =
	    (struct word){ .text = { "", 0 }, .place = directive->place };
}

static bool
allows_somebody(const struct policy_parser *parser)
{
	struct span rules = parser->service->rules;

	if ((parser->seen & ROW_ALLOW) != 0)
		return true;
	for (uint32_t i = 0; i < rules.count; i++)
		if (parser->policy->rules[rules.first + i].is_allow)
			return true;
	return false;
}

/* As far as is known: of a kind that lacks words, nothing is. */
static bool
is_program(const struct policy_parser *parser)
{
	const struct policy_service *service = parser->service;

	return (parser->seen & ROW_KIND) == 0 ||
	    (policy_starts_program(service) &&
		(service->exec.count > 0 || service->builtin.text.length > 0));
}

void
policy_end_service(struct policy_parser *parser)
{
	const struct policy_service *service = parser->service;
	struct place place = service->name.place;
	struct text name = service->name.text;

	if (parser->block != BLOCK_SERVICE)
		return;
	if ((parser->seen & ROW_KIND) == 0)
		policy_complain(parser, place,
		    "service '%.*s' does not say what it is: write 'exec "
		    "PATH ...', 'builtin NAME', 'pass PATH' or 'trap'",
		    SHOWN(name));
	policy_rows_check_kind(parser);
	if (service->builtin.text.length > 0)
		policy_strip_builtin(parser->service);
	policy_check_isolate(parser);
	policy_check_limits(parser);
	policy_check_confinement(parser);
	policy_check_filesystem(parser);
	if (is_program(parser) && (parser->seen & ROW_USER) == 0 &&
	    service->user.text.length == 0)
		policy_complain(parser, place,
		    "service '%.*s' has no 'user': say whom it runs as",
		    SHOWN(name));
	if (!allows_somebody(parser))
		policy_complain(parser, place,
		    "service '%.*s' has no 'allow': nobody could use it; "
		    "'allow any' has to be written out",
		    SHOWN(name));
}

/* Enters a name of the service that is being read. */
static bool
claim_name(struct policy_parser *parser, const struct word *name)
{
	const struct policy_entry *other =
	    policy_index_find(&parser->names, name->text);
	uint32_t service =
	    (uint32_t)(parser->service - parser->policy->services);

	if (other != NULL) {
		policy_complain(parser, name->place,
		    "the name '%.*s' is taken: %s (case does not count)",
		    SHOWN(name->text),
		    policy_where(parser, other->place, name->place));
		return false;
	}
	if (!policy_index_add(&parser->names, name->text, name->place, service))
		parser->is_full = true;
	return !parser->is_full;
}

void
policy_take_service(
    struct policy_parser *parser, const struct policy_line *line)
{
	struct policy_service *service = parser->service;
	struct word name = line->words[1];

	service->name = name;
	if (policy_service_name(parser, &line->words[1], &name)) {
		service->name = name;
		claim_name(parser, &name);
	}
	if (line->count == 2)
		return;
	if (policy_text_is(line->words[2].text, "disabled")) {
		service->is_disabled = true;
		return;
	}

	struct suggestion nearest = { NULL, 0 };

	suggest_consider(&nearest, line->words[2].text, "disabled");
	policy_complain_nearest(parser, line->words[2].place, &nearest,
	    "'%.*s' does not belong here: write 'service NAME [disabled] {'",
	    SHOWN(line->words[2].text));
}

void
policy_take_alias(struct policy_parser *parser, const struct policy_line *line)
{
	struct policy *policy = parser->policy;
	struct span *aliases = &parser->service->aliases;
	uint32_t stored = line->is_first ? 0 : aliases->count;

	if (!policy_store_words(parser, aliases, line, ALIASES_MAX))
		return;
	for (uint32_t i = 1; i < line->count; i++) {
		struct word *alias =
		    &policy->words[aliases->first + stored + i - 1];

		if (policy_service_name(parser, &line->words[i], alias))
			claim_name(parser, alias);
	}
}

static bool
is_printable(struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		if (text.bytes[i] < 0x20 || text.bytes[i] > 0x7e)
			return false;
	return true;
}

static bool
is_short(struct policy_parser *parser, const struct word *word)
{
	if (word->text.length <= TEXT_MAX)
		return true;
	policy_complain(parser, word->place,
	    "this text is longer than %u bytes", (unsigned)TEXT_MAX);
	return false;
}

void
policy_take_reply(struct policy_parser *parser, const struct policy_line *line)
{
	struct policy_service *service = parser->service;
	uint32_t reply = 0;

	if (!policy_choice(parser, &line->words[1], policy_reply_words, &reply))
		return;
	service->reply = (enum image_reply)reply;
	service->reply_text = (struct text){ NULL, 0 };
	if (line->count == 2)
		return;
	if (reply != IMAGE_REPLY_MUX) {
		policy_complain(parser, line->words[2].place,
		    "'reply service' takes no text: the service writes it "
		    "itself");
	} else if (!is_printable(line->words[2].text)) {
		policy_complain(parser, line->words[2].place,
		    "the reply goes to the client as it is: printable ASCII "
		    "only");
	} else if (is_short(parser, &line->words[2])) {
		service->reply_text = line->words[2].text;
	}
}

void
policy_take_summary(
    struct policy_parser *parser, const struct policy_line *line)
{
	const struct word *word = &line->words[1];

	/* No other control comes through the lexer. */
	if (word->text.length > 0 &&
	    memchr(word->text.bytes, '\t', word->text.length) != NULL)
		policy_complain(parser, word->place,
		    "a summary has no tabs: it is read in one line with "
		    "others");
	else if (is_short(parser, word))
		parser->service->summary = word->text;
}

void
policy_take_unlisted(
    struct policy_parser *parser, const struct policy_line *line)
{
	(void)line;
	parser->service->is_unlisted = true;
}

void
policy_take_sessions(
    struct policy_parser *parser, const struct policy_line *line)
{
	policy_number(parser, &line->words[1], 1, SESSIONS_MAX,
	    &parser->service->sessions);
}

void
policy_take_per_source(
    struct policy_parser *parser, const struct policy_line *line)
{
	policy_number(parser, &line->words[1], 1, SESSIONS_MAX,
	    &parser->service->per_source);
}

void
policy_take_rate(struct policy_parser *parser, const struct policy_line *line)
{
	policy_rate(parser, line, &parser->service->rate);
}

void
policy_take_source_rate(
    struct policy_parser *parser, const struct policy_line *line)
{
	policy_rate(parser, line, &parser->service->source_rate);
}

void
policy_take_trap(struct policy_parser *parser, const struct policy_line *line)
{
	(void)line;
	parser->service->kind = IMAGE_KIND_TRAP;
}

static void
take_seconds(struct policy_parser *parser, const struct word *word,
    uint32_t most_s, uint32_t *seconds)
{
	if (policy_text_is(word->text, "off"))
		*seconds = 0;
	else
		policy_seconds(parser, word, 1, most_s, seconds);
}

void
policy_take_keepalive(
    struct policy_parser *parser, const struct policy_line *line)
{
	take_seconds(parser, &line->words[1], KEEPALIVE_MAX_S,
	    &parser->service->keepalive_s);
}

void
policy_take_lifetime(
    struct policy_parser *parser, const struct policy_line *line)
{
	take_seconds(parser, &line->words[1], LIFETIME_MAX_S,
	    &parser->service->lifetime_s);
}

void
policy_take_idle(struct policy_parser *parser, const struct policy_line *line)
{
	take_seconds(
	    parser, &line->words[1], LIFETIME_MAX_S, &parser->service->idle_s);
	parser->service->idle_place = line->words[0].place;
}

void
policy_take_leftovers(
    struct policy_parser *parser, const struct policy_line *line)
{
	uint32_t leftovers = 0;

	if (policy_choice(
		parser, &line->words[1], policy_leftovers_words, &leftovers))
		parser->service->leftovers = (enum image_leftovers)leftovers;
}
