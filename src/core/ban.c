/*
 * Which shut-out sources' SYNs need not come further than the kernel.
 * Trusts the image, which was checked, and its caller to have tidied up.
 * Never names an address that would be let in.
 */
#include "core/ban.h"

#include <assert.h>
#include <string.h>

#include "core/ban_exempt.h"

/* fe80::/10, the same on every link (RFC 4291) */
#define LINK_LOCAL_FIRST UINT64_C(0xfe80000000000000)
#define LINK_LOCAL_LAST UINT64_C(0xfebfffffffffffff)

static uint32_t
count_of(const struct bans *bans)
{
	return bans->begun < BANS_MAX ? bans->begun : BANS_MAX;
}

bool
bans_add(struct bans *bans, struct source_table *table, uint32_t record)
{
	struct source *source = &table->records[record];
	uint32_t place = bans->begun % BANS_MAX;

	if (source->ban < count_of(bans) &&
	    bans->all[source->ban].record == record &&
	    bans->all[source->ban].round == source->round)
		return false;
	bans->all[place] =
	    (struct ban){ .record = record, .round = source->round };
	source->ban = place;
	bans->begun++;
	/* Once around, it is only whether there was a round that counts. */
	if (bans->begun == 2 * BANS_MAX)
		bans->begun = BANS_MAX;
	return true;
}

void
bans_clear(struct bans *bans)
{
	bans->begun = 0;
}

void
bans_tidy(struct bans *bans, struct source_table *table, uint32_t threshold_ms,
    int64_t now_ms)
{
	uint32_t count = count_of(bans);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct ban ban = bans->all[i];
		struct source *source = &table->records[ban.record];

		if (source->round != ban.round ||
		    source_penalty_left_ms(table, ban.record, now_ms) <=
			threshold_ms)
			continue;
		source->ban = kept;
		bans->all[kept++] = ban;
	}
	/* If it is full and all are needed, the oldest makes room again. */
	if (kept < BANS_MAX)
		bans->begun = kept;
}

static uint64_t
first_bytes(const struct source_key *key, int count)
{
	uint64_t number = 0;

	for (int i = 0; i < count; i++)
		number = number << 8 | key->bytes[i];
	return number;
}

/* All bits of a number of `width` that are not among its first `bits`. */
static uint64_t
rest_of(unsigned width, unsigned bits)
{
	return width == bits ? 0 : UINT64_MAX >> (64 - (width - bits));
}

/* The addresses of a source; false if they cannot be dropped alone. */
static bool
range_of(const struct source_key *key, const struct image_global *global,
    struct ban_range *range)
{
	if (key->family == ADDR_V4) {
		range->first = first_bytes(key, 4);
		range->last = range->first | rest_of(32, global->count_by_v4);
		return true;
	}
	if (global->count_by_v6 > 64)
		return false;
	range->first = first_bytes(key, 8);
	range->last = range->first | rest_of(64, global->count_by_v6);
	return range->first > LINK_LOCAL_LAST || range->last < LINK_LOCAL_FIRST;
}

static void
find_candidates(struct bans *bans, const struct source_table *table,
    const struct image_global *global, enum addr_family family)
{
	uint32_t count = count_of(bans);

	bans->candidate_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct source *source =
		    &table->records[bans->all[i].record];
		struct ban_candidate *candidate =
		    &bans->candidates[bans->candidate_count];

		if (source->key.family != family ||
		    !range_of(&source->key, global, &candidate->range))
			continue;
		candidate->worth = source->penalty_ms * BANS_MAX + i;
		bans->candidate_count++;
	}
}

static void
sink(struct ban_candidate *heap, uint32_t root, uint32_t count)
{
	struct ban_candidate sinking = heap[root];
	uint32_t child = 2 * root + 1;

	while (child < count) {
		if (child + 1 < count &&
		    heap[child + 1].range.first > heap[child].range.first)
			child++;
		if (heap[child].range.first <= sinking.range.first)
			break;
		heap[root] = heap[child];
		root = child;
		child = 2 * root + 1;
	}
	heap[root] = sinking;
}

/* By address: a heap sort, which takes no memory and no order badly. */
static void
sort(struct ban_candidate *candidates, uint32_t count)
{
	for (uint32_t i = count / 2; i > 0; i--)
		sink(candidates, i - 1, count);
	for (uint32_t i = count; i > 1; i--) {
		struct ban_candidate largest = candidates[0];

		candidates[0] = candidates[i - 1];
		candidates[i - 1] = largest;
		sink(candidates, 0, i - 1);
	}
}

/* How many ranges those make that are worth so much. */
static uint32_t
count_ranges(const struct bans *bans, int64_t worth)
{
	const struct ban_range *before = NULL;
	uint32_t ranges = 0;

	for (uint32_t i = 0; i < bans->candidate_count; i++) {
		const struct ban_candidate *candidate = &bans->candidates[i];

		if (candidate->worth < worth)
			continue;
		ranges += before == NULL ||
		    before->last + 1 != candidate->range.first;
		before = &candidate->range;
	}
	return ranges;
}

/* The least worth with which all do not make more than most ranges. */
static int64_t
enough_worth(const struct bans *bans, uint32_t most)
{
	int64_t low = 0; /* perhaps not enough */
	int64_t high = 0; /* enough: nobody has it */

	if (count_ranges(bans, low) <= most)
		return low;
	for (uint32_t i = 0; i < bans->candidate_count; i++)
		if (bans->candidates[i].worth >= high)
			high = bans->candidates[i].worth + 1;
	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;

		if (count_ranges(bans, middle) <= most)
			high = middle;
		else
			low = middle;
	}
	return high;
}

void
bans_choose(struct bans *bans, const struct source_table *table,
    const struct image *image, enum addr_family family, uint32_t most,
    struct ban_choice *choice)
{
	const struct image_global *global = image_global(image);
	struct ban_range joined;
	bool has_joined = false;
	int64_t worth;

	assert(most <= BAN_RANGES_MAX);
	memset(choice, 0, sizeof(*choice));
	choice->most = most;
	choice->work = BAN_EXEMPT_WORK;
	find_candidates(bans, table, global, family);
	sort(bans->candidates, bans->candidate_count);
	worth = enough_worth(bans, most);
	for (uint32_t i = 0; i < bans->candidate_count; i++) {
		const struct ban_candidate *candidate = &bans->candidates[i];
		int64_t end_ms =
		    candidate->worth / BANS_MAX - global->penalty_threshold_ms;

		if (candidate->worth < worth)
			continue;
		if (choice->sources == 0 || end_ms < choice->end_ms)
			choice->end_ms = end_ms;
		choice->sources++;
		if (has_joined && joined.last + 1 == candidate->range.first) {
			joined.last = candidate->range.last;
			continue;
		}
		if (has_joined)
			ban_exempt_add(image, family, joined, choice);
		joined = candidate->range;
		has_joined = true;
	}
	if (has_joined)
		ban_exempt_add(image, family, joined, choice);
	if (choice->count == 0)
		choice->sources = 0;
}
