#ifndef TESTS_SOUND_IMAGE_H
#define TESTS_SOUND_IMAGE_H

/* One sound image with something in every section. */
#include "small_image.h"

static const char *const names[] = { "9418", "git", "rsync" };
static const uint32_t owners[] = { 0, 0, 1 };

/* Sets, rules, a listener: something in every section. */
static inline void
put_rest(struct build *build)
{
	struct image_listen listen = { .addr = small_addr("127.0.0.1"),
		.place = small_place(build, 2),
		.name = small_text(build, "mgmt"),
		.interface = small_text(build, "lo"),
		.backlog = 5,
		.flags = IMAGE_LISTEN_FREEBIND };

	listen.addr.port = 1;
	*(struct image_listen *)build_add(build, IMAGE_LISTENS, 1) = listen;
	small_add(build, "10.0.0.0/9");
	small_add(build, "10.128.0.0/9");
	small_add(build, "192.0.2.1");
	small_add(build, "2001:db8::/32");
	small_add(build, "2001:dba::/32");
	small_add_scoped(build, "fe80::/64", 3);
	small_add_scoped(build, "fe80::5", 2);
	small_add_scoped(build, "fe80::7", 2);
	sets_end(build);
	small_add(build, "198.51.100.0/24");
	sets_end(build);
	small_rule(build, false, 1);
	small_rule(build, true, 0);
	small_rule(build, true, UINT32_MAX);
}

static inline void
put_all(struct build *build, const struct image_service *first)
{
	struct image_service second = small_service(build, "rsync");

	second.rules = (struct image_range){ 2, 1 };
	small_put_service(build, first);
	small_put_service(build, &second);
	small_names(build, names, owners, 3);
}

static inline struct image_service
first_service(struct build *build)
{
	static const uint32_t gids[] = { 4, 100, 65534 };
	static const struct image_hours hours[] = { { 0, 60 }, { 540, 1020 } };
	static const struct image_exit exits[] = { { 5000, 3, { 0 } },
		{ 0, 255, { 0 } } };
	const struct image_path paths[] = {
		{ small_text(build, "/bin/cat"),
		    IMAGE_ACCESS_BIT(IMAGE_ACCESS_EXEC), IMAGE_PATH_OPTIONAL,
		    { 0 } },
		{ small_text(build, "/srv"), IMAGE_ACCESS_ALL, 0, { 0 } },
	};
	const struct image_ruleset rulesets[] = { { { 0, 1 } }, { { 0, 2 } } };
	struct image_service service = small_service(build, "git");

	memcpy(build_add(build, IMAGE_PATHS, 2), paths, sizeof(paths));
	memcpy(build_add(build, IMAGE_RULESETS, 2), rulesets, sizeof(rulesets));
	service.filesystem = 2;

	memcpy(build_add(build, IMAGE_GIDS, 3), gids, sizeof(gids));
	memcpy(build_add(build, IMAGE_HOURS, 2), hours, sizeof(hours));
	memcpy(build_add(build, IMAGE_EXITS, 2), exits, sizeof(exits));
	service.rules = (struct image_range){ 0, 2 };
	service.groups = (struct image_range){ 0, 3 };
	service.exits = (struct image_range){ 0, 2 };
	service.hours = (struct image_range){ 0, 2 };
	service.hours_place = small_place(build, 11);
	service.on.bits[0] = 1;
	service.on_place = small_place(build, 12);
	service.reply_text = small_text(build, "Go");
	service.summary = small_text(build, "read-only mirror");
	service.capabilities = UINT64_C(1) << 10;
	service.chroot = small_text(build, "/srv");
	service.rlimits[IMAGE_RLIMIT_CPU] = 60;
	service.rlimits_set = 1u << IMAGE_RLIMIT_CPU | 1u << IMAGE_RLIMIT_CORE;
	service.has_nice = 1;
	service.nice = -5;
	service.isolate = IMAGE_ISOLATE_ALL;
	return service;
}

/* A block of exactly its size, so that a sanitizer sees its end. */
static inline uint8_t *
make(size_t *size)
{
	struct build build;
	struct image_service service;
	void *block;

	build_init(&build);
	small_global(&build);
	put_rest(&build);
	service = first_service(&build);
	put_all(&build, &service);
	block = build_block(&build, size);
	build_finish(&build);
	return block;
}

#endif
