/*
 * A printed policy means what the policy meant, and says all of it.
 */
#include "policy_fixture.h"

#include "core/policy_print.h"
#include "policy_maker.h"
#include "policy_same.h"

#include <dirent.h>

static void
write_stream(void *context, const char *bytes, size_t length)
{
	assert_int_equal(fwrite(bytes, 1, length, context), length);
}

/* The policy as text, to be freed. */
static char *
print(const struct policy *policy, size_t *length)
{
	char *text = NULL;
	FILE *stream = open_memstream(&text, length);
	const struct policy_sink sink = { write_stream, stream };

	assert_non_null(stream);
	policy_print(policy, &sink);
	assert_int_equal(fclose(stream), 0);
	return text;
}

/* Fails, naming `what`, unless this policy survives being printed. */
static void
expect_same(const char *what, const struct policy *policy)
{
	size_t length, length_again;
	char *text = print(policy, &length);
	struct parsed parsed = parse_text(text, length);
	char *again;

	if (parsed.result != POLICY_OK)
		fail_msg("%s: printed with a mistake: %s%s", what,
		    parsed.problems, text);
	if (policy_difference(policy, &parsed.policy) != NULL)
		fail_msg("%s: not '%s' any more: %s", what,
		    policy_difference(policy, &parsed.policy), text);
	again = print(&parsed.policy, &length_again);
	if (strcmp(text, again) != 0)
		fail_msg("%s: printed in two ways: %s%s", what, text, again);
	free(again);
	free(text);
	parsed_finish(&parsed);
}

/* No directive is forgotten: neither by the printer nor by these tests. */
static void
every_directive(void **state)
{
	const struct policy_row *unmade = maker_lacks();

	(void)state;
	for (size_t i = 0; policy_row_at(i) != NULL; i++)
		if (policy_row_at(i)->show == NULL)
			fail_msg("nothing prints '%s'", policy_row_at(i)->word);
	if (unmade != NULL)
		fail_msg("policy_maker.h makes no '%s' everywhere it may stand",
		    unmade->word);
}

static void
made_policies(void **state)
{
	enum { POLICIES = 5000 };
	uint32_t services = 0;

	(void)state;
	for (uint32_t seed = 1; seed <= POLICIES; seed++) {
		size_t length;
		char *text = maker_policy(seed, &length);
		struct parsed parsed = parse_text(text, length);
		char what[32];

		snprintf(what, sizeof(what), "seed %u", seed);
		if (parsed.result != POLICY_OK)
			fail_msg("%s: made with a mistake: %s%s", what,
			    parsed.problems, text);
		services += parsed.policy.service_count;
		expect_same(what, &parsed.policy);
		parsed_finish(&parsed);
		free(text);
	}
	assert_true(services > POLICIES);
}

/* All in a directory that are policies without a mistake: how many. */
static unsigned
print_files(const char *directory)
{
	char path[300], file_path[600];
	unsigned count = 0;
	const struct dirent *entry;
	DIR *files;

	root_path(path, sizeof(path), directory);
	files = opendir(path);
	assert_non_null(files);
	while ((entry = readdir(files)) != NULL) {
		struct parsed parsed;
		size_t length;
		char *text;

		if (strstr(entry->d_name, ".policy") == NULL)
			continue;
		snprintf(
		    file_path, sizeof(file_path), "%s/%s", path, entry->d_name);
		text = read_whole(file_path, &length);
		parsed = parse_text(text, length);
		if (parsed.result == POLICY_OK) {
			expect_same(file_path, &parsed.policy);
			count++;
		}
		parsed_finish(&parsed);
		free(text);
	}
	closedir(files);
	return count;
}

static void
files(void **state)
{
	(void)state;
	assert_true(print_files("policy") >= 2);
	/* there, what only gets a warning is none either */
	assert_true(print_files("tests/bad-policy") >= 4);
}

