/*
 * Plans: what a child shall do, from an image and a LAUNCH.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "small_image.h"

#include "launcher/plan.c"

#define CAPABILITIES 0x1ffu

/* A base with one service, `svc`, as a test changes it. */
struct fixture {
	struct build build;
	struct image_service service;
	void *block;
	struct base base;
	struct launch launch;
	struct plan plan;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	build_init(&f->build);
	small_global(&f->build);
	f->service = small_service(&f->build, "svc");
	f->launch = (struct launch){ .session = 7,
		.flags = LAUNCH_STDERR,
		.peer = small_addr("192.0.2.7"),
		.local = small_addr("198.51.100.200") };
	f->launch.peer.port = 40000;
	f->launch.local.port = 1;
	f->base = (struct base){ .kind = BASE_COMMON,
		.capabilities = CAPABILITIES,
		.uid = 77,
		.gid = 78,
		.group_count = 3 };
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	free(f->block);
	build_finish(&f->build);
	free(f);
	return 0;
}

/* Makes the image, then the plan; 0, or errno. */
static int
plan(struct fixture *f)
{
	static const char *const names[] = { "svc" };
	static const uint32_t services[] = { 0 };
	size_t size;

	small_put_service(&f->build, &f->service);
	small_names(&f->build, names, services, 1);
	f->block = build_block(&f->build, &size);
	assert_int_equal(image_init(&f->base.image, f->block, size), IMAGE_OK);
	/* What an earlier launch has left there must not matter. */
	memset(&f->plan, 0xa5, sizeof(f->plan));
	return plan_make(&f->plan, &f->base, &f->launch) == 0 ? 0 : errno;
}

static void
assert_words(const char *const words[], const char *const expected[])
{
	size_t i = 0;

	for (; expected[i] != NULL; i++)
		assert_string_equal(words[i], expected[i]);
	assert_null(words[i]);
}

static void
words_come_from_policy_and_addresses(void **state)
{
	static const char *const argv[] = { "cat", "-u", NULL };
	static const char *const envp[] = { "TCPLOCALIP=198.51.100.200",
		"TCPLOCALPORT=1", "TCPREMOTEIP=192.0.2.7",
		"TCPREMOTEPORT=40000", "REMOTE_ADDR=192.0.2.7",
		"REMOTE_HOST=192.0.2.7", "REMOTE_PORT=40000", "PATH=/bin",
		"PROTO=TCP", NULL };
	struct fixture *f = *state;

	assert_int_equal(plan(f), 0);
	assert_words(f->plan.argv, argv);
	assert_words(f->plan.envp, envp);
	assert_string_equal(f->plan.program, "/bin/cat");
	assert_string_equal(f->plan.chdir, "/");
}

static void
the_longest_addresses_fit(void **state)
{
	static const char longest[] =
	    "2001:1db8:2222:3333:4444:5555:6666:7777%4294967295";
	struct fixture *f = *state;
	char word[PLAN_PEER_WORD_BYTES];

	f->launch.peer = small_addr("2001:1db8:2222:3333:4444:5555:6666:7777");
	f->launch.peer.scope = UINT32_MAX;
	f->launch.peer.port = UINT16_MAX;
	f->launch.local = f->launch.peer;
	assert_int_equal(plan(f), 0);
	(void)snprintf(word, sizeof(word), "TCPREMOTEIP=%s", longest);
	assert_string_equal(f->plan.envp[2], word);
	assert_string_equal(f->plan.envp[1], "TCPLOCALPORT=65535");
	assert_string_equal(f->plan.envp[3], "TCPREMOTEPORT=65535");
}

static void
as_many_words_as_an_image_may_have(void **state)
{
	struct fixture *f = *state;

	f->service.argv.first = build_count(&f->build, IMAGE_WORDS);
	f->service.argv.count = IMAGE_ARGV_MAX;
	for (uint32_t i = 0; i < IMAGE_ARGV_MAX; i++)
		build_word(&f->build, "a", 1);
	f->service.env.first = build_count(&f->build, IMAGE_WORDS);
	f->service.env.count = IMAGE_ENV_MAX;
	for (uint32_t i = 0; i < IMAGE_ENV_MAX; i++)
		build_word(&f->build, "K=V", 3);
	assert_int_equal(plan(f), 0);
	assert_string_equal(f->plan.argv[IMAGE_ARGV_MAX - 1], "a");
	assert_null(f->plan.argv[IMAGE_ARGV_MAX]);
	assert_string_equal(
	    f->plan.envp[PLAN_PEER_WORDS + IMAGE_ENV_MAX - 1], "K=V");
	assert_null(f->plan.envp[PLAN_PEER_WORDS + IMAGE_ENV_MAX]);
}

