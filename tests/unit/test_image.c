/*
 * The policy image: a sound one is read as it was meant, every other is
 * refused; one damaged anywhere is refused or can be read all the same.
 */
#include "core/image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "small_image.h"

static const char *const names[] = { "9418", "git", "rsync" };
static const uint32_t owners[] = { 0, 0, 1 };

/* Sets, rules, a listener: something in every section. */
static void
put_rest(struct build *build)
{
	struct sets sets = { .v4.bytes = NULL };
	struct image_listen listen = { .addr = small_addr("127.0.0.1"),
		.place = small_place(build, 2) };

	listen.addr.port = 1;
	*(struct image_listen *)build_add(build, IMAGE_LISTENS, 1) = listen;
	small_add(&sets, "10.0.0.0/9");
	small_add(&sets, "10.128.0.0/9");
	small_add(&sets, "192.0.2.1");
	small_add(&sets, "2001:db8::/32");
	small_add(&sets, "2001:dba::/32");
	sets_end(&sets, build);
	small_add(&sets, "198.51.100.0/24");
	sets_end(&sets, build);
	sets_finish(&sets);
	small_rule(build, false, 1);
	small_rule(build, true, 0);
	small_rule(build, true, UINT32_MAX);
}

static void
put_all(struct build *build, const struct image_service *first)
{
	struct image_service second = small_service(build, "rsync");

	second.rules = (struct image_range){ 2, 1 };
	small_put_service(build, first);
	small_put_service(build, &second);
	small_names(build, names, owners, 3);
}

static struct image_service
first_service(struct build *build)
{
	static const uint32_t gids[] = { 4, 100, 65534 };
	struct image_service service = small_service(build, "git");

	memcpy(build_add(build, IMAGE_GIDS, 3), gids, sizeof(gids));
	service.rules = (struct image_range){ 0, 2 };
	service.groups = (struct image_range){ 0, 3 };
	service.reply_text = small_text(build, "Go");
	service.summary = small_text(build, "read-only mirror");
	service.capabilities = UINT64_C(1) << 10;
	return service;
}

/* A block of exactly its size, so that a sanitizer sees its end. */
static uint8_t *
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

static void
test_sound(void **state)
{
	size_t size, names_size;
	uint8_t *block = make(&size);
	struct image image;
	const struct image_service *service;
	const void *names_bytes;
	struct names found;

	(void)state;
	assert_int_equal(image_init(&image, block, size), IMAGE_OK);
	assert_int_equal(image_count(&image, IMAGE_SERVICES), 2);
	service = image_service(&image, 0);
	assert_string_equal(image_text(&image, service->name), "git");
	assert_string_equal(image_text(&image, service->program), "/bin/cat");
	assert_string_equal(image_text(&image, service->reply_text), "Go");
	assert_string_equal(
	    image_text(&image, image_word(&image, service->argv.first + 1)),
	    "-u");
	assert_string_equal(
	    image_text(&image, image_word(&image, service->env.first)),
	    "PATH=/bin");
	assert_int_equal(image_gids(&image, service->groups)[2], 65534);
	assert_int_equal(image_gid(&image, 1), 100);
	assert_int_equal(image_listen(&image, 0)->addr.port, 1);
	assert_int_equal(image_global(&image)->per_source, 32);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(image_name_service(&image, i), owners[i]);
	names_bytes = image_names_bytes(&image, &names_size);
	assert_true(names_init(&found, names_bytes, names_size));
	assert_int_equal(found.count, 3);
	free(block);
}

static bool
set_has(const struct image *image, uint32_t set, const char *text)
{
	struct addr addr = small_addr(text);

	return image_set_has(image, set, &addr);
}

