/*
 * Penalties of sources: what for, how much, and on whose word.
 * Trusts a worker's word for as long as that worker is not found to lie.
 * Never penalises whoever closed without a byte, or is exempt.
 */
#include "parent/penalty.h"

#include "parent/ban.h"
#include "parent/parent.h"
#include "sys/log.h"

static struct claim *
claims_of(const struct workers *workers, uint32_t index)
{
	struct claim *claims = workers->claims.base;

	return &claims[(size_t)index * CLAIMS_MAX];
}

int
penalty_make_room(struct parent *parent, uint32_t count)
{
	struct workers *workers = &parent->workers;
	size_t claims = (size_t)count * CLAIMS_MAX;

	if (shared_grow(&workers->claims, claims * sizeof(struct claim)) != 0)
		return -1;
	for (uint32_t i = 0; i < workers->capacity; i++)
		workers->all[i].claims.all = claims_of(workers, i);
	return 0;
}

void
penalty_begin(struct parent *parent, struct worker *worker)
{
	struct workers *workers = &parent->workers;
	uint32_t index = (uint32_t)(worker - workers->all);

	worker->claims.all = claims_of(workers, index);
	claims_begin(&worker->claims, ++workers->started);
}

static bool
is_free(const struct parent *parent, const struct session *session,
    enum image_penalty kind)
{
	return session->is_exempt ||
	    image_global(&parent->image)->penalties_ms[kind] == 0;
}

void
penalty_add(struct parent *parent, const struct session *session,
    enum image_penalty kind)
{
	const struct image_global *global = image_global(&parent->image);

	if (is_free(parent, session, kind))
		return;
	claim_add_sure(&parent->sources, session->source,
	    global->penalties_ms[kind], global->penalty_max_ms, parent->now_ms);
}

uint32_t
penalty_add_exit(struct parent *parent, const struct session *session, int code)
{
	uint32_t penalty_ms = 0;

	for (uint32_t i = 0; i < session->exit_count; i++)
		if (session->exits[i].code == code)
			penalty_ms = session->exits[i].penalty_ms;
	if (session->is_exempt || penalty_ms == 0)
		return 0;
	claim_add_sure(&parent->sources, session->source, penalty_ms,
	    image_global(&parent->image)->penalty_max_ms, parent->now_ms);
	return penalty_ms;
}

void
penalty_claim(struct parent *parent, struct worker *worker,
    const struct session *session, enum image_penalty kind)
{
	const struct image_global *global = image_global(&parent->image);

	if (is_free(parent, session, kind))
		return;
	(void)claim_add(&worker->claims, &parent->sources, session->source,
	    global->penalties_ms[kind], global->penalty_max_ms, parent->now_ms);
}

void
penalty_time_out(struct parent *parent, const struct session *session)
{
	for (uint32_t i = 0; i < parent->workers.capacity; i++) {
		struct worker *worker = &parent->workers.all[i];

		if (session->state == SESSION_WAITING &&
		    worker->state != WORKER_EMPTY && !worker->is_killed &&
		    worker->claims.id == session->waits_for)
			penalty_claim(
			    parent, worker, session, IMAGE_PENALTY_TIMEOUT);
	}
}

void
penalty_wipe(struct parent *parent, struct worker *worker)
{
	uint32_t count =
	    claims_wipe(&worker->claims, &parent->sources, parent->now_ms);

	if (count == 0)
		return;
	ban_review(parent);
	log_begin(LOG_LEVEL_NOTICE, "absolve");
	log_number("worker", (uint64_t)worker->pid);
	log_number("sources", count);
	log_end();
}
