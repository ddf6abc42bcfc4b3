/*
 * Where to listen, and which services are on which listener.
 * Trusts nothing; each option stands in any order, and once.
 * Never asks the machine for an address or an interface.
 */
#include "core/policy_parser.h"

#include <string.h>

enum { BACKLOG_DEFAULT = 4096 };

#define LISTEN_USAGE \
	"listen ADDRESS [port N] [name L] [interface IF] [freebind] " \
	"[backlog N] [lenient-lf]"

/* What may stand behind the address; take returns false if it complained. */
struct listen_option {
	const char *word;
	const char *value; /* what follows it, for people; NULL: nothing */
	bool (*take)(struct policy_parser *parser, const struct word *value,
	    struct policy_listen *listen);
};

static bool
take_port(struct policy_parser *parser, const struct word *value,
    struct policy_listen *listen)
{
	uint32_t port = 0;

	if (!policy_number(parser, value, 1, UINT16_MAX, &port))
		return false;
	listen->addr.port = (uint16_t)port;
	return true;
}

/* A copy with a NUL behind it, to be suggested. */
static struct text
keep(struct policy_parser *parser, struct text text)
{
	char *kept = policy_take(parser, text.length + 1, 1);

	if (kept == NULL)
		return text;
	memcpy(kept, text.bytes, text.length);
	kept[text.length] = '\0';
	return (struct text){ kept, text.length };
}

static bool
take_name(struct policy_parser *parser, const struct word *value,
    struct policy_listen *listen)
{
	if (policy_is_label(value->text)) {
		listen->name = keep(parser, value->text);
		return true;
	}
	policy_complain(parser, value->place,
	    "'%.*s' is not the name of a listener: 1 to %u letters, digits, "
	    "'-', '_' and '.'",
	    SHOWN(value->text), (unsigned)POLICY_LABEL_MAX);
	return false;
}

static bool
take_interface(struct policy_parser *parser, const struct word *value,
    struct policy_listen *listen)
{
	listen->interface = value->text;
	if (!zone_is_interface(value->text)) {
		policy_complain(parser, value->place,
		    "'%.*s' is not the name of an interface",
		    SHOWN(value->text));
		return false;
	}
	if (listen->zone.text.length == 0)
		return true;
	policy_complain(parser, value->place,
	    "the interface is given already: '%.*s' behind the address",
	    SHOWN(listen->zone.text));
	return false;
}

static bool
take_freebind(struct policy_parser *parser, const struct word *value,
    struct policy_listen *listen)
{
	(void)parser;
	(void)value;
	listen->is_freebind = true;
	return true;
}

static bool
take_backlog(struct policy_parser *parser, const struct word *value,
    struct policy_listen *listen)
{
	return policy_number(parser, value, 1, UINT16_MAX, &listen->backlog);
}

static bool
take_lenient_lf(struct policy_parser *parser, const struct word *value,
    struct policy_listen *listen)
{
	(void)parser;
	(void)value;
	listen->is_lenient_lf = true;
	return true;
}

static const struct listen_option options[] = {
	{ "port", "N", take_port },
	{ "name", "L", take_name },
	{ "interface", "IF", take_interface },
	{ "freebind", NULL, take_freebind },
	{ "backlog", "N", take_backlog },
	{ "lenient-lf", NULL, take_lenient_lf },
};

enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

static const struct listen_option *
find_option(struct policy_parser *parser, const struct word *word)
{
	struct suggestion nearest = { NULL, 0 };

	for (size_t i = 0; i < OPTIONS; i++) {
		if (policy_text_is(word->text, options[i].word))
			return &options[i];
		suggest_consider(&nearest, word->text, options[i].word);
	}
	policy_complain_nearest(parser, word->place, &nearest,
	    "'%.*s' does not belong here: write '" LISTEN_USAGE "'",
	    SHOWN(word->text));
	return NULL;
}

/* The words behind the address. */
static bool
read_options(struct policy_parser *parser, const struct policy_line *line,
    struct policy_listen *listen)
{
	bool is_given[OPTIONS] = { false };
	bool is_good = true;

	for (uint32_t i = 2; i < line->count; i++) {
		const struct word *word = &line->words[i];
		const struct listen_option *option = find_option(parser, word);

		if (option == NULL)
			return false;
		if (option->value != NULL && ++i == line->count) {
			policy_complain(parser, word->place,
			    "'%s' lacks its value: write '%s %s'", option->word,
			    option->word, option->value);
			return false;
		}
		if (is_given[option - options]) {
			policy_complain(parser, word->place,
			    "'%s' is given twice", option->word);
			is_good = false;
			continue;
		}
		is_given[option - options] = true;
		if (!option->take(parser, &line->words[i], listen))
			is_good = false;
	}
	return is_good;
}

static bool
read_address(struct policy_parser *parser, const struct word *word,
    struct policy_listen *listen)
{
	static const char any[] = "0.0.0.0";
	struct complaint complaint = { .length = 0 };
	char address[ZONE_ADDRESS_BYTES];
	enum prefix_error error;

