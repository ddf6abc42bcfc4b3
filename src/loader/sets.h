#ifndef LOADER_SETS_H
#define LOADER_SETS_H

#include "core/policy.h"
#include "loader/build.h"

/*
 * Prefixes as sorted intervals that do not touch. Sets are built one at a
 * time: begin, add, end.
 */
struct sets {
	struct buffer v4, v6; /* intervals of the set being built */
};

/* All addresses of both families. */
void sets_add_all(struct sets *sets);
void sets_add_prefix(struct sets *sets, const struct prefix *prefix);
/* All of a set that is built already. */
void sets_add_set(struct sets *sets, const struct build *build, uint32_t set);

/* Adds the set to the image, merged; returns its index. sets is empty then. */
uint32_t sets_end(struct sets *sets, struct build *build);

void sets_finish(struct sets *sets);

#endif
