#ifndef PARENT_SETTLE_H
#define PARENT_SETTLE_H

#include <stdint.h>

#include "core/image.h"
#include "core/message.h"

struct parent;
struct session;

/*
 * How a connection ends that gets no service. One text for every refusal;
 * the reason goes to the log and nowhere else.
 */
enum refusal {
	REFUSAL_NONE,
	REFUSAL_UNKNOWN, /* no such name */
	REFUSAL_MALFORMED, /* not a line */
	REFUSAL_DENIED, /* by the service's rules */
	REFUSAL_DISABLED,
	REFUSAL_LISTENER, /* not on the one it came in by */
	REFUSAL_HOURS, /* not at this time */
	REFUSAL_SESSIONS, /* the service's, or all */
	REFUSAL_PER_SOURCE, /* the service's share of one source */
	REFUSAL_TIMEOUT, /* no whole line in time */
	REFUSAL_STALLED, /* woke up without a byte more: an urgent mark */
	REFUSAL_CRASH, /* a parser died of it */
	REFUSAL_MISMATCH, /* a parser lied about bytes behind an urgent mark */
	REFUSAL_RATE, /* the service's, whoever asks */
	REFUSAL_SOURCE_RATE, /* the service's, for one source */
	REFUSAL_TRAP, /* nobody has a reason to ask for this one */
	REFUSAL_LAUNCH, /* a step of its launch failed */
	REFUSAL_SUSPENDED, /* its server has failed too often: not tried */
	REFUSAL_RESOURCES, /* descriptors or memory ran out */
	REFUSAL_STOPPING, /* tcpmuxd is about to end */
	REFUSAL_COUNT,
};

/*
 * Says no, and sees to it that the client can read it: what came is thrown
 * away unread, the text and the end are sent, and the socket is kept until
 * the client closes (bounded: LIMIT_LINGER_*).
 */
void settle_refuse(
    struct parent *parent, struct session *session, enum refusal refusal);
/*
 * The same, with the line of the policy that decided (NULL: none did), or
 * the name that was claimed.
 */
void settle_refuse_place(struct parent *parent, struct session *session,
    enum refusal refusal, const struct image_place *place);
void settle_refuse_claimed(struct parent *parent, struct session *session,
    const uint8_t *name, size_t length);
/* The same, for a launch: the step and errno are logged. */
void settle_refuse_launch(struct parent *parent, struct session *session,
    const char *step, int error);

/* It closed without a byte, or is in error: nothing can be said to it. */
void settle_closed(struct parent *parent, struct session *session);

/* It has to make room for another: refused at once, and not waited for. */
void settle_evict(struct parent *parent, struct session *session);

/* Its line was HELP: sends the names, as fast as it takes them. */
void settle_help(struct parent *parent, struct session *session);

/* Its socket takes bytes again, or has some, or is at its end. */
void settle_resume_help(struct parent *parent, struct session *session);
void settle_resume_linger(struct parent *parent, struct session *session);

/* Whoever is still being told that side's names: reset, not told a part. */
void settle_end_helps(struct parent *parent, uint32_t side);

/* What is due by parent->now_ms: deadlines, the ring, lingering. */
void settle_tend(struct parent *parent);

/* rule=FILE:LINE, unless it is NULL. */
void
settle_log_place(const struct parent *parent, const struct image_place *place);

#endif
