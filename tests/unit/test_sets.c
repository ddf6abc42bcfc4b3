/*
 * Sets against a slow one that keeps every prefix as it was written and asks
 * each of them: 100,000 random sets of both families, with prefixes that
 * nest, touch, repeat and reach both ends, in any order, and sets in sets.
 * Whatever is merged has the same members, in the fewest intervals there are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "random.h"
#include "small_image.h"

typedef unsigned __int128 number;

#define IMAGES 500u
#define SETS 200u
#define PREFIXES 10u
#define MEMBERS 40u /* with those of the sets in it */

static uint64_t random_state = 0x5e75u;

static uint32_t
draw(uint32_t below)
{
	return (uint32_t)(random_next(&random_state) >> 20) % below;
}

/* An address as a number, of 32 or 128 bits. */
struct spot {
	number at;
	bool is_v6;
};

static unsigned
width(bool is_v6)
{
	return is_v6 ? 128 : 32;
}

static number
last_of(bool is_v6)
{
	return is_v6 ? ~(number)0 : UINT32_MAX;
}

static struct addr
to_addr(struct spot place)
{
	struct addr addr = { .family = place.is_v6 ? ADDR_V6 : ADDR_V4 };
	unsigned bytes = width(place.is_v6) / 8;

	for (unsigned i = 0; i < bytes; i++)
		addr.bytes[i] = (uint8_t)(place.at >> (8 * (bytes - 1 - i)));
	return addr;
}

struct member {
	struct spot first;
	unsigned bits;
};

struct slow_set {
	struct member members[MEMBERS];
	uint32_t count;
};

static bool
is_member(const struct member *member, struct spot place)
{
	unsigned rest = width(place.is_v6) - member->bits;

	if (member->first.is_v6 != place.is_v6)
		return false;
	return member->bits == 0 ||
	    place.at >> rest == member->first.at >> rest;
}

static bool
slow_has(const struct slow_set *set, struct spot place)
{
	for (uint32_t i = 0; i < set->count; i++)
		if (is_member(&set->members[i], place))
			return true;
	return false;
}

/* Few places, so that they meet: the ends, and a few bits in the middle. */
static struct spot
draw_place(void)
{
	struct spot place = { .is_v6 = draw(2) == 0 };
	unsigned shift = draw(width(place.is_v6) / 8) * 8;

	switch (draw(4)) {
	case 0:
		place.at = draw(8);
		break;
	case 1:
		place.at = last_of(place.is_v6) - draw(8);
		break;
	default:
		place.at = (number)draw(16) << shift;
		break;
	}
	place.at &= last_of(place.is_v6);
	return place;
}

static struct member
draw_member(void)
{
	struct member member = { .first = draw_place() };
	unsigned most = width(member.first.is_v6);
	number rest;

	member.bits = draw(20) == 0 ? draw(4) : most - draw(draw(2) ? 4 : most);
	rest = member.bits == 0 ? last_of(member.first.is_v6)
				: ((number)1 << (most - member.bits)) - 1;
	member.first.at &= ~rest;
	return member;
}

static void
add_prefix(struct build *build, struct slow_set *slow)
{
	struct member member = slow->count > 0 && draw(8) == 0
	    ? slow->members[draw(slow->count)]
	    : draw_member();
	struct prefix prefix = { .addr = to_addr(member.first),
		.bits = (uint8_t)member.bits };

	slow->members[slow->count++] = member;
	sets_add_prefix(build, &prefix);
}

static void
add_set(struct build *build, struct slow_set *slow,
    const struct slow_set *other, uint32_t index)
{
	if (slow->count + other->count + PREFIXES > MEMBERS)
		return;
	for (uint32_t i = 0; i < other->count; i++)
		slow->members[slow->count++] = other->members[i];
	sets_add_set(build, index);
}

/* Set number index of the image; the earlier ones may be in it. */
static void
make_set(struct build *build, struct slow_set slow[], uint32_t index)
{
	slow[index].count = 0;
	for (uint32_t i = draw(PREFIXES + 1); i > 0; i--)
		add_prefix(build, &slow[index]);
	for (uint32_t i = draw(3); i > 0 && index > 0; i--) {
		uint32_t other = draw(index);

		add_set(build, &slow[index], &slow[other], other);
	}
	assert_int_equal(sets_end(build), index);
}

