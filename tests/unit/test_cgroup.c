/* Where a process's cgroup is, by what /proc may say of it. */
#include "sys/cgroup.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>
#include <sys/syscall.h>

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

/* A kernel that makes processes, but not where clone3 was asked to. */
long
syscall(long number, ...)
{
	long arguments[6];
	long (*real)(long, ...);
	va_list list;

	if (number == SYS_clone3)
		return fork();
	*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	return real(number, arguments[0], arguments[1], arguments[2],
	    arguments[3], arguments[4], arguments[5]);
}

/* It is asked of the group, not of the one who was to be born there. */
static void
a_group_that_stays_empty_cannot_be_born_into(void **state)
{
	static const char *const texts[] = { "populated 0\nfrozen 0\n",
		"populated 1\nfrozen 0\n" };
	char room[] = "/tmp/tcpmuxd-test-XXXXXX";
	int room_fd;

	(void)state;
	assert_non_null(mkdtemp(room));
	room_fd = open(room, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(room_fd >= 0);
	for (int i = 0; i < 2; i++) {
		const size_t length = strlen(texts[i]);
		int fd = openat(room_fd, "cgroup.events",
		    O_WRONLY | O_CREAT | O_TRUNC, 0600);

		assert_int_equal(write(fd, texts[i], length), (int)length);
		close(fd);
		assert_int_equal(cgroup_can_clone(room_fd), i);
	}
	unlinkat(room_fd, "cgroup.events", 0);
	close(room_fd);
	rmdir(room);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_it),
		cmocka_unit_test(a_path_has_room_or_is_none),
		cmocka_unit_test(a_group_that_stays_empty_cannot_be_born_into),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