	if (policy_text_is(word->text, "*"))
		return addr_parse(&listen->addr, any, sizeof(any) - 1);
	listen->zone.place = word->place;
	error = zone_cut(word->text, address, &listen->zone.text);
	if (error == PREFIX_OK &&
	    !addr_parse(&listen->addr, address, strlen(address)))
		error = PREFIX_BAD_ADDRESS;
	else if (error == PREFIX_OK &&
	    !zone_fits(&listen->addr, listen->zone.text))
		error = PREFIX_ZONE_OF_ALL;
	if (error == PREFIX_OK)
		return true;
	if (error == PREFIX_BAD_ADDRESS)
		complaint_add(&complaint,
		    "'%.*s' is not an address: write an IPv4 or IPv6 address, "
		    "* for all of IPv4 or :: for all of IPv6",
		    SHOWN(word->text));
	else
		complaint_of_prefix(&complaint, error, word->text, "");
	policy_complain(parser, word->place, "%s", complaint.text);
	return false;
}

static bool
is_same(struct text text, struct text other)
{
	return text.length == other.length &&
	    memcmp(text.bytes, other.bytes, text.length) == 0;
}

static struct text
interface_of(const struct policy_listen *listen)
{
	return listen->zone.text.length > 0 ? listen->zone.text
					    : listen->interface;
}

/* Without an interface it is there for all of them. */
static bool
shares_interface(
    const struct policy_listen *listen, const struct policy_listen *other)
{
	struct text one = interface_of(listen), two = interface_of(other);

	return one.length == 0 || two.length == 0 || is_same(one, two);
}

static bool
is_listened_to(struct policy_parser *parser, const struct policy_listen *listen)
{
	const struct policy *policy = parser->policy;

	for (uint32_t i = 0; i < policy->listen_count; i++) {
		const struct policy_listen *other = &policy->listens[i];

		if (other->addr.family != listen->addr.family ||
		    other->addr.port != listen->addr.port ||
		    memcmp(other->addr.bytes, listen->addr.bytes,
			sizeof(other->addr.bytes)) != 0 ||
		    !shares_interface(listen, other))
			continue;
		policy_complain(parser, listen->place,
		    "this address and port are listened on already: line %u",
		    other->place.line);
		return true;
	}
	return false;
}

static bool
lacks_interface(struct policy_parser *parser, const struct word *word,
    const struct policy_listen *listen)
{
	if (interface_of(listen).length > 0 ||
	    !addr_is_link_local(&listen->addr))
		return false;
	policy_complain(parser, word->place,
	    "'%.*s' is an address of every link: add which, as in "
	    "%.*s%%eth0",
	    SHOWN(word->text), SHOWN(word->text));
	return true;
}

void
policy_take_listen(struct policy_parser *parser, const struct policy_line *line)
{
	struct policy *policy = parser->policy;
	const struct word *address = &line->words[1];
	struct policy_listen listen = { .place = line->words[0].place,
		.backlog = BACKLOG_DEFAULT };
	bool is_read = read_address(parser, address, &listen);

	listen.addr.port = 1;
	if (!read_options(parser, line, &listen) || !is_read ||
	    lacks_interface(parser, address, &listen))
		return;
	if (policy->listen_count == IMAGE_LISTENS_MAX) {
		policy_complain(parser, listen.place, "more than %u listeners",
		    IMAGE_LISTENS_MAX);
		return;
	}
	if (is_listened_to(parser, &listen))
		return;
	if (policy->listen_count == parser->listen_capacity) {
		parser->is_full = true;
		return;
	}
	policy->listens[policy->listen_count++] = listen;
}

/* Whether one of the list's words before this one says the same. */
static bool
is_repeated(struct policy_parser *parser, struct span list, uint32_t at)
{
	const struct word *words = parser->policy->words + list.first;

	for (uint32_t i = 0; i < at; i++) {
		if (!is_same(words[i].text, words[at].text))
			continue;
		policy_complain(parser, words[at].place,
		    "'%.*s' is given twice", SHOWN(words[at].text));
		return true;
	}
	return false;
}

void
policy_take_on(struct policy_parser *parser, const struct policy_line *line)
{
	struct span *list = &parser->service->on;
	uint32_t stored = line->is_first ? 0 : list->count;

	if (!policy_store_words(parser, list, line, IMAGE_LISTENS_MAX))
		return;
	for (uint32_t i = stored; i < list->count; i++) {
		if (is_repeated(parser, *list, i))
			continue;
		if (parser->on_count == parser->on_capacity) {
			parser->is_full = true;
			return;
		}
		parser->ons[parser->on_count++] =
		    parser->policy->words[list->first + i];
	}
}

static bool
is_listener(const struct policy *policy, struct text name)
{
	for (uint32_t i = 0; i < policy->listen_count; i++)
		if (policy->listens[i].name.length > 0 &&
		    is_same(policy->listens[i].name, name))
			return true;
	return false;
}

static void
complain_of_listener(struct policy_parser *parser, const struct word *word)
{
	const struct policy *policy = parser->policy;
	struct suggestion nearest = { NULL, 0 };

	for (uint32_t i = 0; i < policy->listen_count; i++)
		if (policy->listens[i].name.length > 0)
			suggest_consider(&nearest, word->text,
			    policy->listens[i].name.bytes);
	policy_complain_nearest(parser, word->place, &nearest,
	    "no listener is called '%.*s': 'listen ADDRESS name %.*s' would "
	    "call one so",
	    SHOWN(word->text), SHOWN(word->text));
}

void
policy_finish_listeners(struct policy_parser *parser)
{
	for (uint32_t i = 0; i < parser->on_count && !parser->is_full; i++)
		if (!is_listener(parser->policy, parser->ons[i].text))
			complain_of_listener(parser, &parser->ons[i]);
}
