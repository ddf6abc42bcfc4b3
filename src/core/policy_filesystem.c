/*
 * What a service sees of the files: paths, and what each may be used for.
 * Trusts nothing; that a path is there, and what it is, the loader finds out.
 */
#include "core/policy_parser.h"

#include <string.h>

/* The word behind the last enum image_access: it takes no paths. */
#define ANY IMAGE_ACCESSES

static bool
is_same_grant(const struct policy_grant *left, const struct policy_grant *right)
{
	return left->access == right->access &&
	    left->path.text.length == right->path.text.length &&
	    memcmp(left->path.text.bytes, right->path.text.bytes,
		left->path.text.length) == 0;
}

/* Whether the service has it already. */
static bool
has_grant(struct policy_parser *parser, const struct policy_grant *grant)
{
	struct span list = parser->service->grants;

	for (uint32_t i = 0; i < list.count; i++) {
		const struct policy_grant *other =
		    &parser->policy->grants[list.first + i];

		if (!is_same_grant(other, grant))
			continue;
		policy_complain(parser, grant->path.place,
		    "path '%.*s' is given already: line %u",
		    SHOWN(grant->path.text), other->path.place.line);
		return true;
	}
	return false;
}

/* False if there can be no more. */
static bool
add_grant(struct policy_parser *parser, const struct policy_grant *grant)
{
	struct policy *policy = parser->policy;
	struct span *list = &parser->service->grants;

	if (!policy_path(parser, &grant->path) || has_grant(parser, grant))
		return true;
	if (list->count == IMAGE_GRANTS_MAX) {
		policy_complain(parser, grant->path.place,
		    "'filesystem' is given more than %u paths",
		    IMAGE_GRANTS_MAX);
		return false;
	}
	if (policy->grant_count == parser->grant_capacity) {
		parser->is_full = true;
		return false;
	}
	policy->grants[policy->grant_count++] = *grant;
	list->count++;
	return true;
}

/* `filesystem any` takes back what was inherited, and that is all of it. */
static void
take_any(struct policy_parser *parser, const struct policy_line *line)
{
	if (line->count > 2)
		policy_complain(parser, line->words[2].place,
		    "'filesystem any' takes no path");
	else if (!line->is_first)
		policy_complain(parser, line->words[1].place,
		    "'filesystem any' stands alone");
	else
		parser->service->has_filesystem = false;
}

static void
take_paths(struct policy_parser *parser, const struct policy_line *line,
    uint32_t access)
{
	const struct word *last = &line->words[line->count - 1];
	struct policy_grant grant = { .access = (uint8_t)access,
		.is_optional = line->count > 2 &&
		    policy_text_is(last->text, POLICY_IF_AVAILABLE) };
	uint32_t end = grant.is_optional ? line->count - 1 : line->count;

	if (end == 2)
		policy_complain(parser, line->words[1].place,
		    "'filesystem %s' needs a path",
		    policy_access_words[access]);
	if (!line->is_first && !parser->service->has_filesystem)
		policy_complain(parser, line->words[1].place,
		    "'filesystem any' stands alone");
	parser->service->has_filesystem = true;
	for (uint32_t i = 2; i < end; i++) {
		grant.path = line->words[i];
		if (!add_grant(parser, &grant))
			return;
	}
}

void
policy_take_filesystem(
    struct policy_parser *parser, const struct policy_line *line)
{
	uint32_t access = 0;

	/* the first of its own replaces what the service inherited */
	if (line->is_first)
		parser->service->grants =
		    (struct span){ .first = parser->policy->grant_count };
	if (!policy_choice(
		parser, &line->words[1], policy_access_words, &access))
		parser->service->has_filesystem = true;
	else if (access == ANY)
		take_any(parser, line);
	else
		take_paths(parser, line, access);
}

void
policy_check_filesystem(struct policy_parser *parser)
{
	const struct policy_service *service = parser->service;

	if (!policy_starts_program(service) || !service->has_filesystem ||
	    !service->has_new_privileges)
		return;
	policy_complain(parser, service->name.place,
	    "'filesystem' and 'new-privileges' cannot stand together: what may "
	    "become root must be able to see what root needs; take one away "
	    "('filesystem any', if it is inherited)");
}
