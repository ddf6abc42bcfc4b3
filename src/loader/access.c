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

static bool
is_same(struct text text, struct text other)
{
	return text.length == other.length &&
	    memcmp(text.bytes, other.bytes, text.length) == 0;
}

static struct image_listeners
find_listeners(const struct load *load, struct span span)
{
	const struct policy *policy = load->policy;
	const struct word *words = load_words(load, span);
	struct image_listeners found = { .bits = { 0 } };

	for (uint32_t i = 0; i < span.count; i++)
		for (uint32_t j = 0; j < policy->listen_count; j++)
			if (is_same(words[i].text, policy->listens[j].name))
				found.bits[j / 64] |= UINT64_C(1) << j % 64;
	return found;
}

static void
load_on(struct load *load, struct span span, struct image_service *to)
{
	if (span.count == 0)
		return;
	if (load->on_span.count != span.count ||
	    load->on_span.first != span.first) {
		load->on_span = span;
		load->on = find_listeners(load, span);
	}
	to->on = load->on;
	to->on_place = load_place(load, load_words(load, span)->place);
}

static void
load_hours(struct load *load, struct span span, struct image_service *to)
{
	struct image_range *range;

	if (span.count == 0)
		return;
	if (load->hours.used == 0)
		buffer_add(
		    &load->hours, load->policy->hours_count * sizeof(*range));
	range = (struct image_range *)(void *)load->hours.bytes + span.first;
	if (range->count == 0)
		*range = add_hours(load, span);
	to->hours = *range;
	to->hours_place =
	    load_place(load, load->policy->hours[span.first].place);
}

void
load_access(struct load *load, const struct policy_service *from,
    struct image_service *to)
{
	load_hours(load, from->hours, to);
	load_on(load, from->on, to);
}
