/*
 * The way to a file: who could change it decides, links included. The parts
 * with foreign owners need root.
 */
#include "sys/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "descriptors.h"
#include "failing.h"

#define FOREIGNER 65534

static char room[] = "/tmp/tcpmuxd-file-XXXXXX"; /* a directory of ours */

static int
make_room(void **state)
{
	int fd;

	(void)state;
	umask(022);
	if (mkdtemp(room) == NULL || chmod(room, 0755) == -1 ||
	    chdir(room) == -1)
		return -1;
	if (mkdir("good", 0755) == -1 || mkdir("good/deep", 0755) == -1 ||
	    mkdir("open", 0777) == -1 || chmod("open", 0777) == -1 ||
	    mkdir("group", 0775) == -1 || chmod("group", 0775) == -1 ||
	    mkdir("open/inner", 0755) == -1)
		return -1;
	fd = open("good/deep/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	if (fd == -1 || write(fd, "text", 4) != 4 || close(fd) == -1)
		return -1;
	if (link("good/deep/file", "open/inner/file") == -1 ||
	    link("good/deep/file", "group/file") == -1 ||
	    symlink("good/deep/file", "to-file") == -1 ||
	    symlink("../good", "open/to-good") == -1 ||
	    symlink("deep", "good/to-deep") == -1 ||
	    symlink("../../to-file", "good/deep/to-link") == -1 ||
	    symlink("/deep", "good/deep/absolute") == -1 ||
	    symlink("../../deep/file", "good/deep/above") == -1 ||
	    symlink("/etc/passwd", "good/deep/outside") == -1 ||
	    symlink("loop", "loop") == -1 || symlink("none", "dangling") == -1)
		return -1;
	return 0;
}

static int
remove_one(
    const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

static int
remove_room(void **state)
{
	(void)state;
	return chdir("/") == -1
	    ? -1
	    : nftw(room, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int
open_path(const char *path, struct file_trust *trust)
{
	*trust = (struct file_trust){ .owner = geteuid() };
	return file_open_trusted(path, O_RDONLY, trust);
}

static void
assert_opens(const char *path)
{
	struct file_trust trust;
	char absolute[PATH_MAX];
	char text[8];
	int fd = open_path(path, &trust);

	if (fd == -1)
		fail_msg("%s: fault %d (%s) at %s", path, (int)trust.fault,
		    strerror(trust.error), trust.path);
	assert_int_equal(trust.fault, FILE_FAULT_NONE);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof(text)), 4);
	close(fd);
	snprintf(absolute, sizeof(absolute), "%s/%s", room, path);
	fd = open_path(absolute, &trust);
	assert_true(fd >= 0);
	close(fd);
}

static void
assert_fault(const char *path, enum file_fault fault, const char *at)
{
	struct file_trust trust;
	char absolute[PATH_MAX];
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int after;

	close(before);
	assert_int_equal(open_path(path, &trust), -1);
	if (trust.fault != fault)
		fail_msg("%s: fault %d (%s) at %s", path, (int)trust.fault,
		    strerror(trust.error), trust.path);
	snprintf(absolute, sizeof(absolute), "%s/%s", room, at);
	assert_string_equal(trust.path, absolute);
	/* No descriptor is left behind. */
	after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(after, before);
	close(after);
}

static void
test_good_ways(void **state)
{
	(void)state;
	assert_opens("good/deep/file");
	assert_opens("./good//deep/../deep/./file");
	assert_opens("to-file");
	assert_opens("good/to-deep/file");
	assert_opens("good/deep/to-link");
}

static void
test_writable_directories(void **state)
{
	(void)state;
	assert_fault("open/inner/file", FILE_FAULT_WRITABLE, "open");
	assert_fault("group/file", FILE_FAULT_WRITABLE, "group");
	/* Only passing through is enough. */
	assert_fault("open/../to-file", FILE_FAULT_WRITABLE, "open");
	assert_fault("open/to-good/deep/file", FILE_FAULT_WRITABLE, "open");
}

/* good/ as the root: no link and no .. leads out of it. */
static void
test_below_a_root(void **state)
{
	static const char *const ways[] = { "/deep/file",
		"/../../deep/../../deep/file", "/deep/absolute/file",
		"/deep/above", "/to-deep/file" };
	static const char *const none[] = { "/good/deep/file", "/to-file",
		"/../to-file", "/etc/passwd", "/deep/outside" };
	const int root = open("good", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct file_trust trust = { .owner = geteuid() };

	(void)state;
	assert_true(root >= 0);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int fd = file_open_trusted_in(root, ways[i], O_RDONLY, &trust);

		if (fd == -1)
			fail_msg("%s: fault %d at %s", ways[i],
			    (int)trust.fault, trust.path);
		close(fd);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_int_equal(
		    file_open_trusted_in(root, none[i], O_RDONLY, &trust), -1);
		assert_int_equal(trust.fault, FILE_FAULT_ERRNO);
		assert_int_equal(trust.error, ENOENT);
	}
	assert_int_equal(chmod("good/deep", 0777), 0);
	assert_int_equal(
	    file_open_trusted_in(root, "/deep/file", O_RDONLY, &trust), -1);
	assert_int_equal(trust.fault, FILE_FAULT_WRITABLE);
	assert_string_equal(trust.path, "/deep");
	assert_int_equal(chmod("good/deep", 0755), 0);
	close(root);
}

static void
test_missing(void **state)
{
	struct file_trust trust;
	char path[2 * PATH_MAX];

	(void)state;
	assert_fault("good/none", FILE_FAULT_ERRNO, "good/none");
	assert_fault("none/file", FILE_FAULT_ERRNO, "none");
	assert_fault("dangling", FILE_FAULT_ERRNO, "none");
	assert_fault("loop", FILE_FAULT_LOOP, "loop");
	assert_fault("good/deep/file/", FILE_FAULT_ERRNO, "good/deep/file");
	assert_fault("good/deep/file/x", FILE_FAULT_ERRNO, "good/deep/file/x");
	assert_int_equal(open_path("", &trust), -1);
	assert_int_equal(trust.error, ENOENT);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(open_path(path, &trust), -1);
	assert_int_equal(trust.error, ENAMETOOLONG);
	/* One byte too long for a name, and not cut to one that exists. */
	path[NAME_MAX + 1] = '\0';
	assert_int_equal(open_path(path, &trust), -1);
	assert_int_equal(trust.error, ENAMETOOLONG);
	path[NAME_MAX + 1] = 'x';
	path[2 * NAME_MAX] = '\0';
	assert_int_equal(open_path(path, &trust), -1);
	assert_int_equal(trust.error, ENAMETOOLONG);
}

/* With a directory's path before it, or a link's target, one is too long. */
static void
test_long_ways(void **state)
{
	struct file_trust trust;
	char path[PATH_MAX] = "", target[PATH_MAX] = "";

	(void)state;
	for (size_t i = 0; i < PATH_MAX / 2 - 2; i++)
		memcpy(path + 2 * i, "./", 3);
	assert_int_equal(open_path(path, &trust), -1);
	assert_int_equal(trust.fault, FILE_FAULT_ERRNO);
	assert_int_equal(trust.error, ENAMETOOLONG);

	for (size_t i = 0; i < 400; i++)
		memcpy(target + 8 * i, "deep/../", 9);
	assert_int_equal(symlink(target, "good/long"), 0);
	path[1000] = '\0';
	memcpy(path, "good/long/", 10);
	assert_int_equal(open_path(path, &trust), -1);
	assert_int_equal(trust.fault, FILE_FAULT_ERRNO);
	assert_int_equal(trust.error, ENAMETOOLONG);

	/* Not too long to go, but to be told. */
	assert_opens("good/long/long/long/deep/file");
	assert_int_equal(open_path("good/long/long/long/none", &trust), -1);
	assert_int_equal(trust.fault, FILE_FAULT_ERRNO);
	assert_int_equal(trust.error, ENOENT);
	assert_int_equal(strlen(trust.path), PATH_MAX - 1);
}

static const char *way;
static int way_flags;

/* Descriptors come in their order, so the child knows each. */
static int
try_way(void)
{
	struct file_trust trust = { .owner = geteuid() };

	if (file_open_trusted(way, way_flags, &trust) != -1)
		return 0;
	return trust.fault == FILE_FAULT_ERRNO ? trust.error : 1;
}

/* The next descriptor that is opened. */
static int
next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

static void
test_calls_that_fail(void **state)
{
	const uint32_t fd = (uint32_t)next_fd();
	const struct {
		const char *way;
		int flags, error; /* error: what is told */
		struct failing failing;
	} rows[] = {
		{ "/", O_RDONLY, EIO, FAILS_WHERE(newfstatat, EIO, 0, fd) },
		{ "/etc", O_RDONLY, EIO,
		    FAILS_WHERE(newfstatat, EIO, 0, fd + 1) },
		{ "good", O_RDONLY, EIO,
		    FAILS_WHERE(
			openat, EIO, 2, O_PATH | O_DIRECTORY | O_CLOEXEC) },
		{ "to-file", O_RDONLY, EIO, FAILS(readlinkat, EIO) },
		{ "good/to-deep/file", O_RDONLY, ENAMETOOLONG,
		    FAILS(readlinkat, 0) },
		{ "good/deep/file", O_RDONLY, EIO, FAILS(getcwd, EIO) },
		{ "/", O_WRONLY, EISDIR, FAILS(getcwd, EIO) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int result;

		way = rows[i].way;
		way_flags = rows[i].flags;
		result = failing_run(&rows[i].failing, 1, try_way);
		if (result == FAILING_CANNOT)
			skip();
		if (result != rows[i].error)
			fail_msg("row %zu: %s", i, strerror(result));
	}
}

static void
test_directories(void **state)
{
	static const char *const paths[] = { "/", "good", "good/",
		"good/to-deep", "good/to-deep/", ".", "..", "good/deep/.." };
	struct file_trust trust;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct stat status;
		int fd = open_path(paths[i], &trust);

		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &status), 0);
		assert_true(S_ISDIR(status.st_mode));
		close(fd);
	}
}

