/*
 * Decides whether a block of bytes is a policy image, all of it, once.
 * Trusts not a byte; takes time linear in the block's size, whatever is in it.
 * Never repairs anything: what is not exactly as described is refused.
 */
#include "core/image_check.h"

#include <string.h>

static const char *const error_texts[] = {
	[IMAGE_OK] = "ok",
	[IMAGE_BAD_HEADER] = "bad header",
	[IMAGE_BAD_SECTION] = "bad section",
	[IMAGE_BAD_TEXT] = "bad text",
	[IMAGE_BAD_RANGE] = "bad range",
	[IMAGE_BAD_VALUE] = "bad value",
	[IMAGE_BAD_ORDER] = "bad order",
	[IMAGE_BAD_NAMES] = "bad names table",
};

const char *
image_error_text(enum image_error error)
{
	return error_texts[error];
}

static uint64_t
align(uint64_t offset)
{
	return (offset + 7) & ~UINT64_C(7);
}

static enum image_error
check_header(const struct image *image)
{
	const struct image_header *header = image->header;

	if ((uintptr_t)image->base % 8 != 0 || image->size < sizeof(*header) ||
	    image->size > UINT32_MAX)
		return IMAGE_BAD_HEADER;
	if (header->magic != IMAGE_MAGIC || header->version != IMAGE_VERSION ||
	    header->size != image->size)
		return IMAGE_BAD_HEADER;
	return IMAGE_OK;
}

/* One behind the other, in their order, zeros between, nothing behind. */
static enum image_error
check_sections(const struct image *image)
{
	uint64_t offset = align(sizeof(struct image_header));

	for (int i = 0; i < IMAGE_SECTIONS; i++) {
		uint64_t end = offset +
		    (uint64_t)image->header->sections[i].count *
			image_element_bytes((enum image_section)i);

		if (image->header->sections[i].offset != offset ||
		    align(end) > image->size)
			return IMAGE_BAD_SECTION;
		for (offset = end; offset < align(end); offset++)
			if (image->base[offset] != 0)
				return IMAGE_BAD_SECTION;
	}
	return offset == image->size ? IMAGE_OK : IMAGE_BAD_SECTION;
}

bool
image_has_text(const struct image *image, struct image_text text, uint32_t most)
{
	uint32_t count = image_count(image, IMAGE_STRINGS);

	if (text.length > most || text.offset >= count ||
	    text.length >= count - text.offset)
		return false;

	const char *bytes = image_text(image, text);

	return bytes[text.length] == '\0' &&
	    memchr(bytes, '\0', text.length) == NULL;
}

bool
image_has_path(const struct image *image, struct image_text text)
{
	return image_has_text(image, text, IMAGE_TEXT_MAX) && text.length > 0 &&
	    image_text(image, text)[0] == '/';
}

/* What goes into a line of the protocol or of a report: no controls. */
bool
image_has_line_text(const struct image *image, struct image_text text)
{
	if (!image_has_text(image, text, IMAGE_LINE_TEXT_MAX))
		return false;

	const char *bytes = image_text(image, text);

	for (uint32_t i = 0; i < text.length; i++)
		if ((uint8_t)bytes[i] < 0x20 || bytes[i] == 0x7f)
			return false;
	return true;
}

bool
image_has_place(const struct image *image, const struct image_place *place)
{
	return image_has_text(image, place->file, IMAGE_TEXT_MAX) &&
	    place->file.length > 0 && place->line > 0;
}

bool
image_has_optional_place(
    const struct image *image, const struct image_place *place)
{
	return image_has_place(image, place) ||
	    (place->file.offset == 0 && place->file.length == 0 &&
		place->line == 0);
}

bool
image_has_range(const struct image *image, enum image_section section,
    struct image_range range)
{
	uint32_t count = image_count(image, section);

	return range.first <= count && range.count <= count - range.first;
}

bool
image_is_limit(uint32_t limit)
{
	return limit >= 1 && limit <= IMAGE_LIMIT_MAX;
}

/* What is remembered of sources. */
static bool
is_memory(const struct image_global *global)
{
	for (int i = 0; i < IMAGE_PENALTIES; i++)
		if (global->penalties_ms[i] > IMAGE_PENALTY_MAX_MS)
			return false;
	return image_is_limit(global->sources) &&
	    rate_is_valid(&global->rate) && global->count_by_v4 > 0 &&
	    global->count_by_v4 <= 32 && global->count_by_v6 > 0 &&
	    global->count_by_v6 <= 128 &&
	    global->penalty_max_ms <= IMAGE_PENALTY_MAX_MS &&
	    global->penalty_threshold_ms < global->penalty_max_ms;
}

