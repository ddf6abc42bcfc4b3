/*
 * When: minutes of the week in sorted intervals.
 * Trusts the image, which was checked whole when it was mapped.
 * Never reads a clock: which minute it is, is an argument.
 */
#include "core/hours.h"

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
