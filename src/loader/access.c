/*
 * When a service may be used, and through which listeners.
 * Trusts a policy that was parsed without errors.
 * Never works out twice what many services inherit.
 */
#include "loader/load.h"

#include <string.h>

/* The intervals of these lines, added to the image. */
static struct image_range
add_hours(struct load *load, struct span span)
{
	struct hours_line lines[HOURS_LINES_MAX];
	struct image_hours merged[IMAGE_HOURS_MAX];
	struct image_range range = { .first = build_count(
					 &load->build, IMAGE_HOURS) };

	for (uint32_t i = 0; i < span.count; i++)
		lines[i] = load->policy->hours[span.first + i].line;
	range.count = (uint32_t)hours_merge(lines, span.count, merged);
	memcpy(build_add(&load->build, IMAGE_HOURS, range.count), merged,
	    range.count * sizeof(merged[0]));
	return range;
}

static void
load_hours(struct load *load, struct span span, struct image_service *to)
{
	if (span.count == 0)
		return;
	if (load->hours_span.count == 0 ||
	    load->hours_span.first != span.first) {
		load->hours_span = span;
		load->hours = add_hours(load, span);
	}
	to->hours = load->hours;
	to->hours_place =
	    load_place(load, load->policy->hours[span.first].place);
}

void
load_access(struct load *load, const struct policy_service *from,
    struct image_service *to)
{
	load_hours(load, from->hours, to);
}
