#ifndef PARENT_REPORT_H
#define PARENT_REPORT_H

#include <stdint.h>

struct parent;

/* The short list that is meant below: bit n is capability n. */
uint64_t report_kept_capabilities(void);

/*
 * Keeps of root's capabilities the short list that the parent needs, and
 * gives up all others (capabilities(7)). 0, or -1 with errno.
 */
int report_reduce_capabilities(struct parent *parent);

/*
 * Says at start, one line each, what was found and what is missing: kernel
 * features, capabilities, descriptors against what the policy may need,
 * syncookies, cgroups, and what is weaker for it.
 */
void report_start(struct parent *parent);

#endif
