/*
 * Named sets of prefixes, and the rules of access lists that use them.
 * A set names only sets first declared before it, so none contains itself
 * and the sets can be worked out in their order.
 * Never resolves a host name.
 */
#include "core/policy_parser.h"

#include <string.h>

static bool
read_prefix(struct policy_parser *parser, const struct word *word,
    const char *others, struct policy_match *match)
{
	struct complaint complaint = { .length = 0 };
	enum prefix_error error =
	    zone_prefix_parse(&match->prefix, &match->zone, word->text);

	if (error == PREFIX_OK)
		return true;
	complaint_of_prefix(&complaint, error, word->text, others);
	policy_complain(parser, word->place, "%s", complaint.text);
	return false;
}

static struct text
behind_at_sign(struct text text)
{
	return (struct text){ text.bytes + 1, text.length - 1 };
}

static bool
names_net(struct text text)
{
	return text.length > 0 && text.bytes[0] == '@';
}

/* The set of a net's member; only one declared before `self` will do. */
static bool
find_member(struct policy_parser *parser, const struct word *word,
    uint32_t self, uint32_t *net)
{
	const struct policy_entry *entry =
	    policy_index_find(&parser->nets, behind_at_sign(word->text));

	if (entry == NULL) {
		if (!parser->lacks_text)
			policy_complain(parser, word->place,
			    "net '%.*s' is not declared above this line",
			    SHOWN(behind_at_sign(word->text)));
		return false;
	}
	if (entry->value == self) {
		policy_complain(
		    parser, word->place, "a net cannot contain itself");
		return false;
	}
	if (entry->value > self) {
		policy_complain(parser, word->place,
		    "net '%.*s' is declared later (%s) than the net that "
		    "is to contain it: move it up",
		    SHOWN(behind_at_sign(word->text)),
		    policy_where(parser, entry->place, word->place));
		return false;
	}
	*net = entry->value;
	return true;
}

static void
add_member(struct policy_parser *parser, uint32_t net,
    const struct policy_match *match)
{
	if (parser->member_count == parser->member_capacity) {
		parser->is_full = true;
		return;
	}
	parser->members[parser->member_count++] =
	    (struct policy_member){ .net = net, .match = *match };
}

static void
take_member(struct policy_parser *parser, const struct word *word, uint32_t net)
{
	struct policy_match match = { .kind = POLICY_MATCH_PREFIX,
		.place = word->place };

	if (names_net(word->text)) {
		match.kind = POLICY_MATCH_NET;
		if (!find_member(parser, word, net, &match.net))
			return;
	} else if (!read_prefix(parser, word, " or @set", &match)) {
		return;
	}
	add_member(parser, net, &match);
}

static void
complain_of_file(struct policy_parser *parser, const struct word *word)
{
	policy_complain(parser, word->place,
	    "a file has a line of its own: write 'net NAME file PATH'");
}

/* The line `net NAME file PATH`; the file is read by who can open it. */
static void
take_file(
    struct policy_parser *parser, const struct policy_line *line, uint32_t net)
{
	struct policy_match match = { .kind = POLICY_MATCH_FILE,
		.place = line->words[2].place };

	if (line->count != 4) {
		complain_of_file(parser, &line->words[2]);
		return;
	}
	match.place = line->words[3].place;
	if (policy_path(parser, &line->words[3]) &&
	    policy_store_word(parser, &line->words[3], &match.path))
		add_member(parser, net, &match);
}

/* The net of that name, new or not; UINT32_MAX: no room. */
static uint32_t
net_of(struct policy_parser *parser, const struct word *name)
{
	struct policy *policy = parser->policy;
	const struct policy_entry *entry =
	    policy_index_find(&parser->nets, name->text);

	if (entry != NULL)
		return entry->value;
	if (policy->net_count == parser->net_capacity ||
	    !policy_index_add(
		&parser->nets, name->text, name->place, policy->net_count)) {
		parser->is_full = true;
		return UINT32_MAX;
	}
	policy->nets[policy->net_count].name = *name;
	return policy->net_count++;
}

