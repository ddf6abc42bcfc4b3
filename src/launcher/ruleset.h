#ifndef LAUNCHER_RULESET_H
#define LAUNCHER_RULESET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/image.h"
#include "launcher/ruleset_record.h"

/*
 * What a service may use of the files, as a Landlock ruleset.
 */
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

#endif
