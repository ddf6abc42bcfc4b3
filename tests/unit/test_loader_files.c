/*
 * `filesystem` in the image: one ruleset for all that may use the same of the
 * same program; what is not there, and what somebody else could replace.
 */
#include "sys/landlock.h"

static int kernel_abi = 6;

static int
abi_of_test(void)
{
	return kernel_abi;
}

#define landlock_abi abi_of_test
#include "loading.h"

#define GRANTS(words) "\t%s\n\tfilesystem " words "\n"

static const struct image_service *
service_at(uint32_t index)
{
	return image_service(&result.image, index);
}

static void
expect_path(const struct image_service *service, bool is_first,
    const char *path, unsigned access, unsigned flags)
{
	struct image_range paths;
	const struct image_path *found;

	assert_int_not_equal(service->filesystem, 0);
	paths = image_ruleset(&result.image, service->filesystem - 1)->paths;
	for (uint32_t i = 0; i < paths.count; i++) {
		found = image_path(&result.image, paths.first + i);
		if (strcmp(image_text(&result.image, found->path), path) != 0)
			continue;
		assert_int_equal(found->access, access);
		assert_int_equal(found->flags, flags);
		assert_int_equal(i == 0, is_first);
		return;
	}
	fail_msg("no %s", path);
}

static void
a_path_is_once_in_a_ruleset(void **state)
{
	(void)state;
	load_text_of(SERVICE("a",
	    GRANTS(
		"exec /usr/bin /tmp if-available\n\tfilesystem write /tmp")));
	assert_true(result.is_loaded);
	assert_int_equal(image_count(&result.image, IMAGE_PATHS), 3);
	expect_path(service_at(0), true, "/bin/cat",
	    IMAGE_ACCESS_BIT(IMAGE_ACCESS_EXEC), IMAGE_PATH_OPTIONAL);
	expect_path(service_at(0), false, "/usr/bin",
	    IMAGE_ACCESS_BIT(IMAGE_ACCESS_EXEC), IMAGE_PATH_OPTIONAL);
	/* it has to be there for one of them */
	expect_path(service_at(0), false, "/tmp",
	    IMAGE_ACCESS_BIT(IMAGE_ACCESS_EXEC) |
		IMAGE_ACCESS_BIT(IMAGE_ACCESS_WRITE),
	    0);
}

static void
the_same_paths_are_one_ruleset(void **state)
{
	(void)state;
	load_text_of("defaults {\n" GRANTS("read /tmp /usr") "}\n" SERVICE(
	    "a", "") SERVICE("b",
	    "\tfilesystem read /usr\n"
	    "\tfilesystem read /tmp\n") SERVICE("c",
	    "\tfilesystem write /usr /tmp\n") SERVICE("d",
	    "\tfilesystem any\n") "service e {\n\tallow any\n\texec /bin/true\n}\n");
	assert_true(result.is_loaded);
	assert_int_equal(service_at(0)->filesystem, service_at(1)->filesystem);
	assert_int_not_equal(
	    service_at(0)->filesystem, service_at(2)->filesystem);
	assert_int_equal(service_at(3)->filesystem, 0);
	/* another program */
	assert_int_not_equal(
	    service_at(0)->filesystem, service_at(4)->filesystem);
	assert_int_equal(image_count(&result.image, IMAGE_RULESETS), 3);
}

/* Where they begin is part of what paths are. */
static void
another_root_is_another_ruleset(void **state)
{
	const struct loader_options options = { .policy_path = "policy",
		.skips_system = true };

	(void)state;
	load_text_of("defaults {\n" GRANTS("read /srv") "}\n" SERVICE("a", "")
		SERVICE("b", "\tchroot /one\n") SERVICE("c", "\tchroot /two\n")
		    SERVICE("d", "\tchroot /two\n"));
	run(&options);
	assert_true(result.is_loaded);
	assert_int_equal(image_count(&result.image, IMAGE_RULESETS), 3);
	assert_int_not_equal(
	    service_at(0)->filesystem, service_at(1)->filesystem);
	assert_int_not_equal(
	    service_at(1)->filesystem, service_at(2)->filesystem);
	assert_int_equal(service_at(2)->filesystem, service_at(3)->filesystem);
}

static void
what_is_not_there_is_a_problem(void **state)
{
	(void)state;
	load_text_of(SERVICE("a", GRANTS("read /tmp /none/such")));
	expect_problem("policy:14:23: cannot use path /none/such: No such file "
		       "or directory; if it may come later, end the line in "
		       "'if-available'\n");
	load_text_of(SERVICE("a", GRANTS("read /etc/passwd/x")));
	expect_problem("policy:14:18: cannot use path /etc/passwd/x: Not a "
		       "directory; ");
	load_text_of(SERVICE("a", GRANTS("read /none/such if-available")));
	expect_loaded("");
	expect_path(service_at(0), false, "/none/such",
	    IMAGE_ACCESS_BIT(IMAGE_ACCESS_READ), IMAGE_PATH_OPTIONAL);
}

/* Its own owner does not matter: that is what it is for. */
static void
a_way_that_others_own_is_doubted(void **state)
{
	char text[256];

	(void)state;
	assert_int_equal(chmod(room, 0755), 0);
	assert_int_equal(mkdir("open", 0755), 0);
	assert_int_equal(mkdir("open/inner", 0755), 0);
	assert_int_equal(chmod("open", 0777), 0);
	snprintf(text, sizeof(text),
	    SERVICE("a", "\t%%s\n\tfilesystem write %s/open\n"), room);
	load_text_of(text);
	expect_loaded("");
	snprintf(text, sizeof(text),
	    SERVICE("a", "\t%%s\n\tfilesystem write %s/open/inner\n"), room);
	load_text_of(text);
	assert_true(result.is_loaded);
	assert_non_null(
	    strstr(result.problems, "policy:14:19: warning: path "));
	assert_non_null(
	    strstr(result.problems, "/open/inner may come to be another: "));
	assert_non_null(strstr(result.problems, "can be written to by others"));
	assert_int_equal(rmdir("open/inner") | rmdir("open"), 0);
}

static void
a_kernel_without_landlock_is_a_problem(void **state)
{
	const struct loader_options options = { .policy_path = "policy",
		.skips_system = true };

	(void)state;
	kernel_abi = 0;
	load_text_of(SERVICE(
	    "a", GRANTS("read /usr if-available\n\tfilesystem read /tmp")));
	expect_problem("policy:15:18: 'filesystem' needs Landlock, which this "
		       "kernel has not: Linux 5.13 has, ");
	run(&options);
	assert_true(result.is_loaded);
	assert_int_equal(service_at(0)->filesystem, 1);
	load_text_of(SERVICE("a", GRANTS("read /usr if-available")));
	expect_loaded("policy:10:9: warning: service 'a' sees all files: this "
		      "kernel has no Landlock\n");
	assert_int_equal(service_at(0)->filesystem, 0);
	kernel_abi = 6;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_once_in_a_ruleset),
		cmocka_unit_test(the_same_paths_are_one_ruleset),
		cmocka_unit_test(another_root_is_another_ruleset),
		cmocka_unit_test(what_is_not_there_is_a_problem),
		cmocka_unit_test(a_way_that_others_own_is_doubted),
		cmocka_unit_test(a_kernel_without_landlock_is_a_problem),
	};

	return cmocka_run_group_tests(tests, make_room, remove_room);
}
