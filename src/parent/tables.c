/*
 * How large the tables are, and how they become others without losing a count.
 * Trusts the sessions: what they count as is what is counted.
 * Never makes one smaller, and never fails once one has been given up.
 */
#include "parent/tables.h"

#include <string.h>
#include <unistd.h>

#include "core/claim.h"
#include "parent/limits.h"
#include "parent/parent.h"
#include "parent/reap.h"

static uint32_t
larger(uint32_t one, uint32_t other)
{
	return one > other ? one : other;
}

static struct source_bits
bits_of(const struct image *image)
{
	const struct image_global *global = image_global(image);

	return (struct source_bits){ .v4 = global->count_by_v4,
		.v6 = global->count_by_v6 };
}

/* What sources have of services: remembered only where a rate needs it. */
static uint32_t
count_shares(const struct image *image)
{
	const struct image_global *global = image_global(image);

	for (uint32_t i = 0; i < image_count(image, IMAGE_SERVICES); i++)
		if (image_service(image, i)->source_rate.tokens > 0)
			return larger(global->sources, global->sessions + 1);
	return global->sessions + 1;
}

static bool
are_other_sources(const struct parent *parent, const struct image *image)
{
	struct source_bits is = bits_of(image);
	struct source_bits was = bits_of(&parent->image);

	return is.v4 != was.v4 || is.v6 != was.v6;
}

/* Where memory is to be got, `bytes` are: 0 or less than before is none. */
static int
get(struct shared *shared, bool is_needed, size_t bytes)
{
	return is_needed ? shared_map(shared, bytes) : 0;
}

static uint32_t
pid_buckets(uint32_t slots)
{
	uint32_t buckets = 1024;

	while (buckets < slots)
		buckets *= 2;
	return buckets;
}

static void
drop(struct tables_change *change)
{
	shared_unmap(&change->sources);
	shared_unmap(&change->shares);
	shared_unmap(&change->crowd);
	shared_unmap(&change->pids);
	shared_unmap(&change->timers);
}

int
tables_prepare(struct parent *parent, struct tables_change *change,
    const struct image *image)
{
	const struct image_global *global = image_global(image);
	uint32_t slots = larger(parent->sessions.capacity,
	    global->pending + global->sessions + LIMIT_LINGER_SLOTS);
	bool is_first = parent->sessions.capacity == 0;
	bool are_others = is_first || are_other_sources(parent, image);

	*change = (struct tables_change){ .slots = slots };
	change->pending = larger(parent->crowd.most, global->pending);
	/* One for the newcomer, who comes in before another has to go. */
	change->source_count = larger(
	    parent->sources.capacity, larger(global->sources, slots + 1));
	change->share_count =
	    larger(parent->shares.capacity, count_shares(image));
	if (get(&change->sources,
		are_others || change->source_count > parent->sources.capacity ||
		    global->penalty_max_ms !=
			image_global(&parent->image)->penalty_max_ms,
		source_table_bytes(change->source_count)) == 0 &&
	    get(&change->shares,
		are_others || change->share_count > parent->shares.capacity,
		source_table_bytes(change->share_count)) == 0 &&
	    get(&change->crowd,
		slots > parent->crowd.slots ||
		    change->pending > parent->crowd.most,
		crowd_bytes(slots, change->pending)) == 0 &&
	    get(&change->pids,
		is_first || pid_buckets(slots) > parent->pids.mask + 1,
		pid_buckets(slots) * sizeof(uint32_t)) == 0 &&
	    get(&change->timers, slots > parent->timers.capacity,
		timers_bytes(slots)) == 0 &&
	    sessions_make_room(parent, slots) == 0)
		return 0;
	drop(change);
	return -1;
}

/* In its own place in the tables; what was there is given back. */
static void
replace(struct shared *place, struct shared *with)
{
	shared_unmap(place);
	*place = *with;
	*with = (struct shared){ .base = NULL };
}

/* What workers claimed of sources: those are found by other records now. */
static void
carry_claims(struct parent *parent, const struct source_table *from,
    struct source_bits from_bits)
{
	struct workers *workers = &parent->workers;
	struct source_bits to_bits = bits_of(&parent->image);

