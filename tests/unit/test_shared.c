/*
 * Memory for tables: zero, there from the start, and all that was in it.
 */
#include "sys/shared.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAGE = 4096, PAGES = 100 };

static size_t
resident(const struct shared *shared)
{
	unsigned char pages[PAGES];
	size_t count = 0;

	assert_true(shared->bytes <= sizeof(pages) * PAGE);
	assert_int_equal(mincore(shared->base, shared->bytes, pages), 0);
	for (size_t i = 0; i * PAGE < shared->bytes; i++)
		count += pages[i] & 1;
	return count;
}

/* Later there might be none, when a stranger's connection needs it. */
static void
test_all_of_it_is_there(void **state)
{
	struct shared shared;

	(void)state;
	assert_int_equal(shared_map(&shared, PAGES * PAGE), 0);
	assert_int_equal(resident(&shared), PAGES);
	for (size_t i = 0; i < PAGES * PAGE; i++)
		assert_int_equal(((uint8_t *)shared.base)[i], 0);
	shared_unmap(&shared);
	assert_null(shared.base);
	shared_unmap(&shared);
}

static void
test_more_of_it(void **state)
{
	struct shared shared;

	(void)state;
	assert_int_equal(shared_map(&shared, 0), 0);
	assert_int_equal(shared_grow(&shared, 1), 0);
	memset(shared.base, 'x', 1);
	assert_int_equal(shared_grow(&shared, PAGES * PAGE), 0);
	assert_int_equal(shared.bytes, PAGES * PAGE);
	assert_int_equal(resident(&shared), PAGES);
	assert_memory_equal(shared.base, "x\0", 2);
	assert_int_equal(shared_grow(&shared, PAGE), 0);
	assert_int_equal(shared.bytes, PAGES * PAGE);
	shared_unmap(&shared);
}

static void
test_there_is_none(void **state)
{
	struct shared shared = { .bytes = 7 };

	(void)state;
	errno = 0;
	assert_int_equal(shared_map(&shared, SIZE_MAX / 2), -1);
	assert_int_equal(errno, ENOMEM);
	assert_null(shared.base);
	assert_int_equal(shared.bytes, 0);
}

/* In a process of its own, in which the kernel finds no memory, or cannot. */
static int
mapped_where_populating_fails(int error)
{
	int status;
	const pid_t pid = fork();

	if (pid == 0) {
		scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
		struct shared shared;

		if (seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint16_t)error),
			SCMP_SYS(madvise), 0) != 0 ||
		    seccomp_load(filter) != 0)
			_exit(200);
		if (shared_map(&shared, PAGE) == 0)
			_exit(memcmp(shared.base, "\0", 1));
		_exit(shared.base == NULL && errno == error ? 1 : 201);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
test_it_cannot_be_found(void **state)
{
	(void)state;
	assert_int_equal(mapped_where_populating_fails(ENOMEM), 1);
	assert_int_equal(mapped_where_populating_fails(EFAULT), 1);
	/* A kernel that does not know how to: it is found when it is used. */
	assert_int_equal(mapped_where_populating_fails(EINVAL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_of_it_is_there),
		cmocka_unit_test(test_more_of_it),
		cmocka_unit_test(test_there_is_none),
		cmocka_unit_test(test_it_cannot_be_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