/* All that is not said is said. */
static void
defaults_written_out(void **state)
{
	static const char text[] = "policy 1\n"
				   "listen *\n"
				   "service a {\n"
				   "allow any\n"
				   "user b\n"
				   "exec /c\n"
				   "}\n"
				   "service d disabled {\n"
				   "trap\n"
				   "allow any\n"
				   "}\n";
	static const char whole[] = "policy 1\n"
				    "listen * port 1 backlog 4096\n"
				    "\nparser {\n"
				    "\tuser _tcpmuxd\n"
				    "\ttimeout 5s\n"
				    "\tworkers 1\n"
				    "\trecycle 10000 1m\n"
				    "\troom full\n"
				    "}\n"
				    "\nadmission {\n"
				    "\tsessions 512\n"
				    "\tpending 256\n"
				    "\tpending-per-source 8\n"
				    "\tper-source 32\n"
				    "\tcount-by /32 /64\n"
				    "\trate 60/min burst 30\n"
				    "\tsources 65536\n"
				    "\tpenalty malformed 5s\n"
				    "\tpenalty unknown 2s\n"
				    "\tpenalty denied 2s\n"
				    "\tpenalty timeout 10s\n"
				    "\tpenalty crash 90s\n"
				    "\tpenalty trap 10m\n"
				    "\tpenalty-threshold 15s\n"
				    "\tpenalty-max 10m\n"
				    "\tdrop-in-kernel off\n"
				    "}\n"
				    "\nlog {\n"
				    "\tto stderr\n"
				    "\tformat logfmt\n"
				    "\taddresses full\n"
				    "\tlimit 200/s burst 1000\n"
				    "}\n"
				    "\nservice a {\n"
				    "\tallow any\n"
				    "\tuser b\n"
				    "\texec /c\n"
				    "\treply mux\n"
				    "\tchdir /\n"
				    "\tumask 077\n"
				    "\tlimit core 0\n"
				    "\tstderr log\n"
				    "\tsessions 64\n"
				    "\tper-source 8\n"
				    "\tleftovers kill\n"
				    "\tkeepalive 10m\n"
				    "\tlifetime off\n"
				    "\tidle off\n"
				    "\tlog all\n"
				    "\tsyscalls default\n"
				    "\tfilesystem any\n"
				    "\tnetwork any\n"
				    "}\n"
				    "\nservice d disabled {\n"
				    "\tallow any\n"
				    "\tsessions 64\n"
				    "\tper-source 8\n"
				    "\ttrap\n"
				    "}\n";
	struct parsed parsed = parse_text(text, sizeof(text) - 1);
	size_t length;
	char *printed = print(&parsed.policy, &length);

	(void)state;
	assert_string_equal(printed, whole);
	free(printed);
	parsed_finish(&parsed);
}

/* However long a list is, its lines can be read; that of exec is one. */
static void
long_lists(void **state)
{
	enum { MEMBERS = 2000, LINE_BYTES = 120 };
	char *text = NULL, *printed;
	size_t length;
	FILE *stream = open_memstream(&text, &length);
	struct parsed parsed;

	(void)state;
	fputs("policy 1\nlisten *\nnet a", stream);
	for (unsigned i = 0; i < MEMBERS; i++)
		fprintf(stream, " 10.%u.%u.0/24", i / 256, i % 256);
	fputs("\nadmission {\nexempt @a\nallow", stream);
	for (unsigned i = 0; i < MEMBERS; i++)
		fprintf(stream, " 2001:db8:0:%x::/64", i);
	fputs("\n}\n", stream);
	fclose(stream);
	parsed = parse_text(text, length);
	assert_int_equal(parsed.result, POLICY_OK);
	expect_same("long lists", &parsed.policy);
	printed = print(&parsed.policy, &length);
	for (const char *line = printed; *line != '\0';) {
		size_t bytes = strcspn(line, "\n");

		assert_true(bytes < LINE_BYTES);
		line += bytes + 1;
	}
	free(printed);
	parsed_finish(&parsed);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_directive),
		cmocka_unit_test(made_policies),
		cmocka_unit_test(files),
		cmocka_unit_test(defaults_written_out),
		cmocka_unit_test(long_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
