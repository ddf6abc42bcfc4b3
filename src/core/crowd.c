/*
 * The undecided, by neighbourhood and weight.
 * Trusts its caller to let a slot join once and leave once.
 * Never allocates and never searches.
 */
#include "core/crowd.h"

#include <assert.h>

static size_t
round_up(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

size_t
crowd_bytes(uint32_t slots, uint32_t most)
{
	return round_up(source_table_bytes(most)) +
	    round_up(slots * sizeof(struct crowd_member)) +
	    round_up(most * sizeof(struct crowd_hood)) +
	    round_up(((size_t)most + 1) * sizeof(struct crowd_weight));
}

void
crowd_init(struct crowd *crowd, void *memory, uint32_t slots, uint32_t most,
    const uint8_t hash_key[SOURCE_HASH_KEY_BYTES])
{
	uint8_t *at = memory;

	source_table_init(&crowd->keys, at, most, 0, hash_key);
	at += round_up(source_table_bytes(most));
	crowd->members = (struct crowd_member *)(void *)at;
	at += round_up(slots * sizeof(struct crowd_member));
	crowd->hoods = (struct crowd_hood *)(void *)at;
	at += round_up(most * sizeof(struct crowd_hood));
	crowd->weights = (struct crowd_weight *)(void *)at;
	crowd->slots = slots;
	crowd->most = most;
	crowd->heaviest = 0;
	crowd->count = 0;
	for (uint32_t i = 0; i < slots; i++)
		crowd->members[i].hood = CROWD_NONE;
	for (uint32_t i = 0; i < most; i++)
		crowd->hoods[i] = (struct crowd_hood){ .eldest = CROWD_NONE,
			.youngest = CROWD_NONE };
	for (uint32_t i = 0; i <= most; i++)
		crowd->weights[i] = (struct crowd_weight){ .first = CROWD_NONE,
			.last = CROWD_NONE };
}

static void
weight_leave(struct crowd *crowd, uint32_t hood)
{
	const struct crowd_hood *leaving = &crowd->hoods[hood];
	struct crowd_weight *weight = &crowd->weights[leaving->weight];

	if (leaving->before != CROWD_NONE)
		crowd->hoods[leaving->before].next = leaving->next;
	else
		weight->first = leaving->next;
	if (leaving->next != CROWD_NONE)
		crowd->hoods[leaving->next].before = leaving->before;
	else
		weight->last = leaving->before;
}

static void
weight_join(struct crowd *crowd, uint32_t hood)
{
	struct crowd_hood *joining = &crowd->hoods[hood];
	struct crowd_weight *weight = &crowd->weights[joining->weight];

	joining->next = CROWD_NONE;
	joining->before = weight->last;
	if (weight->last != CROWD_NONE)
		crowd->hoods[weight->last].next = hood;
	else
		weight->first = hood;
	weight->last = hood;
	if (joining->weight > crowd->heaviest)
		crowd->heaviest = joining->weight;
}

/* A neighbourhood's weight is a member more, or less; 0 is in no list. */
static void
reweigh(struct crowd *crowd, uint32_t hood, uint32_t weight)
{
	if (crowd->hoods[hood].weight > 0)
		weight_leave(crowd, hood);
	crowd->hoods[hood].weight = weight;
	if (weight > 0)
		weight_join(crowd, hood);
	/* At most one step: the hood that left this weight is one below it. */
	while (crowd->heaviest > 0 &&
	    crowd->weights[crowd->heaviest].first == CROWD_NONE)
		crowd->heaviest--;
}

void
crowd_join(struct crowd *crowd, uint32_t slot, const struct addr *peer)
{
	struct source_key key =
	    source_key(peer, CROWD_V4_BITS, CROWD_V6_BITS, 0);
	uint32_t hood = source_take(&crowd->keys, &key, 0);
	struct crowd_member *member = &crowd->members[slot];

	assert(hood != SOURCE_NONE && member->hood == CROWD_NONE);

	struct crowd_hood *joined = &crowd->hoods[hood];

	source_add(&crowd->keys, hood, SOURCE_PENDING);
	member->hood = hood;
	member->younger = CROWD_NONE;
	member->elder = joined->youngest;
	if (joined->youngest != CROWD_NONE)
		crowd->members[joined->youngest].younger = slot;
	else
		joined->eldest = slot;
	joined->youngest = slot;
	crowd->count++;
	reweigh(crowd, hood, joined->weight + 1);
}

void
crowd_leave(struct crowd *crowd, uint32_t slot)
{
	struct crowd_member *member = &crowd->members[slot];
	uint32_t hood = member->hood;

	assert(hood != CROWD_NONE);

	struct crowd_hood *left = &crowd->hoods[hood];

	if (member->elder != CROWD_NONE)
		crowd->members[member->elder].younger = member->younger;
	else
		left->eldest = member->younger;
	if (member->younger != CROWD_NONE)
		crowd->members[member->younger].elder = member->elder;
	else
		left->youngest = member->elder;
	member->hood = CROWD_NONE;
	crowd->count--;
	reweigh(crowd, hood, left->weight - 1);
	source_drop(&crowd->keys, hood, SOURCE_PENDING);
}

uint32_t
crowd_heaviest_eldest(const struct crowd *crowd)
{
	if (crowd->heaviest == 0)
		return CROWD_NONE;
	return crowd->hoods[crowd->weights[crowd->heaviest].first].eldest;
}
