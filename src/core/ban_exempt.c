/*
 * Cuts who is exempt out of ranges of addresses.
 * Trusts the image, whose sets are sorted intervals that do not touch.
 * Never leaves an exempt address in: it would rather drop less.
 */
#include "core/ban_exempt.h"

static uint64_t
first_bytes(const uint8_t bytes[16])
{
	uint64_t number = 0;

	for (int i = 0; i < 8; i++)
		number = number << 8 | bytes[i];
	return number;
}

/* An interval of a set; of IPv6 the /64s that it touches. */
static struct ban_range
interval_at(const struct image *image, enum addr_family family, uint32_t index)
{
	if (family == ADDR_V4) {
		const struct image_v4 *v4 = image_v4(image, index);

		return (struct ban_range){ v4->first, v4->last };
	}

	const struct image_v6 *v6 = image_v6(image, index);

	return (
	    struct ban_range){ first_bytes(v6->first), first_bytes(v6->last) };
}

/* The first interval of a set that ends at `from` or above it. */
static bool
find_in_set(const struct image *image, enum addr_family family, uint32_t set,
    uint64_t from, struct ban_range *found)
{
	const struct image_set *sets = image_set(image, set);
	struct image_range range = family == ADDR_V4 ? sets->v4 : sets->v6;
	uint32_t low = range.first;
	uint32_t high = range.first + range.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (interval_at(image, family, middle).last < from)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == range.first + range.count)
		return false;
	*found = interval_at(image, family, low);
	return true;
}

/*
 * What of the exempt begins first, at `from` or above it; what began before it
 * counts as begun there.
 */
static bool
find_exempt(const struct image *image, enum addr_family family, uint64_t from,
    struct ban_range *exempt)
{
	struct image_range rules = image_global(image)->exempt;
	bool is_found = false;

	for (uint32_t i = 0; i < rules.count; i++) {
		const struct image_rule *rule =
		    image_rule(image, rules.first + i);
		struct ban_range found = { 0, UINT64_MAX };

		if (rule->kind == IMAGE_RULE_SET &&
		    !find_in_set(image, family, rule->set, from, &found))
			continue;
		if (found.first < from)
			found.first = from;
		if (is_found && found.first >= exempt->first)
			continue;
		*exempt = found;
		is_found = true;
	}
	return is_found;
}

void
ban_exempt_add(const struct image *image, enum addr_family family,
    struct ban_range range, struct ban_choice *choice)
{
	uint32_t rules = image_global(image)->exempt.count;
	struct ban_range exempt;

	while (choice->count < choice->most && choice->work >= rules) {
		choice->work -= rules;
		if (!find_exempt(image, family, range.first, &exempt) ||
		    exempt.first > range.last) {
			choice->ranges[choice->count++] = range;
			return;
		}
		if (exempt.first > range.first)
			choice->ranges[choice->count++] =
			    (struct ban_range){ range.first, exempt.first - 1 };
		if (exempt.last >= range.last)
			return;
		range.first = exempt.last + 1;
	}
}
