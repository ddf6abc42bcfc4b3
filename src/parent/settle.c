/*
 * The ends that are no service: refusals and the list of names.
 * Trusts nothing the client does: it may send for ever, or never read.
 * Never looks at what it throws away, never says why, never waits.
 */
#include "parent/settle.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "core/reply.h"
#include "parent/launch.h"
#include "parent/limits.h"
#include "parent/parent.h"
#include "parent/penalty.h"
#include "parent/recheck.h"
#include "sys/fd.h"
#include "sys/log.h"

static const char *const reasons[REFUSAL_COUNT] = {
	[REFUSAL_NONE] = NULL,
	[REFUSAL_UNKNOWN] = "unknown",
	[REFUSAL_MALFORMED] = "malformed",
	[REFUSAL_DENIED] = "denied",
	[REFUSAL_DISABLED] = "disabled",
	[REFUSAL_LISTENER] = "listener",
	[REFUSAL_HOURS] = "hours",
	[REFUSAL_SESSIONS] = "sessions",
	[REFUSAL_PER_SOURCE] = "per-source",
	[REFUSAL_TIMEOUT] = "timeout",
	[REFUSAL_STALLED] = "stalled",
	[REFUSAL_CRASH] = "crash",
	[REFUSAL_MISMATCH] = "mismatch",
	[REFUSAL_RATE] = "rate",
	[REFUSAL_SOURCE_RATE] = "source-rate",
	[REFUSAL_TRAP] = "trap",
	[REFUSAL_LAUNCH] = "launch",
	[REFUSAL_SUSPENDED] = "suspended",
	[REFUSAL_RESOURCES] = "resources",
	[REFUSAL_STOPPING] = "stopping",
};

/* What went wrong here, and not with the client: never left out of the log. */
static bool
is_our_fault(enum refusal refusal)
{
	return refusal == REFUSAL_LAUNCH || refusal == REFUSAL_CRASH ||
	    refusal == REFUSAL_MISMATCH;
}

void
settle_log_place(const struct parent *parent, const struct image_place *place)
{
	if (place != NULL)
		log_place("rule", image_text(&parent->image, place->file),
		    place->line);
}

static void
log_session(const struct parent *parent, const struct session *session)
{
	log_addr(&session->peer);
	log_number("session", session->id);
	log_duration("duration_s", parent->now_ms - session->accepted_ms);
}

static void
log_refusal(
    struct parent *parent, const struct session *session, enum refusal refusal)
{
	parent->counters.refused++;
	if (is_our_fault(refusal))
		log_begin(LOG_LEVEL_INFO, "refuse");
	else
		noise_begin(parent, &session->peer, "refuse");
	log_word("reason", reasons[refusal]);
	if (session->service_name[0] != '\0')
		log_text("service", session->service_name);
	log_session(parent, session);
}

/*
 * Throws away what has come, unread. Returns what recv says: 0 at the end,
 * -1 with errno EAGAIN when nothing is left for now. One call takes all
 * there is, but for what stands behind an urgent mark.
 */
static ssize_t
discard_once(struct session *session)
{
	ssize_t count = recv(
	    session->fd, NULL, LIMIT_LINGER_BYTES, MSG_TRUNC | MSG_DONTWAIT);

	if (count > 0)
		session->drained_bytes += (uint32_t)count;
	return count;
}

/* The same, until there is no more, or more than is put up with. */
static ssize_t
discard(struct session *session)
{
	ssize_t count = 1;

	while (count > 0 && session->drained_bytes < LIMIT_LINGER_BYTES)
		count = discard_once(session);
	return count;
}

/* Reading first: a close with bytes unread would take the answer back. */
static void
close_unawaited(struct parent *parent, struct session *session)
{
	(void)discard_once(session);
	session_enter(parent, session, SESSION_FREE);
}

/* More could come than is given room to: those that came first must go. */
static void
keep_linger_bounded(struct parent *parent, const struct session *session)
{
	struct sessions *sessions = &parent->sessions;
	struct session *longest;

	if (sessions->ring.count + sessions->lingering.count <
	    LIMIT_LINGER_SLOTS)
		return;
	longest = session_list_first(parent, &sessions->lingering);
	if (longest == NULL)
		longest = session_list_first(parent, &sessions->ring);
	if (longest != NULL && longest != session)
		close_unawaited(parent, longest);
}

