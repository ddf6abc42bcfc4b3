/*
 * Minutes of the week as text, compared with libc's calendar.
 */
#include "core/moment.h"

#include "core/hours.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define NEVER UINT32_MAX

static uint32_t
minute_of(const char *text)
{
	uint32_t minute = NEVER;
	bool is_read = moment_parse(text, strlen(text), &minute);

	assert_int_equal(is_read, minute != NEVER);
	return minute;
}

static void
every_minute_there_and_back(void **state)
{
	char text[MOMENT_TEXT_BYTES];

	(void)state;
	for (uint32_t minute = 0; minute < HOURS_WEEK_MINUTES; minute++) {
		moment_format(minute, text);
		assert_int_equal(minute_of(text), minute);
	}
	moment_format(0, text);
	assert_string_equal(text, "mon 00:00");
	moment_format(HOURS_WEEK_MINUTES - 1, text);
	assert_string_equal(text, "sun 23:59");
}

/* Four hundred years, after which the calendar repeats itself. */
static void
every_date(void **state)
{
	const time_t day_s = 24 * 60 * 60;
	struct tm begin = { .tm_year = 1850 - 1900, .tm_mday = 1 };
	time_t first = timegm(&begin);

	(void)state;
	for (time_t day = 0; day < 146097 + 366; day++) {
		time_t second = first + day * day_s + 13 * 60 * 60 + 45 * 60;
		struct tm date;
		char text[32];
		uint32_t weekday;

		assert_non_null(gmtime_r(&second, &date));
		weekday = (uint32_t)(date.tm_wday + 6) % 7;
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M", &date);
		assert_int_equal(minute_of(text),
		    weekday * HOURS_DAY_MINUTES + 13 * 60 + 45);
	}
	assert_int_equal(minute_of("2026-11-30 14:30"), minute_of("mon 14:30"));
}

static void
what_is_none(void **state)
{
	static const char *const texts[] = { "", "mon", "14:30", " 14:30",
		"mon14:30", "mon 24:00", "mon 14:60", "mon 1:30", "Mon 14:30",
		"monday 14:30", "mo 14:30", "mon  14:30", "mon 14:30 ",
		"mon 14.30", "mon +1:30", "2026-02-29T14:30",
		"1900-02-29T14:30", "2026-04-31T14:30", "2026-00-01T14:30",
		"2026-13-01T14:30", "2026-01-00T14:30", "0000-01-01T14:30",
		"2026-11-30t14:30", "2026-11-30T14:30Z", "2026-11-3T14:30",
		"2026/11/30T14:30", "2026-11-30T14:30:00" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(minute_of(texts[i]), NEVER);
	assert_true(minute_of("2000-02-29T00:00") != NEVER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_minute_there_and_back),
		cmocka_unit_test(every_date),
		cmocka_unit_test(what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
