/*
 * Sealed memory: it says what was put in, and nobody can say otherwise.
 */
#include "sys/memfd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static const char bytes[] = "one policy";

static void
test_read(void **state)
{
	int fd = memfd_seal("tcpmuxd-test", bytes, sizeof(bytes));
	size_t size = 0;
	const void *mapped;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	mapped = memfd_map(fd, &size);
	assert_non_null(mapped);
	assert_int_equal(size, sizeof(bytes));
	assert_memory_equal(mapped, bytes, sizeof(bytes));
	assert_int_equal(munmap((void *)(uintptr_t)mapped, size), 0);
	close(fd);
}

static void
test_nobody_changes_it(void **state)
{
	int fd = memfd_seal("tcpmuxd-test", bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 1), -1);
	assert_int_equal(ftruncate(fd, 100), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
	assert_ptr_equal(mmap(NULL, sizeof(bytes), PROT_READ | PROT_WRITE,
			     MAP_SHARED, fd, 0),
	    MAP_FAILED);
	close(fd);
}

static void
test_missing_seals(void **state)
{
	static const int seals[] = { F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW,
		F_SEAL_WRITE };
	size_t size;

	(void)state;
	for (size_t missing = 0; missing < 4; missing++) {
		int fd = memfd_create(
		    "tcpmuxd-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

		assert_int_equal(
		    write(fd, bytes, sizeof(bytes)), (ssize_t)sizeof(bytes));
		for (size_t i = 0; i < 4; i++)
			if (i != missing && seals[i] != F_SEAL_SEAL)
				assert_int_equal(
				    fcntl(fd, F_ADD_SEALS, seals[i]), 0);
		if (missing != 0)
			assert_int_equal(
			    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), 0);
		errno = 0;
		assert_null(memfd_map(fd, &size));
		assert_int_equal(errno, EPERM);
		close(fd);
	}
}

static void
test_not_one(void **state)
{
	int empty = memfd_seal("tcpmuxd-test", "", 0);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	size_t size;

	(void)state;
	assert_true(empty >= 0);
	assert_null(memfd_map(empty, &size));
	assert_int_equal(errno, EINVAL);
	assert_null(memfd_map(null, &size));
	assert_int_equal(errno, EINVAL);
	assert_null(memfd_map(-1, &size));
	assert_int_equal(errno, EBADF);
	close(empty);
	close(null);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_nobody_changes_it),
		cmocka_unit_test(test_missing_seals),
		cmocka_unit_test(test_not_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
