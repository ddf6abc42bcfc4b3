#ifndef PARENT_LISTEN_CHANGE_H
#define PARENT_LISTEN_CHANGE_H

#include <stdint.h>

#include "core/image.h"
#include "sys/shared.h"

struct parent;

/*
 * From the listeners of one policy to those of the next. An address that both
 * have keeps its socket, which nobody touches: no SYN is refused and no queue
 * is lost. New ones are bound before anything is given up. Old ones take no new
 * SYN any more, and are closed LIMIT_LEAVE_MS later, when whoever had connected
 * before has been accepted; if another reload wants them back before that, they
 * stay.
 */
#define LISTENER_NEW UINT32_MAX

struct listeners_change {
	struct shared table; /* owned; the next struct listeners' */
	uint32_t count;
	uint32_t formers[IMAGE_LISTENS_MAX]; /* among all; LISTENER_NEW */
	uint32_t nexts[IMAGE_LISTENS_MAX]; /* LISTENER_GONE: it goes */
};

/* Binds what is new in the policy of this image. 0, or -1, logged. */
int listen_prepare(struct parent *parent, struct listeners_change *change,
    const struct image *image);

/* Listens on it, accepting from nobody. 0, or -1 with errno. */
int listen_begin_all(struct parent *parent, struct listeners_change *change,
    const struct image *image);

/*
 * They are the listeners now, and every undecided connection's is told by its
 * number in the policy in force. Cannot fail.
 */
void listen_take(struct parent *parent, struct listeners_change *change);

/* Or they are closed again. */
void listen_drop(struct parent *parent, struct listeners_change *change);

#endif
