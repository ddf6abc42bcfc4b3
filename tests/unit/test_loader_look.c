/*
 * What the loader makes of files and ways that it cannot look at, or not to
 * the end: a problem, and which.
 */
#include "loading.h"

#define OWNER 12345 /* neither root nor whoever runs this */

static struct text
text_of(const char *bytes)
{
	return (struct text){ .bytes = bytes, .length = strlen(bytes) };
}

static void
who_may_own_it_is_told(void **state)
{
	static const struct {
		uid_t owner;
		const char *text;
	} rows[] = { { 0,
			 "/x belongs to uid 5, who could replace what lies "
			 "there: it must belong to root" },
		{ OWNER,
		    "/x belongs to uid 5, who could replace what lies there: "
		    "it must belong to root or to you" } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct file_trust trust = { .owner = rows[i].owner,
			.fault = FILE_FAULT_OWNER,
			.uid = 5,
			.path = "/x" };
		char text[DESCRIPTION_BYTES];

		paths_describe(&trust, "/x/y", text, sizeof(text));
		assert_string_equal(text, rows[i].text);
	}
}

static void
who_may_own_a_file_is_told(void **state)
{
	static const struct {
		uid_t owner;
		const char *end;
	} rows[] = { { 0, ": it must belong to root" },
		{ OWNER, ": it must belong to root or to you" } };
	struct file_why why = { .text = "" };
	int fd;

	(void)state;
	write_file("owned", "x", 0644);
	if (is_superuser)
		assert_int_equal(chown("owned", FOREIGNER, 0), 0);
	fd = open("owned", O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < 2; i++) {
		const struct files files = { .owner = rows[i].owner };

		assert_false(files_check(&files, fd, "owned", S_IFREG, &why));
		assert_string_equal(strchr(why.text, ':'), rows[i].end);
	}
	close(fd);
}

static void
what_cannot_be_looked_at_is_a_problem(void **state)
{
	const struct files files = { .skips_system = true };
	struct path_finding finding = { .problem = NULL };
	struct buffer text = { .bytes = NULL };
	struct file_why why = { .text = "" };
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	(void)state;
	fill_in(&finding, -1);
	assert_string_equal(finding.problem, "Bad file descriptor");
	free((void *)(uintptr_t)finding.problem);
	assert_false(files_check(&files, -1, "x", S_IFREG, &why));
	assert_string_equal(why.text, "Bad file descriptor");
	assert_false(files_check(&files, fd, "x", S_IFDIR, &why));
	assert_string_equal(why.text, "not a directory");
	assert_false(files_read(-1, 10, &text, &why));
	assert_string_equal(why.text, "Bad file descriptor");
	assert_int_equal(files_open(&files, "/etc/passwd/x", &why), -1);
	assert_string_equal(why.text, "Not a directory");
	assert_int_equal(files_open(&files, "none", &why), -1);
	assert_string_equal(why.text, "");
	close(fd);
}

/* Whatever lies outside of it. */
static void
nothing_lies_in_a_root_that_is_not_there(void **state)
{
	struct paths paths = { .owner = geteuid() };

	(void)state;
	assert_string_equal(
	    paths_program(&paths, text_of("/none"), text_of("/bin/cat"))
		.problem,
	    "/none: No such file or directory");
	assert_string_equal(
	    paths_directory(&paths, text_of("/none"), text_of("/bin")).problem,
	    "No such file or directory");
	paths_finish(&paths);
}

static void
what_is_too_long_is_not_looked_for(void **state)
{
	static char path[PATH_MAX + 1];
	struct paths paths = { .owner = geteuid() };

	(void)state;
	memset(path, 'x', PATH_MAX);
	path[0] = '/';
	assert_string_equal(
	    paths_program(&paths, text_of(""), text_of(path)).problem,
	    "too long");
	assert_string_equal(
	    paths_program(&paths, text_of(path), text_of("/x")).problem,
	    "too long");
	paths_finish(&paths);
}

/* More than there is memory for: none of it is reserved. */
static void
what_is_too_large_is_not_made_room_for(void **state)
{
	struct buffer text = { .bytes = NULL };
	struct file_why why = { .text = "" };
	int fd;

	(void)state;
	write_file("large", "", 0600);
	fd = open("large", O_RDWR | O_CLOEXEC);
	if (ftruncate(fd, INT64_C(1) << 43) != 0)
		skip();
	assert_false(files_read(fd, 10, &text, &why));
	assert_string_equal(why.text, "more than 268435456 bytes");
	assert_null(text.bytes);
	close(fd);
}

static void
interrupt(int signal_number)
{
	(void)signal_number;
}

/* A signal comes, then a text. */
static void
reading_goes_on_behind_a_signal(void **state)
{
	const struct sigaction action = { .sa_handler = interrupt };
	struct buffer text = { .bytes = NULL };
	struct file_why why = { .text = "" };
	int ends[2], status;
	pid_t child;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 20; i++) {
			(void)usleep(10000);
			(void)kill(getppid(), SIGUSR1);
		}
		_exit(write(ends[1], "text", 4) != 4);
	}
	close(ends[1]);
	assert_true(files_read(ends[0], 10, &text, &why));
	assert_int_equal(text.used, 4);
	assert_memory_equal(text.bytes, "text", 4);
	buffer_finish(&text);
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_may_own_it_is_told),
		cmocka_unit_test(who_may_own_a_file_is_told),
		cmocka_unit_test(what_cannot_be_looked_at_is_a_problem),
		cmocka_unit_test(nothing_lies_in_a_root_that_is_not_there),
		cmocka_unit_test(what_is_too_long_is_not_looked_for),
		cmocka_unit_test(what_is_too_large_is_not_made_room_for),
		cmocka_unit_test(reading_goes_on_behind_a_signal),
	};

	return cmocka_run_group_tests(tests, make_room, remove_room);
}
