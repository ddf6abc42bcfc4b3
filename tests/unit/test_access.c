/*
 * Who may use a service, from where and when: each reason and the line it
 * names, and which one comes first; then 100,000 random askers against the
 * policy read as a person would read it.
 */
#include "core/access.h"
#include "core/hours.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "random.h"
#include "small_image.h"

#define LISTENERS 70u
#define MONDAY_NOON (12u * 60)

static void
put_listeners(struct build *build)
{
	for (uint32_t i = 0; i < LISTENERS; i++) {
		struct image_listen listen = { .addr = small_addr("127.0.0.1"),
			.place = small_place(build, i + 1),
			.backlog = 1 };

		listen.addr.port = (uint16_t)(i + 1);
		*(struct image_listen *)build_add(build, IMAGE_LISTENS, 1) =
		    listen;
	}
}

static void
put_hours(struct build *build, struct image_service *service, uint16_t first,
    uint16_t end)
{
	if (service->hours.count == 0)
		service->hours.first = build_count(build, IMAGE_HOURS);
	service->hours.count++;
	service->hours_place = small_place(build, 40);
	*(struct image_hours *)build_add(build, IMAGE_HOURS, 1) =
	    (struct image_hours){ first, end };
}

static void
put_on(struct build *build, struct image_service *service, uint32_t listener)
{
	service->on.bits[listener / 64] |= UINT64_C(1) << listener % 64;
	service->on_place = small_place(build, 41);
}

/* One service, which nothing keeps anybody from. */
static struct image_service
begin(struct build *build)
{
	struct image_service service;

	build_init(build);
	small_global(build);
	put_listeners(build);
	small_rule(build, true, UINT32_MAX); /* line 1: allow any */
	service = small_service(build, "git");
	service.rules = (struct image_range){ 0, 1 };
	return service;
}

static void *
finish(struct build *build, const struct image_service *service,
    struct image *image)
{
	static const char *const names[] = { "git" };
	static const uint32_t owners[] = { 0 };
	size_t size;
	void *block;

	small_put_service(build, service);
	small_names(build, names, owners, 1);
	block = build_block(build, &size);
	assert_int_equal(image_init(image, block, size), IMAGE_OK);
	build_finish(build);
	return block;
}

/* The line that decided, or 0. */
static uint32_t
line_of(struct access access)
{
	return access.place == NULL ? 0 : access.place->line;
}

static void
assert_access(const struct build *build, const struct image_service *service,
    uint32_t listener, enum access_reason reason, uint32_t line)
{
	struct asker asker = { .peer = small_addr("192.0.2.7"),
		.listener = listener,
		.minute = MONDAY_NOON };
	struct build copy = *build;
	struct image image;
	struct access access;
	void *block = finish(&copy, service, &image);

	access = access_decide(&image, 0, &asker);
	assert_int_equal(access.reason, reason);
	assert_int_equal(line_of(access), line);
	free(block);
}

static void
test_nothing_in_the_way(void **state)
{
	struct build build;
	struct image_service service = begin(&build);

	(void)state;
	assert_access(&build, &service, 69, ACCESS_ALLOWED, 1);
}

static void
test_disabled(void **state)
{
	struct build build;
	struct image_service service = begin(&build);

	(void)state;
	service.flags = IMAGE_SERVICE_DISABLED;
	service.rules.count = 0;
	put_on(&build, &service, 3);
	put_hours(&build, &service, 0, MONDAY_NOON);
	assert_access(&build, &service, 0, ACCESS_DISABLED, 9);
}

static void
test_listener(void **state)
{
	struct build build;
	struct image_service service = begin(&build);

	(void)state;
	service.rules.count = 0;
	put_on(&build, &service, 3);
	put_on(&build, &service, 64);
	put_hours(&build, &service, 0, MONDAY_NOON);
	assert_access(&build, &service, 0, ACCESS_LISTENER, 41);
}

static void
test_rules(void **state)
{
	struct build build;
	struct image_service service = begin(&build);

	(void)state;
	small_rule(&build, false, UINT32_MAX);
	service.rules = (struct image_range){ 1, 1 };
	put_on(&build, &service, 64);
	put_hours(&build, &service, 0, MONDAY_NOON);
	assert_access(&build, &service, 64, ACCESS_DENIED, 2);
}

static void
test_no_rule(void **state)
{
	struct build build;
	struct image_service service = begin(&build);

	(void)state;
	service.rules.count = 0;
	assert_access(&build, &service, 0, ACCESS_DENIED, 0);
}

static void
test_hours_over(void **state)
{
	struct build build;
	struct image_service service = begin(&build);

	(void)state;
	put_hours(&build, &service, 0, MONDAY_NOON);
	put_hours(&build, &service, MONDAY_NOON + 1, HOURS_WEEK_MINUTES);
	assert_access(&build, &service, 0, ACCESS_HOURS, 40);
}

