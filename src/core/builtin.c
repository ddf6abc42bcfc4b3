/*
 * What the small services are called, and what they say.
 * Trusts nothing; takes any time.
 * Never asks for one: whoever serves has a clock, and the C library would
 * look for a time zone in files that a confined program cannot read.
 */
#include "core/builtin.h"

#include <string.h>

#define DAY 86400u /* seconds */
#define LAST_SECOND UINT64_C(253402300799) /* of the year 9999 */
#define FROM_1900_TO_1970 UINT64_C(2208988800) /* seconds: RFC 868 */
#define FIRST_CHARACTER ' '
#define LINE_CHARACTERS (BUILTIN_LINE_BYTES - 2)

const char *const builtin_words[BUILTINS + 1] = {
	[BUILTIN_ECHO] = "echo",
	[BUILTIN_DISCARD] = "discard",
	[BUILTIN_DAYTIME] = "daytime",
	[BUILTIN_TIME] = "time",
	[BUILTIN_CHARGEN] = "chargen",
	[BUILTINS] = NULL,
};

bool
builtin_find(enum builtin *builtin, const char *word)
{
	for (int i = 0; i < BUILTINS; i++) {
		const char *known = builtin_words[i];
		const size_t bytes = strlen(known) + 1;

		if (strnlen(word, bytes) + 1 != bytes ||
		    memcmp(word, known, bytes) != 0)
			continue;
		*builtin = (enum builtin)i;
		return true;
	}
	return false;
}

struct date {
	uint32_t year, month, day; /* month and day from 0 */
};

static bool
is_leap(uint32_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* By counting: a program says this once in its life. */
static struct date
date_of(uint32_t days)
{
	static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30,
		31, 30, 31 };
	struct date date = { .year = 1970 };

	for (; days >= 365u + is_leap(date.year); date.year++)
		days -= 365u + is_leap(date.year);
	for (;; date.month++) {
		uint32_t length = lengths[date.month];

		if (date.month == 1 && is_leap(date.year))
			length++;
		if (days < length)
			break;
		days -= length;
	}
	date.day = days;
	return date;
}

static char *
put_text(char *to, const char *text)
{
	const size_t length = strlen(text);

	memcpy(to, text, length);
	return to + length;
}

/* At least `digits` of them. */
static char *
put_number(char *to, uint32_t number, unsigned digits)
{
	char reversed[10];
	unsigned count = 0;

	while (number > 0 || count < digits) {
		reversed[count++] = (char)('0' + number % 10);
		number /= 10;
	}
	while (count > 0)
		*to++ = reversed[--count];
	return to;
}

size_t
builtin_daytime(char line[BUILTIN_DAYTIME_BYTES], uint64_t seconds)
{
	static const char *const weekdays[] = { "Thursday", "Friday",
		"Saturday", "Sunday", "Monday", "Tuesday", "Wednesday" };
	static const char *const months[] = { "January", "February", "March",
		"April", "May", "June", "July", "August", "September",
		"October", "November", "December" };
	const uint64_t shown = seconds < LAST_SECOND ? seconds : LAST_SECOND;
	const uint32_t days = (uint32_t)(shown / DAY);
	const uint32_t second = (uint32_t)(shown % DAY);
	const struct date date = date_of(days);
	char *to = put_text(line, weekdays[days % 7]);

	to = put_text(to, ", ");
	to = put_text(to, months[date.month]);
	to = put_text(to, " ");
	to = put_number(to, date.day + 1, 1);
	to = put_text(to, ", ");
	to = put_number(to, date.year, 4);
	to = put_text(to, " ");
	to = put_number(to, second / 3600, 2);
	to = put_text(to, ":");
	to = put_number(to, second / 60 % 60, 2);
	to = put_text(to, ":");
	to = put_number(to, second % 60, 2);
	to = put_text(to, "-UTC\r\n");
	return (size_t)(to - line);
}

void
builtin_time(uint8_t bytes[BUILTIN_TIME_BYTES], uint64_t seconds)
{
	const uint32_t since_1900 = (uint32_t)(seconds + FROM_1900_TO_1970);

	for (unsigned i = 0; i < BUILTIN_TIME_BYTES; i++)
		bytes[i] = (uint8_t)(since_1900 >> (24 - 8 * i));
}

void
builtin_pattern(char pattern[BUILTIN_PATTERN_BYTES])
{
	char *to = pattern;

	for (unsigned line = 0; line < BUILTIN_CHARACTERS; line++) {
		for (unsigned i = 0; i < LINE_CHARACTERS; i++)
			*to++ = (char)(FIRST_CHARACTER +
			    (line + i) % BUILTIN_CHARACTERS);
		*to++ = '\r';
		*to++ = '\n';
	}
}
