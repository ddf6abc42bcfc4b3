/*
 * The first question: may this address come in at all?
 * Trusts the address, which is accept4's, and asks nothing of the client.
 * Never closes the door to one source for what another does.
 */
#include "parent/admit.h"

#include "core/access.h"
#include "parent/ban.h"
#include "parent/limits.h"
#include "parent/parent.h"
#include "parent/settle.h"
#include "sys/fd.h"
#include "sys/log.h"

static void
shut_out(struct parent *parent, int fd, const struct addr *peer,
    const char *reason, const struct image_place *place)
{
	parent->counters.shut_out++;
	noise_begin(parent, peer, "shut-out");
	log_word("reason", reason);
	log_addr(peer);
	settle_log_place(parent, place);
	log_end();
	fd_close(&fd);
}

static bool
is_penalised(const struct parent *parent, uint32_t source)
{
	return source_penalty_left_ms(
		   &parent->sources, source, parent->now_ms) >
	    image_global(&parent->image)->penalty_threshold_ms;
}

/* Why this source may have no more connections, or NULL. */
static const char *
excess_of(const struct parent *parent, uint32_t source)
{
	const struct image_global *global = image_global(&parent->image);
	uint32_t pending = source_get(&parent->sources, source, SOURCE_PENDING);
	uint32_t running = source_get(&parent->sources, source, SOURCE_RUNNING);

	if (pending >= global->pending_per_source)
		return "pending-per-source";
	if (pending + running >= global->per_source)
		return "per-source";
	return NULL;
}

/* What this source did before, then what it has; NULL: it may come in. */
static const char *
objection_to(struct parent *parent, uint32_t source, bool exempt)
{
	const struct image_global *global = image_global(&parent->image);
	const char *excess;

	if (!exempt && is_penalised(parent, source)) {
		ban_note(parent, source);
		return "penalty";
	}
	excess = excess_of(parent, source);
	if (excess != NULL || exempt)
		return excess;
	if (!rate_take(source_rate(&parent->sources, source), &global->rate,
		parent->now_ms))
		return "rate";
	return NULL;
}

bool
admit_look_fd(struct parent *parent, struct arrival *arrival, int fd,
    const struct addr *peer)
{
	const struct image_global *global = image_global(&parent->image);
	const struct access access = access_admit(&parent->image, peer);
	struct source_key key;

	if (access.reason != ACCESS_ALLOWED) {
		shut_out(parent, fd, peer, "denied", access.place);
		return false;
	}
	key = source_key(peer, global->count_by_v4, global->count_by_v6, 0);
	*arrival = (struct arrival){ .fd = fd,
		.peer = *peer,
		.place = source_seek(&parent->sources, &key) };
	return true;
}

static void
take_fd(struct parent *parent, const struct arrival *arrival, uint32_t listener,
    bool is_lenient)
{
	const struct image_global *global = image_global(&parent->image);
	const struct addr *peer = &arrival->peer;
	bool exempt = access_exempt(&parent->image, peer) != NULL;
	struct session *session;
	const char *objection;
	uint32_t source;

	source =
	    source_take_at(&parent->sources, &arrival->place, parent->now_ms);
	if (source == SOURCE_NONE) {
		shut_out(parent, arrival->fd, peer, "full", NULL);
		return;
	}
	objection = objection_to(parent, source, exempt);
	if (objection != NULL) {
		shut_out(parent, arrival->fd, peer, objection, NULL);
		return;
	}
	if (parent->crowd.count >= global->pending)
		settle_evict(parent,
		    session_at(parent, crowd_heaviest_eldest(&parent->crowd)));
	session = session_take_fd(parent, arrival->fd, peer, source);
	if (session == NULL) {
		shut_out(parent, arrival->fd, peer, "full", NULL);
		return;
	}
	session->listener = listener;
	session->is_lenient = is_lenient;
	session->is_exempt = exempt;
	session_enter(parent, session, SESSION_QUEUED);
}

void
admit_take_fds(struct parent *parent, const struct arrival arrivals[],
    uint32_t count, uint32_t listener, bool is_lenient)
{
	for (uint32_t i = 0; i < count; i++)
		source_approach(&parent->sources, &arrivals[i].place);
	for (uint32_t i = 0; i < count; i++)
		take_fd(parent, &arrivals[i], listener, is_lenient);
}
