/*
 * Who a service runs as: its ids, groups and capabilities.
 * Trusts the user and group databases; numbers are taken as they are.
 * Never lets a service be root, or the parser, without that being written.
 */
#include "loader/load.h"

#include <stdio.h>
#include <string.h>

#include "loader/capability.h"

static struct place
place_of(const struct word *word, const struct policy_service *service)
{
	return word->place.line != 0 ? word->place : service->place;
}

void
load_account_problem(struct load *load, enum account_error error,
    const char *kind, const struct word *name)
{
	struct problems *problems = &load->problems;
	struct text text = name->text;

	switch (error) {
	case ACCOUNT_OK:
		break;
	case ACCOUNT_UNKNOWN:
		problems_add(problems, PROBLEM_ERROR, name->place,
		    "no %s is called '%.*s'", kind, TEXT_ARGS(text));
		break;
	case ACCOUNT_NO_GROUP:
		problems_add(problems, PROBLEM_ERROR, name->place,
		    "user %.*s has no account to take a group from: say "
		    "which, 'group NAME' or 'group %.*s'",
		    TEXT_ARGS(text), TEXT_ARGS(text));
		break;
	case ACCOUNT_FAILED:
		problems_add(problems, PROBLEM_ERROR, name->place,
		    "cannot look up %s '%.*s': %s", kind, TEXT_ARGS(text),
		    strerror(load->accounts.error));
		break;
	}
}

/* What only root can give, asked for by somebody else. */
static void
refuse_privileges(struct load *load, const struct policy_service *from)
{
	const struct {
		bool is_given;
		const char *directive;
	} privileges[] = {
		{ from->group.text.length > 0, "group" },
		{ from->groups_kind != POLICY_GROUPS_NONE, "groups" },
		{ from->capabilities.count > 0 || from->has_all_capabilities,
		    "capabilities" },
		{ from->has_new_privileges, "new-privileges" },
		{ from->chroot.text.length > 0, "chroot" },
		{ from->isolate != 0, "isolate" },
	};

	for (size_t i = 0; i < sizeof(privileges) / sizeof(privileges[0]); i++)
		if (privileges[i].is_given)
			problems_add(&load->problems, PROBLEM_ERROR,
			    from->place,
			    "'%s' needs a tcpmuxd that runs as root: with "
			    "'user self' nothing can be added",
			    privileges[i].directive);
}

static void
become_self(struct load *load, const struct policy_service *from,
    struct image_service *to, struct account *account)
{
	char digits[16];
	int length = snprintf(digits, sizeof(digits), "%u", load->uid);

	/* Its own database entry may be missing; its ids are known. */
	accounts_user(
	    &load->accounts, (struct text){ digits, (size_t)length }, account);
	to->uid = load->uid;
	to->gid = load->gid;
	to->flags |= IMAGE_SERVICE_SELF;
	refuse_privileges(load, from);
}

static void
check_root(struct load *load, const struct policy_service *from)
{
	struct place place = place_of(&from->user, from);

	if (!from->is_unsafe)
		problems_add(&load->problems, PROBLEM_ERROR, place,
		    "'%.*s' is uid 0: write 'user %.*s unsafe' if this "
		    "service must be root",
		    TEXT_ARGS(from->user.text), TEXT_ARGS(from->user.text));
	if (!from->has_umask)
		problems_add(&load->problems, PROBLEM_ERROR, place,
		    "a service that runs as root needs a written umask, such "
		    "as 'umask 022'");
}

/* Ids that were not looked up say nothing: then the name has to do. */
static bool
is_parser(
    const struct load *load, const struct policy_service *from, uint32_t uid)
{
	struct text parser = load->policy->parser_user.text;
	struct text user = from->user.text;

	if (load->options->skips_system)
		return parser.length == user.length &&
		    memcmp(parser.bytes, user.bytes, user.length) == 0;
	return uid == load->build.global.parser_uid;
}

static bool
become_user(struct load *load, const struct policy_service *from,
    struct image_service *to, struct account *account)
{
	enum account_error error =
	    accounts_user(&load->accounts, from->user.text, account);
	bool has_group = from->group.text.length > 0;
	uint32_t errors = load->problems.errors;

	to->uid = account->uid;
	to->gid = account->gid;
	if (has_group)
		load_account_problem(load,
		    accounts_group(&load->accounts, from->group.text, &to->gid),
		    "group", &from->group);
	if (error != ACCOUNT_OK && !(error == ACCOUNT_NO_GROUP && has_group)) {
		load_account_problem(load, error, "user", &from->user);
		return false;
	}
	if (to->uid == 0)
		check_root(load, from);
	else if (is_parser(load, from, to->uid))
		problems_add(&load->problems, PROBLEM_ERROR,
		    place_of(&from->user, from),
		    "'%.*s' is the parser's user, which no service may be",
		    TEXT_ARGS(from->user.text));
	return load->problems.errors == errors;
}

static void
put_groups(struct load *load, const struct policy_service *from,
    struct image_service *to, uint32_t *gids, uint32_t count)
{
	count = accounts_sort_gids(gids, count);
	if (count > IMAGE_GROUPS_MAX) {
		problems_add(&load->problems, PROBLEM_ERROR, from->place,
		    "%u groups are more than %u", count, IMAGE_GROUPS_MAX);
		return;
	}
	to->groups.first = build_count(&load->build, IMAGE_GIDS);
	to->groups.count = count;
	if (gids != NULL && count > 0)
		memcpy(build_add(&load->build, IMAGE_GIDS, count), gids,
		    count * sizeof(gids[0]));
}

