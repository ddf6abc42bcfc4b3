/*
 * Users and groups from their databases, each asked for once.
 * Trusts the databases; a number is taken as it is.
 * Never takes a failed look-up for an unknown name.
 */
#include "loader/accounts.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SKIPPED_ID 65534u
#define LOOKUP_BYTES_MAX (1u << 20) /* of one entry: large groups are large */

struct user_entry {
	enum account_error result;
	int error;
	struct account account; /* name and home owned */
};

struct group_entry {
	enum account_error result;
	int error;
	uint32_t gid;
};

struct membership_entry {
	enum account_error result;
	uint32_t *gids; /* owned, sorted */
	uint32_t count;
};

/* A decimal number that can be an id: not the -1 that means "leave it". */
static bool
parse_id(const char *name, uint32_t *id)
{
	uint64_t number = 0;

	for (const char *at = name; *at != '\0'; at++) {
		if (*at < '0' || *at > '9')
			return false;
		number = number * 10 + (uint64_t)(*at - '0');
		if (number >= UINT32_MAX)
			return false;
	}
	*id = (uint32_t)number;
	return name[0] != '\0';
}

static char *
copy(const char *text)
{
	size_t length = strlen(text) + 1;

	return memcpy(memory_resize(NULL, length, 1), text, length);
}

/* What the look-up functions return where there is no such entry. */
static bool
means_unknown(int error)
{
	return error == 0 || error == ENOENT || error == ESRCH ||
	    error == EBADF || error == EPERM;
}

static void
set_entry(struct user_entry *entry, const struct passwd *found)
{
	bool has_home = found->pw_dir != NULL && found->pw_dir[0] == '/';

	entry->result = ACCOUNT_OK;
	entry->account = (struct account){ .uid = found->pw_uid,
		.gid = found->pw_gid,
		.has_entry = true,
		.name = copy(found->pw_name),
		.home = copy(has_home ? found->pw_dir : ACCOUNTS_HOME) };
}

static void
look_up_user(struct user_entry *entry, const char *name, bool is_number)
{
	size_t size = 4096;
	char *bytes = memory_resize(NULL, size, 1);
	struct passwd storage;
	struct passwd *found = NULL;
	int error;

	for (;;) {
		error = is_number
		    ? getpwuid_r(
			  entry->account.uid, &storage, bytes, size, &found)
		    : getpwnam_r(name, &storage, bytes, size, &found);
		if (error != ERANGE || size >= LOOKUP_BYTES_MAX)
			break;
		size *= 2;
		bytes = memory_resize(bytes, size, 1);
	}
	if (found != NULL) {
		set_entry(entry, found);
	} else if (!means_unknown(error)) {
		entry->result = ACCOUNT_FAILED;
		entry->error = error;
	} else {
		entry->result = is_number ? ACCOUNT_NO_GROUP : ACCOUNT_UNKNOWN;
	}
	free(bytes);
}

static void
fill_user(
    const struct accounts *accounts, struct user_entry *entry, const char *name)
{
	bool is_number = parse_id(name, &entry->account.uid);

	entry->result = ACCOUNT_OK;
	if (!accounts->skips_system)
		look_up_user(entry, name, is_number);
	else if (strcmp(name, "root") != 0 && !is_number)
		entry->account.uid = SKIPPED_ID;
	if (entry->account.name != NULL)
		return;
	if (accounts->skips_system)
		entry->account.gid = entry->account.uid;
	entry->account.name = copy(name);
	entry->account.home = copy(ACCOUNTS_HOME);
}

/* The cached entry of `size` bytes for a key; *is_new if it is still zero. */
static void *
put(struct table *table, struct buffer *entries, size_t size, const void *key,
    size_t length, bool *is_new)
{
	struct table_entry *found = table_put(table, key, length);

	*is_new = found->value == 0;
	if (*is_new) {
		buffer_add(entries, size);
		found->value = (uint32_t)(entries->used / size);
	}
	return entries->bytes + (found->value - 1) * size;
}

/* The key as the table holds it: with a NUL. */
static const char *
last_key(const struct table *table, size_t length)
{
	return (const char *)table->keys.bytes + table->keys.used - length - 1;
}

enum account_error
accounts_user(
    struct accounts *accounts, struct text name, struct account *account)
{
	bool is_new;
	struct user_entry *entry =
	    put(&accounts->users, &accounts->user_entries, sizeof(*entry),
		name.bytes, name.length, &is_new);

