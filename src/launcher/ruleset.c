/*
 * Paths into Landlock rules: a service's own, everyone's, and what programs
 * need to be executed.
 * Trusts that the loader has checked the ways of the policy's paths.
 * Never lets more be executed than the policy says and what execve opens for
 * it.
 */
#include "launcher/ruleset.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "launcher/everyone.h"
#include "launcher/program.h"
#include "sys/fd.h"
#include "sys/landlock.h"

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000u
#endif
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000u /* Linux 6.8: no later mount has it */
#endif
#define WANTED \
	(STATX_TYPE | STATX_INO | STATX_CTIME | STATX_MNT_ID | \
	    STATX_MNT_ID_UNIQUE)

_Static_assert(LANDLOCK_MAY_READ == IMAGE_ACCESS_BIT(IMAGE_ACCESS_READ) &&
	LANDLOCK_MAY_WRITE == IMAGE_ACCESS_BIT(IMAGE_ACCESS_WRITE) &&
	LANDLOCK_MAY_EXECUTE == IMAGE_ACCESS_BIT(IMAGE_ACCESS_EXEC),
    "the image's bits are Landlock's");

/* A ruleset in the making. */
struct making {
	struct ruleset *ruleset;
	struct ruleset_record *record; /* NULL: nobody wants to know */
	int abi;
	struct identity root;
};

/* One path of it. */
struct grant {
	const char *path;
	unsigned access; /* LANDLOCK_MAY_* */
	bool is_optional;
	bool is_passing; /* the path's bytes are not there for long */
};

static struct identity
identify(const struct statx *status, bool is_program)
{
	struct identity identity = { .inode = status->stx_ino,
		.mount = status->stx_mnt_id,
		.major = status->stx_dev_major,
		.minor = status->stx_dev_minor };

	if (is_program) {
		identity.changed_s = status->stx_ctime.tv_sec;
		identity.changed_ns = status->stx_ctime.tv_nsec;
	}
	return identity;
}

static bool
is_same(const struct identity *left, const struct identity *right)
{
	return left->inode == right->inode && left->mount == right->mount &&
	    left->major == right->major && left->minor == right->minor &&
	    left->changed_s == right->changed_s &&
	    left->changed_ns == right->changed_ns;
}

static bool
is_same_file(const struct identity *left, const struct identity *right)
{
	return left->inode == right->inode && left->major == right->major &&
	    left->minor == right->minor;
}

