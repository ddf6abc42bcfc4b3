#ifndef LOADER_ACCOUNTS_H
#define LOADER_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/policy.h"
#include "loader/memory.h"

/*
 * Users and groups, each looked up once however many services name it: a
 * directory server may be behind every look-up (nsswitch.conf(5)).
 */
struct account {
	uint32_t uid, gid;
	bool has_entry; /* in the user database; else name is the number */
	const char *name, *home; /* owned by the accounts */
};

/* The account that a policy gives a service for lack of one. */
#define ACCOUNTS_HOME "/"

enum account_error {
	ACCOUNT_OK,
	ACCOUNT_UNKNOWN,
	ACCOUNT_NO_GROUP, /* a number without entry: no group is known */
	ACCOUNT_FAILED, /* the look-up did, see error */
};

/* All zero, but for skips_system, is one that has looked up nothing yet. */
struct accounts {
	bool skips_system; /* names are believed, each to be uid 65534 */
	struct table users, groups, memberships; /* index + 1 in the below */
	struct buffer user_entries, group_entries, membership_entries;
	int error; /* errno of the last ACCOUNT_FAILED */
};

/*
 * By name, or by number (any below 4294967295 will do). With
 * ACCOUNT_NO_GROUP account is filled in but for gid.
 */
enum account_error accounts_user(
    struct accounts *accounts, struct text name, struct account *account);

enum account_error
accounts_group(struct accounts *accounts, struct text name, uint32_t *gid);

/*
 * The groups of a user as the group database has them, gid included, sorted:
 * *gids and *count, the accounts' own.
 */
enum account_error accounts_memberships(struct accounts *accounts,
    const struct account *account, const uint32_t **gids, uint32_t *count);

/* Sorts, and drops those that come twice; returns how many are left. */
uint32_t accounts_sort_gids(uint32_t *gids, uint32_t count);

void accounts_finish(struct accounts *accounts);

#endif
