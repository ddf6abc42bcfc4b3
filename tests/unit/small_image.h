#ifndef TESTS_SMALL_IMAGE_H
#define TESTS_SMALL_IMAGE_H

/*
 * Images for tests, put together by the loader's own parts. One source file
 * a test includes it, cmocka before it.
 */
#include <stdlib.h>
#include <string.h>

#include "core/image.h"
#include "loader/build.c"
#include "loader/memory.c"
#include "loader/sets.c"

static inline struct image_text
small_text(struct build *build, const char *text)
{
	return build_text(build, text, strlen(text));
}

static inline struct image_place
small_place(struct build *build, uint32_t line)
{
	return (struct image_place){
		.file = small_text(build, "/etc/tcpmuxd.policy"), .line = line
	};
}

static inline struct addr
small_addr(const char *text)
{
	struct addr addr;

	assert_true(addr_parse(&addr, text, strlen(text)));
	return addr;
}

static inline void
small_add(struct build *build, const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(&prefix, text, strlen(text)), PREFIX_OK);
	sets_add_prefix(build, &prefix);
}

/* On one link alone. */
static inline void
small_add_scoped(struct build *build, const char *text, uint32_t scope)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(&prefix, text, strlen(text)), PREFIX_OK);
	prefix.addr.scope = scope;
	sets_add_prefix(build, &prefix);
}

/* `set` UINT32_MAX: the rule is for any address. */
static inline void
small_rule(struct build *build, bool is_allow, uint32_t set)
{
	bool is_any = set == UINT32_MAX;
	struct image_rule rule = { .is_allow = is_allow,
		.kind = is_any ? IMAGE_RULE_ANY : IMAGE_RULE_SET,
		.set = is_any ? 0 : set,
		.place =
		    small_place(build, build_count(build, IMAGE_RULES) + 1) };

	*(struct image_rule *)build_add(build, IMAGE_RULES, 1) = rule;
}

/* LD nr; RET ALLOW: as good as any, to who does not run it. */
static const struct image_instruction small_program[] = {
	{ 0x20, 0, 0, 0 },
	{ 0x06, 0, 0, 0x7fff0000 },
};

/* What every image needs; all else may stay empty. */
static inline void
small_global(struct build *build)
{
	struct image_global *global = &build->global;

	global->file = small_text(build, "/etc/tcpmuxd.policy");
	global->sessions = 512;
	global->pending = 256;
	global->pending_per_source = 8;
	global->per_source = 32;
	global->parser_uid = 65534;
	global->parser_gid = 65534;
	global->parser_timeout_ms = 5000;
	global->parser_workers = 1;
	global->recycle_verdicts = 10000;
	global->recycle_age_s = 60;
	global->syslog_facility = 24;
	global->rate = (struct rate){ 60, 60000, 30 };
	global->sources = 65536;
	global->count_by_v4 = 32;
	global->count_by_v6 = 64;
	global->penalty_threshold_ms = 15000;
	global->penalty_max_ms = 600000;
	for (int i = 0; i < IMAGE_FILTERS_COUNT; i++) {
		global->filters[i] = (struct image_range){
			.first = build_count(build, IMAGE_FILTERS), .count = 2
		};
		memcpy(build_add(build, IMAGE_FILTERS, 2), small_program,
		    sizeof(small_program));
	}
}

/* The sorted names, and what service each belongs to. */
static inline void
small_names(struct build *build, const char *const names[],
    const uint32_t services[], uint32_t count)
{
	uint32_t header[2] = { NAMES_MAGIC, count };
	uint32_t offset = (uint32_t)(NAMES_HEADER_BYTES + 4 * (count + 1));

	memcpy(build_add(build, IMAGE_NAMES_TABLE, 8), header, 8);
	for (uint32_t i = 0; i <= count; i++) {
		memcpy(build_add(build, IMAGE_NAMES_TABLE, 4), &offset, 4);
		if (i < count)
			offset += (uint32_t)strlen(names[i]);
	}
	for (uint32_t i = 0; i < count; i++) {
		struct image_name name = { .service = services[i] };

		memcpy(build_add(build, IMAGE_NAMES_TABLE, strlen(names[i])),
		    names[i], strlen(names[i]));
		*(struct image_name *)build_add(build, IMAGE_NAMES, 1) = name;
	}
}

static inline struct image_range
small_words(struct build *build, const char *const words[])
{
	struct image_range range = { .first = build_count(build, IMAGE_WORDS) };

	for (; words[range.count] != NULL; range.count++)
		build_word(
		    build, words[range.count], strlen(words[range.count]));
	return range;
}

static inline struct image_service
small_service(struct build *build, const char *name)
{
	static const char *const argv[] = { "cat", "-u", NULL };
	static const char *const env[] = { "PATH=/bin", "PROTO=TCP", NULL };

	return (struct image_service){ .name = small_text(build, name),
		.place = small_place(build, 9),
		.argv = small_words(build, argv),
		.env = small_words(build, env),
		.program = small_text(build, "/bin/cat"),
		.chdir = small_text(build, "/"),
		.uid = 1000,
		.gid = 1000,
		.sessions = 64,
		.per_source = 8,
		.keepalive_s = 600,
		.umask = 077 };
}

static inline void
small_put_service(struct build *build, const struct image_service *service)
{
	memcpy(build_add(build, IMAGE_SERVICES, 1), service, sizeof(*service));
}

#endif
