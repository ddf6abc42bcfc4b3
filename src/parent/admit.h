#ifndef PARENT_ADMIT_H
#define PARENT_ADMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"

struct parent;

/*
 * Decides, before a byte is read, whether a connection may come in at all:
 * admission's rules, and what its source has open already. Who may not is
 * closed without a word. Takes fd in either case. A full house turns out the
 * eldest of the heaviest neighbourhood, never the one that comes.
 */
void admit_take_fd(struct parent *parent, int fd, const struct addr *peer,
    uint32_t listener, bool is_lenient);

#endif
