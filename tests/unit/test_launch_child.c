/*
 * Steps of a launch alone: what they say where the kernel did not do as it
 * said, and what they leave open.
 */
#include "launcher/become.c"
#include "launcher/init.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "descriptors.h"
#include "failing.h"

#define LEFT_OPEN 255

/* Of the launcher, and not called here. */
int
rulesets_take(const struct rulesets *rulesets, const struct image *image,
    uint32_t index, struct ruleset *ruleset)
{
	(void)rulesets, (void)image, (void)index, (void)ruleset;
	return -1;
}

void
launch_report(int status_fd, enum step step, int error)
{
	(void)status_fd, (void)step, (void)error;
}

/* Whatever failed before it. */
static int
look_at_root(void)
{
	const int open_count = descriptors_count();
	int error;

	errno = EACCES;
	error = verify_closed() == 0 ? 0 : errno;
	return descriptors_count() == open_count ? error : LEFT_OPEN;
}

static void
a_root_that_can_be_listed_is_not_closed(void **state)
{
	static const struct failing_row rows[] = {
		{ "listed", look_at_root, EPERM, { FAILS_NOT }, 1 },
		{ "closed", look_at_root, 0,
		    { FAILS_WHERE(openat, EACCES, 2,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC) },
		    1 },
		{ "unknown", look_at_root, EIO,
		    { FAILS_WHERE(
			openat, EIO, 2, O_RDONLY | O_DIRECTORY | O_CLOEXEC) },
		    1 },
	};

	(void)state;
	failing_expect(rows, sizeof(rows) / sizeof(rows[0]));
}

/* Who waits for it may be served by then. The last close does nothing here. */
static int
let_go_of_all_else(void)
{
	int fds[3];

	for (int i = 0; i < 3; i++)
		fds[i] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	let_go(fds[1]);
	for (int fd = 0; fd <= fds[2]; fd++)
		if ((fcntl(fd, F_GETFD) != -1) != (fd == fds[1]))
			return LEFT_OPEN;
	return 0;
}

static void
an_init_holds_nothing_when_it_says_that_it_is_ready(void **state)
{
	static const struct failing_row rows[] = {
		{ "let go", let_go_of_all_else, 0,
		    { { SCMP_SYS(close_range), 0, { { 0, 0 }, { 1, ~0U } },
			2 } },
		    1 },
	};

	(void)state;
	failing_expect(rows, sizeof(rows) / sizeof(rows[0]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_root_that_can_be_listed_is_not_closed),
		cmocka_unit_test(
		    an_init_holds_nothing_when_it_says_that_it_is_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
