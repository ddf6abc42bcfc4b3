/*
 * Reads a policy image: elements, strings, sets.
 * Trusts that image_init took the image; it checks nothing again.
 * Never writes, never allocates.
 */
#include "core/image.h"

#include <string.h>

static const size_t element_bytes[IMAGE_SECTIONS] = {
	[IMAGE_STRINGS] = 1,
	[IMAGE_LISTENS] = sizeof(struct image_listen),
	[IMAGE_SERVICES] = sizeof(struct image_service),
	[IMAGE_NAMES] = sizeof(struct image_name),
	[IMAGE_NAMES_TABLE] = 1,
	[IMAGE_RULES] = sizeof(struct image_rule),
	[IMAGE_SETS] = sizeof(struct image_set),
	[IMAGE_V4] = sizeof(struct image_v4),
	[IMAGE_V6] = sizeof(struct image_v6),
	[IMAGE_SCOPED] = sizeof(struct image_scoped),
	[IMAGE_WORDS] = sizeof(struct image_text),
	[IMAGE_GIDS] = sizeof(uint32_t),
	[IMAGE_HOURS] = sizeof(struct image_hours),
	[IMAGE_EXITS] = sizeof(struct image_exit),
	[IMAGE_FILTERS] = sizeof(struct image_instruction),
	[IMAGE_PATHS] = sizeof(struct image_path),
	[IMAGE_RULESETS] = sizeof(struct image_ruleset),
};

size_t
image_element_bytes(enum image_section section)
{
	return element_bytes[section];
}

static const void *
element(const struct image *image, enum image_section section, uint32_t index)
{
	return image->base + image->header->sections[section].offset +
	    index * element_bytes[section];
}

const struct image_global *
image_global(const struct image *image)
{
	return &image->header->global;
}

uint32_t
image_count(const struct image *image, enum image_section section)
{
	return image->header->sections[section].count;
}

const struct image_service *
image_service(const struct image *image, uint32_t index)
{
	return element(image, IMAGE_SERVICES, index);
}

const struct image_listen *
image_listen(const struct image *image, uint32_t index)
{
	return element(image, IMAGE_LISTENS, index);
}

const struct image_rule *
image_rule(const struct image *image, uint32_t index)
{
	return element(image, IMAGE_RULES, index);
}

const struct image_set *
image_set(const struct image *image, uint32_t index)
{
	return element(image, IMAGE_SETS, index);
}

const struct image_v4 *
image_v4(const struct image *image, uint32_t index)
{
	return element(image, IMAGE_V4, index);
}

const struct image_v6 *
image_v6(const struct image *image, uint32_t index)
{
	return element(image, IMAGE_V6, index);
}

const struct image_scoped *
image_scoped(const struct image *image, uint32_t index)
{
	return element(image, IMAGE_SCOPED, index);
}

uint32_t
image_name_service(const struct image *image, uint32_t index)
{
	const struct image_name *name = element(image, IMAGE_NAMES, index);

	return name->service;
}

uint32_t
image_gid(const struct image *image, uint32_t index)
{
	const uint32_t *gid = element(image, IMAGE_GIDS, index);

	return *gid;
}

const uint32_t *
image_gids(const struct image *image, struct image_range range)
{
	return element(image, IMAGE_GIDS, range.first);
}

const struct image_hours *
image_hours(const struct image *image, uint32_t index)
{
	return element(image, IMAGE_HOURS, index);
}

const struct image_exit *
image_exits(const struct image *image, struct image_range range)
{
	return element(image, IMAGE_EXITS, range.first);
}

const struct image_instruction *
image_filter(const struct image *image, enum image_filter filter)
{
	return element(
	    image, IMAGE_FILTERS, image_global(image)->filters[filter].first);
}

unsigned
image_service_filters(const struct image_service *service)
{
	unsigned filters = 0;

	if (!image_is_launched(service))
		return 0;
	if (service->network == IMAGE_NETWORK_NONE)
		filters |= 1U << IMAGE_FILTER_OFFLINE;
	if (service->syscalls == IMAGE_SYSCALLS_DEFAULT)
		filters |= 1U << IMAGE_FILTER_DEFAULT;
	if (service->syscalls == IMAGE_SYSCALLS_STDIO)
		filters |= 1U << IMAGE_FILTER_STDIO;
	return filters;
}

const struct image_path *
image_path(const struct image *image, uint32_t index)
{
	return element(image, IMAGE_PATHS, index);
}

const struct image_ruleset *
image_ruleset(const struct image *image, uint32_t index)
{
	return element(image, IMAGE_RULESETS, index);
}

const char *
image_text(const struct image *image, struct image_text text)
{
	return element(image, IMAGE_STRINGS, text.offset);
}

struct image_text
image_word(const struct image *image, uint32_t index)
{
	const struct image_text *word = element(image, IMAGE_WORDS, index);

	return *word;
}

const void *
image_names_bytes(const struct image *image, size_t *size)
{
	*size = image_count(image, IMAGE_NAMES_TABLE);
	return element(image, IMAGE_NAMES_TABLE, 0);
}

static bool
range_has_v4(
    const struct image *image, struct image_range range, uint32_t address)
{
	uint32_t low = range.first;
	uint32_t high = range.first + range.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct image_v4 *interval = image_v4(image, middle);

		if (address < interval->first)
			high = middle;
		else if (address > interval->last)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

static bool
range_has_v6(
    const struct image *image, struct image_range range, const uint8_t *address)
{
	uint32_t low = range.first;
	uint32_t high = range.first + range.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct image_v6 *interval = image_v6(image, middle);

		if (memcmp(address, interval->first, 16) < 0)
			high = middle;
		else if (memcmp(address, interval->last, 16) > 0)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

/* In the order of the link, and of the address on it. */
static int
compare_scoped(const struct addr *addr, const struct image_scoped *interval)
{
	if (addr->scope != interval->scope)
		return addr->scope < interval->scope ? -1 : 1;
	if (memcmp(addr->bytes, interval->v6.first, 16) < 0)
		return -1;
	return memcmp(addr->bytes, interval->v6.last, 16) > 0 ? 1 : 0;
}

static bool
range_has_scoped(const struct image *image, struct image_range range,
    const struct addr *addr)
{
	uint32_t low = range.first;
	uint32_t high = range.first + range.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = compare_scoped(addr, image_scoped(image, middle));

		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

bool
image_set_has(const struct image *image, uint32_t set, const struct addr *addr)
{
	const struct image_set *intervals = image_set(image, set);

	if (addr->family == ADDR_V4)
		return range_has_v4(image, intervals->v4, addr_v4(addr));
	if (addr->family == ADDR_V6)
		return range_has_v6(image, intervals->v6, addr->bytes) ||
		    range_has_scoped(image, intervals->scoped, addr);
	return false;
}
