/*
 * Penalties of sources: what for, how much, and on whose word.
 * Trusts a worker's word for as long as that worker is not found to lie.
 * Never penalises whoever closed without a byte, or is exempt.
 */
#include "parent/penalty.h"

#include <sys/mman.h>

#include "parent/parent.h"
#include "sys/log.h"

int
penalty_init(struct parent *parent)
{
	size_t count = (size_t)parent->workers.capacity * CLAIMS_MAX;
	void *all = mmap(NULL, count * sizeof(struct claim),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (all == MAP_FAILED)
		return -1;
	parent->workers.claims = all;
	return 0;
}

void
penalty_begin(struct parent *parent, struct worker *worker)
{
	struct workers *workers = &parent->workers;
	size_t index = (size_t)(worker - workers->all);

	worker->claims.all = &workers->claims[index * CLAIMS_MAX];
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
	log_begin(LOG_LEVEL_NOTICE, "absolve");
	log_number("worker", (uint64_t)worker->pid);
	log_number("sources", count);
	log_end();
}
