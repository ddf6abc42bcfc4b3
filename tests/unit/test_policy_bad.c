/*
 * Every file of tests/bad-policy gets exactly the problems that its own
 * comments announce: `# expect: LINE:COL: message` or `# expect-warning: ...`
 * in the order of the text.
 */
#include "policy_fixture.h"

#include <dirent.h>

static void
append_expected(FILE *expected, const char *line)
{
	static const char error[] = "# expect: ";
	static const char warning[] = "# expect-warning: ";

	if (strncmp(line, error, sizeof(error) - 1) == 0)
		fprintf(expected, "%s\n", line + sizeof(error) - 1);
	else if (strncmp(line, warning, sizeof(warning) - 1) == 0)
		fprintf(expected, "warning %s\n", line + sizeof(warning) - 1);
}

/* What the text announces, as parsed_problem writes it; to be freed. */
static char *
expectation(const char *text, size_t length)
{
	char *bytes = NULL;
	size_t size = 0;
	FILE *expected = open_memstream(&bytes, &size);
	char *copy = malloc(length + 1);

	assert_non_null(expected);
	assert_non_null(copy);
	for (size_t i = 0; i < length; i++)
		copy[i] = text[i] == '\n' ? '\0' : text[i];
	copy[length] = '\0';
	for (size_t i = 0; i < length; i += strlen(copy + i) + 1)
		append_expected(expected, copy + i);
	free(copy);
	assert_int_equal(fclose(expected), 0);
	return bytes;
}

/* Whether a line is not a warning. */
static bool
has_error(const char *expected)
{
	static const char warning[] = "warning ";

	for (const char *line = expected; *line != '\0';
	     line = strchr(line, '\n') + 1)
		if (strncmp(line, warning, sizeof(warning) - 1) != 0)
			return true;
	return false;
}

static void
check_file(const char *name)
{
	char path[512], relative[300];
	size_t length = 0;

	snprintf(relative, sizeof(relative), "tests/bad-policy/%s", name);
	root_path(path, sizeof(path), relative);

	char *text = read_whole(path, &length);
	char *expected = expectation(text, length);
	struct parsed parsed = parse_text(text, length);
	bool has_errors = has_error(expected);

	if (strcmp(parsed.problems, expected) != 0)
		fail_msg("%s:\ngot:\n%sexpected:\n%s", name, parsed.problems,
		    expected);
	assert_true(*expected != '\0');
	assert_int_equal(parsed.result, has_errors ? POLICY_BAD : POLICY_OK);
	parsed_finish(&parsed);
	free(expected);
	free(text);
}

static bool
is_policy(const char *name)
{
	const char *end = strrchr(name, '.');

	return end != NULL && strcmp(end, ".policy") == 0;
}

static void
every_bad_file(void **state)
{
	char path[300];
	unsigned count = 0;
	struct dirent *entry;
	DIR *directory;

	(void)state;
	root_path(path, sizeof(path), "tests/bad-policy");
	directory = opendir(path);
	if (directory == NULL)
		fail_msg("cannot open %s", path);
	while ((entry = readdir(directory)) != NULL) {
		if (!is_policy(entry->d_name))
			continue;
		check_file(entry->d_name);
		count++;
	}
	closedir(directory);
	assert_true(count >= 140);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_bad_file) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
