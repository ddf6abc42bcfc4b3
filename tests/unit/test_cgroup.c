/* Where a process's cgroup is, by what /proc may say of it. */
#include "sys/cgroup.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define V1 "30 25 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
#define ROOT "31 25 0:30 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 c rw\n"
#define PART "32 25 0:30 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup rw\n"
#define ODD "33 25 0:30 / /mnt/two\\040words rw - cgroup2 cgroup rw\n"

static const struct {
	const char *mounts, *membership, *path; /* NULL: nowhere */
} cases[] = {
	{ V1 ROOT, "1:pids:/x\n0::/\n", "/sys/fs/cgroup/" },
	{ ROOT, "0::/system.slice/a.service\n",
	    "/sys/fs/cgroup/system.slice/a.service" },
	{ PART, "0::/docker/x\n", "/sys/fs/cgroup" },
	{ PART, "0::/docker/x/y z\n", "/sys/fs/cgroup/y z" },
	{ PART ROOT, "0::/docker/xy\n", "/sys/fs/cgroup/docker/xy" },
	{ ODD, "0::/a\n", "/mnt/two words/a" },
	/* Outside of what this namespace may see. */
	{ ROOT, "0::/../x\n", NULL },
	{ PART, "0::/elsewhere\n", NULL },
	{ PART, "0::/docker/xy\n", NULL },
	/* Version 1 alone, or none. */
	{ V1, "0::/\n", NULL },
	{ ROOT, "1:pids:/x\n", NULL },
	{ "", "0::/\n", NULL },
	{ ROOT, "", NULL },
	/* Cut off. */
	{ ROOT, "0::/a", NULL },
	{ "31 25 0:30 - cgroup2 cgroup rw\n", "0::/\n", NULL },
};

static void
write_file(char path[64], const char *text)
{
	int fd;

	(void)snprintf(path, 64, "/tmp/tcpmuxd-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
	close(fd);
}

static void
finds_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char mounts[64], membership[64], path[PATH_MAX] = "?";
		int result, error;

		write_file(mounts, cases[i].mounts);
		write_file(membership, cases[i].membership);
		result = cgroup_find(mounts, membership, path, sizeof(path));
		error = errno;
		unlink(mounts);
		unlink(membership);
		if (cases[i].path == NULL) {
			assert_int_equal(result, -1);
			assert_int_equal(error, ENOENT);
			continue;
		}
		assert_int_equal(result, 0);
		assert_string_equal(path, cases[i].path);
	}
}

static void
a_path_has_room_or_is_none(void **state)
{
	char mounts[64], membership[64], path[20];

	(void)state;
	write_file(mounts, ROOT);
	write_file(membership, "0::/abcd\n");
	/* /sys/fs/cgroup/abcd and its NUL are 20. */
	assert_int_equal(cgroup_find(mounts, membership, path, 20), 0);
	assert_int_equal(cgroup_find(mounts, membership, path, 19), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	unlink(mounts);
	assert_int_equal(cgroup_find(mounts, membership, path, 20), -1);
	unlink(membership);
	assert_int_equal(cgroup_find(mounts, membership, path, 20), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_it),
		cmocka_unit_test(a_path_has_room_or_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
