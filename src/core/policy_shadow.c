/*
 * Rules that can never match, because one before them in their list takes
 * all that they could: `any`, the same or a wider prefix, the same set.
 * Takes time in proportion to the length of the list, whatever is in it.
 */
#include "core/policy_parser.h"

#include <string.h>

/* What a rule names, as bytes that are equal if it is the same. */
struct cover_key {
	uint8_t family; /* 0: a net */
	uint8_t bits;
	uint8_t bytes[16];
	char zone[IMAGE_INTERFACE_MAX + 1]; /* of the prefix, or zeros */
};

struct covers {
	struct policy_index seen;
	struct cover_key *keys;
	bool has_length[2][129]; /* of a prefix before: v4, v6 */
	const struct policy_match *any;
};

static struct cover_key
key_of_prefix(const struct prefix *prefix, unsigned bits, struct text zone)
{
	struct cover_key key = { .family = prefix->addr.family,
		.bits = (uint8_t)bits };
	struct addr addr = prefix->addr;

	addr_mask(&addr, bits);
	memcpy(key.bytes, addr.bytes, sizeof(key.bytes));
	memcpy(key.zone, zone.bytes, zone.length);
	return key;
}

static struct cover_key
key_of(const struct policy_match *match)
{
	struct cover_key key = { .family = ADDR_NONE };

	if (match->kind == POLICY_MATCH_PREFIX)
		return key_of_prefix(
		    &match->prefix, match->prefix.bits, match->zone);
	memcpy(key.bytes, &match->net, sizeof(match->net));
	return key;
}

static struct text
text_of(const struct cover_key *key)
{
	return (struct text){ (const char *)key, sizeof(*key) };
}

static bool *
lengths_of(struct covers *covers, const struct prefix *prefix)
{
	return covers->has_length[prefix->addr.family == ADDR_V6];
}

/* An earlier rule for the first `bits` bits of this one, on these links. */
static const struct policy_entry *
find_prefix(const struct covers *covers, const struct policy_match *match,
    unsigned bits, struct text zone)
{
	struct cover_key key = key_of_prefix(&match->prefix, bits, zone);

	return policy_index_find(&covers->seen, text_of(&key));
}

/* The line of an earlier rule that covers this one, or 0. */
static uint32_t
covered_by(struct covers *covers, const struct policy_match *match)
{
	const struct text every_link = { "", 0 };
	const struct policy_entry *entry;
	struct cover_key key;

	if (covers->any != NULL)
		return covers->any->place.line;
	if (match->kind == POLICY_MATCH_ANY)
		return 0;
	if (match->kind == POLICY_MATCH_NET) {
		key = key_of(match);
		entry = policy_index_find(&covers->seen, text_of(&key));
		return entry == NULL ? 0 : entry->place.line;
	}
	for (unsigned bits = 0; bits <= match->prefix.bits; bits++) {
		if (!lengths_of(covers, &match->prefix)[bits])
			continue;
		entry = find_prefix(covers, match, bits, every_link);
		if (entry == NULL)
			entry = find_prefix(covers, match, bits, match->zone);
		if (entry != NULL)
			return entry->place.line;
	}
	return 0;
}

static void
remember(struct covers *covers, const struct policy_match *match)
{
	struct cover_key *key = &covers->keys[covers->seen.count];

	if (match->kind == POLICY_MATCH_ANY) {
		covers->any = match;
		return;
	}
	*key = key_of(match);
	if (match->kind == POLICY_MATCH_PREFIX)
		lengths_of(covers, &match->prefix)[match->prefix.bits] = true;
	policy_index_add(&covers->seen, text_of(key), match->place, 0);
}

/* Marks in `lines` what covers each rule of the list; 0: nothing does. */
static bool
find_covers(struct policy_parser *parser, struct span list, uint32_t lines[])
{
	struct covers covers = { .any = NULL };

	covers.keys = policy_take(parser, list.count, sizeof(*covers.keys));
	if (covers.keys == NULL ||
	    !policy_index_init(&covers.seen, parser->arena, list.count)) {
		parser->is_full = true;
		return false;
	}
	for (uint32_t i = 0; i < list.count; i++) {
		const struct policy_match *match =
		    &parser->policy->rules[list.first + i].match;

		lines[i] = covered_by(&covers, match);
		if (lines[i] == 0)
			remember(&covers, match);
	}
	return true;
}

static void
check_list(struct policy_parser *parser, struct span list)
{
	const struct policy_rule *rules = parser->policy->rules + list.first;
	uint32_t *lines;
	size_t mark;

	if (list.count < 2)
		return;
	lines = policy_take(parser, list.count, sizeof(*lines));
	mark = parser->arena->used;
	if (lines == NULL || !find_covers(parser, list, lines))
		return;
	parser->arena->used = mark;
	for (uint32_t i = 0; i < list.count; i++)
		if (lines[i] != 0)
			policy_warn(parser, rules[i].match.place,
			    "this rule can never match: the one of line %u "
			    "takes all that it could",
			    lines[i]);
}

void
policy_find_shadows(struct policy_parser *parser)
{
	const struct policy *policy = parser->policy;
	struct span inherited = parser->defaults.rules;

	check_list(parser, policy->admission);
	check_list(parser, policy->exempt);
	check_list(parser, inherited);
	for (uint32_t i = 0; i < policy->service_count; i++) {
		struct span list = policy->services[i].rules;

		if (inherited.count == 0 || list.first != inherited.first)
			check_list(parser, list);
	}
}
