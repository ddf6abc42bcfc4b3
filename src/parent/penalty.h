#ifndef PARENT_PENALTY_H
#define PARENT_PENALTY_H

#include <stdint.h>

#include "core/image.h"

struct parent;
struct session;
struct worker;

/*
 * What sources are penalised for, and on whose word. Only the source itself
 * pays, for a time, and who is exempt never does.
 */

/* Room for what is written down of so many workers' words. 0, or -1: errno. */
int penalty_make_room(struct parent *parent, uint32_t count);

/* A worker starts: nothing was said by it yet. */
void penalty_begin(struct parent *parent, struct worker *worker);

/* For what we saw ourselves. */
void penalty_add(struct parent *parent, const struct session *session,
    enum image_penalty kind);

/*
 * For what its service's exit code tells of it, as the policy said when it
 * began: how much it was, ms. While its source is held: before the session
 * is over.
 */
uint32_t penalty_add_exit(
    struct parent *parent, const struct session *session, int code);

/* For what a parser says: gone again if that worker is found to lie. */
void penalty_claim(struct parent *parent, struct worker *worker,
    const struct session *session, enum image_penalty kind);

/*
 * Its time ran out. That nothing more was to come of its line is what the
 * worker said that looked last; without its word nobody is penalised.
 */
void penalty_time_out(struct parent *parent, const struct session *session);

/* The worker is not believed any more, nor what it said. */
void penalty_wipe(struct parent *parent, struct worker *worker);

#endif