static void
test_hours_begun(void **state)
{
	struct build build;
	struct image_service service = begin(&build);

	(void)state;
	put_hours(&build, &service, MONDAY_NOON, MONDAY_NOON + 1);
	assert_access(&build, &service, 0, ACCESS_ALLOWED, 1);
}

static void
test_admission(void **state)
{
	const struct addr peer = small_addr("192.0.2.7");
	struct build build;
	struct image_service service = begin(&build);
	struct image image;
	void *block;

	(void)state;
	build.global.admission = (struct image_range){ 0, 1 };
	block = finish(&build, &service, &image);
	assert_int_equal(access_admit(&image, &peer).reason, ACCESS_ALLOWED);
	assert_int_equal(line_of(access_admit(&image, &peer)), 1);
	free(block);
	service = begin(&build);
	block = finish(&build, &service, &image);
	assert_int_equal(access_admit(&image, &peer).reason, ACCESS_DENIED);
	assert_null(access_admit(&image, &peer).place);
	free(block);
}

/* A listener that a reload took away has a number that none of them has. */
static void
test_listener_that_is_no_more(void **state)
{
	static const uint32_t gone[] = { IMAGE_LISTENS_MAX,
		IMAGE_LISTENS_MAX + 64, 1u << 20, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
		struct build build;
		struct image_service service = begin(&build);

		for (uint32_t j = 0; j < LISTENERS; j++)
			put_on(&build, &service, j);
		assert_access(&build, &service, gone[i], ACCESS_LISTENER, 41);
	}
}

static void
test_exempt(void **state)
{
	const struct addr peer = small_addr("192.0.2.7");
	struct build build;
	struct image_service service = begin(&build);
	struct image image;
	void *block;

	(void)state;
	small_rule(&build, false, UINT32_MAX); /* line 2: deny any */
	build.global.exempt = (struct image_range){ 0, 1 };
	block = finish(&build, &service, &image);
	assert_non_null(access_exempt(&image, &peer));
	assert_int_equal(access_exempt(&image, &peer)->line, 1);
	free(block);
	service = begin(&build);
	small_rule(&build, false, UINT32_MAX);
	build.global.exempt = (struct image_range){ 1, 1 };
	block = finish(&build, &service, &image);
	assert_null(access_exempt(&image, &peer));
	free(block);
}

/* The same numbers in every run. */
static uint32_t
next_random(uint32_t below)
{
	static uint64_t state = 88172645463325252;

	return (uint32_t)(random_next(&state) >> 32) % below;
}

/* A week and a row of listeners, a flag each: what the image says shortly. */
struct model {
	bool is_open[HOURS_WEEK_MINUTES], has_hours;
	bool is_on[LISTENERS], has_on;
};

static void
make_random(
    struct build *build, struct image_service *service, struct model *model)
{
	uint32_t at = next_random(900);

	memset(model, 0, sizeof(*model));
	for (uint32_t i = next_random(6); i > 0; i--) {
		uint32_t end = at + 1 + next_random(900);

		put_hours(build, service, (uint16_t)at, (uint16_t)end);
		memset(model->is_open + at, true, end - at);
		model->has_hours = true;
		at = end + 1 + next_random(700);
	}
	for (uint32_t i = next_random(4); i > 0; i--) {
		uint32_t listener = next_random(LISTENERS);

		put_on(build, service, listener);
		model->is_on[listener] = true;
		model->has_on = true;
	}
}

static void
assert_same(const struct image *image, const struct model *model)
{
	struct asker asker = { .peer = small_addr("192.0.2.7"),
		.listener = next_random(LISTENERS),
		.minute = next_random(HOURS_WEEK_MINUTES) };
	enum access_reason expected = ACCESS_ALLOWED;

	if (model->has_on && !model->is_on[asker.listener])
		expected = ACCESS_LISTENER;
	else if (model->has_hours && !model->is_open[asker.minute])
		expected = ACCESS_HOURS;
	assert_int_equal(access_decide(image, 0, &asker).reason, expected);
}

static void
test_random(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct build build;
		struct image_service service = begin(&build);
		struct model model;
		struct image image;
		void *block;

		make_random(&build, &service, &model);
		block = finish(&build, &service, &image);
		for (int j = 0; j < 100; j++)
			assert_same(&image, &model);
		free(block);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_in_the_way),
		cmocka_unit_test(test_disabled),
		cmocka_unit_test(test_listener),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_no_rule),
		cmocka_unit_test(test_hours_over),
		cmocka_unit_test(test_hours_begun),
		cmocka_unit_test(test_admission),
		cmocka_unit_test(test_listener_that_is_no_more),
		cmocka_unit_test(test_exempt),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
