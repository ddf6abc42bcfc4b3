/* A group's limits, in a directory that has such files, but no such kernel. */
#include "sys/cgroup_limit.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include <cmocka.h>

static char room[32];
static int room_fd = -1;

static void
put(const char *path, const char *text)
{
	const ssize_t length = (ssize_t)strlen(text);
	int fd = openat(room_fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, (size_t)length), length);
	close(fd);
}

static void
expect(const char *path, const char *wanted)
{
	char text[64] = "";
	int fd = openat(room_fd, path, O_RDONLY);

	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	close(fd);
	assert_string_equal(text, wanted);
}

static int
make_room(void **state)
{
	(void)state;
	(void)snprintf(room, sizeof(room), "/tmp/tcpmuxd-test-XXXXXX");
	assert_non_null(mkdtemp(room));
	room_fd = open(room, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(room_fd >= 0);
	assert_int_equal(mkdirat(room_fd, "7", 0700), 0);
	return 0;
}

static int
remove_room(void **state)
{
	static const char *const files[] = { "7/memory.max",
		"7/memory.oom.group", "7/memory.swap.max", "7/pids.max",
		"7/memory.events", "cgroup.controllers", "cgroup.procs",
		"cgroup.subtree_control", "cgroup.type" };

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)unlinkat(room_fd, files[i], 0);
	assert_int_equal(unlinkat(room_fd, "7", AT_REMOVEDIR), 0);
	close(room_fd);
	return rmdir(room);
}

static void
knows_its_own_controllers(void **state)
{
	static const struct {
		const char *text;
		unsigned found;
	} cases[] = {
		{ "cpuset cpu io memory hugetlb pids\n",
		    CGROUP_MEMORY | CGROUP_PIDS },
		{ "pids\n", CGROUP_PIDS },
		{ "memory", CGROUP_MEMORY },
		{ "memory2 pid mem pidss\n", 0 },
		{ "\n", 0 },
		{ "", 0 },
	};

	(void)state;
	assert_int_equal(cgroup_controllers(room_fd), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put("cgroup.controllers", cases[i].text);
		assert_int_equal(cgroup_controllers(room_fd), cases[i].found);
	}
}

/* What is there is not written; what does not come is an error. */
static void
looks_whether_they_are_handed_down(void **state)
{
	(void)state;
	put("cgroup.subtree_control", "pids\n");
	assert_int_equal(cgroup_hand_down(room_fd, CGROUP_PIDS), 0);
	expect("cgroup.subtree_control", "pids\n");
	assert_int_equal(
	    cgroup_hand_down(room_fd, CGROUP_MEMORY | CGROUP_PIDS), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(unlinkat(room_fd, "cgroup.subtree_control", 0), 0);
	assert_int_equal(cgroup_hand_down(room_fd, CGROUP_MEMORY), -1);
	assert_int_equal(errno, ENOENT);
}

static void
knows_others(void **state)
{
	static const struct {
		const char *text;
		bool has;
	} cases[] = { { "", false }, { "12\n", false }, { "12\n13\n", false },
		{ "12\n14\n", true }, { "0\n", true }, { "1", true },
		{ "12\n13", true } };

	(void)state;
	assert_true(cgroup_has_others(room_fd, 12, 13));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put("cgroup.procs", cases[i].text);
		assert_int_equal(
		    cgroup_has_others(room_fd, 12, 13), cases[i].has);
	}
}

static void
knows_the_root(void **state)
{
	(void)state;
	assert_true(cgroup_is_root(room_fd));
	put("cgroup.type", "domain\n");
	assert_false(cgroup_is_root(room_fd));
}

/* The files here keep what was longer before: no limit was set then. */
static void
a_limit_that_was_not_taken_is_none(void **state)
{
	const struct cgroup_limits processes = { .processes = 50 };
	const struct cgroup_limits memory = { .memory = 1048577 };

	(void)state;
	assert_int_equal(cgroup_limit(room_fd, 7, &processes), -1);
	assert_int_equal(errno, ENOENT);
	put("7/pids.max", "123\n");
	assert_int_equal(cgroup_limit(room_fd, 7, &processes), -1);
	assert_int_equal(errno, ERANGE);
	put("7/pids.max", "xx\n");
	assert_int_equal(cgroup_limit(room_fd, 7, &processes), 0);
	expect("7/pids.max", "50\n");

	put("7/memory.max", "xxxxxxx\n");
	put("7/memory.oom.group", "0\n");
	put("7/memory.swap.max", "9\n");
	assert_int_equal(cgroup_limit(room_fd, 7, &memory), 0);
	expect("7/memory.max", "1048577\n");
	expect("7/memory.oom.group", "1\n");
	expect("7/memory.swap.max", "0\n");
	put("7/memory.swap.max", "max\n");
	assert_int_equal(cgroup_limit(room_fd, 7, &memory), -1);
	assert_int_equal(errno, ERANGE);
	assert_int_equal(unlinkat(room_fd, "7/memory.swap.max", 0), 0);
	assert_int_equal(cgroup_limit(room_fd, 7, &memory), 0);
	assert_int_equal(unlinkat(room_fd, "7/memory.oom.group", 0), 0);
	assert_int_equal(cgroup_limit(room_fd, 7, &memory), -1);
	assert_int_equal(errno, ENOENT);
}

static void
what_is_not_limited_is_not_touched(void **state)
{
	const struct cgroup_limits none = { .memory = 0 };

	(void)state;
	assert_int_equal(cgroup_limit(room_fd, 7, &none), 0);
}

static void
knows_who_was_short_of_memory(void **state)
{
	static const char before[] = "low 0\nhigh 0\nmax 9\noom 3\n";
	char text[128];

	(void)state;
	assert_false(cgroup_was_short_of_memory(room_fd, 7));
	(void)snprintf(text, sizeof(text), "%soom_kill 0\n", before);
	put("7/memory.events", text);
	assert_false(cgroup_was_short_of_memory(room_fd, 7));
	(void)snprintf(
	    text, sizeof(text), "%soom_kill 2\noom_group_kill 1\n", before);
	put("7/memory.events", text);
	assert_true(cgroup_was_short_of_memory(room_fd, 7));
	put("7/memory.events", before);
	assert_false(cgroup_was_short_of_memory(room_fd, 7));
}

#define ROOM_TEST(test) \
	cmocka_unit_test_setup_teardown(test, make_room, remove_room)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(knows_its_own_controllers),
		ROOM_TEST(looks_whether_they_are_handed_down),
		ROOM_TEST(knows_others),
		ROOM_TEST(knows_the_root),
		ROOM_TEST(a_limit_that_was_not_taken_is_none),
		ROOM_TEST(what_is_not_limited_is_not_touched),
		ROOM_TEST(knows_who_was_short_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
