#ifndef LAUNCHER_RULESETS_H
#define LAUNCHER_RULESETS_H

#include <stdint.h>

#include "launcher/ruleset.h"

/*
 * Rulesets that are ready to be entered, so that most launches make none. A
 * child uses one only if it sees by itself that its paths lead where they
 * led; else it makes its own, and asks for the launcher to make one too. So
 * the launcher looks at no path that a child has not just come back from: one
 * on a file server that is away stops a launch, not the launcher.
 */

/* Each is a descriptor, and every clone copies them all. */
#define RULESETS_READY_MAX 64u

enum wanted {
	WANTED_NOT,
	WANTED_NOW, /* a child had to make its own */
	WANTED_NEVER, /* it is too large to be kept */
};

struct rulesets {
	int abi; /* of the kernel; 0: it has no Landlock */
	uint8_t *wanted; /* shared with the children: enum wanted, one a
			  * ruleset */
	uint32_t count; /* that are ready */
	struct {
		uint32_t number; /* in the image */
		struct ruleset ruleset;
		struct ruleset_record record;
	} ready[RULESETS_READY_MAX];
};

/* None is ready yet. 0, or -1 with errno. */
int rulesets_init(struct rulesets *rulesets, const struct image *image);

/*
 * In a child: one that is ready and still good, or a new one. Its descriptor
 * is CLOEXEC. Async-signal-safe. 0, or -1 with the errno of ruleset_make.
 */
int rulesets_take(const struct rulesets *rulesets, const struct image *image,
    uint32_t number, struct ruleset *ruleset);

/*
 * In the launcher, between launches: makes this one ready, or anew, if a child
 * has asked for it. *first_free_fd is the lowest descriptor that is not open,
 * as are all above; what is ready comes to lie below it. One that cannot be
 * made is left to the children.
 */
void rulesets_tend(struct rulesets *rulesets, const struct image *image,
    uint32_t number, unsigned *first_free_fd);

#endif
