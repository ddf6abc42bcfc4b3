/*
 * Hours of the week: what is written is what is meant, a night belongs to the
 * day it begins on, and 100,000 random minutes are decided as by somebody who
 * reads the lines one by one.
 */
#include "core/hours.h"

#include "policy_fixture.h"
#include "random.h"
#include "small_image.h"

#define MON_TO_FRI 0x1fu
#define EVERY_DAY 0x7fu

static struct parsed
parse_hours(const char *lines)
{
	char text[1024];
	int length = snprintf(text, sizeof(text),
	    "policy 1\nlisten *\nadmission {\n\tallow any\n}\n"
	    "service s {\n\tallow any\n\ttrap\n%s}\n",
	    lines);

	return parse_text(text, (size_t)length);
}

static void
assert_line(const char *words, uint8_t days, uint16_t from, uint16_t to)
{
	struct parsed parsed = parse_hours(words);
	const struct hours_line *line = &parsed.policy.hours[0].line;

	assert_string_equal(parsed.problems, "");
	assert_int_equal(parsed.policy.services[0].hours.count, 1);
	assert_int_equal(line->days, days);
	assert_int_equal(line->from, from);
	assert_int_equal(line->to, to);
	parsed_finish(&parsed);
}

static void
test_words(void **state)
{
	(void)state;
	assert_line("hours mon-fri 08:00-18:00\n", MON_TO_FRI, 480, 1080);
	assert_line("hours mon 00:00-24:00\n", 1, 0, 1440);
	assert_line("hours sun 22:30-06:15\n", 0x40, 1350, 375);
	assert_line("hours sat,sun 23:59-00:00\n", 0x60, 1439, 0);
	assert_line("hours fri-mon 00:00-00:01\n", 0x71, 0, 1);
	assert_line("hours tue-mon 01:00-02:00\n", EVERY_DAY, 60, 120);
	assert_line("hours mon-tue,thu,sat-sun 01:00-02:00\n", 0x6b, 60, 120);
}

/* The first of a service's own replaces what it inherits; more add up. */
static void
test_inherited(void **state)
{
	static const char text[] =
	    "policy 1\nlisten *\nadmission {\n\tallow any\n}\n"
	    "service a {\n\tallow any\n\ttrap\n}\n"
	    "defaults {\n\tallow any\n\thours mon 01:00-02:00\n}\n"
	    "service b {\n\ttrap\n}\n"
	    "service c {\n\ttrap\n\thours tue 03:00-04:00\n"
	    "\thours wed 03:00-04:00\n}\n"
	    "service d {\n\ttrap\n}\n";
	struct parsed parsed = parse_text(text, sizeof(text) - 1);
	const struct policy_service *services = parsed.policy.services;

	(void)state;
	assert_string_equal(parsed.problems, "");
	assert_int_equal(services[0].hours.count, 0);
	assert_int_equal(services[1].hours.count, 1);
	assert_int_equal(services[2].hours.count, 2);
	assert_int_equal(services[2].hours.first, 1);
	assert_int_equal(services[3].hours.first, services[1].hours.first);
	parsed_finish(&parsed);
}

static void
assert_merged(const struct hours_line lines[], size_t count,
    const struct image_hours expected[], size_t expected_count)
{
	struct image_hours merged[IMAGE_HOURS_MAX];

	assert_int_equal(hours_merge(lines, count, merged), expected_count);
	for (size_t i = 0; i < expected_count; i++) {
		assert_int_equal(merged[i].first, expected[i].first);
		assert_int_equal(merged[i].end, expected[i].end);
	}
}