	if (is_new)
		fill_user(
		    accounts, entry, last_key(&accounts->users, name.length));
	accounts->error = entry->error;
	*account = entry->account;
	return entry->result;
}

static void
look_up_group(struct group_entry *entry, const char *name)
{
	size_t size = 4096;
	char *bytes = memory_resize(NULL, size, 1);
	struct group storage;
	struct group *found = NULL;
	int error;

	for (;;) {
		error = getgrnam_r(name, &storage, bytes, size, &found);
		if (error != ERANGE || size >= LOOKUP_BYTES_MAX)
			break;
		size *= 2;
		bytes = memory_resize(bytes, size, 1);
	}
	if (found != NULL) {
		entry->gid = found->gr_gid;
	} else if (means_unknown(error)) {
		entry->result = ACCOUNT_UNKNOWN;
	} else {
		entry->result = ACCOUNT_FAILED;
		entry->error = error;
	}
	free(bytes);
}

enum account_error
accounts_group(struct accounts *accounts, struct text name, uint32_t *gid)
{
	bool is_new;
	struct group_entry *entry =
	    put(&accounts->groups, &accounts->group_entries, sizeof(*entry),
		name.bytes, name.length, &is_new);

	if (is_new) {
		const char *key = last_key(&accounts->groups, name.length);

		entry->result = ACCOUNT_OK;
		if (!parse_id(key, &entry->gid)) {
			entry->gid = strcmp(key, "root") == 0 ? 0 : SKIPPED_ID;
			if (!accounts->skips_system)
				look_up_group(entry, key);
		}
	}
	accounts->error = entry->error;
	*gid = entry->gid;
	return entry->result;
}

static int
compare_ids(const void *left, const void *right)
{
	const uint32_t *a = left;
	const uint32_t *b = right;

	return (*a > *b) - (*a < *b);
}

uint32_t
accounts_sort_gids(uint32_t *gids, uint32_t count)
{
	uint32_t kept = 0;

	if (count > 0)
		qsort(gids, count, sizeof(gids[0]), compare_ids);
	for (uint32_t i = 0; i < count; i++)
		if (kept == 0 || gids[kept - 1] != gids[i])
			gids[kept++] = gids[i];
	return kept;
}

static void
look_up_memberships(
    struct membership_entry *entry, const struct account *account)
{
	int count = 64;
	int room;

	do {
		room = count;
		entry->gids = memory_resize(
		    entry->gids, (size_t)room, sizeof(entry->gids[0]));
		count = room;
		/* gid_t is 32 bits wide on Linux, and unsigned. */
		if (getgrouplist(
			account->name, account->gid, entry->gids, &count) >= 0)
			break;
		/* It says how many there are; more may come meanwhile. */
		if (count <= room)
			count = room * 2;
	} while (count <= 65536);
	if (count > room) {
		entry->result = ACCOUNT_FAILED;
		return;
	}
	entry->count = accounts_sort_gids(entry->gids, (uint32_t)count);
}

enum account_error
accounts_memberships(struct accounts *accounts, const struct account *account,
    const uint32_t **gids, uint32_t *count)
{
	bool is_new;
	struct membership_entry *entry =
	    put(&accounts->memberships, &accounts->membership_entries,
		sizeof(*entry), account->name, strlen(account->name), &is_new);

	if (is_new) {
		entry->result =
		    account->has_entry ? ACCOUNT_OK : ACCOUNT_UNKNOWN;
		if (accounts->skips_system)
			entry->result = ACCOUNT_OK;
		else if (account->has_entry)
			look_up_memberships(entry, account);
	}
	accounts->error = entry->result == ACCOUNT_FAILED ? E2BIG : 0;
	*gids = entry->gids;
	*count = entry->count;
	return entry->result;
}

void
accounts_finish(struct accounts *accounts)
{
	struct user_entry *users = (void *)accounts->user_entries.bytes;
	struct membership_entry *memberships =
	    (void *)accounts->membership_entries.bytes;

	for (uint32_t i = 0; i < accounts->users.count; i++) {
		free((void *)(uintptr_t)users[i].account.name);
		free((void *)(uintptr_t)users[i].account.home);
	}
	for (uint32_t i = 0; i < accounts->memberships.count; i++)
		free(memberships[i].gids);
	table_finish(&accounts->users);
	table_finish(&accounts->groups);
	table_finish(&accounts->memberships);
	buffer_finish(&accounts->user_entries);
	buffer_finish(&accounts->group_entries);
	buffer_finish(&accounts->membership_entries);
}
