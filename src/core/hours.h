#ifndef CORE_HOURS_H
#define CORE_HOURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/image.h"

/* Minutes of a week are counted from Monday, 00:00, by the wall's clock. */
#define HOURS_DAY_MINUTES 1440u
#define HOURS_WEEK_MINUTES (7u * HOURS_DAY_MINUTES)

/* mon to sun; NULL is behind them. */
extern const char *const hours_day_words[];

/*
 * What one line of a policy says: on these days, from this minute of the day
 * to that one, the end exclusive. An end that is not after the beginning is
 * the next day's, so that a night belongs to the day it begins on.
 */
struct hours_line {
	uint8_t days; /* bit n: day n, Monday is 0 */
	uint16_t from; /* 0 to 1439 */
	uint16_t to; /* 0 to 1440; not `from` */
};

#define HOURS_LINES_MAX 32u

_Static_assert(HOURS_LINES_MAX *(7 + 1) <= IMAGE_HOURS_MAX,
    "seven intervals a line, and one that the end of the week cuts in two");

/*
 * The lines' intervals, sorted, those that overlap or touch made one.
 * Returns how many there are; count is at most HOURS_LINES_MAX.
 */
size_t hours_merge(const struct hours_line lines[], size_t count,
    struct image_hours merged[IMAGE_HOURS_MAX]);

/* Whether one of the range's intervals has the minute, by binary search. */
bool hours_have(
    const struct image *image, struct image_range hours, uint32_t minute);

#endif
