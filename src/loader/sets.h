#ifndef LOADER_SETS_H
#define LOADER_SETS_H

#include "core/policy.h"
#include "loader/build.h"

/*
 * Prefixes as sorted intervals that do not touch. Sets are built one at a
 * time, in place: what was added behind the last set is the next one.
 */

/* All addresses of both families. */
void sets_add_all(struct build *build);
/* With the scope of its address: members on that link alone. */
void sets_add_prefix(struct build *build, const struct prefix *prefix);
/* All of a set that is built already. */
void sets_add_set(struct build *build, uint32_t set);

/* Makes what was added a set of the image, merged; returns its index. */
uint32_t sets_end(struct build *build);

#endif