	for (uint32_t i = 0; i < workers->capacity; i++)
		if (workers->all[i].state != WORKER_EMPTY)
			claims_carry(&workers->all[i].claims, &parent->sources,
			    from, to_bits, from_bits);
}

static void
take_sources(struct parent *parent, struct tables_change *change,
    const struct image *former)
{
	uint32_t max_ms = image_global(&parent->image)->penalty_max_ms;
	struct source_table from = parent->sources;

	if (change->sources.base == NULL)
		return;
	source_table_init(&parent->sources, change->sources.base,
	    change->source_count, max_ms, parent->tables.hash_key);
	if (from.capacity > 0) {
		source_table_carry(&parent->sources, &from,
		    bits_of(&parent->image), bits_of(former), max_ms,
		    parent->now_ms);
		carry_claims(parent, &from, bits_of(former));
	}
	replace(&parent->tables.sources, &change->sources);
}

static void
take_shares(struct parent *parent, struct tables_change *change,
    const struct image *former)
{
	struct source_table from = parent->shares;

	if (change->shares.base == NULL)
		return;
	source_table_init(&parent->shares, change->shares.base,
	    change->share_count, 0, parent->tables.hash_key);
	if (from.capacity > 0)
		source_table_carry(&parent->shares, &from,
		    bits_of(&parent->image), bits_of(former), 0,
		    parent->now_ms);
	replace(&parent->tables.shares, &change->shares);
}

/* The undecided come again, in the order in which they came. */
static void
take_crowd(struct parent *parent, struct tables_change *change)
{
	const struct session_list *deciding = &parent->sessions.deciding;
	uint32_t slot = deciding->first;

	if (change->crowd.base == NULL)
		return;
	crowd_init(&parent->crowd, change->crowd.base, change->slots,
	    change->pending, parent->tables.hash_key);
	while (slot != SESSION_NONE) {
		const struct session *session = session_at(parent, slot);

		crowd_join(&parent->crowd, slot, &session->peer);
		slot = session->links[deciding->use].next;
	}
	replace(&parent->tables.crowd, &change->crowd);
}

static void
take_pids(struct parent *parent, struct tables_change *change)
{
	if (change->pids.base == NULL)
		return;
	parent->pids.buckets = change->pids.base;
	parent->pids.mask = pid_buckets(change->slots) - 1;
	for (uint32_t i = 0; i <= parent->pids.mask; i++)
		parent->pids.buckets[i] = SESSION_NONE;
	for (uint32_t i = 0; i < parent->sessions.capacity; i++)
		if (session_at(parent, i)->pid != 0)
			reap_index(parent, session_at(parent, i));
	replace(&parent->tables.pids, &change->pids);
}

static void
take_timers(struct parent *parent, struct tables_change *change)
{
	const struct timers from = parent->timers;

	if (change->timers.base == NULL)
		return;
	timers_init(&parent->timers, change->timers.base, change->slots);
	timers_carry(&parent->timers, &from);
	replace(&parent->tables.timers, &change->timers);
}

void
tables_take(struct parent *parent, struct tables_change *change,
    const struct image *former)
{
	bool sources_are_new = change->sources.base != NULL;
	bool shares_are_new = change->shares.base != NULL;

	take_sources(parent, change, former);
	take_shares(parent, change, former);
	for (uint32_t i = 0; (sources_are_new || shares_are_new) &&
	     i < parent->sessions.capacity;
	     i++)
		session_count_again(parent, session_at(parent, i),
		    sources_are_new, shares_are_new);
	take_crowd(parent, change);
	take_pids(parent, change);
	take_timers(parent, change);
}

int
tables_init(struct parent *parent)
{
	struct tables_change change;

	sessions_init(parent);
	if (getentropy(
		parent->tables.hash_key, sizeof(parent->tables.hash_key)) != 0)
		return -1;
	if (tables_prepare(parent, &change, &parent->image) != 0)
		return -1;
	tables_take(parent, &change, &parent->image);
	return 0;
}