/* What is in a program is for the kernel to judge, which does. */
static bool
is_filters(const struct image *image)
{
	const struct image_range *filters = image_global(image)->filters;

	for (int i = 0; i < IMAGE_FILTERS_COUNT; i++)
		if (!image_has_range(image, IMAGE_FILTERS, filters[i]) ||
		    filters[i].count > IMAGE_FILTER_MAX)
			return false;
	return true;
}

static enum image_error
check_global(const struct image *image)
{
	const struct image_global *global = image_global(image);

	if (!image_has_text(image, global->file, IMAGE_TEXT_MAX) ||
	    global->file.length == 0 ||
	    !image_has_text(image, global->parser_program, IMAGE_TEXT_MAX))
		return IMAGE_BAD_TEXT;
	if (global->parser_program.length > 0 &&
	    !image_has_path(image, global->parser_program))
		return IMAGE_BAD_VALUE;
	if (!image_has_range(image, IMAGE_RULES, global->admission) ||
	    !image_has_range(image, IMAGE_RULES, global->exempt) ||
	    !is_filters(image))
		return IMAGE_BAD_RANGE;
	if (!image_is_limit(global->sessions) ||
	    !image_is_limit(global->pending) ||
	    !image_is_limit(global->pending_per_source) ||
	    !image_is_limit(global->per_source))
		return IMAGE_BAD_VALUE;
	if (global->parser_uid == 0 || global->parser_uid == UINT32_MAX ||
	    global->parser_gid == UINT32_MAX)
		return IMAGE_BAD_VALUE;
	if (global->parser_timeout_ms == 0 ||
	    global->parser_timeout_ms > IMAGE_TIMEOUT_MAX_MS ||
	    global->parser_workers == 0 ||
	    global->parser_workers > IMAGE_WORKERS_MAX ||
	    global->recycle_verdicts == 0 || global->recycle_age_s == 0)
		return IMAGE_BAD_VALUE;
	if (global->syslog_facility % 8 != 0 ||
	    global->syslog_facility > 23 * 8 ||
	    global->room > IMAGE_ROOM_REDUCED ||
	    global->log_sink > IMAGE_LOG_JOURNAL ||
	    global->log_format > IMAGE_LOG_JSON ||
	    global->log_addresses > IMAGE_ADDRESSES_NONE ||
	    !rate_is_valid(&global->log_limit) || global->drops_in_kernel > 1 ||
	    (global->walls & ~IMAGE_WALLS) != 0 ||
	    ((global->limited | global->missing) & ~IMAGE_SESSION_LIMITS) != 0)
		return IMAGE_BAD_VALUE;
	return is_memory(global) ? IMAGE_OK : IMAGE_BAD_VALUE;
}

static bool
is_listen_addr(const struct addr *addr)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t zeros[12] = { 0 };

	if (addr->port == 0)
		return false;
	if (addr->family == ADDR_V4)
		return addr->scope == 0 &&
		    memcmp(addr->bytes + 4, zeros, sizeof(zeros)) == 0;
	return addr->family == ADDR_V6 &&
	    memcmp(addr->bytes, mapped, sizeof(mapped)) != 0;
}

static enum image_error
check_listen(struct image_inspection *inspection, uint32_t index)
{
	const struct image *image = &inspection->image;
	const struct image_listen *listen = image_listen(image, index);

	if (index >= IMAGE_LISTENS_MAX)
		return IMAGE_BAD_RANGE;
	if (!is_listen_addr(&listen->addr) || listen->backlog == 0 ||
	    (listen->flags & ~IMAGE_LISTEN_FLAGS) != 0 || listen->unused != 0)
		return IMAGE_BAD_VALUE;
	if (!image_has_place(image, &listen->place) ||
	    !image_has_text(image, listen->name, IMAGE_LABEL_MAX) ||
	    !image_has_text(image, listen->interface, IMAGE_INTERFACE_MAX))
		return IMAGE_BAD_TEXT;
	return IMAGE_OK;
}

static enum image_error
check_rule(struct image_inspection *inspection, uint32_t index)
{
	const struct image *image = &inspection->image;
	const struct image_rule *rule = image_rule(image, index);
	uint32_t sets = image_count(image, IMAGE_SETS);

	if (!image_has_place(image, &rule->place))
		return IMAGE_BAD_TEXT;
	if (rule->is_allow > 1 || rule->kind > IMAGE_RULE_SET ||
	    rule->unused[0] != 0 || rule->unused[1] != 0)
		return IMAGE_BAD_VALUE;
	if (rule->kind == IMAGE_RULE_SET ? rule->set >= sets : rule->set != 0)
		return IMAGE_BAD_RANGE;
	return IMAGE_OK;
}

