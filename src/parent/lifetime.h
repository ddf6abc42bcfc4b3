#ifndef PARENT_LIFETIME_H
#define PARENT_LIFETIME_H

#include <stdint.h>

struct parent;
struct session;

/*
 * How long a session may last (`lifetime`) and be idle (`idle`). Who is over
 * either is sent SIGTERM, as a whole, and SIGKILL LIMIT_STOP_MS later. Only
 * sessions of services with one of these have a timer.
 */

/* Its service runs; its socket is still ours, for the last time. */
void lifetime_begin(struct parent *parent, struct session *session);

/* Asks and ends whose time has come: not all, if there are very many. */
void lifetime_tend(struct parent *parent);

/* When that is due next; 0: it is not. */
int64_t lifetime_due_ms(const struct parent *parent);

/* Why the session was ended, as it stands in the log; NULL: it was not. */
const char *lifetime_reason(const struct session *session);

#endif