void
policy_take_net(struct policy_parser *parser, const struct policy_line *line)
{
	const struct word *name = &line->words[1];

	if (!policy_is_label(name->text)) {
		policy_complain(parser, name->place,
		    "'%.*s' is not the name of a net: 1 to %u letters, "
		    "digits, '-', '_' and '.'",
		    SHOWN(name->text), (unsigned)POLICY_LABEL_MAX);
		return;
	}

	uint32_t net = net_of(parser, name);

	if (net == UINT32_MAX)
		return;
	if (policy_text_is(line->words[2].text, "file")) {
		take_file(parser, line, net);
		return;
	}
	for (uint32_t i = 2; i < line->count; i++) {
		if (policy_text_is(line->words[i].text, "file")) {
			complain_of_file(parser, &line->words[i]);
			return;
		}
		take_member(parser, &line->words[i], net);
	}
}

/* What a rule is about; a set's name, since it may be declared later. */
static bool
read_match(struct policy_parser *parser, const struct word *word,
    const char *others, struct policy_match *match, struct text *net)
{
	*match = (struct policy_match){ .kind = POLICY_MATCH_PREFIX,
		.place = word->place };
	*net = (struct text){ "", 0 };
	if (!names_net(word->text))
		return read_prefix(parser, word, others, match);
	match->kind = POLICY_MATCH_NET;
	*net = behind_at_sign(word->text);
	return true;
}

static void
add_rule(struct policy_parser *parser, const struct word *word, bool is_allow)
{
	struct policy *policy = parser->policy;
	struct policy_rule rule = { .is_allow = is_allow };
	struct text net = { "", 0 };

	if (policy_text_is(word->text, "any"))
		rule.match = (struct policy_match){ .kind = POLICY_MATCH_ANY,
			.place = word->place };
	else if (!read_match(
		     parser, word, ", 'any' or @set", &rule.match, &net))
		return;
	if (policy->rule_count == parser->rule_capacity) {
		parser->is_full = true;
		return;
	}
	parser->rule_nets[policy->rule_count] = net;
	policy->rules[policy->rule_count++] = rule;
}

static void
take_rules(
    struct policy_parser *parser, const struct policy_line *line, bool is_allow)
{
	struct policy *policy = parser->policy;
	struct span *list = parser->block == BLOCK_ADMISSION
	    ? &policy->admission
	    : &parser->service->rules;

	/* the first of its own replaces what the service inherited */
	if ((parser->seen & ROW_RULES) == 0)
		*list = (struct span){ .first = policy->rule_count };
	for (uint32_t i = 1; i < line->count; i++)
		add_rule(parser, &line->words[i], is_allow);
	list->count = policy->rule_count - list->first;
}

void
policy_take_allow(struct policy_parser *parser, const struct policy_line *line)
{
	take_rules(parser, line, true);
}

void
policy_take_deny(struct policy_parser *parser, const struct policy_line *line)
{
	take_rules(parser, line, false);
}

/* They are kept aside: between them may stand the rules of another list. */
void
policy_take_exempt(struct policy_parser *parser, const struct policy_line *line)
{
	for (uint32_t i = 1; i < line->count; i++) {
		struct policy_rule rule = { .is_allow = true };
		struct text net;

		if (!read_match(
			parser, &line->words[i], " or @set", &rule.match, &net))
			continue;
		if (parser->exempt_count == parser->exempt_capacity) {
			parser->is_full = true;
			return;
		}
		parser->exempt_nets[parser->exempt_count] = net;
		parser->exempts[parser->exempt_count++] = rule;
	}
}

/* Behind all other rules; each was counted as one of them. */
static void
append_exempts(struct policy_parser *parser)
{
	struct policy *policy = parser->policy;
	uint32_t room = parser->rule_capacity - policy->rule_count;

	policy->exempt.first = policy->rule_count;
	for (uint32_t i = 0; i < parser->exempt_count && i < room; i++) {
		parser->rule_nets[policy->rule_count] = parser->exempt_nets[i];
		policy->rules[policy->rule_count++] = parser->exempts[i];
	}
	policy->exempt.count = policy->rule_count - policy->exempt.first;
}

