#ifndef LAUNCHER_RULESET_H
#define LAUNCHER_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/image.h"

/*
 * What a service may use of the files, as a Landlock ruleset. A rule holds on
 * to an inode, a policy says a path: so a ruleset is as good as its paths lead
 * where they led when it was made. Both functions look at the paths as whoever
 * calls them sees them, and are async-signal-safe.
 */

/* What a path leads to. Two are the same only if they are one file. */
struct identity {
	uint64_t inode; /* 0: nothing is there */
	uint64_t mount;
	uint32_t major, minor;
	/* When a program was last changed, which may have named another
	 * interpreter; 0 for all else. */
	int64_t changed_s;
	uint32_t changed_ns;
};

#define RULESET_PATHS_MAX 96u /* of one that is kept */
#define RULESET_TEXT_BYTES 1024u /* of paths that only its files name */

/* What a ruleset was made of. */
struct ruleset_record {
	struct {
		const char *path; /* of the image, of everyone, or in text */
		struct identity identity;
		bool is_program;
	} paths[RULESET_PATHS_MAX];
	uint32_t count;
	bool is_whole; /* it names all of a ruleset that was made */
	size_t text_used;
	char text[RULESET_TEXT_BYTES];
};

struct ruleset {
	int fd; /* of the Landlock ruleset; CLOEXEC, owned */
	bool opens_root; /* `/` itself may be listed */
};

/*
 * Makes the image's ruleset of this number for a kernel of this ABI
 * (sys/landlock.h), and notes in record, unless that is NULL, what it is made
 * of, if there is room. 0, or -1 with errno: of a path that has to be there and
 * is not, EACCES of a program that cannot be read.
 */
int ruleset_make(struct ruleset *ruleset, struct ruleset_record *record,
    const struct image *image, uint32_t number, int abi);

/* Whether it is whole, and every path still leads to what the ruleset was made
 * of. */
bool ruleset_record_holds(const struct ruleset_record *record);

#endif