/* What was opened is not a fifo's reader that waits for a writer. */
static void
test_path_only(void **state)
{
	struct file_trust trust = { .owner = geteuid() };
	struct stat status;
	int fd;

	(void)state;
	assert_int_equal(mkfifo("good/fifo", 0600), 0);
	fd = file_open_trusted("good/fifo", O_PATH, &trust);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_true(S_ISFIFO(status.st_mode));
	close(fd);
}

static void
test_is_trusted(void **state)
{
	enum file_fault fault = FILE_FAULT_NONE;

	(void)state;
	for (unsigned mode = 0; mode <= 0777; mode++) {
		struct stat status = { .st_uid = 1000,
			.st_mode = S_IFREG | mode };

		assert_int_equal(
		    file_is_trusted(&status, 1000, &fault), (mode & 022) == 0);
		status.st_uid = 0;
		assert_int_equal(
		    file_is_trusted(&status, 1000, &fault), (mode & 022) == 0);
		status.st_uid = 1001;
		assert_false(file_is_trusted(&status, 1000, &fault));
		assert_int_equal(fault, FILE_FAULT_OWNER);
	}
}

static void
test_foreign_owners(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir("theirs", 0755), 0);
	assert_int_equal(link("good/deep/file", "theirs/file"), 0);
	assert_int_equal(chown("theirs", FOREIGNER, 0), 0);
	assert_fault("theirs/file", FILE_FAULT_OWNER, "theirs");
	assert_int_equal(symlink("theirs/../good", "through"), 0);
	assert_fault("through/deep/file", FILE_FAULT_OWNER, "theirs");
	/* Who made a link does not matter where others cannot make any. */
	assert_int_equal(symlink("good/deep/file", "their-link"), 0);
	assert_int_equal(lchown("their-link", FOREIGNER, 0), 0);
	assert_opens("their-link");
}

