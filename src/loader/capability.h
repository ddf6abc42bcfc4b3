#ifndef LOADER_CAPABILITY_H
#define LOADER_CAPABILITY_H

#include "core/policy.h"

/*
 * The number of a capability (capabilities(7)) by its name in any case, with
 * or without `cap_` before it; -1 if there is none, and then *nearest is the
 * name that was most likely meant, or NULL.
 */
int capability_find(struct text name, const char **nearest);

#endif
