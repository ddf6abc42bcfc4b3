#ifndef SYS_SHARED_H
#define SYS_SHARED_H

#include <stddef.h>

/*
 * Zeroed memory for tables, in shared mappings of their own: so that clone
 * does not have to copy their page tables, and so that what a table was is
 * given back whole when it is made anew. The kernel finds all of it at once
 * (MADV_POPULATE_WRITE, Linux 5.14; before that when it is first written): it
 * does not run out when a stranger comes, and a page at a time would take ten
 * times as long.
 */
struct shared {
	void *base; /* owned; page-aligned; NULL: none */
	size_t bytes;
};

/* Maps so many bytes, at least one. 0, or -1 with errno and *shared empty. */
int shared_map(struct shared *shared, size_t bytes);

/* More of it, the first bytes as they were; it may have moved. 0, or -1. */
int shared_grow(struct shared *shared, size_t bytes);

/* Gives it back, if it is there. */
void shared_unmap(struct shared *shared);

#endif
