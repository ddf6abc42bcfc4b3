/*
 * The policies that come with tcpmuxd, and the manual's example, are what
 * this version reads.
 */
#include "policy_fixture.h"

#include <dirent.h>

/* The manual's example is a policy. */
static void
manual_example(void **state)
{
	char path[300];
	size_t length;

	(void)state;
	root_path(path, sizeof(path), "man/tcpmuxd.policy.5");

	char *text = read_whole(path, &length);
	const char *section = strstr(text, ".Sh EXAMPLES");

	assert_non_null(section);

	const char *begin = strstr(section, "policy 1\n");
	const char *end = strstr(section, ".Ed\n");

	assert_true(begin != NULL && end > begin);

	struct parsed parsed = parse_text(begin, (size_t)(end - begin));

	assert_string_equal(parsed.problems, "");
	assert_int_equal(parsed.policy.service_count, 2);
	parsed_finish(&parsed);
	free(text);
}

static void
own_policies(void **state)
{
	static const char *const files[] = { "policy/default.policy",
		"policy/example.policy" };

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[300];
		size_t length;

		root_path(path, sizeof(path), files[i]);

		char *text = read_whole(path, &length);
		struct parsed parsed = parse_text(text, length);

		assert_string_equal(parsed.problems, "");
		assert_int_equal(parsed.result, POLICY_OK);
		parsed_finish(&parsed);
		free(text);
	}
}

/* Appends a file's bytes. */
static void
append_file(FILE *to, const char *directory, const char *name)
{
	char path[600];
	size_t length;

	snprintf(path, sizeof(path), "%s/%s", directory, name);

	char *text = read_whole(path, &length);

	assert_int_equal(fwrite(text, 1, length, to), length);
	free(text);
}

/* Included by a policy of nobody's in particular, all of them together. */
static void
policy_directory(void **state)
{
	char path[300], *all = NULL;
	size_t length;
	FILE *stream = open_memstream(&all, &length);
	struct dirent *entry;
	unsigned count = 0;
	DIR *directory;

	(void)state;
	root_path(path, sizeof(path), "policy/policy.d");
	directory = opendir(path);
	assert_true(stream != NULL && directory != NULL);
	fputs("policy 1\nlisten *\nadmission {\n\tallow any\n}\n"
	      "include /d\n",
	    stream);
	while ((entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		fprintf(stream, "#=== /d/%s\n", entry->d_name);
		append_file(stream, path, entry->d_name);
		count++;
	}
	closedir(directory);
	assert_int_equal(fclose(stream), 0);
	assert_true(count >= 6);

	struct parsed parsed = parse_text(all, length);

	assert_string_equal(parsed.problems, "");
	assert_int_equal(parsed.result, POLICY_OK);
	assert_int_equal(parsed.count, count + 1);
	parsed_finish(&parsed);
	free(all);
}

/* As make fills it in. */
static void
demo_policy(void **state)
{
	static const char *const marks[][2] = { { "@PORT@", "10001" },
		{ "@USER@", "self" } };
	char path[300], *filled = NULL;
	size_t length, filled_length;
	FILE *stream = open_memstream(&filled, &filled_length);

	(void)state;
	root_path(path, sizeof(path), "policy/demo.policy");

	char *text = read_whole(path, &length);

	for (size_t at = 0; at < length;) {
		size_t mark = 0;

		while (mark < 2 && strncmp(text + at, marks[mark][0], 6) != 0)
			mark++;
		if (mark == 2) {
			fputc(text[at++], stream);
			continue;
		}
		fputs(marks[mark][1], stream);
		at += 6;
	}
	fclose(stream);

	struct parsed parsed = parse_text(filled, filled_length);

	assert_string_equal(parsed.problems, "");
	assert_int_equal(parsed.policy.service_count, 3);
	assert_true(parsed.policy.services[0].is_self);
	assert_int_equal(parsed.policy.listens[1].addr.port, 10001);
	parsed_finish(&parsed);
	free(filled);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_policies),
		cmocka_unit_test(manual_example),
		cmocka_unit_test(demo_policy),
		cmocka_unit_test(policy_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
