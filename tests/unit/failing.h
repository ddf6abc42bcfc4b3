#ifndef TESTS_UNIT_FAILING_H
#define TESTS_UNIT_FAILING_H

/*
 * Acts of a child in which some system calls fail, by a filter: seccomp(2).
 * Behind <cmocka.h>.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAILING_WHERE 3
#define FAILING_CANNOT 77 /* under valgrind, which knows no filters */
#define FAILING_SECONDS 60 /* that an act may take, which waits for ever */

#define FAILING_DEADLY (-1)

struct failing {
	int call, error; /* 0: it says 0; or it is the end of who calls */
	struct {
		unsigned argument;
		uint32_t value;
	} where[FAILING_WHERE];
	unsigned where_count; /* 0: whatever it is asked */
};

#define FAILS(name, error) \
	{ \
		SCMP_SYS(name), error, { { 0, 0 } }, 0 \
	}
#define FAILS_WHERE(name, error, argument, value) \
	{ \
		SCMP_SYS(name), error, { { argument, value } }, 1 \
	}
#define FAILS_NOT FAILS(acct, EIO) /* which nobody here calls */

static inline int
failing_add(scmp_filter_ctx filter, const struct failing *failing)
{
	struct scmp_arg_cmp same[FAILING_WHERE];

	for (unsigned i = 0; i < failing->where_count; i++)
		same[i] =
		    (struct scmp_arg_cmp){ .arg = failing->where[i].argument,
			    .op = SCMP_CMP_MASKED_EQ,
			    .datum_a = UINT32_MAX,
			    .datum_b = failing->where[i].value };
	return seccomp_rule_add_array(filter,
	    failing->error == FAILING_DEADLY
		? SCMP_ACT_KILL_PROCESS
		: SCMP_ACT_ERRNO((uint16_t)failing->error),
	    failing->call, failing->where_count, same);
}

/* What the child's act returned; it may assert nothing itself. */
static inline int
failing_run(const struct failing *failing, size_t count, int (*act)(void))
{
	const pid_t child = fork();
	int status = -1;

	if (child == 0) {
		scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
		int error = filter == NULL ? -1 : 0;

		(void)alarm(FAILING_SECONDS);
		for (size_t i = 0; i < count && error == 0; i++)
			error = failing_add(filter, &failing[i]);
		if (error != 0 || seccomp_load(filter) != 0)
			_exit(FAILING_CANNOT);
		_exit(act());
	}
	if (child < 0 || waitpid(child, &status, 0) != child ||
	    !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* For an act's return: 0, or what errno is. */
static inline int
failing_told(int result)
{
	return result == 0 ? 0 : errno;
}

struct failing_row {
	const char *what;
	int (*act)(void);
	int error; /* that it is to return */
	struct failing failing[4];
	size_t count;
};

/* Of each whether it does; skips the test if that cannot be said of one. */
static inline void
failing_expect(const struct failing_row *rows, size_t count)
{
	bool has_skipped = false;

	for (size_t i = 0; i < count; i++) {
		const int result =
		    failing_run(rows[i].failing, rows[i].count, rows[i].act);

		if (result == FAILING_CANNOT)
			has_skipped = true;
		else if (result != rows[i].error)
			fail_msg("%s: %d, not %d", rows[i].what, result,
			    rows[i].error);
	}
	if (has_skipped)
		skip();
}

#endif
