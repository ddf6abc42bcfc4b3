#ifndef PARENT_PASS_H
#define PARENT_PASS_H

#include <stdint.h>

struct parent;
struct session;

/*
 * Services of servers that run already. The parent connects to the server,
 * sees that it is who it should be, says `+` to the client and sends one
 * message (core/pass.h). The session is launching until the server has taken
 * that message, and runs until it has closed its end of the session's pipe.
 * Where that fails again and again it is not tried for a while.
 */

/* The session's service has been decided: passes it on, or refuses. */
void pass_choose(struct parent *parent, struct session *session);

/* The connection to its server tells something: taken, or lost. */
void pass_settle(struct parent *parent, uint32_t slot);

/* Nobody has the write end of its pipe any more. */
void pass_end(struct parent *parent, uint32_t slot);

/* Its server had it for too long without taking it. */
void pass_expire(struct parent *parent, struct session *session);

/* tcpmuxd ends: those that run are their servers' alone from now on. */
void pass_finish(struct parent *parent);

#endif
