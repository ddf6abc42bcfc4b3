#ifndef TESTS_LOADING_H
#define TESTS_LOADING_H

/*
 * Loading policies in tests, in a directory of the test's own. The loader is
 * no library: one source file a test includes this, and with it all of it.
 */
#include "loader/access.c"
#include "loader/accounts.c"
#include "loader/build.c"
#include "loader/builtin.c"
#include "loader/capability.c"
#include "loader/exec.c"
#include "loader/filesystem.c"
#include "loader/files.c"
#include "loader/image.c"
#include "loader/include.c"
#include "loader/lasting.c"
#include "loader/limits.c"
#include "loader/listens.c"
#include "loader/load.c"
#include "loader/machine.c"
#include "loader/memory.c"
#include "loader/nets.c"
#include "loader/network.c"
#include "loader/pass.c"
#include "loader/paths.c"
#include "loader/problems.c"
#include "loader/profile.c"
#include "loader/rights.c"
#include "loader/run.c"
#include "loader/service.c"
#include "loader/session_limits.c"
#include "loader/sets.c"
#include "loader/who.c"

#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TIMEOUT_MS 20000
#define FOREIGNER 65533 /* nobody at all */

static char room[] = "/tmp/tcpmuxd-loader-XXXXXX";
static bool is_superuser;

/* Before every policy of these tests; not root: the parser's user is ours. */
static const char preface[] = "policy 1\n"
			      "listen 127.0.0.1 port 10001\n"
			      "admission {\n\tallow any\n}\n"
			      "parser {\n\tuser 65534\n\tgroup 65534\n}\n";
#define PREFACE_LINES 9

/* A user that whoever runs this can use. */
#define USER (is_superuser ? "user daemon" : "user self")

static inline int
make_room(void **state)
{
	(void)state;
	is_superuser = geteuid() == 0;
	umask(022);
	return mkdtemp(room) == NULL || chdir(room) == -1 ? -1 : 0;
}

static inline int
remove_one(
    const char *path, const struct stat *status, int kind, struct FTW *at)
{
	(void)status;
	(void)kind;
	(void)at;
	return remove(path);
}

static inline int
remove_room(void **state)
{
	(void)state;
	return chdir("/") == -1
	    ? -1
	    : nftw(room, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void
write_file(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

/* One load and all that came of it. */
struct result {
	struct image image; /* if is_loaded */
	const void *mapped;
	size_t size;
	bool is_loaded;
	int error;
	char problems[128 * 1024];
};

static struct result result;

static inline void
forget_result(void)
{
	if (result.is_loaded)
		munmap((void *)(uintptr_t)result.mapped, result.size);
	result.is_loaded = false;
}

static inline void
run(const struct loader_options *options)
{
	int problems = memfd_create("problems", MFD_CLOEXEC);
	int image = loader_run(options, problems, TIMEOUT_MS);
	ssize_t length;

	result.error = errno;
	length =
	    pread(problems, result.problems, sizeof(result.problems) - 1, 0);
	assert_true(length >= 0);
	result.problems[length] = '\0';
	close(problems);
	forget_result();
	if (image == -1) {
		assert_true(length > 0);
		return;
	}
	result.mapped = memfd_map(image, &result.size);
	assert_non_null(result.mapped);
	close(image);
	assert_int_equal(
	    image_init(&result.image, result.mapped, result.size), IMAGE_OK);
	result.is_loaded = true;
}

/* Loads the preface and `rest`, a format with one %s for the user. */
static inline void
load_text_of(const char *rest)
{
	const struct loader_options options = { .policy_path = "policy" };
	char text[16384];
	int length = snprintf(text, sizeof(text), "%s", preface);

	snprintf(text + length, sizeof(text) - (size_t)length, rest, USER);
	write_file("policy", text, 0600);
	run(&options);
}

static inline void
expect_loaded(const char *problems)
{
	if (!result.is_loaded)
		fail_msg("not loaded: %s", result.problems);
	assert_string_equal(result.problems, problems);
}

static inline void
expect_problem(const char *problem)
{
	assert_false(result.is_loaded);
	assert_int_equal(result.error, EINVAL);
	if (strstr(result.problems, problem) == NULL)
		fail_msg("no '%s' in: %s", problem, result.problems);
}

#define SERVICE(name, lines) \
	"service " name " {\n\tallow any\n\texec /bin/cat\n" lines "}\n"

#endif
