/*
 * The program of a service: what is run, as whom, with what around it.
 * Trusts nothing; what can be known without the machine is checked here, the
 * rest (that users, paths and capabilities exist) by whoever resolves it.
 */
#include "core/policy_parser.h"

#include <string.h>

#include "core/builtin.h"

enum {
	ARGUMENTS_MAX = 256,
	ENVIRONMENT_MAX = 256,
	GROUPS_MAX = 256,
	CAPABILITIES_MAX = 64,
};

void
policy_take_exec(struct policy_parser *parser, const struct policy_line *line)
{
	policy_path(parser, &line->words[1]);
	policy_store_words(parser, &parser->service->exec, line, ARGUMENTS_MAX);
}

void
policy_take_builtin(
    struct policy_parser *parser, const struct policy_line *line)
{
	uint32_t builtin = 0;

	parser->service->kind = IMAGE_KIND_BUILTIN;
	if (policy_choice(parser, &line->words[1], builtin_words, &builtin))
		parser->service->builtin = line->words[1];
}

/* What it inherits and cannot use, it has not: rights above all. */
void
policy_strip_builtin(struct policy_service *service)
{
	service->env = service->capabilities = (struct span){ 0, 0 };
	service->has_all_capabilities = service->has_new_privileges = false;
	service->syscalls = IMAGE_SYSCALLS_DEFAULT;
}

void
policy_take_argv0(struct policy_parser *parser, const struct policy_line *line)
{
	if (line->words[1].text.length == 0)
		policy_complain(
		    parser, line->words[1].place, "argv0 cannot be empty");
	parser->service->argv0 = line->words[1];
}

void
policy_take_user(struct policy_parser *parser, const struct policy_line *line)
{
	struct policy_service *service = parser->service;

	if (!policy_account(parser, &line->words[1]))
		return;
	service->user = line->words[1];
	service->is_self = policy_text_is(line->words[1].text, "self");
	service->is_unsafe = false;
	if (line->count == 2)
		return;
	if (!policy_text_is(line->words[2].text, "unsafe"))
		policy_complain(parser, line->words[2].place,
		    "'%.*s' does not belong here: write 'user NAME|UID|self "
		    "[unsafe]'",
		    SHOWN(line->words[2].text));
	else if (service->is_self)
		policy_complain(parser, line->words[2].place,
		    "'user self' takes no 'unsafe': it is never uid 0");
	else
		service->is_unsafe = true;
}

void
policy_take_group(struct policy_parser *parser, const struct policy_line *line)
{
	if (policy_account(parser, &line->words[1]))
		parser->service->group = line->words[1];
}

void
policy_take_groups(struct policy_parser *parser, const struct policy_line *line)
{
	struct policy_service *service = parser->service;

	service->groups = (struct span){ 0, 0 };
	service->groups_kind = POLICY_GROUPS_USER;
	if (line->count == 2 && policy_text_is(line->words[1].text, "user"))
		return;
	service->groups_kind = POLICY_GROUPS_NAMED;
	for (uint32_t i = 1; i < line->count; i++) {
		if (policy_text_is(line->words[i].text, "user"))
			policy_complain(parser, line->words[i].place,
			    "'groups user' stands alone: it means the groups "
			    "that the user has in the group database");
		else
			policy_account(parser, &line->words[i]);
	}
	policy_store_words(parser, &service->groups, line, GROUPS_MAX);
}

void
policy_take_chroot(struct policy_parser *parser, const struct policy_line *line)
{
	if (policy_path(parser, &line->words[1]))
		parser->service->chroot = line->words[1];
}

void
policy_take_chdir(struct policy_parser *parser, const struct policy_line *line)
{
	if (policy_path(parser, &line->words[1]))
		parser->service->chdir = line->words[1];
}

void
policy_take_umask(struct policy_parser *parser, const struct policy_line *line)
{
	if (policy_octal(parser, &line->words[1], &parser->service->umask))
		parser->service->has_umask = true;
}

/* The part before `=`; length 0: there is none. */
static struct text
key_of(struct text text)
{
	const char *end =
	    text.length == 0 ? NULL : memchr(text.bytes, '=', text.length);

	return (struct text){ text.bytes,
		end == NULL ? 0 : (size_t)(end - text.bytes) };
}

