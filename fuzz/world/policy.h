#ifndef FUZZ_WORLD_POLICY_H
#define FUZZ_WORLD_POLICY_H

#include <stddef.h>

/*
 * A policy text to the image that the loader makes of it, as with `tcpmuxd
 * -s`: no user, group, path or file is looked up. Filters of system calls are
 * two instructions each, since making them takes longer than all the rest.
 * malloc'ed, the caller's; NULL if it is no policy, or reads files.
 */
void *policy_image(const char *bytes, size_t length, size_t *size);

/*
 * One with every kind of service, and limits so small that a short script
 * meets them. Not the caller's.
 */
const void *policy_small(size_t *size);

/* One that has something in every section of the image. */
const void *policy_full(size_t *size);

#endif
