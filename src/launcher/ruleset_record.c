/*
 * What paths lead to, and whether they still do.
 * Trusts that a ruleset keeps its inodes: their numbers are not given to
 * others while it lives.
 * Never takes what it could not look at for the same.
 */
#include "launcher/ruleset_record.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#define MS_A_S 1000
#define NS_A_MS 1000000
#define YOUNG_MS 20 /* a tick of the clock of files is 10 ms at most */

struct identity
identify(const struct statx *status, bool is_dated)
{
	struct identity identity = { .inode = status->stx_ino,
		.mount = status->stx_mnt_id,
		.major = status->stx_dev_major,
		.minor = status->stx_dev_minor };

	if (is_dated) {
		identity.changed_s = status->stx_ctime.tv_sec;
		identity.changed_ns = status->stx_ctime.tv_nsec;
	}
	return identity;
}

bool
is_same_file(const struct identity *left, const struct identity *right)
{
	return left->inode == right->inode && left->major == right->major &&
	    left->minor == right->minor;
}

static bool
is_same(const struct identity *left, const struct identity *right)
{
	return is_same_file(left, right) && left->mount == right->mount &&
	    left->changed_s == right->changed_s &&
	    left->changed_ns == right->changed_ns;
}

/* Also if it comes out of the future: clocks are set. */
static bool
is_young(const struct identity *identity)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return true;
	return (now.tv_sec - identity->changed_s) * MS_A_S +
	    (now.tv_nsec - (int64_t)identity->changed_ns) / NS_A_MS <
	    YOUNG_MS;
}

void
record_begin(struct ruleset_record *record)
{
	record->count = 0;
	record->text_used = 0;
	record->state = RECORD_WHOLE;
}

/* The record's own copy, or NULL if there is no room. */
static const char *
keep_text(struct ruleset_record *record, const char *path)
{
	const size_t size = strlen(path) + 1;
	char *kept = record->text + record->text_used;

	if (size > sizeof(record->text) - record->text_used)
		return NULL;
	memcpy(kept, path, size);
	record->text_used += size;
	return kept;
}

/* As two grants may name it: it is looked at once, then. */
static bool
has_noted(const struct ruleset_record *record, const char *path,
    const struct identity *identity, bool is_dated)
{
	for (uint32_t i = 0; i < record->count; i++)
		if (record->paths[i].is_dated == is_dated &&
		    strcmp(record->paths[i].path, path) == 0 &&
		    is_same(&record->paths[i].identity, identity))
			return true;
	return false;
}

void
record_note(struct ruleset_record *record, const char *path, bool is_passing,
    const struct identity *identity, bool is_dated)
{
	if (record == NULL || record->state == RECORD_LARGE ||
	    has_noted(record, path, identity, is_dated))
		return;
	if (is_passing)
		path = keep_text(record, path);
	if (path == NULL || record->count == RECORD_PATHS_MAX) {
		record->state = RECORD_LARGE;
		return;
	}
	if (is_dated && is_young(identity))
		record->state = RECORD_YOUNG;
	record->paths[record->count].path = path;
	record->paths[record->count].identity = *identity;
	record->paths[record->count].is_dated = is_dated;
	record->count++;
}

static bool
path_holds(const struct ruleset_record *record, uint32_t index)
{
	struct identity now = { .inode = 0 };
	struct statx status;

	if (statx(AT_FDCWD, record->paths[index].path, 0, IDENTITY_WANTED,
		&status) == 0)
		now = identify(&status, record->paths[index].is_dated);
	return is_same(&now, &record->paths[index].identity);
}

bool
record_holds(const struct ruleset_record *record)
{
	uint32_t held = 0;

	if (record->state != RECORD_WHOLE)
		return false;
	while (held < record->count && path_holds(record, held))
		held++;
	return held == record->count;
}