static bool
is_variable(struct text key)
{
	for (size_t i = 0; i < key.length; i++) {
		char c = key.bytes[i];
		bool is_letter = (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || c == '_';

		if (!is_letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return key.length > 0;
}

/* Set for every session from its own connection. */
static bool
is_peers_own(struct text key)
{
	static const char *const reserved[] = { "PROTO", "TCPLOCALIP",
		"TCPLOCALPORT", "TCPREMOTEIP", "TCPREMOTEPORT", "REMOTE_ADDR",
		"REMOTE_HOST", "REMOTE_PORT", "TCPMUX_SERVICE" };

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (policy_text_is(key, reserved[i]))
			return true;
	return false;
}

/* Complains of word number `at` of the list if an earlier one has its key. */
static void
check_unique(struct policy_parser *parser, struct span list, uint32_t at)
{
	const struct word *words = parser->policy->words + list.first;
	struct text key = key_of(words[at].text);

	for (uint32_t i = 0; i < at; i++) {
		struct text other = key_of(words[i].text);

		if (other.length != key.length ||
		    memcmp(other.bytes, key.bytes, key.length) != 0)
			continue;
		policy_complain(parser, words[at].place,
		    "variable '%.*s' is given already: line %u", SHOWN(key),
		    words[i].place.line);
		return;
	}
}

void
policy_take_env(struct policy_parser *parser, const struct policy_line *line)
{
	struct span *env = &parser->service->env;
	uint32_t before = line->is_first ? 0 : env->count;

	if (!policy_store_words(parser, env, line, ENVIRONMENT_MAX))
		return;
	for (uint32_t i = 1; i < line->count; i++) {
		const struct word *word = &line->words[i];
		struct text key = key_of(word->text);

		if (!is_variable(key))
			policy_complain(parser, word->place,
			    "'%.*s' is not NAME=VALUE with a name of letters, "
			    "digits and '_'",
			    SHOWN(word->text));
		else if (is_peers_own(key))
			policy_complain(parser, word->place,
			    "variable '%.*s' is set by tcpmuxd for each "
			    "connection",
			    SHOWN(key));
		else
			check_unique(parser, *env, before + i - 1);
	}
}

void
policy_take_stderr(struct policy_parser *parser, const struct policy_line *line)
{
	uint32_t to = 0;

	if (policy_choice(parser, &line->words[1], policy_stderr_words, &to))
		parser->service->stderr_to = (enum image_stderr)to;
}

static bool
is_capability(struct text name)
{
	for (size_t i = 0; i < name.length; i++) {
		char c = name.bytes[i];

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_')
			return false;
	}
	return name.length > 0 && name.length <= 32;
}

/* Lower case, without the cap_ that may be written in front. */
static void
read_capability(
    struct policy_parser *parser, const struct word *from, struct word *to)
{
	static const char prefix[4] = { 'c', 'a', 'p', '_' };
	struct text name = policy_fold(parser, from->text);

	if (name.length >= sizeof(prefix) &&
	    memcmp(name.bytes, prefix, sizeof(prefix)) == 0) {
		name.bytes += sizeof(prefix);
		name.length -= sizeof(prefix);
	}
	to->text = name;
	if (policy_text_is(name, "all"))
		policy_complain(
		    parser, from->place, "'capabilities all' stands alone");
	else if (!is_capability(name))
		policy_complain(parser, from->place,
		    "'%.*s' is not the name of a capability, as in "
		    "net_bind_service: see capabilities(7)",
		    SHOWN(from->text));
}

/* Whether number `at` of the list is there before. */
static bool
is_repeated(const struct word *words, uint32_t at)
{
	struct text name = words[at].text;

	for (uint32_t i = 0; i < at; i++)
		if (words[i].text.length == name.length &&
		    memcmp(words[i].text.bytes, name.bytes, name.length) == 0)
			return true;
	return false;
}

void
policy_take_capabilities(
    struct policy_parser *parser, const struct policy_line *line)
{
	struct policy_service *service = parser->service;

	service->capabilities = (struct span){ 0, 0 };
	service->has_all_capabilities =
	    line->count == 2 && policy_text_is(line->words[1].text, "all");
	if (service->has_all_capabilities ||
	    !policy_store_words(
		parser, &service->capabilities, line, CAPABILITIES_MAX))
		return;

	struct word *names =
	    parser->policy->words + service->capabilities.first;

	for (uint32_t i = 0; i + 1 < line->count; i++) {
		read_capability(parser, &line->words[i + 1], &names[i]);
		if (is_repeated(names, i))
			policy_complain(parser, names[i].place,
			    "capability '%.*s' is given already",
			    SHOWN(names[i].text));
	}
}

void
policy_take_new_privileges(
    struct policy_parser *parser, const struct policy_line *line)
{
	parser->service->has_new_privileges = true;
	parser->service->new_privileges_place = line->words[0].place;
}
