#ifndef LAUNCHER_BASE_H
#define LAUNCHER_BASE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/image.h"
#include "launcher/rulesets.h"

/*
 * What all launches of one launcher stand on. Its words are what argv[1] of
 * tcpmuxd-launcher says.
 */
enum base_kind {
	BASE_COMMON, /* "base": root, an empty bounding set for all to inherit
		      */
	BASE_FULL, /* "full": root, and services that keep some of its rights */
	BASE_SELF, /* "self": tcpmuxd without root: nobody to become */
};

/* Behind each of these words there may be "-offline": for `network none`. */

/* What the parent gives the launcher, beside stderr. */
#define BASE_CHANNEL_FD 3
#define BASE_IMAGE_FD 4
#define BASE_STATUS_FD 5
#define BASE_NETWORK_FD 6 /* offline, root, and IMAGE_WALL_NAMESPACE */

/* Those that a service can have of its own. */
#define BASE_NAMESPACES 4u

/* What it has once it stands. */
#define BASE_NULL_FD 0 /* /dev/null; so is 1 */
#define BASE_RULESET_FD 4
#define BASE_PROC_FD 5 /* with Landlock: /proc, O_PATH; or what is nothing */
#define BASE_UMASK 077u /* that of nearly all services */

struct base {
	enum base_kind kind;
	bool is_offline;
	struct image image;
	uint64_t capabilities; /* all that tcpmuxd has */
	unsigned securebits; /* as inherited */
	uint32_t uid, gid; /* its own */
	uint32_t group_count;
	int ruleset_fd; /* of a session's Landlock domain; -1: no Landlock */
	int status_fd; /* of the pipe, until the base stands */
	uint64_t namespaces[BASE_NAMESPACES]; /* it is in: inodes; 0: unseen */
	unsigned filters; /* programs of the image that all inherit */
	bool lacks_clone3; /* and that of clone3 */
	bool has_no_new_privileges; /* as all that comes of it, then */
	uint64_t clone3_key; /* by which it may; no program knows it */
	struct rulesets *rulesets; /* of those that say which files they see */
	unsigned first_free_fd; /* this one and all above it are unused */
};

/*
 * Builds it, once, in a process just exec'ed; it is all zero but for rulesets,
 * which is where they are to be. A step that fails is told through the status
 * pipe, {step, errno}, and that none did is {none, 0}: an empty pipe means that
 * it died. Whatever happened, the pipe is closed afterwards. Returns whether
 * the base stands.
 */
bool base_build(struct base *base, const char *kind_word);

#endif