/* Two file systems whose roots have one number: .. leads from one to the
 * other. */
static void
test_a_root_is_of_one_file_system(void **state)
{
	struct file_trust trust = { .owner = 0 };
	struct stat outer, inner;
	int root, fd;

	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		skip();
	assert_int_equal(mount("none", "good", "tmpfs", 0, "mode=755"), 0);
	assert_int_equal(mkdir("good/inner", 0755), 0);
	assert_int_equal(mkdir("good/there", 0755), 0);
	assert_int_equal(
	    mount("none", "good/inner", "tmpfs", 0, "mode=755"), 0);
	assert_int_equal(stat("good", &outer), 0);
	assert_int_equal(stat("good/inner", &inner), 0);
	root = open("good", O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = file_open_trusted_in(root, "/inner/../there", O_RDONLY, &trust);
	assert_int_equal(umount("good/inner"), 0);
	close(root);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(umount("good"), 0);
	if (outer.st_ino != inner.st_ino)
		skip();
}

/* In a sticky directory whoever made a thing answers for it. */
static void
test_sticky(void **state)
{
	struct file_trust theirs = { .owner = FOREIGNER };
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir("sticky", 0777), 0);
	assert_int_equal(chmod("sticky", 01777), 0);
	assert_int_equal(mkdir("sticky/ours", 0755), 0);
	assert_int_equal(link("good/deep/file", "sticky/ours/file"), 0);
	assert_opens("sticky/ours/file");
	assert_int_equal(mkdir("sticky/theirs", 0755), 0);
	assert_int_equal(link("good/deep/file", "sticky/theirs/file"), 0);
	assert_int_equal(chown("sticky/theirs", FOREIGNER, 0), 0);
	assert_fault("sticky/theirs/file", FILE_FAULT_OWNER, "sticky/theirs");
	assert_int_equal(symlink("ours", "sticky/our-link"), 0);
	assert_opens("sticky/our-link/file");
	assert_int_equal(symlink("ours", "sticky/their-link"), 0);
	assert_int_equal(lchown("sticky/their-link", FOREIGNER, 0), 0);
	assert_fault(
	    "sticky/their-link/file", FILE_FAULT_OWNER, "sticky/their-link");
	/* For them it is theirs, and root's is root's. */
	fd = file_open_trusted("sticky/their-link/file", O_RDONLY, &theirs);
	assert_true(fd >= 0);
	close(fd);
	fd = file_open_trusted("sticky/our-link/file", O_RDONLY, &theirs);
	assert_true(fd >= 0);
	close(fd);
	/* A sticky directory that is not root's is like any other. */
	assert_int_equal(chown("sticky", FOREIGNER, 0), 0);
	assert_fault("sticky/ours/file", FILE_FAULT_OWNER, "sticky");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_ways),
		cmocka_unit_test(test_writable_directories),
		cmocka_unit_test(test_below_a_root),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_long_ways),
		cmocka_unit_test(test_calls_that_fail),
		cmocka_unit_test(test_directories),
		cmocka_unit_test(test_path_only),
		cmocka_unit_test(test_is_trusted),
		cmocka_unit_test(test_foreign_owners),
		cmocka_unit_test(test_sticky),
		cmocka_unit_test(test_a_root_is_of_one_file_system),
	};

	descriptors_close_inherited();
	return cmocka_run_group_tests(tests, make_room, remove_room);
}
