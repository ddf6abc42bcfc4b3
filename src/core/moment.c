/*
 * Minutes of the week from text and to text.
 * Trusts nothing; text is checked to its last byte.
 * Never asks a clock or a time zone: a wall clock's date has its weekday
 * wherever the wall is.
 */
#include "core/moment.h"

#include <string.h>

#include "core/hours.h"

enum { TIME_BYTES = 5 /* HH:MM */, DATE_BYTES = 10 /* YYYY-MM-DD */ };

/* `count` digits; false if one is none. */
static bool
read_digits(const char *text, size_t count, uint32_t *number)
{
	uint32_t value = 0;

	for (size_t i = 0; i < count; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint32_t)(text[i] - '0');
	}
	*number = value;
	return true;
}

static bool
read_time(const char *text, uint32_t *minute)
{
	uint32_t hour, past;

	if (!read_digits(text, 2, &hour) || text[2] != ':' ||
	    !read_digits(text + 3, 2, &past) || hour > 23 || past > 59)
		return false;
	*minute = hour * 60 + past;
	return true;
}

static bool
read_day(const char *text, size_t length, uint32_t *day)
{
	for (uint32_t i = 0; hours_day_words[i] != NULL; i++) {
		if (length != strlen(hours_day_words[i]) ||
		    memcmp(text, hours_day_words[i], length) != 0)
			continue;
		*day = i;
		return true;
	}
	return false;
}

static uint32_t
days_of(uint32_t month, bool is_leap)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };

	return month == 2 && is_leap ? 29 : days[month - 1];
}

/* The weekday of a date of the Gregorian calendar, however long ago. */
static bool
read_date(const char *text, uint32_t *weekday)
{
	uint32_t year, month, day, days;
	bool is_leap;

	if (!read_digits(text, 4, &year) || text[4] != '-' ||
	    !read_digits(text + 5, 2, &month) || text[7] != '-' ||
	    !read_digits(text + 8, 2, &day) || year == 0 || month == 0 ||
	    month > 12)
		return false;
	is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	if (day == 0 || day > days_of(month, is_leap))
		return false;
	/* 0001-01-01 was a Monday */
	year--;
	days = year * 365 + year / 4 - year / 100 + year / 400 + day - 1;
	for (uint32_t i = 1; i < month; i++)
		days += days_of(i, is_leap);
	*weekday = days % 7;
	return true;
}

bool
moment_parse(const char *text, size_t length, uint32_t *minute)
{
	uint32_t day, past;
	size_t before;
	bool has_day;

	if (length < TIME_BYTES + 2)
		return false;
	before = length - TIME_BYTES;
	if (before == DATE_BYTES + 1)
		has_day =
		    (text[DATE_BYTES] == 'T' || text[DATE_BYTES] == ' ') &&
		    read_date(text, &day);
	else
		has_day =
		    text[before - 1] == ' ' && read_day(text, before - 1, &day);
	if (!has_day || !read_time(text + before, &past))
		return false;
	*minute = day * HOURS_DAY_MINUTES + past;
	return true;
}

static char *
put_two(char *to, uint32_t number)
{
	*to++ = (char)('0' + number / 10);
	*to++ = (char)('0' + number % 10);
	return to;
}

void
moment_format(uint32_t minute, char text[MOMENT_TEXT_BYTES])
{
	const char *day = hours_day_words[minute / HOURS_DAY_MINUTES];
	uint32_t past = minute % HOURS_DAY_MINUTES;

	memcpy(text, day, 3);
	text[3] = ' ';
	put_two(text + 4, past / 60);
	text[6] = ':';
	*put_two(text + 7, past % 60) = '\0';
}
