#ifndef LOADER_PATHS_H
#define LOADER_PATHS_H

#include <stdbool.h>
#include <stddef.h>

#include <sys/stat.h>

#include "core/policy.h"
#include "loader/memory.h"
#include "sys/file.h"

/*
 * Programs and directories that a policy names, each looked at once however
 * many services name it. All zero, but for these, has seen none yet.
 */
struct paths {
	uid_t owner; /* trusted besides root */
	bool skips_system; /* nothing is looked at, everything is fine */
	struct table seen; /* index + 1 in findings */
	struct buffer findings;
};

struct path_finding {
	const char *problem; /* NULL: none. Else what is wrong; the paths' */
	const char *doubt; /* NULL: none. Else who could change what; as that */
	bool is_read_only; /* a grant's: by how its file system is mounted */
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/*
 * A program's: a regular, executable file at the end of a trusted way. `root`
 * is where the way begins and stays, the directory of a chroot; empty: /.
 */
struct path_finding
paths_program(struct paths *paths, struct text root, struct text path);

/* A directory to run in, below the same: that it is one. */
struct path_finding
paths_directory(struct paths *paths, struct text root, struct text path);

/* A directory to make the root: trusted itself, and the way to it. */
struct path_finding paths_root(struct paths *paths, struct text path);

/* What a service may use, below the same: that it is there, and who could
 * replace it. */
struct path_finding
paths_grant(struct paths *paths, struct text root, struct text path);

void paths_finish(struct paths *paths);

/*
 * What trust found on the way to path, and what would be right, for people
 * who have been told path already.
 */
void paths_describe(const struct file_trust *trust, const char *path,
    char *description, size_t size);

#endif