static void
put_named_groups(struct load *load, const struct policy_service *from,
    struct image_service *to)
{
	const struct word *words = load_words(load, from->groups);
	struct buffer gids = { .bytes = NULL };

	for (uint32_t i = 0; i < from->groups.count; i++) {
		uint32_t *gid = buffer_add(&gids, sizeof(*gid));

		load_account_problem(load,
		    accounts_group(&load->accounts, words[i].text, gid),
		    "group", &words[i]);
	}
	put_groups(load, from, to, (void *)gids.bytes, from->groups.count);
	buffer_finish(&gids);
}

static void
put_user_groups(struct load *load, const struct policy_service *from,
    const struct account *account, struct image_service *to)
{
	const uint32_t *gids;
	uint32_t count;
	struct buffer copy = { .bytes = NULL };
	enum account_error error =
	    accounts_memberships(&load->accounts, account, &gids, &count);

	if (error == ACCOUNT_UNKNOWN)
		problems_add(&load->problems, PROBLEM_ERROR,
		    place_of(&from->user, from),
		    "'groups user' needs an account, and '%.*s' has none",
		    TEXT_ARGS(from->user.text));
	else
		load_account_problem(load, error, "groups of", &from->user);
	if (error == ACCOUNT_OK && count > 0)
		memcpy(buffer_add(&copy, count * sizeof(gids[0])), gids,
		    count * sizeof(gids[0]));
	put_groups(load, from, to, (void *)copy.bytes,
	    error == ACCOUNT_OK ? count : 0);
	buffer_finish(&copy);
}

static void
put_capabilities(struct load *load, const struct policy_service *from,
    struct image_service *to)
{
	const struct word *words = load_words(load, from->capabilities);

	if (from->has_all_capabilities) {
		to->flags |= IMAGE_SERVICE_CAPABILITIES_ALL;
		return;
	}
	for (uint32_t i = 0; i < from->capabilities.count; i++) {
		const char *nearest;
		int capability = capability_find(words[i].text, &nearest);

		if (capability >= 0) {
			to->capabilities |= UINT64_C(1) << capability;
			load_capability(load, &words[i], (unsigned)capability);
		} else {
			problems_add(&load->problems, PROBLEM_ERROR,
			    words[i].place,
			    "no capability is called '%.*s'%s%s%s",
			    TEXT_ARGS(words[i].text),
			    nearest != NULL ? ": did you mean '" : "",
			    nearest != NULL ? nearest : "",
			    nearest != NULL ? "'?" : "");
		}
	}
}

/* One more service that runs as this uid. */
static void
count_sharer(struct load *load, const struct policy_service *from, uint32_t uid)
{
	struct table_entry *entry =
	    table_put(&load->sharers, &uid, sizeof(uid));
	struct place *place;

	/* The second is where sharing begins: it is warned of there. */
	if (entry->value++ == 0)
		place = buffer_add(&load->sharer_places, sizeof(*place));
	else
		place = (struct place *)(void *)load->sharer_places.bytes +
		    table_index(&load->sharers, entry);
	if (entry->value == 2)
		*place = place_of(&from->user, from);
}

void
load_sharers(struct load *load)
{
	const struct table_entry *entries =
	    (const void *)load->sharers.entries.bytes;
	const struct place *places = (const void *)load->sharer_places.bytes;

	for (uint32_t i = 0; i < load->sharers.count; i++) {
		uint32_t uid;

		if (entries[i].value < 2)
			continue;
		memcpy(
		    &uid, table_key(&load->sharers, &entries[i]), sizeof(uid));
		problems_add(&load->problems, PROBLEM_WARNING, places[i],
		    "%u services run as uid %u: what belongs to one belongs "
		    "to all of them",
		    entries[i].value, uid);
	}
}

void
load_who(struct load *load, const struct policy_service *from,
    struct image_service *to, struct account *account)
{
	bool is_checked = !load->options->skips_system;

	if (from->is_self && (!load->is_root || !is_checked)) {
		become_self(load, from, to, account);
		return;
	}
	if (is_checked && from->is_self) {
		problems_add(&load->problems, PROBLEM_ERROR,
		    place_of(&from->user, from),
		    "'user self' is for a tcpmuxd without root: name the user "
		    "that this service is to be");
		return;
	}
	if (is_checked && !load->is_root) {
		problems_add(&load->problems, PROBLEM_ERROR,
		    place_of(&from->user, from),
		    "only root can run a service as another user: write "
		    "'user self'");
		return;
	}
	if (become_user(load, from, to, account) && is_checked)
		count_sharer(load, from, to->uid);
	switch (from->groups_kind) {
	case POLICY_GROUPS_NONE:
		break;
	case POLICY_GROUPS_NAMED:
		put_named_groups(load, from, to);
		break;
	case POLICY_GROUPS_USER:
		if (account->name != NULL)
			put_user_groups(load, from, account, to);
		break;
	}
	put_capabilities(load, from, to);
	if (from->has_new_privileges)
		to->flags |= IMAGE_SERVICE_NEW_PRIVILEGES;
	load_rights(load, from, to);
}