/*
 * From here on the client has had its answer; only its end is awaited. What it
 * sent, its line too, is thrown away when that is looked for.
 */
static void
finish_sending(struct parent *parent, struct session *session)
{
	if (shutdown(session->fd, SHUT_WR) != 0 ||
	    source_get(&parent->sources, session->source, SOURCE_LINGERING) >=
		LIMIT_LINGER_PER_SOURCE) {
		close_unawaited(parent, session);
		return;
	}
	keep_linger_bounded(parent, session);
	session_enter(parent, session, SESSION_RINGED);
}

static void
refuse(struct parent *parent, struct session *session)
{
	session->generation = 0;
	/*
	 * The text and the end go out together; but in the middle of a list
	 * of names no other text may follow.
	 */
	if (session->state != SESSION_HELPING)
		(void)send(session->fd, REPLY_REFUSAL, REPLY_REFUSAL_BYTES,
		    MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE);
	finish_sending(parent, session);
}

void
settle_refuse_place(struct parent *parent, struct session *session,
    enum refusal refusal, const struct image_place *place)
{
	log_refusal(parent, session, refusal);
	settle_log_place(parent, place);
	log_end();
	refuse(parent, session);
}

void
settle_refuse(
    struct parent *parent, struct session *session, enum refusal refusal)
{
	settle_refuse_place(parent, session, refusal, NULL);
}

void
settle_refuse_claimed(struct parent *parent, struct session *session,
    const uint8_t *name, size_t length)
{
	log_refusal(parent, session, REFUSAL_UNKNOWN);
	log_bytes("claimed", name, length);
	log_end();
	refuse(parent, session);
}

void
settle_refuse_launch(
    struct parent *parent, struct session *session, const char *step, int error)
{
	log_refusal(parent, session, REFUSAL_LAUNCH);
	log_word("step", step);
	if (error != 0)
		log_errno(error);
	log_end();
	refuse(parent, session);
}

void
settle_closed(struct parent *parent, struct session *session)
{
	/* Who never said a thing was only looking whether we are there. */
	bool is_probe = session->seen == 0 && !session->has_line;

	parent->counters.probes += is_probe;
	noise_begin(parent, &session->peer, is_probe ? "probe" : "gone");
	log_session(parent, session);
	log_end();
	session_enter(parent, session, SESSION_FREE);
}