static void
the_reply_is_plus_text_and_crlf(void **state)
{
	struct fixture *f = *state;
	char text[IMAGE_LINE_TEXT_MAX + 1];

	memset(text, 'x', sizeof(text));
	text[IMAGE_LINE_TEXT_MAX] = '\0';
	f->service.reply_text = small_text(&f->build, text);
	assert_int_equal(plan(f), 0);
	assert_int_equal(f->plan.reply_length, REPLY_ACCEPT_BYTES_MAX);
	assert_int_equal(f->plan.reply[0], '+');
	assert_memory_equal(f->plan.reply + 1, text, IMAGE_LINE_TEXT_MAX);
	assert_memory_equal(f->plan.reply + 1 + IMAGE_LINE_TEXT_MAX, "\r\n", 2);
}

static void
a_bare_reply_is_three_bytes(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(plan(f), 0);
	assert_int_equal(f->plan.reply_length, 3);
	assert_memory_equal(f->plan.reply, "+\r\n", 3);
}

static void
a_service_may_speak_first(void **state)
{
	struct fixture *f = *state;

	f->service.reply = IMAGE_REPLY_SERVICE;
	f->service.reply_text = small_text(&f->build, "never sent");
	assert_int_equal(plan(f), 0);
	assert_int_equal(f->plan.reply_length, 0);
}

static void
ids_are_the_policy_s(void **state)
{
	struct fixture *f = *state;
	uint32_t *gids = build_add(&f->build, IMAGE_GIDS, 3);

	gids[0] = 4;
	gids[1] = 5;
	gids[2] = 9;
	f->service.groups = (struct image_range){ .first = 1, .count = 2 };
	f->service.uid = 1001;
	f->service.gid = 1002;
	assert_int_equal(plan(f), 0);
	assert_int_equal(f->plan.uid, 1001);
	assert_int_equal(f->plan.gid, 1002);
	assert_int_equal(f->plan.group_count, 2);
	assert_int_equal(f->plan.groups[0], 5);
	assert_int_equal(f->plan.groups[1], 9);
	assert_int_equal(f->plan.capabilities, 0);
	assert_int_equal(f->plan.inheritable, 0);
	assert_false(f->plan.has_new_privileges);
}

static void
self_is_who_the_launcher_is(void **state)
{
	struct fixture *f = *state;

	f->base.kind = BASE_SELF;
	f->service.flags = IMAGE_SERVICE_SELF;
	assert_int_equal(plan(f), 0);
	assert_int_equal(f->plan.uid, 77);
	assert_int_equal(f->plan.gid, 78);
	assert_null(f->plan.groups);
	assert_int_equal(f->plan.group_count, 3);
}

static void
kept_capabilities_are_inheritable_but_for_root(void **state)
{
	struct fixture *f = *state;

	f->base.kind = BASE_FULL;
	f->service.capabilities = 0x5;
	assert_int_equal(plan(f), 0);
	assert_int_equal(f->plan.capabilities, 0x5);
	assert_int_equal(f->plan.inheritable, 0x5);
}

static void
root_keeps_them_by_its_bounding_set(void **state)
{
	struct fixture *f = *state;

	f->base.kind = BASE_FULL;
	f->service.uid = 0;
	f->service.capabilities = 0x5;
	assert_int_equal(plan(f), 0);
	assert_int_equal(f->plan.capabilities, 0x5);
	assert_int_equal(f->plan.inheritable, 0);
}

static void
all_capabilities_are_those_there_are(void **state)
{
	struct fixture *f = *state;

	f->base.kind = BASE_FULL;
	f->service.flags =
	    IMAGE_SERVICE_CAPABILITIES_ALL | IMAGE_SERVICE_NEW_PRIVILEGES;
	assert_int_equal(plan(f), 0);
	assert_int_equal(f->plan.capabilities, CAPABILITIES);
	assert_true(f->plan.has_new_privileges);
}

