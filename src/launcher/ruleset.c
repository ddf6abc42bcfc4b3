/*
 * Paths into Landlock rules: a service's own, everyone's, and what programs
 * need to be executed.
 * Trusts that the loader has checked the ways of the policy's paths.
 * Never lets more be executed than the policy says and what execve opens for
 * it; opens no file but the one that it has found to be one.
 */
#include "launcher/ruleset.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "launcher/base.h"
#include "launcher/everyone.h"
#include "launcher/program.h"
#include "sys/fd.h"
#include "sys/landlock.h"

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
	int program_fd; /* O_PATH, of the program allowed last; owned, or -1 */
};

/* One path of it. */
struct grant {
	const char *path;
	unsigned access; /* LANDLOCK_MAY_* */
	bool is_optional;
	bool is_passing; /* the path's bytes are not there for long */
	/* Noted already, by its last change: what lies in it need not be.
	 * NULL: this has to be noted itself. */
	const struct identity *directory;
};

/* Not there, or not for us: what may be lacking is then. */
static bool
is_absence(int error)
{
	return error == ENOENT || error == ENOTDIR || error == EACCES;
}

static int allow(struct making *making, const struct grant *grant);

/* What a link leads to does not lie in the link's directory. */
static int
/* NOLINTNEXTLINE(misc-no-recursion): no link leads to a link */
follow(struct making *making, const struct grant *grant)
{
	struct grant target = *grant;

	target.directory = NULL;
	return allow(making, &target);
}

static void
keep_program(struct making *making, int *fd)
{
	fd_close(&making->program_fd);
	making->program_fd = *fd;
	*fd = -1;
}

/*
 * Adds what *fd is open on. 1: it is a program's file, and program_fd;
 * 0: not; -1: errno.
 */
static int
/* NOLINTNEXTLINE(misc-no-recursion): no link leads to a link */
allow_open(struct making *making, const struct grant *grant, int *fd)
{
	struct statx status;
	struct identity identity;
	bool is_program;

	if (statx(*fd, "", AT_EMPTY_PATH, IDENTITY_WANTED, &status) != 0)
		return -1;
	if (S_ISLNK(status.stx_mode))
		return follow(making, grant);
	is_program = S_ISREG(status.stx_mode) &&
	    (grant->access & LANDLOCK_MAY_EXECUTE) != 0;
	identity = identify(&status, is_program);
	if (landlock_allow(making->ruleset->fd, making->abi, *fd, grant->access,
		S_ISDIR(status.stx_mode)) != 0)
		return -1;
	if (is_same_file(&identity, &making->root))
		making->ruleset->opens_root = true;
	/* What is mounted there is not the directory's. */
	if (grant->directory == NULL ||
	    grant->directory->mount != identity.mount)
		record_note(making->record, grant->path, grant->is_passing,
		    &identity, is_program);
	if (is_program)
		keep_program(making, fd);
	return is_program ? 1 : 0;
}

/* The same of a path, which may be that of nothing. */
static int
/* NOLINTNEXTLINE(misc-no-recursion): no link leads to a link */
allow(struct making *making, const struct grant *grant)
{
	static const struct identity nothing = { .inode = 0 };
	const int flags = O_PATH | O_CLOEXEC;
	int fd = open(
	    grant->path, grant->directory != NULL ? flags | O_NOFOLLOW : flags);
	int result;

	if (fd == -1) {
		if (!grant->is_optional || !is_absence(errno))
			return -1;
		if (grant->directory == NULL)
			record_note(making->record, grant->path,
			    grant->is_passing, &nothing, false);
		return 0;
	}
	result = allow_open(making, grant, &fd);
	fd_close(&fd);
	return result;
}

/*
 * What kind the program is that was allowed last. Not by its path, where a
 * user whose directory it is may have put a device or a FIFO since.
 */
static int
look_again(const struct making *making, enum program_kind *kind,
    char next[PROGRAM_PATH_BYTES])
{
	const int fd =
	    fd_open_again(BASE_PROC_FD, making->program_fd, PROGRAM_OPEN_FLAGS);

	return program_look(fd, kind, next);
}

/*
 * What execve opens beside the program. Where that is no program, nothing is
 * to be allowed: the check of the program will tell.
 */
static int
allow_interpreters(struct making *making)
{
	char next[PROGRAM_PATH_BYTES];
	enum program_kind kind;
	int is_program = 1;

	for (int depth = 0; is_program == 1 && depth <= PROGRAM_SCRIPTS_MAX;
	     depth++) {
		const struct grant grant = { .path = next,
			.access = LANDLOCK_MAY_EXECUTE,
			.is_optional = true,
			.is_passing = true };

		/* Without /proc nobody can look. */
		if (look_again(making, &kind, next) != 0)
			return is_absence(errno) ? -1 : 0;
		if (kind == PROGRAM_ALONE)
			return 0;
		if (kind == PROGRAM_UNREADABLE) {
			errno = EACCES;
			return -1;
		}
		is_program = allow(making, &grant);
		if (kind == PROGRAM_LOADED)
			break;
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
		return allow_interpreters(making);
	default:
		return -1;
	}
}

/*
 * By its last change it stands for what lies in it: to look at it is to look
 * at all of that. The root is among them, so below another one nothing holds.
 */
static void
note_directory(
    struct making *making, const char *path, struct identity *directory)
{
	struct statx status;

	*directory = (struct identity){ .inode = 0 };
	if (statx(AT_FDCWD, path, 0, IDENTITY_WANTED, &status) == 0)
		*directory = identify(&status, true);
	record_note(making->record, path, false, directory, true);
}

/* Whether the directory is where the path is looked for. */
static bool
lies_in(const char *path, const char *directory)
{
	const size_t length = (size_t)(strrchr(path, '/') - path);

	return length == 0 ? directory[1] == '\0'
			   : strlen(directory) == length &&
		memcmp(path, directory, length) == 0;
}

static int
allow_everyone(struct making *making)
{
	const char *path = "";
	struct identity directory = { .inode = 0 };

	for (size_t i = 0; i < everyone_count; i++) {
		struct grant grant = { .path = everyone[i].path,
			.access = everyone[i].access,
			.is_optional = true };

		if (grant.access == 0) {
			path = grant.path;
			note_directory(making, path, &directory);
			if (i == 0)
				making->root = directory;
			continue;
		}
		if (lies_in(grant.path, path))
			grant.directory = &directory;
		if (allow(making, &grant) == -1)
			return -1;
	}
	return 0;
}

static int
fill(struct making *making, const struct image *image, uint32_t number)
{
	const struct image_range paths = image_ruleset(image, number)->paths;

	if (allow_everyone(making) != 0)
		return -1;
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
	struct making making = { .ruleset = ruleset,
		.record = record,
		.abi = abi,
		.program_fd = -1 };
	int result;

	if (record != NULL)
		record_begin(record);
	ruleset->opens_root = false;
	ruleset->fd = landlock_files_ruleset(abi);
	result = ruleset->fd == -1 ? -1 : fill(&making, image, number);
	fd_close(&making.program_fd);
	if (result == 0)
		return 0;
	fd_close(&ruleset->fd);
	if (record != NULL)
		record->state = RECORD_VOID;
	return -1;
}