void
settle_evict(struct parent *parent, struct session *session)
{
	parent->counters.evicted++;
	noise_begin(parent, &session->peer, "evict");
	log_session(parent, session);
	log_end();
	(void)discard(session);
	/* In the middle of a list of names, no other text may follow. */
	if (session->state != SESSION_HELPING)
		(void)send(session->fd, REPLY_REFUSAL, REPLY_REFUSAL_BYTES,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	session_enter(parent, session, SESSION_FREE);
}

static void
finish_help(struct parent *parent, struct session *session)
{
	parent->counters.helped++;
	noise_begin(parent, &session->peer, "help");
	log_session(parent, session);
	log_end();
	finish_sending(parent, session);
}

void
settle_resume_help(struct parent *parent, struct session *session)
{
	const struct image *image = &parent->editions[session->side].image;
	const struct asker asker = recheck_asker(parent, session);
	uint8_t names[4096];
	struct reply_cursor next;
	size_t length = reply_help(
	    image, &asker, session->cursor, names, sizeof(names), &next);
	ssize_t sent = send(
	    session->fd, names, length, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE);

	if (sent < 0 && errno != EAGAIN) {
		settle_closed(parent, session);
		return;
	}
	if (sent == (ssize_t)length)
		session->cursor = next;
	else if (sent > 0)
		session->cursor = reply_help_resume(
		    image, &asker, session->cursor, (size_t)sent);
	if (reply_help_is_done(image, session->cursor))
		finish_help(parent, session);
	else if (session_watch(parent, session, EPOLLOUT) != 0)
		settle_closed(parent, session);
}

void
settle_help(struct parent *parent, struct session *session)
{
	session->side = (uint8_t)parent->side;
	session_enter(parent, session, SESSION_HELPING);
	settle_resume_help(parent, session);
}

void
settle_resume_linger(struct parent *parent, struct session *session)
{
	ssize_t count = discard(session);

	/* At its end, or more than is put up with; in error; or too long. */
	if (count >= 0 || errno != EAGAIN ||
	    parent->now_ms >= session->linger_end_ms) {
		session_enter(parent, session, SESSION_FREE);
		return;
	}
	session_enter(parent, session, SESSION_LINGERING);
	if (session_watch(parent, session, EPOLLIN | EPOLLRDHUP) != 0)
		session_enter(parent, session, SESSION_FREE);
}

/*
 * It has had its answer for a while. Where its FIN is here, so is all that it
 * sent, and one call takes all of that but for what an urgent mark divides.
 */
static void
resume_ringed(struct parent *parent, struct session *session, short events)
{
	if ((events & (POLLRDHUP | POLLPRI)) == POLLRDHUP)
		close_unawaited(parent, session);
	else
		settle_resume_linger(parent, session);
}

/* Who is due: as many as can be asked about together. */
static nfds_t
find_due(struct parent *parent, struct pollfd asked[], uint32_t slots[])
{
	const struct session_list *ring = &parent->sessions.ring;
	uint32_t slot = ring->first;
	nfds_t count = 0;

	while (count < LIMIT_RING_TOGETHER && slot != SESSION_NONE) {
		const struct session *session = session_at(parent, slot);

		if (session->deadline_ms > parent->now_ms)
			break;
		asked[count] = (struct pollfd){ .fd = session->fd,
			.events = POLLIN | POLLPRI | POLLRDHUP };
		slots[count] = slot;
		count++;
		slot = session->links[ring->use].next;
	}
	return count;
}

/* Whose FIN is here the kernel says of many at a time; or else they linger. */
static void
tend_ring(struct parent *parent)
{
	struct pollfd asked[LIMIT_RING_TOGETHER];
	uint32_t slots[LIMIT_RING_TOGETHER];
	nfds_t count = find_due(parent, asked, slots);

	while (count > 0) {
		(void)poll(asked, count, 0);
		for (nfds_t i = 0; i < count; i++)
			resume_ringed(parent, session_at(parent, slots[i]),
			    asked[i].revents);
		count = find_due(parent, asked, slots);
	}
}

/* It took too long to read; more text would not be read either. */
static void
end_help(struct parent *parent, struct session *session)
{
	noise_begin(parent, &session->peer, "help");
	log_word("reason", "timeout");
	log_session(parent, session);
	log_end();
	fd_reset(session->fd);
	session_enter(parent, session, SESSION_FREE);
}

void
settle_end_helps(struct parent *parent, uint32_t side)
{
	for (uint32_t i = 0; i < parent->sessions.capacity; i++) {
		struct session *session = session_at(parent, i);

		if (session->state == SESSION_HELPING && session->side == side)
			end_help(parent, session);
	}
}

static void
expire_deciding(struct parent *parent, struct session *session)
{
	parent->counters.timed_out++;
	if (session->state != SESSION_HELPING) {
		penalty_time_out(parent, session);
		settle_refuse(parent, session, REFUSAL_TIMEOUT);
		return;
	}
	end_help(parent, session);
}

static void
expire_lingering(struct parent *parent, struct session *session)
{
	session_enter(parent, session, SESSION_FREE);
}

/* Each list is in the order of its deadlines. */
static void
expire(struct parent *parent, struct session_list *list,
    void (*expired)(struct parent *, struct session *))
{
	struct session *session = session_list_first(parent, list);

	while (session != NULL && session->deadline_ms <= parent->now_ms) {
		expired(parent, session);
		session = session_list_first(parent, list);
	}
}

void
settle_tend(struct parent *parent)
{
	struct sessions *sessions = &parent->sessions;

	tend_ring(parent);
	expire(parent, &sessions->deciding, expire_deciding);
	expire(parent, &sessions->launching, launch_expire);
	expire(parent, &sessions->lingering, expire_lingering);
}