/* Not there, or not for us: what may be lacking is then. */
static bool
is_absence(int error)
{
	return error == ENOENT || error == ENOTDIR || error == EACCES;
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

static void
note(const struct making *making, const struct grant *grant,
    const struct identity *identity, bool is_program)
{
	struct ruleset_record *record = making->record;
	const char *path = grant->path;

	if (record == NULL || !record->is_whole)
		return;
	if (grant->is_passing)
		path = keep_text(record, path);
	if (path == NULL || record->count == RULESET_PATHS_MAX) {
		record->is_whole = false;
		return;
	}
	record->paths[record->count].path = path;
	record->paths[record->count].identity = *identity;
	record->paths[record->count].is_program = is_program;
	record->count++;
}

/* Adds what fd is open on. 1: it is a program's file; 0: not; -1: errno. */
static int
allow_open(struct making *making, const struct grant *grant, int fd)
{
	struct statx status;
	struct identity identity;
	bool is_directory, is_program;

	if (statx(fd, "", AT_EMPTY_PATH, WANTED, &status) != 0)
		return -1;
	is_directory = S_ISDIR(status.stx_mode);
	is_program = S_ISREG(status.stx_mode) &&
	    (grant->access & LANDLOCK_MAY_EXECUTE) != 0;
	identity = identify(&status, is_program);
	if (landlock_allow(making->ruleset->fd, making->abi, fd, grant->access,
		is_directory) != 0)
		return -1;
	if (is_same_file(&identity, &making->root))
		making->ruleset->opens_root = true;
	note(making, grant, &identity, is_program);
	return is_program ? 1 : 0;
}

/* The same of a path, which may be that of nothing. */
static int
allow(struct making *making, const struct grant *grant)
{
	static const struct identity nothing = { .inode = 0 };
	int fd = open(grant->path, O_PATH | O_CLOEXEC);
	int result;

	if (fd == -1) {
		if (!grant->is_optional || !is_absence(errno))
			return -1;
		note(making, grant, &nothing, false);
		return 0;
	}
	result = allow_open(making, grant, fd);
	fd_close(&fd);
	return result;
}

/*
 * What execve opens beside the program. Where that is not there or no
 * program, nothing is to be allowed: the check of the program will tell.
 */
static int
allow_interpreters(struct making *making, const char *path)
{
	char names[2][PROGRAM_PATH_BYTES];
	enum program_kind kind;
	int is_program = 1;

	for (int depth = 0; is_program == 1 && depth <= PROGRAM_SCRIPTS_MAX;
	     depth++) {
		const struct grant grant = { .path = names[depth % 2],
			.access = LANDLOCK_MAY_EXECUTE,
			.is_optional = true,
			.is_passing = true };

		if (program_look(path, &kind, names[depth % 2]) != 0 ||
		    kind == PROGRAM_ALONE)
			return 0;
		if (kind == PROGRAM_UNREADABLE) {
			errno = EACCES;
			return -1;
		}
		is_program = allow(making, &grant);
		if (kind == PROGRAM_LOADED)
			break;
		path = grant.path;
	}
	return is_program == -1 ? -1 : 0;
}

static int
allow_all(struct making *making, const struct grant *grant)
{
	switch (allow(making, grant)) {
	case 0:
		return 0;
	case 1:
		return allow_interpreters(making, grant->path);
	default:
		return -1;
	}
}

/* Inside another root no path leads where it did. */
static int
note_root(struct making *making)
{
	static const struct grant grant = { .path = "/" };
	struct statx status;

	if (statx(AT_FDCWD, "/", 0, WANTED, &status) != 0)
		return -1;
	making->root = identify(&status, false);
	note(making, &grant, &making->root, false);
	return 0;
}

static int
fill(struct making *making, const struct image *image, uint32_t number)
{
	const struct image_range paths = image_ruleset(image, number)->paths;

	if (note_root(making) != 0)
		return -1;
	for (size_t i = 0; i < everyone_count; i++) {
		const struct grant grant = { .path = everyone[i].path,
			.access = everyone[i].access,
			.is_optional = true };

		if (allow(making, &grant) == -1)
			return -1;
	}
	for (uint32_t i = 0; i < paths.count; i++) {
		const struct image_path *path =
		    image_path(image, paths.first + i);
		const struct grant grant = {
			.path = image_text(image, path->path),
			.access = path->access,
			.is_optional = (path->flags & IMAGE_PATH_OPTIONAL) != 0
		};

		if (allow_all(making, &grant) != 0)
			return -1;
	}
	return 0;
}

int
ruleset_make(struct ruleset *ruleset, struct ruleset_record *record,
    const struct image *image, uint32_t number, int abi)
{
	struct making making = {
		.ruleset = ruleset, .record = record, .abi = abi
	};

	if (record != NULL) {
		record->count = 0;
		record->text_used = 0;
		record->is_whole = true;
	}
	ruleset->opens_root = false;
	ruleset->fd = landlock_files_ruleset(abi);
	if (ruleset->fd != -1 && fill(&making, image, number) == 0)
		return 0;
	fd_close(&ruleset->fd);
	if (record != NULL)
		record->is_whole = false;
	return -1;
}

bool
ruleset_record_holds(const struct ruleset_record *record)
{
	for (uint32_t i = 0; record->is_whole && i < record->count; i++) {
		struct identity now = { .inode = 0 };
		struct statx status;

		if (statx(AT_FDCWD, record->paths[i].path, 0, WANTED,
			&status) == 0)
			now = identify(&status, record->paths[i].is_program);
		if (!is_same(&now, &record->paths[i].identity))
			return false;
	}
	return record->is_whole;
}
