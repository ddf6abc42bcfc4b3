/*
 * The second question, asked of our own policy: what does this client get?
 * Trusts the parser for nothing but a hint where to look.
 * Never parses: it compares bytes with a name it already has, and counts.
 */
#include "parent/recheck.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/sockios.h>

#include "core/access.h"
#include "core/line.h"
#include "core/name.h"
#include "parent/launch.h"
#include "parent/parent.h"
#include "parent/pass.h"
#include "parent/penalty.h"
#include "parent/settle.h"
#include "sys/log.h"

#ifndef SO_PEEK_OFF
#define SO_PEEK_OFF 42
#endif

#define END_BYTES 2u /* CRLF */
#define LENIENT_END_BYTES 1u /* LF */

enum comparison {
	COMPARISON_SAME,
	COMPARISON_BEGINS, /* the same up to an urgent mark */
	COMPARISON_DIFFERENT,
	COMPARISON_GONE, /* the connection is in error */
	COMPARISON_TAKEN, /* different, and taken out of the stream already */
};

static void
set_peek_offset(
    const struct parent *parent, const struct session *session, int offset)
{
	if (parent->can_peek_on)
		(void)setsockopt(session->fd, SOL_SOCKET, SO_PEEK_OFF, &offset,
		    sizeof(offset));
}

/* The bytes that came, as far as tcp(7) has them in order; -1: errno. */
static int
count_queued(const struct session *session)
{
	int queued;

	return ioctl(session->fd, SIOCINQ, &queued) == 0 ? queued : -1;
}

/* The name and its end: has_length saw to it that LF alone is one, if it is. */
static bool
is_line(
    const uint8_t *line, size_t length, const uint8_t *name, size_t name_length)
{
	return name_is_line(line, length, name, name_length, true);
}

/*
 * Looks without taking. The peek offset is switched off first, so that no
 * parser that still has the socket can move where this begins. A peek stops
 * at an urgent mark: what stands behind it is compared when it is taken out.
 */
static enum comparison
compare(const struct parent *parent, const struct session *session,
    const uint8_t *name, size_t name_length, size_t length)
{
	uint8_t line[LINE_MAX_BYTES];
	ssize_t got;

	set_peek_offset(parent, session, -1);
	got = recv(session->fd, line, length, MSG_PEEK | MSG_DONTWAIT);
	if (got < 0 && errno != EAGAIN)
		return COMPARISON_GONE;
	if (got == (ssize_t)length)
		return is_line(line, length, name, name_length)
		    ? COMPARISON_SAME
		    : COMPARISON_DIFFERENT;
	if (got <= 0 || count_queued(session) < (int)length ||
	    !name_begins_line(line, (size_t)got, name, name_length))
		return COMPARISON_DIFFERENT;
	return COMPARISON_BEGINS;
}

/*
 * Takes out what was compared, and compares it again. What was taken and is
 * not the line cannot be given back: that connection must not be handed over
 * again, or the bytes behind would be read as its line.
 */
static enum comparison
take_compared(const struct session *session, const uint8_t *name,
    size_t name_length, size_t length)
{
	uint8_t line[LINE_MAX_BYTES];
	size_t got = 0;

	while (got < length) {
		ssize_t count =
		    recv(session->fd, line + got, length - got, MSG_DONTWAIT);

		if (count < 0 && errno != EAGAIN)
			return COMPARISON_GONE;
		if (count <= 0)
			return COMPARISON_TAKEN;
		got += (size_t)count;
	}
	return is_line(line, length, name, name_length) ? COMPARISON_SAME
							: COMPARISON_TAKEN;
}

/*
 * Whether the client said so. to_take: the line is taken out, too, so that
 * what is left is the service's; else where looking alone does not tell.
 */