static void
assert_same_at(const struct image *image, uint32_t index,
    const struct slow_set *slow, struct spot place)
{
	struct addr addr = to_addr(place);

	if (image_set_has(image, index, &addr) != slow_has(slow, place))
		fail_msg("set %u of the image with %llx at its end: a member "
			 "too many, or too few",
		    index, (unsigned long long)random_state);
}

/* Wherever a member begins or ends, and right beside it. */
static uint32_t
assert_same_members(
    const struct image *image, uint32_t index, const struct slow_set *slow)
{
	uint32_t begins = 0;

	for (uint32_t i = 0; i < slow->count; i++) {
		const struct member *member = &slow->members[i];
		struct spot place = member->first;
		number most = last_of(place.is_v6);
		number rest = member->bits == 0
		    ? most
		    : ((number)1 << (width(place.is_v6) - member->bits)) - 1;
		number edges[] = { place.at, place.at - 1, place.at + rest,
			place.at + rest + 1, place.at + (rest >> 1) };
		bool is_first = true;

		for (size_t j = 0; j < sizeof(edges) / sizeof(edges[0]); j++) {
			place.at = edges[j] & most;
			assert_same_at(image, index, slow, place);
		}
		/* How many intervals there have to be: whoever is not in it,
		 * and has one who is behind it. */
		for (uint32_t j = 0; j < i; j++)
			is_first = is_first &&
			    (slow->members[j].first.is_v6 != place.is_v6 ||
				slow->members[j].first.at != member->first.at);
		place.at = (member->first.at - 1) & most;
		begins += is_first &&
		    (member->first.at == 0 || !slow_has(slow, place));
	}
	return begins;
}

static void
check_image(struct build *build, const struct slow_set slow[])
{
	struct image image;
	size_t size;
	void *block;

	small_names(build, NULL, NULL, 0);
	block = build_block(build, &size);
	/* This finds intervals out of order, that touch or overlap. */
	assert_int_equal(image_init(&image, block, size), IMAGE_OK);
	for (uint32_t i = 0; i < SETS; i++) {
		const struct image_set *set = image_set(&image, i);
		uint32_t begins = assert_same_members(&image, i, &slow[i]);

		assert_int_equal(set->v4.count + set->v6.count, begins);
		for (int j = 0; j < 4; j++)
			assert_same_at(&image, i, &slow[i], draw_place());
	}
	free(block);
}

static void
same_as_slow(void **state)
{
	static struct slow_set slow[SETS];

	(void)state;
	for (uint32_t i = 0; i < IMAGES; i++) {
		struct build build;

		build_init(&build);
		small_global(&build);
		for (uint32_t j = 0; j < SETS; j++)
			make_set(&build, slow, j);
		check_image(&build, slow);
		build_finish(&build);
	}
}

static void
assert_intervals(const char *const prefixes[], uint32_t v4, uint32_t v6)
{
	const struct image_set *set;
	struct build build;

	build_init(&build);
	for (size_t i = 0; prefixes[i] != NULL; i++)
		small_add(&build, prefixes[i]);
	sets_end(&build);
	set = (const void *)build.sections[IMAGE_SETS].bytes;
	assert_int_equal(set->v4.count, v4);
	assert_int_equal(set->v6.count, v6);
	build_finish(&build);
}

#define SET(...) \
	(const char *const[]) \
	{ \
		__VA_ARGS__, NULL \
	}

static void
merged_as_one_would_by_hand(void **state)
{
	(void)state;
	assert_intervals(SET("192.0.2.0/25", "192.0.2.128/25"), 1, 0);
	assert_intervals(SET("192.0.2.0/25", "192.0.2.129"), 2, 0);
	assert_intervals(SET("192.0.2.1", "192.0.2.1", "192.0.2.0/24"), 1, 0);
	assert_intervals(
	    SET("0.0.0.0/0", "10.0.0.0/8", "255.255.255.255"), 1, 0);
	assert_intervals(
	    SET("0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"), 1, 1);
	assert_intervals(SET("2001:db8::/33", "2001:db8:8000::/33"), 0, 1);
	assert_intervals(SET("::ffff:192.0.2.1", "192.0.2.2", "::1"), 1, 1);
	assert_intervals(SET("::ffff:ffff", "::1:0:0", "::"), 0, 2);
	assert_intervals(SET("::ffff:fffe", "::1:0:0", "0.0.0.0"), 1, 2);
	assert_intervals(SET("::feff:ffff", "::ff00:0"), 0, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_as_slow),
		cmocka_unit_test(merged_as_one_would_by_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