/* Each net's members side by side, in the order they were written. */
static void
group_members(struct policy_parser *parser)
{
	struct policy *policy = parser->policy;
	uint32_t first = 0;

	for (uint32_t i = 0; i < parser->member_count; i++)
		policy->nets[parser->members[i].net].members.count++;
	for (uint32_t i = 0; i < policy->net_count; i++) {
		policy->nets[i].members.first = first;
		first += policy->nets[i].members.count;
		policy->nets[i].members.count = 0;
	}
	for (uint32_t i = 0; i < parser->member_count; i++) {
		const struct policy_member *member = &parser->members[i];
		struct span *span = &policy->nets[member->net].members;

		policy->matches[span->first + span->count++] = member->match;
	}
	policy->match_count = parser->member_count;
}

static void
complain_of_net(
    struct policy_parser *parser, struct place place, struct text name)
{
	/* more would take long, and tell nobody anything */
	enum { NETS_COMPARED = 1000, GUESSES_MAX = 100 };
	struct suggestion nearest = { NULL, 0 };
	const struct policy *policy = parser->policy;
	uint32_t compared = policy->net_count;

	/* It may be declared in what could not be read. */
	if (parser->lacks_text)
		return;
	if (parser->guesses == GUESSES_MAX)
		compared = 0;
	else
		parser->guesses++;
	for (uint32_t i = 0; i < compared && i < NETS_COMPARED; i++) {
		char known[POLICY_LABEL_MAX + 1] = { 0 };
		struct text other = policy->nets[i].name.text;

		if (nearest.word != NULL && nearest.distance == 1)
			break;
		memcpy(known, other.bytes, other.length);
		if (suggest_distance(name, known) > 2)
			continue;

		char *kept = policy_take(parser, sizeof(known), 1);

		if (kept == NULL)
			return;
		memcpy(kept, known, sizeof(known));
		suggest_consider(&nearest, name, kept);
	}
	policy_complain_nearest(
	    parser, place, &nearest, "net '%.*s' is not declared", SHOWN(name));
}

static void
mark_used(bool is_used[], const struct policy_match *match, uint32_t count)
{
	if (match->kind == POLICY_MATCH_NET && match->net < count)
		is_used[match->net] = true;
}

/*
 * Warns of nets of the main file that no rule and no other net names. Those
 * of included files are for others to use; and with an error, what would use
 * a net may not have been read.
 */
static void
find_unused(struct policy_parser *parser)
{
	const struct policy *policy = parser->policy;
	uint32_t count = policy->net_count;
	bool *is_used = policy_take(parser, count, sizeof(*is_used));

	if (is_used == NULL || parser->has_error || parser->lacks_text)
		return;
	for (uint32_t i = 0; i < policy->rule_count; i++)
		mark_used(is_used, &policy->rules[i].match, count);
	for (uint32_t i = 0; i < policy->match_count; i++)
		mark_used(is_used, &policy->matches[i], count);
	for (uint32_t i = 0; i < count; i++) {
		const struct word *name = &policy->nets[i].name;

		if (!is_used[i] && name->place.file == 0)
			policy_warn(parser, name->place,
			    "net '%.*s' is used nowhere", SHOWN(name->text));
	}
}

void
policy_finish_nets(struct policy_parser *parser)
{
	struct policy *policy = parser->policy;

	group_members(parser);
	append_exempts(parser);
	for (uint32_t i = 0; i < policy->rule_count; i++) {
		struct policy_match *match = &policy->rules[i].match;
		const struct policy_entry *entry;

		if (match->kind != POLICY_MATCH_NET)
			continue;
		entry = policy_index_find(&parser->nets, parser->rule_nets[i]);
		/* two unknown sets are not to look like the same one */
		match->net = entry == NULL ? UINT32_MAX - i : entry->value;
		if (entry == NULL)
			complain_of_net(
			    parser, match->place, parser->rule_nets[i]);
	}
	find_unused(parser);
}