static enum image_error
check_word(struct image_inspection *inspection, uint32_t index)
{
	const struct image *image = &inspection->image;

	return image_has_text(image, image_word(image, index), IMAGE_TEXT_MAX)
	    ? IMAGE_OK
	    : IMAGE_BAD_TEXT;
}

static enum image_error
check_path(struct image_inspection *inspection, uint32_t index)
{
	const struct image_path *path = image_path(&inspection->image, index);

	if (!image_has_path(&inspection->image, path->path))
		return IMAGE_BAD_TEXT;
	if (path->access == 0 || (path->access & ~IMAGE_ACCESS_ALL) != 0 ||
	    (path->flags & ~IMAGE_PATH_OPTIONAL) != 0 || path->unused[0] != 0 ||
	    path->unused[1] != 0)
		return IMAGE_BAD_VALUE;
	return IMAGE_OK;
}

static enum image_error
check_ruleset(struct image_inspection *inspection, uint32_t index)
{
	const struct image *image = &inspection->image;
	struct image_range paths = image_ruleset(image, index)->paths;

	if (!image_has_range(image, IMAGE_PATHS, paths) || paths.count < 1 ||
	    paths.count > IMAGE_GRANTS_MAX + 1)
		return IMAGE_BAD_RANGE;
	return IMAGE_OK;
}

/* The reserved name is none of them. */
static enum image_error
check_names(struct image_inspection *inspection, uint32_t index)
{
	struct image *image = &inspection->image;
	size_t size;
	const void *bytes = image_names_bytes(image, &size);

	(void)index;
	if (!names_init(&image->names, bytes, size) ||
	    image->names.count != image_count(image, IMAGE_NAMES) ||
	    names_find(&image->names, (const uint8_t *)"help", 4) >= 0)
		return IMAGE_BAD_NAMES;
	return IMAGE_OK;
}

static enum image_error
check_name(struct image_inspection *inspection, uint32_t index)
{
	const struct image *image = &inspection->image;

	return image_name_service(image, index) <
		image_count(image, IMAGE_SERVICES)
	    ? IMAGE_OK
	    : IMAGE_BAD_NAMES;
}

static enum image_error
check_whole(struct image_inspection *inspection, uint32_t index)
{
	static enum image_error (*const checks[])(const struct image *) = {
		check_header,
		check_sections,
		check_global,
		image_check_sets,
	};
	enum image_error error = IMAGE_OK;

	(void)index;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		error = checks[i](&inspection->image);
		if (error != IMAGE_OK)
			break;
	}
	return error;
}

#define ONCE IMAGE_SECTIONS

/* In this order: each trusts what those before it have seen. */
static const struct {
	enum image_section section; /* of which each element is checked */
	enum image_error (*check)(struct image_inspection *, uint32_t);
} stages[] = {
	{ ONCE, check_whole },
	{ IMAGE_LISTENS, check_listen },
	{ IMAGE_RULES, check_rule },
	{ IMAGE_WORDS, check_word },
	{ IMAGE_PATHS, check_path },
	{ IMAGE_RULESETS, check_ruleset },
	{ ONCE, check_names },
	{ IMAGE_NAMES, check_name },
	{ IMAGE_SERVICES, image_check_service },
};

#define STAGES (sizeof(stages) / sizeof(stages[0]))

void
image_inspect_begin(
    struct image_inspection *inspection, const void *base, size_t size)
{
	*inspection = (struct image_inspection){
		.image = { .header = base, .base = base, .size = size },
		.name_before = -1,
	};
}

bool
image_inspect_some(
    struct image_inspection *inspection, uint32_t most, enum image_error *error)
{
	*error = IMAGE_OK;
	for (uint32_t done = 0; inspection->stage < STAGES; done++) {
		uint32_t stage = inspection->stage;
		enum image_section section = stages[stage].section;
		uint32_t count = section == ONCE
		    ? 1
		    : image_count(&inspection->image, section);

		if (inspection->next == count) {
			inspection->stage++;
			inspection->next = 0;
			continue;
		}
		if (done >= most)
			return false;
		*error = stages[stage].check(inspection, inspection->next++);
		if (*error != IMAGE_OK)
			return true;
	}
	return true;
}

enum image_error
image_init(struct image *image, const void *base, size_t size)
{
	struct image_inspection inspection;
	enum image_error error;

	image_inspect_begin(&inspection, base, size);
	(void)image_inspect_some(&inspection, UINT32_MAX, &error);
	if (error == IMAGE_OK)
		*image = inspection.image;
	return error;
}