static void
test_sets(void **state)
{
	size_t size;
	uint8_t *block = make(&size);
	struct image image;

	(void)state;
	assert_int_equal(image_init(&image, block, size), IMAGE_OK);
	/* Two halves are one interval, and the host another. */
	assert_int_equal(image_set(&image, 0)->v4.count, 2);
	assert_int_equal(image_set(&image, 0)->v6.count, 2);
	assert_true(set_has(&image, 0, "10.0.0.0"));
	assert_true(set_has(&image, 0, "10.255.255.255"));
	assert_false(set_has(&image, 0, "9.255.255.255"));
	assert_false(set_has(&image, 0, "11.0.0.0"));
	assert_true(set_has(&image, 0, "192.0.2.1"));
	assert_true(set_has(&image, 0, "::ffff:192.0.2.1"));
	assert_false(set_has(&image, 0, "192.0.2.0"));
	assert_false(set_has(&image, 0, "192.0.2.2"));
	assert_true(set_has(&image, 0, "2001:db8::"));
	assert_true(
	    set_has(&image, 0, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"));
	assert_false(set_has(&image, 0, "2001:db9::"));
	assert_false(
	    set_has(&image, 0, "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff"));
	assert_false(set_has(&image, 1, "10.0.0.0"));
	assert_true(set_has(&image, 1, "198.51.100.9"));
	assert_false(set_has(&image, 1, "2001:db8::"));
	free(block);
}

static void
test_nothing_in_it(void **state)
{
	struct build build;
	struct image image;
	size_t size;
	void *block;

	(void)state;
	build_init(&build);
	small_global(&build);
	small_names(&build, NULL, NULL, 0);
	block = build_block(&build, &size);
	build_finish(&build);
	assert_int_equal(image_init(&image, block, size), IMAGE_OK);
	free(block);
}

/* Reads all that a reader of a checked image may. */
static unsigned
read_text(const struct image *image, struct image_text text)
{
	const char *bytes = image_text(image, text);
	unsigned sum = 0;

	assert_int_equal(strlen(bytes), text.length);
	for (uint32_t i = 0; i <= text.length; i++)
		sum += (unsigned char)bytes[i];
	return sum;
}

static unsigned
read_service(const struct image *image, const struct image_service *service)
{
	const struct addr peer = small_addr("192.0.2.1");
	unsigned sum = read_text(image, service->name) +
	    read_text(image, service->place.file) +
	    read_text(image, service->program) +
	    read_text(image, service->chdir) +
	    read_text(image, service->reply_text) +
	    read_text(image, service->summary);

	for (uint32_t i = 0; i < service->argv.count; i++)
		sum += read_text(
		    image, image_word(image, service->argv.first + i));
	for (uint32_t i = 0; i < service->env.count; i++)
		sum +=
		    read_text(image, image_word(image, service->env.first + i));
	for (uint32_t i = 0; i < service->groups.count; i++)
		sum += image_gids(image, service->groups)[i];
	for (uint32_t i = 0; i < service->rules.count; i++) {
		const struct image_rule *rule =
		    image_rule(image, service->rules.first + i);

		sum += read_text(image, rule->place.file);
		if (rule->kind == IMAGE_RULE_SET)
			sum += image_set_has(image, rule->set, &peer);
	}
	return sum;
}

static unsigned
read_all(const struct image *image)
{
	const struct addr peer = small_addr("2001:db8::1");
	const struct image_global *global = image_global(image);
	unsigned sum = read_text(image, global->file) +
	    read_text(image, global->parser_program);
	size_t length;

	for (uint32_t i = 0; i < image_count(image, IMAGE_SERVICES); i++)
		sum += read_service(image, image_service(image, i));
	for (uint32_t i = 0; i < image_count(image, IMAGE_LISTENS); i++)
		sum += read_text(image, image_listen(image, i)->place.file);
	for (uint32_t i = 0; i < image_count(image, IMAGE_SETS); i++)
		sum += image_set_has(image, i, &peer);
	for (uint32_t i = 0; i < image->names.count; i++) {
		sum += *names_get(&image->names, i, &length);
		sum += image_service(image, image_name_service(image, i))->uid;
	}
	for (uint32_t i = 0; i < image_count(image, IMAGE_GIDS); i++)
		sum += image_gid(image, i);
	for (uint32_t i = 0; i < global->admission.count; i++)
		sum += image_rule(image, global->admission.first + i)->kind;
	return sum;
}

static void
test_damaged(void **state)
{
	size_t size;
	uint8_t *block = make(&size);
	struct image image;
	unsigned taken = 0;

	(void)state;
	for (size_t i = 0; i < size; i++)
		for (unsigned bits = 1; bits < 256; bits++) {
			block[i] ^= (uint8_t)bits;
			if (image_init(&image, block, size) == IMAGE_OK) {
				read_all(&image);
				taken++;
			}
			block[i] ^= (uint8_t)bits;
		}
	/* Some bytes may be anything: a uid's, for one. */
	assert_true(taken > 0);
	assert_int_equal(image_init(&image, block, size), IMAGE_OK);
	free(block);
}

static void
test_damaged_words(void **state)
{
	static const uint32_t values[] = { 0, 1, 2, 7, 8, 0x7fffffff,
		0x80000000, 0xfffffff8, UINT32_MAX - 1, UINT32_MAX };
	size_t size;
	uint8_t *block = make(&size);
	uint32_t *words = (uint32_t *)(void *)block;
	struct image image;

	(void)state;
	for (size_t i = 0; i < size / sizeof(words[0]); i++) {
		uint32_t kept = words[i];

		for (size_t j = 0; j < sizeof(values) / sizeof(values[0]);
		     j++) {
			words[i] = values[j];
			if (image_init(&image, block, size) == IMAGE_OK)
				read_all(&image);
		}
		words[i] = kept;
	}
	free(block);
}

static void
test_cut(void **state)
{
	size_t size;
	uint8_t *block = make(&size);
	struct image image;

	(void)state;
	for (size_t shorter = 0; shorter < size; shorter++) {
		uint8_t *cut = malloc(shorter > 0 ? shorter : 1);
		uint64_t claimed = shorter;

		memcpy(cut, block, shorter);
		assert_int_not_equal(
		    image_init(&image, cut, shorter), IMAGE_OK);
		/* Also when it says that this is all. */
		if (shorter >= sizeof(struct image_header)) {
			memcpy(cut + offsetof(struct image_header, size),
			    &claimed, sizeof(claimed));
			assert_int_not_equal(
			    image_init(&image, cut, shorter), IMAGE_OK);
		}
		free(cut);
	}
	free(block);
}

static void
test_not_aligned(void **state)
{
	size_t size;
	uint8_t *block = make(&size);
	uint8_t *moved = malloc(size + 4);
	struct image image;

	(void)state;
	memcpy(moved + 4, block, size);
	assert_int_equal(image_init(&image, moved + 4, size), IMAGE_BAD_HEADER);
	free(moved);
	free(block);
}

/* Changes one thing in a sound image's parts. */
struct change {
	const char *what;
	void (*make)(struct build *build, struct image_service *service);
	enum image_error expected;
};

static void
nothing(struct build *build, struct image_service *service)
{
	(void)build;
	(void)service;
}

#define SERVICE_CHANGE(name, statement) \
	static void name(struct build *build, struct image_service *service) \
	{ \
		(void)build; \
		(void)service; \
		statement; \
	}

SERVICE_CHANGE(no_argv, service->argv.count = 0)
SERVICE_CHANGE(argv_beyond, service->argv.count = 1000)
SERVICE_CHANGE(env_beyond, service->env.first = 1000)
SERVICE_CHANGE(env_without_equals, service->env = service->argv)
SERVICE_CHANGE(relative, service->program = small_text(build, "bin/cat"))
SERVICE_CHANGE(no_program, service->program = small_text(build, ""))
SERVICE_CHANGE(relative_chdir, service->chdir = small_text(build, "srv"))
SERVICE_CHANGE(reply_line, service->reply_text = small_text(build, "a\r\n-b"))
SERVICE_CHANGE(summary_bell, service->summary = small_text(build, "\a"))
SERVICE_CHANGE(text_beyond, service->summary.offset = 1u << 30)
SERVICE_CHANGE(text_huge, service->summary.length = UINT32_MAX)
SERVICE_CHANGE(text_two, service->program.length += 2)
SERVICE_CHANGE(text_part, service->program.length -= 1)
SERVICE_CHANGE(no_line, service->place.line = 0)
SERVICE_CHANGE(no_file, service->place.file = small_text(build, ""))
SERVICE_CHANGE(uid_kept, service->uid = UINT32_MAX)
SERVICE_CHANGE(gid_kept, service->gid = UINT32_MAX)
SERVICE_CHANGE(wide_umask, service->umask = 01000)
SERVICE_CHANGE(odd_flag, service->flags = 0x20)
SERVICE_CHANGE(odd_reply, service->reply = 2)
SERVICE_CHANGE(odd_stderr, service->stderr_to = 3)
SERVICE_CHANGE(odd_leftovers, service->leftovers = 2)
SERVICE_CHANGE(no_sessions, service->sessions = 0)
SERVICE_CHANGE(no_per_source, service->per_source = 0)
SERVICE_CHANGE(too_many, service->sessions = IMAGE_LIMIT_MAX + 1)
SERVICE_CHANGE(long_keepalive, service->keepalive_s = 32768)
SERVICE_CHANGE(capability_41, service->capabilities = UINT64_C(1) << 41)
SERVICE_CHANGE(all_and_one, service->flags = IMAGE_SERVICE_CAPABILITIES_ALL)
SERVICE_CHANGE(rules_beyond, service->rules.count = 4)
SERVICE_CHANGE(rules_wrap, service->rules.first = UINT32_MAX)
SERVICE_CHANGE(groups_beyond, service->groups.count = 4)
SERVICE_CHANGE(other_name, service->name = small_text(build, "gif"))
SERVICE_CHANGE(alias_name, service->name = small_text(build, "9418"))
SERVICE_CHANGE(upper_name, service->name = small_text(build, "GIT"))
SERVICE_CHANGE(its_name, service->name = small_text(build, "rsync"))

SERVICE_CHANGE(self_with_groups, service->flags = IMAGE_SERVICE_SELF;
	       service->capabilities = 0)
SERVICE_CHANGE(self_with_capability, service->flags = IMAGE_SERVICE_SELF;
	       service->groups.count = 0)
SERVICE_CHANGE(
    self_with_privileges,
    service->flags = IMAGE_SERVICE_SELF | IMAGE_SERVICE_NEW_PRIVILEGES;
    service->groups.count = 0; service->capabilities = 0)
SERVICE_CHANGE(
    gids_twice, ((uint32_t *)(void *)build->sections[IMAGE_GIDS].bytes)[1] = 4)
SERVICE_CHANGE(gid_minus_one,
    ((uint32_t *)(void *)build->sections[IMAGE_GIDS].bytes)[2] = UINT32_MAX)

#define GLOBAL_CHANGE(name, statement) \
	static void name(struct build *build, struct image_service *service) \
	{ \
		struct image_global *global = &build->global; \
\
		(void)service; \
		statement; \
	}

GLOBAL_CHANGE(parser_root, global->parser_uid = 0)
GLOBAL_CHANGE(parser_kept, global->parser_gid = UINT32_MAX)
GLOBAL_CHANGE(no_workers, global->parser_workers = 0)
GLOBAL_CHANGE(many_workers, global->parser_workers = 65)
GLOBAL_CHANGE(no_timeout, global->parser_timeout_ms = 0)
GLOBAL_CHANGE(no_recycle, global->recycle_verdicts = 0)
GLOBAL_CHANGE(no_pending, global->pending = 0)
GLOBAL_CHANGE(odd_room, global->room = 2)
GLOBAL_CHANGE(odd_sink, global->log_sink = 3)
GLOBAL_CHANGE(odd_format, global->log_format = 2)
GLOBAL_CHANGE(odd_facility, global->syslog_facility = 25)
GLOBAL_CHANGE(odd_byte, global->unused = 1)
GLOBAL_CHANGE(admission_beyond, global->admission.count = 9)
GLOBAL_CHANGE(relative_parser,
    global->parser_program = small_text(build, "tcpmuxd-parser"))
GLOBAL_CHANGE(no_policy_file, global->file = small_text(build, ""))

#define FIRST(build, type, section) \
	((struct type *)(void *)(build)->sections[section].bytes)

GLOBAL_CHANGE(port_0, (void)global;
	      FIRST(build, image_listen, IMAGE_LISTENS)->addr.port = 0)
GLOBAL_CHANGE(no_family, (void)global;
	      FIRST(build, image_listen, IMAGE_LISTENS)->addr.family = 0)
GLOBAL_CHANGE(v4_tail, (void)global;
	      FIRST(build, image_listen, IMAGE_LISTENS)->addr.bytes[9] = 1)
GLOBAL_CHANGE(odd_kind, (void)global;
	      FIRST(build, image_rule, IMAGE_RULES)->kind = 2)
GLOBAL_CHANGE(odd_allow, (void)global;
	      FIRST(build, image_rule, IMAGE_RULES)->is_allow = 2)
GLOBAL_CHANGE(set_beyond, (void)global;
	      FIRST(build, image_rule, IMAGE_RULES)->set = 2)
GLOBAL_CHANGE(any_with_set, (void)global;
	      FIRST(build, image_rule, IMAGE_RULES)[2].set = 1)
GLOBAL_CHANGE(set_shared, (void)global;
	      FIRST(build, image_set, IMAGE_SETS)[1].v4.first = 0)
GLOBAL_CHANGE(set_leftover, (void)global;
	      FIRST(build, image_set, IMAGE_SETS)[1].v4.count = 0)
GLOBAL_CHANGE(v4_reversed, (void)global;
	      FIRST(build, image_v4, IMAGE_V4)->last = 1)
GLOBAL_CHANGE(v4_touching, (void)global;
	      FIRST(build, image_v4, IMAGE_V4)->last = 0xc0000200)
GLOBAL_CHANGE(v4_overlapping, (void)global;
	      FIRST(build, image_v4, IMAGE_V4)->last = 0xc0000201)
GLOBAL_CHANGE(v6_reversed, (void)global;
	      FIRST(build, image_v6, IMAGE_V6)->first[0] = 0xff)
GLOBAL_CHANGE(v6_overlapping, (void)global;
	      FIRST(build, image_v6, IMAGE_V6)->last[0] = 0xff)
GLOBAL_CHANGE(v6_touching, (void)global;
	      FIRST(build, image_v6, IMAGE_V6)->last[3] = 0xb9)

static const struct change changes[] = {
	{ "nothing", nothing, IMAGE_OK },
	{ "no argv", no_argv, IMAGE_BAD_VALUE },
	{ "argv beyond", argv_beyond, IMAGE_BAD_RANGE },
	{ "env beyond", env_beyond, IMAGE_BAD_RANGE },
	{ "env without =", env_without_equals, IMAGE_BAD_VALUE },
	{ "relative", relative, IMAGE_BAD_TEXT },
	{ "no program", no_program, IMAGE_BAD_TEXT },
	{ "relative chdir", relative_chdir, IMAGE_BAD_TEXT },
	{ "line in reply", reply_line, IMAGE_BAD_TEXT },
	{ "bell in summary", summary_bell, IMAGE_BAD_TEXT },
	{ "text beyond", text_beyond, IMAGE_BAD_TEXT },
	{ "text huge", text_huge, IMAGE_BAD_TEXT },
	{ "two texts", text_two, IMAGE_BAD_TEXT },
	{ "text without end", text_part, IMAGE_BAD_TEXT },
	{ "no line", no_line, IMAGE_BAD_TEXT },
	{ "no file", no_file, IMAGE_BAD_TEXT },
	{ "uid -1", uid_kept, IMAGE_BAD_VALUE },
	{ "gid -1", gid_kept, IMAGE_BAD_VALUE },
	{ "umask", wide_umask, IMAGE_BAD_VALUE },
	{ "flag", odd_flag, IMAGE_BAD_VALUE },
	{ "reply", odd_reply, IMAGE_BAD_VALUE },
	{ "stderr", odd_stderr, IMAGE_BAD_VALUE },
	{ "leftovers", odd_leftovers, IMAGE_BAD_VALUE },
	{ "no sessions", no_sessions, IMAGE_BAD_VALUE },
	{ "no per-source", no_per_source, IMAGE_BAD_VALUE },
	{ "too many sessions", too_many, IMAGE_BAD_VALUE },
	{ "keepalive", long_keepalive, IMAGE_BAD_VALUE },
	{ "capability 41", capability_41, IMAGE_BAD_VALUE },
	{ "all capabilities and one", all_and_one, IMAGE_BAD_VALUE },
	{ "rules beyond", rules_beyond, IMAGE_BAD_RANGE },
	{ "rules wrap", rules_wrap, IMAGE_BAD_RANGE },
	{ "groups beyond", groups_beyond, IMAGE_BAD_RANGE },
	{ "unknown name", other_name, IMAGE_BAD_NAMES },
	{ "an alias as name", alias_name, IMAGE_OK },
	{ "upper case", upper_name, IMAGE_BAD_NAMES },
	{ "the other's name", its_name, IMAGE_BAD_NAMES },
	{ "self, groups", self_with_groups, IMAGE_BAD_VALUE },
	{ "self, capability", self_with_capability, IMAGE_BAD_VALUE },
	{ "self, privileges", self_with_privileges, IMAGE_BAD_VALUE },
	{ "a gid twice", gids_twice, IMAGE_BAD_ORDER },
	{ "group -1", gid_minus_one, IMAGE_BAD_VALUE },
	{ "parser is root", parser_root, IMAGE_BAD_VALUE },
	{ "parser's gid -1", parser_kept, IMAGE_BAD_VALUE },
	{ "no workers", no_workers, IMAGE_BAD_VALUE },
	{ "65 workers", many_workers, IMAGE_BAD_VALUE },
	{ "no timeout", no_timeout, IMAGE_BAD_VALUE },
	{ "no recycling", no_recycle, IMAGE_BAD_VALUE },
	{ "no pending", no_pending, IMAGE_BAD_VALUE },
	{ "room", odd_room, IMAGE_BAD_VALUE },
	{ "log sink", odd_sink, IMAGE_BAD_VALUE },
	{ "log format", odd_format, IMAGE_BAD_VALUE },
	{ "facility", odd_facility, IMAGE_BAD_VALUE },
	{ "unused", odd_byte, IMAGE_BAD_VALUE },
	{ "admission beyond", admission_beyond, IMAGE_BAD_RANGE },
	{ "relative parser", relative_parser, IMAGE_BAD_VALUE },
	{ "no policy file", no_policy_file, IMAGE_BAD_TEXT },
	{ "port 0", port_0, IMAGE_BAD_VALUE },
	{ "no family", no_family, IMAGE_BAD_VALUE },
	{ "v4 tail", v4_tail, IMAGE_BAD_VALUE },
	{ "rule kind", odd_kind, IMAGE_BAD_VALUE },
	{ "rule allow", odd_allow, IMAGE_BAD_VALUE },
	{ "set beyond", set_beyond, IMAGE_BAD_RANGE },
	{ "any with a set", any_with_set, IMAGE_BAD_RANGE },
	{ "shared intervals", set_shared, IMAGE_BAD_RANGE },
	{ "interval of no set", set_leftover, IMAGE_BAD_RANGE },
	{ "v4 reversed", v4_reversed, IMAGE_BAD_ORDER },
	{ "v4 touching", v4_touching, IMAGE_BAD_ORDER },
	{ "v4 overlapping", v4_overlapping, IMAGE_BAD_ORDER },
	{ "v6 reversed", v6_reversed, IMAGE_BAD_ORDER },
	{ "v6 overlapping", v6_overlapping, IMAGE_BAD_ORDER },
	{ "v6 touching", v6_touching, IMAGE_BAD_ORDER },
};

static void
check_change(const struct change *change)
{
	struct build build;
	struct image_service service;
	struct image image;
	enum image_error error;
	size_t size;
	void *block;

	build_init(&build);
	small_global(&build);
	put_rest(&build);
	service = first_service(&build);
	change->make(&build, &service);
	put_all(&build, &service);
	block = build_block(&build, &size);
	build_finish(&build);
	error = image_init(&image, block, size);
	if (error != change->expected)
		fail_msg("%s: %s, not %s", change->what,
		    image_error_text(error),
		    image_error_text(change->expected));
	free(block);
}

static void
test_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		check_change(&changes[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_nothing_in_it),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_damaged_words),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_not_aligned),
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
