#ifndef PARENT_SIGNALS_H
#define PARENT_SIGNALS_H

#include <stdbool.h>

struct parent;

/*
 * What an administrator says by kill(1): TERM and INT, stop and end the
 * sessions (those whose leftovers may be kept stay); QUIT, finish what is
 * in, then stop; USR1, say how it goes; HUP, take the policy as it is now. And
 * what the kernel says: CHLD.
 */

/* Blocks them and makes them an event. 0, or -1 with errno. */
int signals_init(struct parent *parent);

/* One or more have come. */
void signals_receive(struct parent *parent);

/* Goes on with stopping. */
void signals_tend(struct parent *parent);

/* Whether what they asked for is done, and tcpmuxd may end. */
bool signals_are_obeyed(struct parent *parent);

/* The counters, as pairs of the line that is open. */
void signals_log_counters(struct parent *parent);

#endif
