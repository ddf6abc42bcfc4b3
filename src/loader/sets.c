/*
 * Merges prefixes into sorted intervals.
 * Trusts prefixes to have no bits behind their length.
 * Never mixes families: IPv4-mapped prefixes are IPv4 by now.
 */
#include "loader/sets.h"

#include <stdlib.h>
#include <string.h>

void
sets_add_prefix(struct sets *sets, const struct prefix *prefix)
{
	if (prefix->addr.family == ADDR_V4) {
		struct image_v4 *added = buffer_add(&sets->v4, sizeof(*added));
		uint32_t rest = prefix->bits == 0
		    ? UINT32_MAX
		    : (uint32_t)((UINT64_C(1) << (32 - prefix->bits)) - 1);

		added->first = addr_v4(&prefix->addr);
		added->last = added->first | rest;
		return;
	}

	struct image_v6 *added = buffer_add(&sets->v6, sizeof(*added));

	memcpy(added->first, prefix->addr.bytes, 16);
	for (unsigned i = 0; i < 16; i++) {
		unsigned kept = prefix->bits > i * 8 ? prefix->bits - i * 8 : 0;

		added->last[i] = prefix->addr.bytes[i];
		if (kept < 8)
			added->last[i] |= (uint8_t)(0xffu >> kept);
	}
}

void
sets_add_all(struct sets *sets)
{
	sets_add_prefix(sets, &(struct prefix){ .addr.family = ADDR_V4 });
	sets_add_prefix(sets, &(struct prefix){ .addr.family = ADDR_V6 });
}

static void
add_range(struct buffer *to, const struct build *build,
    enum image_section section, struct image_range range)
{
	size_t size = image_element_bytes(section);

	if (range.count > 0)
		memcpy(buffer_add(to, range.count * size),
		    build->sections[section].bytes + range.first * size,
		    range.count * size);
}

void
sets_add_set(struct sets *sets, const struct build *build, uint32_t set)
{
	const struct image_set *built =
	    (const void *)build->sections[IMAGE_SETS].bytes;

	add_range(&sets->v4, build, IMAGE_V4, built[set].v4);
	add_range(&sets->v6, build, IMAGE_V6, built[set].v6);
}

static int
compare_v4(const void *left, const void *right)
{
	const struct image_v4 *a = left;
	const struct image_v4 *b = right;

	return (a->first > b->first) - (a->first < b->first);
}

static int
compare_v6(const void *left, const void *right)
{
	const struct image_v6 *a = left;
	const struct image_v6 *b = right;

	return memcmp(a->first, b->first, 16);
}

static struct image_range
end_v4(struct sets *sets, struct build *build)
{
	struct image_v4 *all = (void *)sets->v4.bytes;
	size_t count = sets->v4.used / sizeof(all[0]);
	size_t kept = 0;

	if (count > 0)
		qsort(all, count, sizeof(all[0]), compare_v4);
	for (size_t i = 0; i < count; i++) {
		struct image_v4 *last = kept > 0 ? &all[kept - 1] : NULL;

		/* Overlaps the one before, or begins right behind it. */
		if (last == NULL ||
		    (last->last != UINT32_MAX && all[i].first > last->last + 1))
			all[kept++] = all[i];
		else if (all[i].last > last->last)
			last->last = all[i].last;
	}

	struct image_range range = { .first = build_count(build, IMAGE_V4),
		.count = (uint32_t)kept };

	if (kept > 0)
		memcpy(build_add(build, IMAGE_V4, kept), all,
		    kept * sizeof(all[0]));
	sets->v4.used = 0;
	return range;
}

/* Whether `first` lies behind `last` with something between them. */
static bool
is_apart(const uint8_t last[16], const uint8_t first[16])
{
	uint8_t next[16];
	int i = 15;

	memcpy(next, last, sizeof(next));
	while (i >= 0 && ++next[i] == 0)
		i--;
	return i >= 0 && memcmp(first, next, sizeof(next)) > 0;
}

static struct image_range
end_v6(struct sets *sets, struct build *build)
{
	struct image_v6 *all = (void *)sets->v6.bytes;
	size_t count = sets->v6.used / sizeof(all[0]);
	size_t kept = 0;

	if (count > 0)
		qsort(all, count, sizeof(all[0]), compare_v6);
	for (size_t i = 0; i < count; i++) {
		struct image_v6 *last = kept > 0 ? &all[kept - 1] : NULL;

		if (last == NULL || is_apart(last->last, all[i].first))
			all[kept++] = all[i];
		else if (memcmp(all[i].last, last->last, 16) > 0)
			memcpy(last->last, all[i].last, 16);
	}

	struct image_range range = { .first = build_count(build, IMAGE_V6),
		.count = (uint32_t)kept };

	if (kept > 0)
		memcpy(build_add(build, IMAGE_V6, kept), all,
		    kept * sizeof(all[0]));
	sets->v6.used = 0;
	return range;
}

uint32_t
sets_end(struct sets *sets, struct build *build)
{
	uint32_t index = build_count(build, IMAGE_SETS);
	struct image_set set = { .v4 = end_v4(sets, build),
		.v6 = end_v6(sets, build) };

	*(struct image_set *)build_add(build, IMAGE_SETS, 1) = set;
	return index;
}

void
sets_finish(struct sets *sets)
{
	buffer_finish(&sets->v4);
	buffer_finish(&sets->v6);
}
