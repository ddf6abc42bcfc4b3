#ifndef PARENT_REAP_H
#define PARENT_REAP_H

#include <stdbool.h>
#include <stdint.h>

struct parent;
struct session;

/*
 * The end of processes and sessions. The parent is the only one that reaps,
 * so a pid is the process it was told of until it is reaped here.
 */

/* Reaps children that have ended: not all, if there are very many. */
void reap_tend(struct parent *parent);

/* The session's pid is known now: finds it again when it ends. */
void reap_index(struct parent *parent, struct session *session);

/* Its pid is not to be watched or signalled any more. */
void reap_forget(struct parent *parent, struct session *session);

/* Sends a signal to all of a running session. */
void reap_signal(const struct parent *parent, const struct session *session,
    int signal_number);

/* Sends a signal to every running session but those that may stay. */
void reap_signal_all(struct parent *parent, int signal_number);

/* Running sessions that tcpmuxd waits for before it ends. */
uint32_t reap_count_waited_for(struct parent *parent);

#endif