static enum violation
hear_line(struct parent *parent, struct session *session, const uint8_t *name,
    size_t name_length, size_t length, bool to_take, bool *is_said)
{
	enum comparison comparison =
	    compare(parent, session, name, name_length, length);

	*is_said = false;
	if (comparison == COMPARISON_BEGINS ||
	    (comparison == COMPARISON_SAME && to_take))
		comparison = take_compared(session, name, name_length, length);
	switch (comparison) {
	case COMPARISON_BEGINS:
	case COMPARISON_DIFFERENT:
		return VIOLATION_MISMATCH;
	case COMPARISON_TAKEN:
		settle_refuse(parent, session, REFUSAL_MISMATCH);
		return VIOLATION_MISMATCH;
	case COMPARISON_SAME:
		session->generation = 0;
		session->has_line = true;
		*is_said = true;
		return VIOLATION_NONE;
	case COMPARISON_GONE:
		session->has_line = true;
		settle_closed(parent, session);
		return VIOLATION_NONE;
	}
	return VIOLATION_MISMATCH;
}

/* Takes a token of both rates, or of none. */
static enum refusal
spend(struct parent *parent, const struct session *session)
{
	const struct image_service *service =
	    image_service(&parent->image, session->service);
	struct rate_bucket *all = &parent->services[session->service].rate;
	struct rate_bucket *own = source_rate(&parent->shares, session->share);

	if (session->is_exempt)
		return REFUSAL_NONE;
	if (!rate_has(own, &service->source_rate, parent->now_ms))
		return REFUSAL_SOURCE_RATE;
	if (!rate_take(all, &service->rate, parent->now_ms))
		return REFUSAL_RATE;
	(void)rate_take(own, &service->source_rate, parent->now_ms);
	return REFUSAL_NONE;
}

/* Every limit that a service has, whatever kind of service it is. */
static enum refusal
limit_of(struct parent *parent, struct session *session)
{
	const struct image *image = &parent->image;
	const struct image_service *service =
	    image_service(image, session->service);

	if (parent->services[session->service].sessions >= service->sessions ||
	    parent->sessions.running >= image_global(image)->sessions)
		return REFUSAL_SESSIONS;
	session->share = session_share(parent, session);
	if (session->share == SOURCE_NONE)
		return REFUSAL_RESOURCES;
	if (source_get(&parent->shares, session->share, SOURCE_RUNNING) >=
	    service->per_source)
		return REFUSAL_PER_SOURCE;
	return spend(parent, session);
}

struct asker
recheck_asker(const struct parent *parent, const struct session *session)
{
	return (struct asker){ .peer = session->peer,
		.listener = session->listener,
		.minute = parent->week.minute };
}

/* Each is held against its source alike, so that nothing is learned. */
static const enum refusal access_refusals[] = {
	[ACCESS_ALLOWED] = REFUSAL_NONE,
	[ACCESS_DISABLED] = REFUSAL_DISABLED,
	[ACCESS_LISTENER] = REFUSAL_LISTENER,
	[ACCESS_DENIED] = REFUSAL_DENIED,
	[ACCESS_HOURS] = REFUSAL_HOURS,
};

static void
decide_service(struct parent *parent, struct session *session)
{
	const struct image *image = &parent->image;
	const struct image_service *service =
	    image_service(image, session->service);
	const struct asker asker = recheck_asker(parent, session);
	const struct access access =
	    access_decide(image, session->service, &asker);
	enum refusal refusal = access_refusals[access.reason];

	if (refusal != REFUSAL_NONE) {
		penalty_add(parent, session, IMAGE_PENALTY_DENIED);
		settle_refuse_place(parent, session, refusal, access.place);
		return;
	}
	refusal = limit_of(parent, session);
	if (refusal != REFUSAL_NONE) {
		settle_refuse(parent, session, refusal);
		return;
	}
	switch ((enum image_kind)service->kind) {
	case IMAGE_KIND_EXEC:
	case IMAGE_KIND_BUILTIN:
		launch_choose(parent, session);
		break;
	case IMAGE_KIND_PASS:
		pass_choose(parent, session);
		break;
	case IMAGE_KIND_TRAP:
		penalty_add(parent, session, IMAGE_PENALTY_TRAP);
		settle_refuse(parent, session, REFUSAL_TRAP);
		break;
	}
}

/*
 * Whether a line of this name can be so long: with a bare LF only if its
 * listener takes one, which is what the worker was told.
 */
