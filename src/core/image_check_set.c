/*
 * Checks an image's sets: sorted intervals, no two touching.
 * Trusts that the sections lie inside the image, and nothing in them.
 * Never looks at an interval twice.
 */
#include "core/image_check.h"

#include <string.h>

static bool
is_sorted_v4(const struct image *image, struct image_range range)
{
	for (uint32_t i = 0; i < range.count; i++) {
		const struct image_v4 *here = image_v4(image, range.first + i);

		if (here->first > here->last)
			return false;
		/* Sorted, and with a gap between: the one before ends early. */
		if (i > 0 &&
		    (here->first == 0 || here[-1].last >= here->first - 1))
			return false;
	}
	return true;
}

/* Whether low + 1 < high, as 128-bit numbers: something fits between. */
static bool
has_gap(const uint8_t low[16], const uint8_t high[16])
{
	uint8_t next[16];

	memcpy(next, low, sizeof(next));
	for (int i = 15; i >= 0; i--)
		if (++next[i] != 0)
			return memcmp(next, high, sizeof(next)) < 0;
	return false; /* low is the last of all */
}

static bool
is_sorted_v6(const struct image *image, struct image_range range)
{
	for (uint32_t i = 0; i < range.count; i++) {
		const struct image_v6 *here = image_v6(image, range.first + i);

		if (memcmp(here->first, here->last, 16) > 0)
			return false;
		if (i > 0 && !has_gap(here[-1].last, here->first))
			return false;
	}
	return true;
}

static bool
is_sorted_scoped(const struct image *image, struct image_range range)
{
	for (uint32_t i = 0; i < range.count; i++) {
		const struct image_scoped *here =
		    image_scoped(image, range.first + i);

		if (here->scope == 0 ||
		    memcmp(here->v6.first, here->v6.last, 16) > 0)
			return false;
		if (i == 0 || here[-1].scope < here->scope)
			continue;
		if (here[-1].scope > here->scope ||
		    !has_gap(here[-1].v6.last, here->v6.first))
			return false;
	}
	return true;
}

/* Each set owns its intervals, one set's behind the other's. */
enum image_error
image_check_sets(const struct image *image)
{
	uint32_t v4 = 0;
	uint32_t v6 = 0;
	uint32_t scoped = 0;

	for (uint32_t i = 0; i < image_count(image, IMAGE_SETS); i++) {
		const struct image_set *set = image_set(image, i);

		if (set->v4.first != v4 || set->v6.first != v6 ||
		    set->scoped.first != scoped ||
		    !image_has_range(image, IMAGE_V4, set->v4) ||
		    !image_has_range(image, IMAGE_V6, set->v6) ||
		    !image_has_range(image, IMAGE_SCOPED, set->scoped))
			return IMAGE_BAD_RANGE;
		if (!is_sorted_v4(image, set->v4) ||
		    !is_sorted_v6(image, set->v6) ||
		    !is_sorted_scoped(image, set->scoped))
			return IMAGE_BAD_ORDER;
		v4 += set->v4.count;
		v6 += set->v6.count;
		scoped += set->scoped.count;
	}
	if (v4 != image_count(image, IMAGE_V4) ||
	    v6 != image_count(image, IMAGE_V6) ||
	    scoped != image_count(image, IMAGE_SCOPED))
		return IMAGE_BAD_RANGE;
	return IMAGE_OK;
}
