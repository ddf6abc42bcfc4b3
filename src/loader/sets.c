/*
 * Merges prefixes into sorted intervals.
 * Trusts prefixes to have no bits behind their length.
 * Never mixes families: IPv4-mapped prefixes are IPv4 by now.
 */
#include "loader/sets.h"

#include <stdlib.h>
#include <string.h>

static void
set_v6(struct image_v6 *interval, const struct prefix *prefix)
{
	memcpy(interval->first, prefix->addr.bytes, 16);
	for (unsigned i = 0; i < 16; i++) {
		unsigned kept = prefix->bits > i * 8 ? prefix->bits - i * 8 : 0;

		interval->last[i] = prefix->addr.bytes[i];
		if (kept < 8)
			interval->last[i] |= (uint8_t)(0xffu >> kept);
	}
}

void
sets_add_prefix(struct build *build, const struct prefix *prefix)
{
	if (prefix->addr.family == ADDR_V4) {
		struct image_v4 *added = build_add(build, IMAGE_V4, 1);
		uint32_t rest = prefix->bits == 0
		    ? UINT32_MAX
		    : (uint32_t)((UINT64_C(1) << (32 - prefix->bits)) - 1);

		added->first = addr_v4(&prefix->addr);
		added->last = added->first | rest;
		return;
	}

	if (prefix->addr.scope != 0) {
		struct image_scoped *scoped = build_add(build, IMAGE_SCOPED, 1);

		scoped->scope = prefix->addr.scope;
		set_v6(&scoped->v6, prefix);
		return;
	}
	set_v6(build_add(build, IMAGE_V6, 1), prefix);
}

void
sets_add_all(struct build *build)
{
	sets_add_prefix(build, &(struct prefix){ .addr.family = ADDR_V4 });
	sets_add_prefix(build, &(struct prefix){ .addr.family = ADDR_V6 });
}

static struct image_set *
set_at(const struct build *build, uint32_t set)
{
	return (struct image_set *)(void *)build->sections[IMAGE_SETS].bytes +
	    set;
}

static void
add_range(
    struct build *build, enum image_section section, struct image_range range)
{
	size_t size = image_element_bytes(section);
	void *added;

	if (range.count == 0)
		return;
	added = build_add(build, section, range.count);
	memcpy(added, build->sections[section].bytes + range.first * size,
	    range.count * size);
}

void
sets_add_set(struct build *build, uint32_t set)
{
	const struct image_set built = *set_at(build, set);

	add_range(build, IMAGE_V4, built.v4);
	add_range(build, IMAGE_V6, built.v6);
	add_range(build, IMAGE_SCOPED, built.scoped);
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

/*
 * Sorts, and merges what overlaps or begins right behind the one before;
 * returns how many are left.
 */
static uint32_t
merge_v4(struct image_v4 *all, uint32_t count)
{
	uint32_t kept = 0;

	qsort(all, count, sizeof(all[0]), compare_v4);
	for (uint32_t i = 0; i < count; i++) {
		struct image_v4 *last = kept > 0 ? &all[kept - 1] : NULL;

		if (last == NULL ||
		    (last->last != UINT32_MAX && all[i].first > last->last + 1))
			all[kept++] = all[i];
		else if (all[i].last > last->last)
			last->last = all[i].last;
	}
	return kept;
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

static uint32_t
merge_v6(struct image_v6 *all, uint32_t count)
{
	uint32_t kept = 0;

	qsort(all, count, sizeof(all[0]), compare_v6);
	for (uint32_t i = 0; i < count; i++) {
		struct image_v6 *last = kept > 0 ? &all[kept - 1] : NULL;

		if (last == NULL || is_apart(last->last, all[i].first))
			all[kept++] = all[i];
		else if (memcmp(all[i].last, last->last, 16) > 0)
			memcpy(last->last, all[i].last, 16);
	}
	return kept;
}

static int
compare_scoped(const void *left, const void *right)
{
	const struct image_scoped *a = left;
	const struct image_scoped *b = right;

	if (a->scope != b->scope)
		return a->scope < b->scope ? -1 : 1;
	return compare_v6(&a->v6, &b->v6);
}

static uint32_t
merge_scoped(struct image_scoped *all, uint32_t count)
{
	uint32_t kept = 0;

	qsort(all, count, sizeof(all[0]), compare_scoped);
	for (uint32_t i = 0; i < count; i++) {
		struct image_scoped *last = kept > 0 ? &all[kept - 1] : NULL;

		if (last == NULL || last->scope != all[i].scope ||
		    is_apart(last->v6.last, all[i].v6.first))
			all[kept++] = all[i];
		else if (memcmp(all[i].v6.last, last->v6.last, 16) > 0)
			memcpy(last->v6.last, all[i].v6.last, 16);
	}
	return kept;
}

/* What stands behind the range of the last set, to be merged. */
static struct image_range
rest_of(const struct build *build, enum image_section section,
    struct image_range last)
{
	uint32_t first = last.first + last.count;

	return (struct image_range){ .first = first,
		.count = build_count(build, section) - first };
}

/* Cuts the section off where the merged range ends. */
static void
cut(struct build *build, enum image_section section, struct image_range range)
{
	build->sections[section].used =
	    (range.first + range.count) * image_element_bytes(section);
}

uint32_t
sets_end(struct build *build)
{
	struct image_v4 *v4 = (void *)build->sections[IMAGE_V4].bytes;
	struct image_v6 *v6 = (void *)build->sections[IMAGE_V6].bytes;
	struct image_scoped *scoped =
	    (void *)build->sections[IMAGE_SCOPED].bytes;
	uint32_t index = build_count(build, IMAGE_SETS);
	struct image_set last = { .v4 = { .count = 0 } };
	struct image_set set;

	if (index > 0)
		last = *set_at(build, index - 1);
	set.v4 = rest_of(build, IMAGE_V4, last.v4);
	set.v6 = rest_of(build, IMAGE_V6, last.v6);
	set.scoped = rest_of(build, IMAGE_SCOPED, last.scoped);
	if (set.v4.count > 1)
		set.v4.count = merge_v4(v4 + set.v4.first, set.v4.count);
	if (set.v6.count > 1)
		set.v6.count = merge_v6(v6 + set.v6.first, set.v6.count);
	if (set.scoped.count > 1)
		set.scoped.count =
		    merge_scoped(scoped + set.scoped.first, set.scoped.count);
	cut(build, IMAGE_V4, set.v4);
	cut(build, IMAGE_V6, set.v6);
	cut(build, IMAGE_SCOPED, set.scoped);
	*(struct image_set *)build_add(build, IMAGE_SETS, 1) = set;
	return index;
}
