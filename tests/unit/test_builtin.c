/*
 * What the small services say, compared with libc's calendar and, for the
 * pattern, with the RFC's own words.
 */
#include "core/builtin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define LAST_SECOND UINT64_C(253402300799)

static void
expect_daytime(uint64_t seconds, const char *expected)
{
	char line[BUILTIN_DAYTIME_BYTES];
	size_t length = builtin_daytime(line, seconds);

	assert_int_equal(length, strlen(expected));
	assert_memory_equal(line, expected, length);
}

static void
daytime_is_known(void **state)
{
	(void)state;
	expect_daytime(0, "Thursday, January 1, 1970 00:00:00-UTC\r\n");
	expect_daytime(
	    951827696, "Tuesday, February 29, 2000 12:34:56-UTC\r\n");
	expect_daytime(
	    LAST_SECOND, "Friday, December 31, 9999 23:59:59-UTC\r\n");
	expect_daytime(
	    LAST_SECOND + 1, "Friday, December 31, 9999 23:59:59-UTC\r\n");
	expect_daytime(
	    UINT64_MAX, "Friday, December 31, 9999 23:59:59-UTC\r\n");
}

/* Every day of three centuries and some of the others, at any time of it. */
static void
daytime_is_libc_s(void **state)
{
	(void)state;
	for (uint64_t day = 0; day <= LAST_SECOND / 86400;
	     day += day < 100000 ? 1 : 997) {
		char expected[BUILTIN_DAYTIME_BYTES];
		uint64_t seconds = day * 86400 + day * 7919 % 86400;
		time_t moment = (time_t)seconds;
		struct tm utc;

		assert_non_null(gmtime_r(&moment, &utc));
		assert_true(
		    strftime(expected, sizeof(expected), "%A, %B ", &utc) > 0);
		(void)snprintf(expected + strlen(expected), 40,
		    "%d, %d %02d:%02d:%02d-UTC\r\n", utc.tm_mday,
		    utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
		expect_daytime(seconds, expected);
	}
}

/* The examples of RFC 868, and the end of its numbers. */
static void
time_is_since_1900(void **state)
{
	static const struct {
		uint64_t since_1970;
		uint32_t since_1900;
	} moments[] = {
		{ 0, 2208988800u }, /* 1 January 1970 */
		{ 189302400, 2398291200u }, /* 1 January 1976 */
		{ 315532800, 2524521600u }, /* 1 January 1980 */
		{ 420595200, 2629584000u }, /* 1 May 1983 */
		{ 2085978495, UINT32_MAX },
		{ 2085978496, 0 }, /* 7 February 2036, 06:28:16 */
		{ 2085978497, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		uint32_t expected = moments[i].since_1900;
		uint8_t bytes[BUILTIN_TIME_BYTES];

		builtin_time(bytes, moments[i].since_1970);
		assert_int_equal(bytes[0], expected >> 24);
		assert_int_equal(bytes[1], expected >> 16 & 0xff);
		assert_int_equal(bytes[2], expected >> 8 & 0xff);
		assert_int_equal(bytes[3], expected & 0xff);
	}
}

static void
the_pattern_turns(void **state)
{
	static char pattern[BUILTIN_PATTERN_BYTES];
	const char *line = pattern;

	(void)state;
	builtin_pattern(pattern);
	assert_memory_equal(line,
	    " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]"
	    "^_`abcdefg\r\n",
	    BUILTIN_LINE_BYTES);
	for (int i = 1; i < 95; i++, line += BUILTIN_LINE_BYTES) {
		const char *next = line + BUILTIN_LINE_BYTES;

		/* all but its first character, and the one that is next */
		assert_memory_equal(next, line + 1, 71);
		assert_int_equal(
		    next[71], next[70] == '~' ? ' ' : next[70] + 1);
		assert_memory_equal(next + 72, "\r\n", 2);
	}
	/* once more around, the first would follow */
	assert_int_equal(line[0], '~');
}

static void
names_are_those_of_the_rfcs(void **state)
{
	static const char *const none[] = { "", "ech", "echoo", "Echo", "echo ",
		"qotd", "discardx" };
	enum builtin found;

	(void)state;
	for (int i = 0; i < BUILTINS; i++) {
		assert_true(builtin_find(&found, builtin_words[i]));
		assert_int_equal(found, i);
	}
	assert_null(builtin_words[BUILTINS]);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(builtin_find(&found, none[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(daytime_is_known),
		cmocka_unit_test(daytime_is_libc_s),
		cmocka_unit_test(time_is_since_1900),
		cmocka_unit_test(the_pattern_turns),
		cmocka_unit_test(names_are_those_of_the_rfcs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