static void
test_merged(void **state)
{
	static const struct hours_line touching[] = { { 1, 60, 120 },
		{ 1, 120, 180 }, { 1, 200, 300 }, { 1, 210, 220 } };
	static const struct image_hours two[] = { { 60, 180 }, { 200, 300 } };
	static const struct hours_line night[] = { { 0x40, 1320, 360 } };
	static const struct image_hours halves[] = { { 0, 360 },
		{ 6 * 1440 + 1320, 10080 } };
	static const struct hours_line always[] = { { EVERY_DAY, 0, 1440 } };
	static const struct image_hours week[] = { { 0, 10080 } };
	struct hours_line most[HOURS_LINES_MAX];
	struct image_hours many[IMAGE_HOURS_MAX];

	(void)state;
	assert_merged(touching, 4, two, 2);
	assert_merged(night, 1, halves, 2);
	assert_merged(always, 1, week, 1);
	assert_merged(NULL, 0, NULL, 0);
	for (uint16_t i = 0; i < HOURS_LINES_MAX; i++)
		most[i] = (struct hours_line){ EVERY_DAY,
			(uint16_t)(2 * i + 1400 - 64), (uint16_t)(2 * i) };
	/* Every night is one, and Sunday's two. */
	assert_int_equal(hours_merge(most, HOURS_LINES_MAX, many), 8);
}

/* The same numbers in every run. */
static uint32_t
next_random(uint32_t below)
{
	static uint64_t state = 88172645463325252;

	return (uint32_t)(random_next(&state) >> 32) % below;
}

/* As a person reads a line: on this day, or in the night of the day before. */
static bool
is_in_line(const struct hours_line *line, uint32_t day, uint32_t minute)
{
	uint32_t yesterday = day == 0 ? 6 : day - 1;
	bool is_begun = (line->days & 1u << day) != 0;
	bool is_begun_yesterday = (line->days & 1u << yesterday) != 0;

	if (line->from < line->to)
		return is_begun && minute >= line->from && minute < line->to;
	return (is_begun && minute >= line->from) ||
	    (is_begun_yesterday && minute < line->to);
}

static bool
is_in_any(const struct hours_line lines[], size_t count, uint32_t minute)
{
	for (size_t i = 0; i < count; i++)
		if (is_in_line(&lines[i], minute / 1440, minute % 1440))
			return true;
	return false;
}

static size_t
make_lines(struct hours_line lines[HOURS_LINES_MAX])
{
	size_t count = 1 + next_random(next_random(8) == 0 ? 32 : 4);

	for (size_t i = 0; i < count; i++) {
		lines[i].days = (uint8_t)(1 + next_random(EVERY_DAY));
		lines[i].from = (uint16_t)next_random(1440);
		lines[i].to =
		    (uint16_t)((lines[i].from + 1 +
				   next_random(next_random(2) ? 1439 : 90)) %
			1440);
		if (lines[i].to == 0 && next_random(2) == 0)
			lines[i].to = 1440;
	}
	return count;
}

/* An image of one service with these hours, which image_init takes. */
static void *
make_image(struct image *image, const struct image_hours *hours, size_t count)
{
	static const char *const names[] = { "s" };
	static const uint32_t owners[] = { 0 };
	struct build build;
	struct image_service service;
	size_t size;
	void *block;

	build_init(&build);
	small_global(&build);
	service = small_service(&build, "s");
	service.hours = (struct image_range){ 0, (uint32_t)count };
	service.hours_place = small_place(&build, 7);
	small_put_service(&build, &service);
	memcpy(build_add(&build, IMAGE_HOURS, count), hours,
	    count * sizeof(hours[0]));
	small_names(&build, names, owners, 1);
	block = build_block(&build, &size);
	build_finish(&build);
	assert_int_equal(image_init(image, block, size), IMAGE_OK);
	return block;
}

static void
test_random(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct hours_line lines[HOURS_LINES_MAX];
		struct image_hours merged[IMAGE_HOURS_MAX];
		size_t count = make_lines(lines);
		size_t merged_count = hours_merge(lines, count, merged);
		struct image image;
		void *block = make_image(&image, merged, merged_count);

		for (int j = 0; j < 100; j++) {
			uint32_t minute = next_random(HOURS_WEEK_MINUTES);

			assert_int_equal(
			    hours_have(&image, image_service(&image, 0)->hours,
				minute),
			    is_in_any(lines, count, minute));
		}
		free(block);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_inherited),
		cmocka_unit_test(test_merged),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
