/*
 * Services and rules of a policy into the image, names sorted.
 * Trusts a policy that was parsed without errors.
 * Never decides who may: it writes down what the policy says.
 */
#include "loader/load.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

struct image_place
load_place(struct load *load, struct place place)
{
	const char *name = files_name(&load->files, place.file);

	return (struct image_place){ .file = build_text(
					 &load->build, name, strlen(name)),
		.line = place.line == 0 ? 1 : place.line };
}

struct image_text
load_text(struct load *load, struct text text, size_t most, struct place place)
{
	if (text.length <= most)
		return build_text(&load->build, text.bytes, text.length);
	problems_add(&load->problems, PROBLEM_ERROR, place,
	    "a word of %zu bytes is longer than %zu", text.length, most);
	return (struct image_text){ .length = 0 };
}

/* Rule number i of the policy is rule number i of the image. */
void
load_rules(struct load *load)
{
	const struct policy *policy = load->policy;

	for (uint32_t i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *from = &policy->rules[i];
		struct image_rule rule = { .is_allow = from->is_allow,
			.kind = IMAGE_RULE_SET,
			.place = load_place(load, from->match.place) };

		switch (from->match.kind) {
		case POLICY_MATCH_ANY:
			rule.kind = IMAGE_RULE_ANY;
			break;
		case POLICY_MATCH_PREFIX:
			load_prefix(load, &from->match.prefix, from->match.zone,
			    from->match.place);
			rule.set = sets_end(&load->build);
			break;
		case POLICY_MATCH_NET:
			/* One of a text that is lacking is empty. */
			rule.set = from->match.net < policy->net_count
			    ? from->match.net
			    : sets_end(&load->build);
			break;
		case POLICY_MATCH_FILE:
			break; /* of a net only */
		}
		*(struct image_rule *)build_add(&load->build, IMAGE_RULES, 1) =
		    rule;
	}
}

/* The names that services(5) registers for TCP, and their ports. */
static void
read_registered(struct table *registered)
{
	char bytes[4096];
	struct servent storage;
	struct servent *found;

	setservent(1);
	while (getservent_r(&storage, bytes, sizeof(bytes), &found) == 0 &&
	    found != NULL)
		if (strcmp(found->s_proto, "tcp") == 0)
			table_put(
			    registered, found->s_name, strlen(found->s_name))
			    ->value = ntohs((uint16_t)found->s_port);
	endservent();
}

/* RFC 1078 keeps names that are registered to what they are registered for. */
static void
note_registered(struct load *load)
{
	struct table registered = { .slots = NULL };

	read_registered(&registered);
	for (uint32_t i = 0; i < load->policy->service_count; i++) {
		const struct word *name = &load->policy->services[i].name;
		uint32_t port =
		    table_put(&registered, name->text.bytes, name->text.length)
			->value;

		if (port != 0)
			problems_add(&load->problems, PROBLEM_NOTE, name->place,
			    "'%.*s' is registered for what is served on port "
			    "%u: it should be the same here",
			    TEXT_ARGS(name->text), port);
	}
	table_finish(&registered);
}

static void
put_plain_values(struct load *load, const struct policy_service *from,
    struct image_service *to)
{
	struct place place = from->name.place;

	to->name = load_text(load, from->name.text, NAME_MAX_BYTES, place);
	to->place = load_place(load, from->place);
	to->rules = (struct image_range){ .first = from->rules.first,
		.count = from->rules.count };
	to->summary =
	    load_text(load, from->summary, IMAGE_LINE_TEXT_MAX, place);
	to->sessions = from->sessions;
	to->per_source = policy_service_per_source(from);
	to->rate = from->rate;
	to->source_rate = from->source_rate;
	if (from->is_disabled)
		to->flags |= IMAGE_SERVICE_DISABLED;
	if (from->is_unlisted)
		to->flags |= IMAGE_SERVICE_UNLISTED;
}

/* A trap has none, whatever it inherits. */
static void
put_session_values(struct load *load, const struct policy_service *from,
    struct image_service *to)
{
	to->reply = (uint8_t)from->reply;
	to->reply_text = load_text(
	    load, from->reply_text, IMAGE_LINE_TEXT_MAX, from->name.place);
	to->keepalive_s = from->keepalive_s;
	to->logged = (uint8_t)from->logged;
}

/* Only what we start ourselves has these. */
static void
put_program_values(const struct policy_service *from, struct image_service *to)
{
	to->umask = from->umask;
	to->stderr_to = (uint8_t)from->stderr_to;
	to->leftovers = (uint8_t)from->leftovers;
	to->exits = (struct image_range){ .first = from->exits.first,
		.count = from->exits.count };
	to->syscalls = (uint8_t)from->syscalls;
	to->network = (uint8_t)from->network;
}

