/* Where a process's cgroup is, by what /proc may say of it. */
#include "sys/cgroup.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "descriptors.h"
#include "failing.h"

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

/* A kernel that makes processes, but not where clone3 was asked to; or none. */
static bool makes_none;

long
syscall(long number, ...)
{
	long arguments[6];
	long (*real)(long, ...);
	va_list list;

	if (number == SYS_clone3) {
		errno = EAGAIN;
		return makes_none ? -1 : fork();
	}
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
	int room_fd, open_count;

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
		open_count = descriptors_count();
		assert_int_equal(cgroup_has_process(room_fd), i);
		assert_int_equal(descriptors_count(), open_count);
	}
	unlinkat(room_fd, "cgroup.events", 0);
	close(room_fd);
	rmdir(room);
}

/* It is no other child's end that is waited for. */
static void
a_kernel_that_makes_no_process_ends_none(void **state)
{
	const pid_t child = fork();
	int status = -1;

	(void)state;
	if (child == 0)
		_exit(0);
	assert_int_equal(
	    waitid(P_PID, (id_t)child, NULL, WEXITED | WNOWAIT), 0);
	makes_none = true;
	assert_false(cgroup_can_clone(-1));
	makes_none = false;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* Who was there at the first look and is not at the second, where somebody
 * else is: another may have the number. */
static const char others[] = "1\n";
static int looks;
static bool goes_at_once;

ssize_t
pread(int fd, void *bytes, size_t size, off_t offset)
{
	ssize_t (*real)(int, void *, size_t, off_t);

	if (goes_at_once && looks++ > 0) {
		memcpy(bytes, others, sizeof(others) - 1);
		return sizeof(others) - 1;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "pread");
	return real(fd, bytes, size, offset);
}

static pid_t
start_one(void)
{
	const pid_t child = fork();

	if (child == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0)
		for (;;)
			(void)pause();
	return child;
}

/* Whoever waits for one that nobody ends, ends. */
#define WAIT_SECONDS 60

/* A look takes this much of the file. */
#define LOOK_BYTES 4096

static void
signals_reach_who_is_in_it(void **state)
{
	char room[] = "/tmp/tcpmuxd-test-XXXXXX";
	char text[LOOK_BYTES + 64], path[64];
	const pid_t whole = start_one(), cut = start_one();
	char ends[32], begins[32];
	const size_t ends_length =
	    (size_t)snprintf(ends, sizeof(ends), "%d", cut);
	const size_t begins_length =
	    (size_t)snprintf(begins, sizeof(begins), "%d\n", whole);
	size_t length = LOOK_BYTES - ends_length - begins_length;
	int room_fd, fd, status, open_count;

	(void)state;
	/* Those of other pid namespaces, one; and one number that goes on. */
	for (size_t i = 0; i < length; i += 2)
		memcpy(text + i, "0\n", 2);
	text[length - 1] = '\n';
	memcpy(text + length, begins, begins_length);
	memcpy(text + length + begins_length, ends, ends_length);
	memcpy(text + LOOK_BYTES, "0\n", 3);
	assert_non_null(mkdtemp(room));
	room_fd = open(room, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(room_fd, "7", 0700), 0);
	(void)snprintf(path, sizeof(path), "7/cgroup.procs");
	fd = openat(room_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
	close(fd);

	open_count = descriptors_count();
	goes_at_once = true;
	cgroup_signal(room_fd, 7, SIGKILL, 0);
	goes_at_once = false;
	cgroup_signal(room_fd, 7, SIGKILL, whole);
	(void)usleep(50000);
	assert_int_equal(waitpid(whole, &status, WNOHANG), 0);
	(void)alarm(WAIT_SECONDS);
	cgroup_signal(room_fd, 7, SIGKILL, 0);
	assert_int_equal(waitpid(whole, &status, 0), whole);
	assert_int_equal(status, SIGKILL);
	assert_int_equal(kill(cut, SIGTERM), 0);
	assert_int_equal(waitpid(cut, &status, 0), cut);
	assert_int_equal(status, SIGTERM);
	(void)alarm(0);
	assert_int_equal(descriptors_count(), open_count);

	unlinkat(room_fd, path, 0);
	unlinkat(room_fd, "7", AT_REMOVEDIR);
	close(room_fd);
	rmdir(room);
}

static int room_fd;

static int
make_locked(void)
{
	const int open_count = descriptors_count();
	const int fd = cgroup_make_locked(room_fd, "new");
	const int error = errno;

	if (fd >= 0)
		return 0;
	return descriptors_count() == open_count ? error : 1;
}

static int
enter(void)
{
	const int open_count = descriptors_count();
	const int result = cgroup_enter(room_fd) == 0 ? 0 : 2;

	return descriptors_count() == open_count ? result : 1;
}

static void
what_fails_is_told(void **state)
{
	static const struct {
		int (*act)(void);
		int error;
		struct failing failing;
	} rows[] = {
		{ make_locked, 0, FAILS_NOT },
		{ make_locked, EAGAIN, FAILS(flock, EAGAIN) },
		{ make_locked, EIO, FAILS(openat, EIO) },
		{ enter, 0, FAILS_NOT },
		{ enter, 2, FAILS(write, 0) },
	};
	char room[] = "/tmp/tcpmuxd-test-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(room));
	room_fd = open(room, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(openat(
	    room_fd, "cgroup.procs", O_CREAT | O_CLOEXEC | O_RDWR, 0600));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int result =
		    failing_run(&rows[i].failing, 1, rows[i].act);

		(void)unlinkat(room_fd, "new", AT_REMOVEDIR);
		if (result != FAILING_CANNOT)
			assert_int_equal(result, rows[i].error);
	}
	unlinkat(room_fd, "cgroup.procs", 0);
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
		cmocka_unit_test(a_kernel_that_makes_no_process_ends_none),
		cmocka_unit_test(signals_reach_who_is_in_it),
		cmocka_unit_test(what_fails_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
