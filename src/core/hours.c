/*
 * When: minutes of the week in sorted intervals, made and looked into.
 * Trusts the image, which was checked whole when it was mapped.
 * Never reads a clock: which minute it is, is an argument.
 */
#include "core/hours.h"

const char *const hours_day_words[] = { "mon", "tue", "wed", "thu", "fri",
	"sat", "sun", NULL };

/* Sorted all the time: there are never many. */
static void
insert(struct image_hours sorted[], size_t *count, uint32_t first, uint32_t end)
{
	size_t at = (*count)++;

	for (; at > 0 && sorted[at - 1].first > first; at--)
		sorted[at] = sorted[at - 1];
	sorted[at] = (struct image_hours){ .first = (uint16_t)first,
		.end = (uint16_t)end };
}

/* One day's; Sunday's night goes on at the beginning of the week. */
static void
insert_day(struct image_hours sorted[], size_t *count,
    const struct hours_line *line, uint32_t day)
{
	uint32_t midnight = day * HOURS_DAY_MINUTES;
	uint32_t first = midnight + line->from;
	uint32_t end = midnight + line->to;

	if (line->to <= line->from)
		end += HOURS_DAY_MINUTES;
	if (end > HOURS_WEEK_MINUTES) {
		insert(sorted, count, 0, end - HOURS_WEEK_MINUTES);
		end = HOURS_WEEK_MINUTES;
	}
	insert(sorted, count, first, end);
}

size_t
hours_merge(const struct hours_line lines[], size_t count,
    struct image_hours merged[IMAGE_HOURS_MAX])
{
	size_t sorted = 0;
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		for (uint32_t day = 0; day < 7; day++)
			if ((lines[i].days >> day & 1) != 0)
				insert_day(merged, &sorted, &lines[i], day);
	for (size_t i = 0; i < sorted; i++) {
		struct image_hours *last = kept > 0 ? &merged[kept - 1] : NULL;

		if (last == NULL || merged[i].first > last->end)
			merged[kept++] = merged[i];
		else if (merged[i].end > last->end)
			last->end = merged[i].end;
	}
	return kept;
}

bool
hours_have(const struct image *image, struct image_range hours, uint32_t minute)
{
	uint32_t low = hours.first;
	uint32_t high = hours.first + hours.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct image_hours *interval = image_hours(image, middle);

		if (minute < interval->first)
			high = middle;
		else if (minute >= interval->end)
			low = middle + 1;
		else
			return true;
	}
	return false;
}
