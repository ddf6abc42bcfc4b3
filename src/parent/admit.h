#ifndef PARENT_ADMIT_H
#define PARENT_ADMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/source.h"

struct parent;

/* Who was accepted and is not in yet. */
struct arrival {
	int fd; /* owned */
	struct addr peer;
	struct source_place place; /* of its source */
};

/*
 * Decides, before a byte is read, whether a connection may come in at all:
 * admission's rules, and what its source has open already. Who may not is
 * closed without a word. A full house turns out the eldest of the heaviest
 * neighbourhood, never the one that comes.
 *
 * In two steps, so that several can be let in together, which is faster than
 * one by one. The first is by its address alone: false, and it is closed; true,
 * and the arrival is filled in and has fd.
 */
bool admit_look_fd(struct parent *parent, struct arrival *arrival, int fd,
    const struct addr *peer);

/* The second, in the same turn: takes the descriptors of all of them. */
void admit_take_fds(struct parent *parent, const struct arrival arrivals[],
    uint32_t count, uint32_t listener, bool is_lenient);

#endif