static bool
has_length(const struct handover *asked, const struct verdict *answer,
    size_t name_length)
{
	return answer->length == name_length + END_BYTES ||
	    (answer->length == name_length + LENIENT_END_BYTES &&
		(asked->flags & HANDOVER_LENIENT_LF) != 0);
}

static enum violation
answer_name(struct parent *parent, struct session *session,
    const struct handover *asked, const struct verdict *answer)
{
	size_t name_length;
	const uint8_t *name =
	    names_get(&parent->image.names, answer->name, &name_length);
	enum violation violation;
	bool is_said;

	if (!has_length(asked, answer, name_length))
		return VIOLATION_LINE;
	violation = hear_line(
	    parent, session, name, name_length, answer->length, true, &is_said);
	if (is_said) {
		session_set_service(parent, session,
		    image_name_service(&parent->image, answer->name));
		decide_service(parent, session);
	}
	return violation;
}

static enum violation
answer_help(struct parent *parent, struct session *session,
    const struct handover *asked, const struct verdict *answer)
{
	const uint8_t help[] = { 'h', 'e', 'l', 'p' };
	enum violation violation;
	bool is_said;

	if (!has_length(asked, answer, sizeof(help)))
		return VIOLATION_LINE;
	/* Nobody gets what is left: like a refused one's, it is thrown away. */
	violation = hear_line(parent, session, help, sizeof(help),
	    answer->length, false, &is_said);
	if (is_said)
		settle_help(parent, session);
	return violation;
}

/*
 * Not decided yet: nothing to do until there is one byte more than was
 * seen, or no byte will come. Waking up without either would go round for
 * ever, so it ends the connection.
 */
static void
answer_more(struct parent *parent, struct session *session, uint16_t seen)
{
	const int wanted = seen + 1;

	if (session->was_woken && seen <= session->seen) {
		settle_refuse(parent, session, REFUSAL_STALLED);
		return;
	}
	session->seen = seen;
	session_enter(parent, session, SESSION_WAITING);
	if (setsockopt(session->fd, SOL_SOCKET, SO_RCVLOWAT, &wanted,
		sizeof(wanted)) != 0 ||
	    session_watch(parent, session, EPOLLIN | EPOLLRDHUP) != 0)
		settle_refuse(parent, session, REFUSAL_RESOURCES);
}

enum violation
recheck_answer(struct parent *parent, struct worker *worker,
    const struct handover *asked, const struct verdict *answer)
{
	struct session *session = session_at(parent, asked->slot);

	/* It was decided without the parser meanwhile: by its deadline. */
	if (session->generation != asked->generation)
		return VIOLATION_NONE;
	switch ((enum outcome)answer->outcome) {
	case OUTCOME_NAME:
		return answer_name(parent, session, asked, answer);
	case OUTCOME_HELP:
		return answer_help(parent, session, asked, answer);
	case OUTCOME_MORE:
		session->generation = 0;
		session->waits_for = worker->claims.id;
		answer_more(parent, session, answer->length);
		break;
	case OUTCOME_UNKNOWN:
		penalty_claim(parent, worker, session, IMAGE_PENALTY_UNKNOWN);
		settle_refuse_claimed(
		    parent, session, answer->claimed + 1, answer->claimed[0]);
		break;
	case OUTCOME_MALFORMED:
		penalty_claim(parent, worker, session, IMAGE_PENALTY_MALFORMED);
		settle_refuse(parent, session, REFUSAL_MALFORMED);
		break;
	case OUTCOME_CLOSED:
		settle_closed(parent, session);
		break;
	}
	return VIOLATION_NONE;
}

void
recheck_rewind(const struct parent *parent, const struct session *session)
{
	set_peek_offset(parent, session, 0);
}

void
recheck_wake(struct parent *parent, uint32_t slot, uint32_t events)
{
	struct session *session = session_at(parent, slot);

	recheck_rewind(parent, session);
	session->was_woken = true;
	if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		session->is_final = true;
	session_enter(parent, session, SESSION_QUEUED);
}
