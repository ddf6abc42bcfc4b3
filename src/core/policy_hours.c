/*
 * `hours`: which days, from when to when.
 * Trusts nothing; a word is read to its last byte.
 * Never asks what time it is.
 */
#include "core/policy_parser.h"

#include <string.h>

enum { DAYS = 7, TIME_LENGTH = 5 /* HH:MM */ };

/* The text up to a byte; what is behind it stays in `rest`. */
static struct text
cut(struct text *rest, char byte)
{
	const char *end = memchr(rest->bytes, byte, rest->length);
	struct text head = *rest;

	if (end == NULL) {
		*rest = (struct text){ rest->bytes + rest->length, 0 };
		return head;
	}
	head.length = (size_t)(end - head.bytes);
	*rest = (struct text){ end + 1, rest->length - head.length - 1 };
	return head;
}

static bool
has_byte(struct text text, char byte)
{
	return text.length > 0 && memchr(text.bytes, byte, text.length) != NULL;
}

static bool
read_day(struct policy_parser *parser, struct place place, struct text text,
    uint32_t *day)
{
	struct suggestion nearest = { NULL, 0 };

	for (uint32_t i = 0; i < DAYS; i++) {
		if (policy_text_is(text, hours_day_words[i])) {
			*day = i;
			return true;
		}
		suggest_consider(&nearest, text, hours_day_words[i]);
	}
	policy_complain_nearest(parser, place, &nearest,
	    "'%.*s' is not a day: mon, tue, wed, thu, fri, sat or sun",
	    SHOWN(text));
	return false;
}

/* DAY or DAY-DAY; a range may go round the end of the week. */
static bool
read_range(struct policy_parser *parser, struct place place, struct text text,
    uint8_t *range)
{
	struct text rest = text;
	struct text first = cut(&rest, '-');
	uint32_t day = 0, last;

	if (!read_day(parser, place, first, &day))
		return false;
	last = day;
	if (has_byte(text, '-') && !read_day(parser, place, rest, &last))
		return false;
	if (has_byte(text, '-') && last == day) {
		policy_complain(parser, place,
		    "'%.*s' is one day: write '%s', or 'mon-sun' for every day",
		    SHOWN(text), hours_day_words[day]);
		return false;
	}
	*range = (uint8_t)(1u << day);
	for (; day != last; *range |= (uint8_t)(1u << day))
		day = (day + 1) % DAYS;
	return true;
}

static bool
read_days(struct policy_parser *parser, const struct word *word, uint8_t *found)
{
	struct text rest = word->text;
	bool is_last = false;

	*found = 0;
	while (!is_last) {
		uint8_t range = 0;
		struct text piece;

		is_last = !has_byte(rest, ',');
		piece = cut(&rest, ',');
		if (!read_range(parser, word->place, piece, &range))
			return false;
		if ((*found & range) != 0) {
			policy_complain(parser, word->place,
			    "a day is given twice: '%.*s'", SHOWN(piece));
			return false;
		}
		*found |= range;
	}
	return true;
}

/* HH:MM at the given bytes, up to 24:00. */
static bool
read_time(const char *bytes, uint16_t *minute)
{
	unsigned hour, past;

	for (size_t i = 0; i < TIME_LENGTH; i++)
		if (i == 2 ? bytes[i] != ':' : bytes[i] < '0' || bytes[i] > '9')
			return false;
	hour = (unsigned)(bytes[0] - '0') * 10 + (unsigned)(bytes[1] - '0');
	past = (unsigned)(bytes[3] - '0') * 10 + (unsigned)(bytes[4] - '0');
	*minute = (uint16_t)(hour * 60 + past);
	return past < 60 && *minute <= HOURS_DAY_MINUTES;
}

static bool
read_times(struct policy_parser *parser, const struct word *word,
    struct hours_line *line)
{
	struct text text = word->text;

	if (text.length != 2 * TIME_LENGTH + 1 ||
	    text.bytes[TIME_LENGTH] != '-' ||
	    !read_time(text.bytes, &line->from) ||
	    !read_time(text.bytes + TIME_LENGTH + 1, &line->to)) {
		policy_complain(parser, word->place,
		    "'%.*s' is not HH:MM-HH:MM from 00:00 to 24:00, as in "
		    "08:00-18:00",
		    SHOWN(text));
		return false;
	}
	if (line->from == line->to) {
		policy_complain(parser, word->place,
		    "'%.*s' ends when it begins: write 00:00-24:00 for the "
		    "whole day",
		    SHOWN(text));
		return false;
	}
	if (line->from == HOURS_DAY_MINUTES) {
		policy_complain(parser, word->place,
		    "'%.*s' begins when the day is over: write 00:00 and the "
		    "day behind it",
		    SHOWN(text));
		return false;
	}
	return true;
}

void
policy_take_hours(struct policy_parser *parser, const struct policy_line *line)
{
	struct policy *policy = parser->policy;
	struct span *list = &parser->service->hours;
	struct policy_hours hours = { .place = line->words[0].place };
	bool is_read = read_days(parser, &line->words[1], &hours.line.days);

	/* the first of its own replaces what the service inherited */
	if (line->is_first)
		*list = (struct span){ .first = policy->hours_count };
	if (!read_times(parser, &line->words[2], &hours.line) || !is_read)
		return;
	if (list->count == HOURS_LINES_MAX) {
		policy_complain(parser, line->words[0].place,
		    "more than %u lines of 'hours'", HOURS_LINES_MAX);
		return;
	}
	if (policy->hours_count == parser->hours_capacity) {
		parser->is_full = true;
		return;
	}
	policy->hours[policy->hours_count++] = hours;
	list->count++;
}
