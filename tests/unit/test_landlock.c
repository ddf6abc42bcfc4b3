/*
 * Landlock on kernels of other versions than this one: what is told, and what
 * is left open.
 */
#include "sys/landlock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "descriptors.h"

/* The kernel of this test: its version, and what fails there. */
struct kernel {
	int abi;
	int create_error, add_error, restrict_error;
};

static const struct kernel *kernel;

static long
answer(int error)
{
	errno = error;
	return error == 0 ? 0 : -1;
}

static long
create(const void *attr)
{
	if (attr == NULL)
		return kernel->abi;
	if (kernel->create_error != 0)
		return answer(kernel->create_error);
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

long
syscall(long number, ...)
{
	const void *attr;
	va_list list;

	va_start(list, number);
	attr = va_arg(list, const void *);
	va_end(list);
	switch (number) {
	case SYS_landlock_create_ruleset:
		return create(attr);
	case SYS_landlock_add_rule:
		return answer(kernel->add_error);
	case SYS_landlock_restrict_self:
		return answer(kernel->restrict_error);
	}
	return answer(ENOSYS);
}

static int
make_session_ruleset(void)
{
	const int fd = landlock_session_ruleset();

	return fd == -1 ? -1 : close(fd);
}

static const struct {
	const char *what;
	int (*act)(void);
	struct kernel kernel;
	int error; /* that is told; 0: none */
} cases[] = {
	{ "denied", landlock_deny_all, { 1, 0, 0, 0 }, 0 },
	{ "not made", landlock_deny_all, { 1, EMFILE, 0, 0 }, EMFILE },
	{ "not denied", landlock_deny_all, { 1, 0, 0, E2BIG }, E2BIG },
	{ "no TCP", landlock_forbid_tcp, { 4, 0, 0, 0 }, 0 },
	{ "too old", landlock_forbid_tcp, { 3, 0, 0, 0 }, EOPNOTSUPP },
	{ "not forbidden", landlock_forbid_tcp, { 4, 0, 0, E2BIG }, E2BIG },
	{ "scopes", make_session_ruleset, { 6, 0, ENOMEM, 0 }, 0 },
	{ "no scopes", make_session_ruleset, { 5, 0, 0, 0 }, 0 },
	{ "no rule", make_session_ruleset, { 5, 0, ENOMEM, 0 }, ENOMEM },
	{ "no ruleset", make_session_ruleset, { 5, EMFILE, 0, 0 }, EMFILE },
};

static void
what_fails_is_told_and_nothing_is_left_open(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const int open_count = descriptors_count();
		const int error = cases[i].error;
		int result;

		kernel = &cases[i].kernel;
		errno = 0;
		result = cases[i].act();
		if (result != (error == 0 ? 0 : -1) ||
		    (error != 0 && errno != error))
			fail_msg(
			    "%s: %d, errno %d", cases[i].what, result, errno);
		if (descriptors_count() != open_count)
			fail_msg("%s: left open", cases[i].what);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fails_is_told_and_nothing_is_left_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