/* Every base with every kind of service: launched, or refused with EPERM. */
static void
a_service_is_launched_from_its_base_only(void **state)
{
	static const struct {
		uint8_t flags;
		uint64_t capabilities;
		enum base_kind kind;
		int expected;
	} rows[] = {
		{ 0, 0, BASE_COMMON, 0 },
		{ 0, 0, BASE_FULL, 0 },
		{ 0, 0, BASE_SELF, EPERM },
		{ IMAGE_SERVICE_SELF, 0, BASE_COMMON, EPERM },
		{ IMAGE_SERVICE_SELF, 0, BASE_FULL, EPERM },
		{ IMAGE_SERVICE_SELF, 0, BASE_SELF, 0 },
		{ 0, 1, BASE_COMMON, EPERM },
		{ 0, 1, BASE_FULL, 0 },
		{ 0, 1, BASE_SELF, EPERM },
		{ IMAGE_SERVICE_CAPABILITIES_ALL, 0, BASE_COMMON, EPERM },
		{ IMAGE_SERVICE_CAPABILITIES_ALL, 0, BASE_FULL, 0 },
		{ IMAGE_SERVICE_NEW_PRIVILEGES, 0, BASE_COMMON, EPERM },
		{ IMAGE_SERVICE_NEW_PRIVILEGES, 0, BASE_FULL, 0 },
		{ IMAGE_SERVICE_NEW_PRIVILEGES, 0, BASE_SELF, EPERM },
		{ IMAGE_SERVICE_DISABLED, 0, BASE_COMMON, EPERM },
		{ IMAGE_SERVICE_DISABLED, 0, BASE_FULL, EPERM },
		{ IMAGE_SERVICE_DISABLED | IMAGE_SERVICE_SELF, 0, BASE_SELF,
		    EPERM },
		{ IMAGE_SERVICE_UNLISTED, 0, BASE_COMMON, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *f;

		assert_int_equal(tear_down(state), 0);
		assert_int_equal(set_up(state), 0);
		f = *state;
		f->base.kind = rows[i].kind;
		f->service.flags = rows[i].flags;
		f->service.capabilities = rows[i].capabilities;
		assert_int_equal(plan(f), rows[i].expected);
	}
}

static void
a_trap_is_not_planned(void **state)
{
	static const enum base_kind kinds[] = { BASE_COMMON, BASE_FULL };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct fixture *f;

		assert_int_equal(tear_down(state), 0);
		assert_int_equal(set_up(state), 0);
		f = *state;
		f->base.kind = kinds[i];
		f->service = (struct image_service){ .name = f->service.name,
			.place = f->service.place,
			.kind = IMAGE_KIND_TRAP,
			.sessions = 1,
			.per_source = 1 };
		assert_int_equal(plan(f), EPERM);
	}
}

static void
a_service_that_is_none_is_not_planned(void **state)
{
	struct fixture *f = *state;

	f->launch.service = 1;
	assert_int_equal(plan(f), EINVAL);
	f->launch.service = UINT32_MAX;
	assert_int_equal(plan_make(&f->plan, &f->base, &f->launch), -1);
	assert_int_equal(errno, EINVAL);
}

static void
a_stderr_pipe_comes_when_it_should(void **state)
{
	static const uint8_t kinds[] = { IMAGE_STDERR_LOG, IMAGE_STDERR_NULL,
		IMAGE_STDERR_SOCKET };

	for (size_t i = 0; i < 2 * sizeof(kinds); i++) {
		bool has_pipe = i % 2 == 1;
		struct fixture *f;

		assert_int_equal(tear_down(state), 0);
		assert_int_equal(set_up(state), 0);
		f = *state;
		f->service.stderr_to = kinds[i / 2];
		f->launch.flags = has_pipe ? LAUNCH_STDERR : 0;
		assert_int_equal(plan(f),
		    has_pipe == (kinds[i / 2] == IMAGE_STDERR_LOG) ? 0
								   : EINVAL);
	}
}

static void
what_may_stay_has_no_cgroup(void **state)
{
	struct fixture *f = *state;

	f->launch.flags |= LAUNCH_CGROUP;
	assert_int_equal(plan(f), 0);
	assert_int_equal(tear_down(state), 0);
	assert_int_equal(set_up(state), 0);
	f = *state;
	f->launch.flags |= LAUNCH_CGROUP;
	f->service.leftovers = IMAGE_LEFTOVERS_KEEP;
	assert_int_equal(plan(f), EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(words_come_from_policy_and_addresses),
		TEST(the_longest_addresses_fit),
		TEST(as_many_words_as_an_image_may_have),
		TEST(the_reply_is_plus_text_and_crlf),
		TEST(a_bare_reply_is_three_bytes),
		TEST(a_service_may_speak_first),
		TEST(ids_are_the_policy_s),
		TEST(self_is_who_the_launcher_is),
		TEST(kept_capabilities_are_inheritable_but_for_root),
		TEST(root_keeps_them_by_its_bounding_set),
		TEST(all_capabilities_are_those_there_are),
		TEST(a_service_is_launched_from_its_base_only),
		TEST(a_trap_is_not_planned),
		TEST(a_service_that_is_none_is_not_planned),
		TEST(a_stderr_pipe_comes_when_it_should),
		TEST(what_may_stay_has_no_cgroup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