/* Exit number i of the policy is exit number i of the image. */
static void
load_exits(struct load *load)
{
	for (uint32_t i = 0; i < load->policy->exit_count; i++)
		*(struct image_exit *)build_add(&load->build, IMAGE_EXITS, 1) =
		    (struct image_exit){ .penalty_ms =
					     load->policy->exits[i].penalty_ms,
			    .code = load->policy->exits[i].code };
}

static void
load_service(struct load *load, const struct policy_service *from)
{
	struct image_service service = { .kind = (uint8_t)from->kind };
	struct account account = { .name = NULL };

	put_plain_values(load, from, &service);
	load_access(load, from, &service);
	switch (from->kind) {
	case IMAGE_KIND_EXEC:
	case IMAGE_KIND_BUILTIN:
		put_session_values(load, from, &service);
		put_program_values(from, &service);
		load_lasting(load, from, &service);
		load_network(load, from);
		load_who(load, from, &service, &account);
		load_limits(load, from, &service);
		load_exec(load, from, &service);
		load_filesystem(load, from, &service);
		load_env(load, from, &account, &service);
		break;
	case IMAGE_KIND_TRAP:
		break;
	case IMAGE_KIND_PASS:
		put_session_values(load, from, &service);
		load_pass(load, from, &service);
		break;
	}
	*(struct image_service *)build_add(&load->build, IMAGE_SERVICES, 1) =
	    service;
}

static int
compare_texts(struct text left, struct text right)
{
	size_t shorter =
	    left.length < right.length ? left.length : right.length;
	int order = memcmp(left.bytes, right.bytes, shorter);

	if (order != 0)
		return order;
	return (left.length > right.length) - (left.length < right.length);
}

static int
compare_services(const void *left, const void *right)
{
	const struct policy_service *const *a = left;
	const struct policy_service *const *b = right;

	return compare_texts((*a)->name.text, (*b)->name.text);
}

void
load_services(struct load *load)
{
	const struct policy *policy = load->policy;
	uint32_t count = policy->service_count;
	const struct policy_service **sorted =
	    memory_resize(NULL, (size_t)count + 1, sizeof(sorted[0]));

	for (uint32_t i = 0; i < count; i++)
		sorted[i] = &policy->services[i];
	qsort(sorted, count, sizeof(sorted[0]), compare_services);
	load_exits(load);
	for (uint32_t i = 0; i < count; i++)
		load_service(load, sorted[i]);
	load_sharers(load);
	if (load->options->is_verbose && !load->options->skips_system)
		note_registered(load);
	load_names(load, sorted);
	free(sorted);
}

/* A name of the table, before it is in order. */
struct name_entry {
	struct text name;
	uint32_t service;
};

static int
compare_names(const void *left, const void *right)
{
	const struct name_entry *a = left;
	const struct name_entry *b = right;

	return compare_texts(a->name, b->name);
}

static void
add_name(struct buffer *entries, struct text name, uint32_t service)
{
	struct name_entry *entry = buffer_add(entries, sizeof(*entry));

	*entry = (struct name_entry){ .name = name, .service = service };
}

/* The names table's bytes, as core/name.h describes them. */
static void
put_table(struct build *build, const struct name_entry *entries, uint32_t count)
{
	uint32_t header[2] = { NAMES_MAGIC, count };
	uint64_t offset = NAMES_HEADER_BYTES + ((uint64_t)count + 1) * 4;

	memcpy(build_add(build, IMAGE_NAMES_TABLE, sizeof(header)), header,
	    sizeof(header));
	for (uint32_t i = 0; i <= count; i++) {
		uint32_t here = (uint32_t)offset;

		if (offset > UINT32_MAX)
			memory_fail();
		memcpy(build_add(build, IMAGE_NAMES_TABLE, sizeof(here)), &here,
		    sizeof(here));
		if (i < count)
			offset += entries[i].name.length;
	}
	for (uint32_t i = 0; i < count; i++)
		memcpy(
		    build_add(build, IMAGE_NAMES_TABLE, entries[i].name.length),
		    entries[i].name.bytes, entries[i].name.length);
}

void
load_names(struct load *load, const struct policy_service *const *sorted)
{
	struct buffer buffer = { .bytes = NULL };
	struct name_entry *entries;
	uint32_t count;

	for (uint32_t i = 0; i < load->policy->service_count; i++) {
		const struct word *aliases =
		    load_words(load, sorted[i]->aliases);

		add_name(&buffer, sorted[i]->name.text, i);
		for (uint32_t j = 0; j < sorted[i]->aliases.count; j++)
			add_name(&buffer, aliases[j].text, i);
	}
	entries = (void *)buffer.bytes;
	count = (uint32_t)(buffer.used / sizeof(*entries));
	if (count > 0)
		qsort(entries, count, sizeof(*entries), compare_names);
	put_table(&load->build, entries, count);
	for (uint32_t i = 0; i < count; i++)
		*(struct image_name *)build_add(&load->build, IMAGE_NAMES, 1) =
		    (struct image_name){ .service = entries[i].service };
	buffer_finish(&buffer);
}
