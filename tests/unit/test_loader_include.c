/*
 * Policies of several files: what is included and in which order, what the
 * files of nets come to, what a fragment stands for; and every file and way
 * that others could change refused with what would be right.
 */
#define FILES_BYTES_MAX 65536u
#define FILES_MAX 40u

#include "loading.h"

/* $R is the room's path, $U the user of services. */
static void
expand(const char *text, char *to, size_t size)
{
	size_t used = 0;

	for (; *text != '\0' && used < size - 1; text++) {
		const char *piece = NULL;

		if (text[0] == '$' && text[1] == 'R')
			piece = room;
		else if (text[0] == '$' && text[1] == 'U')
			piece = USER;
		if (piece == NULL) {
			to[used++] = *text;
			continue;
		}
		used += (size_t)snprintf(to + used, size - used, "%s", piece);
		text++;
	}
	assert_true(used < size - 1);
	to[used] = '\0';
}

static void
put_file(const char *path, const char *text)
{
	char expanded[8192];

	expand(text, expanded, sizeof(expanded));
	write_file(path, expanded, 0644);
}

static void
load_with(const char *text, const struct loader_options *more)
{
	char whole[8192];
	struct loader_options options = *more;

	options.policy_path = "policy";
	snprintf(whole, sizeof(whole), "%s%s", preface, text);
	put_file("policy", whole);
	run(&options);
}

static const struct loader_options plain = { .skips_system = false };
static const struct loader_options anywhere = { .skips_system = true };

static void
expect_all(const char *problems)
{
	char expanded[8192];

	expand(problems, expanded, sizeof(expanded));
	assert_string_equal(result.problems, expanded);
}

static void
expect_refused(const char *problems)
{
	expect_all(problems);
	assert_false(result.is_loaded);
	assert_int_equal(result.error, EINVAL);
}

/* The only problem, whether or not it keeps the policy from being loaded. */
static void
expect_one(const char *text, const char *problem)
{
	load_with(text, &plain);
	expect_refused(problem);
}

static void
make_directory(const char *path, mode_t mode)
{
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, mode), 0);
}

#define A_SERVICE(name) \
	"service " name " {\n\tallow any\n\t$U\n\texec /bin/cat\n}\n"

/* Each test has an empty directory d, and leaves nothing else. */
static int
empty_room(void **state)
{
	(void)state;
	forget_result();
	if (nftw(room, remove_one, 16, FTW_DEPTH | FTW_PHYS) == -1)
		return -1;
	if (mkdir(room, 0755) == -1 || chdir(room) == -1)
		return -1;
	return mkdir("d", 0755);
}

static struct image_place
place_of_service(const char *name)
{
	int64_t found = names_find(
	    &result.image.names, (const uint8_t *)name, strlen(name));

	assert_true(found >= 0);
	return image_service(
	    &result.image, image_name_service(&result.image, (uint32_t)found))
	    ->place;
}

static void
expect_place(const char *service, const char *file, uint32_t line)
{
	struct image_place place = place_of_service(service);
	char expanded[PATH_MAX];

	expand(file, expanded, sizeof(expanded));
	assert_string_equal(image_text(&result.image, place.file), expanded);
	assert_int_equal(place.line, line);
}

static void
test_files(void **state)
{
	const struct image_rule *rule;

	(void)state;
	make_directory("other", 0755);
	put_file("other/file", "\n\n" A_SERVICE("linked"));
	assert_int_equal(symlink("../other/file", "d/link.policy"), 0);
	put_file("d/a.policy", "net n 192.0.2.0/24\n" A_SERVICE("a"));
	put_file("d/B.policy", A_SERVICE("b"));
	put_file("d/ä.policy", "");
	put_file("one", "\n" A_SERVICE("one"));
	/* what is none: hidden, of editors and packages, of other kinds */
	put_file("d/.hidden.policy", "broken\n");
	put_file("d/.policy", "broken\n");
	put_file("d/a.policy~", "broken\n");
	put_file("d/a.policy.dpkg-new", "broken\n");
	put_file("d/#a.policy#", "broken\n");
	put_file("d/README", "broken\n");
	assert_int_equal(symlink("nowhere", "d/.#a.policy"), 0);
	load_with("include $R/one\ninclude $R/d/\n"
		  "service m {\n\tallow @n\n\t$U\n\texec /bin/cat\n}\n",
	    &plain);
	assert_true(result.is_loaded);
	assert_int_equal(image_count(&result.image, IMAGE_SERVICES), 5);
	expect_place("m", "policy", PREFACE_LINES + 3);
	expect_place("one", "$R/one", 2);
	expect_place("a", "$R/d/a.policy", 2);
	expect_place("b", "$R/d/B.policy", 1);
	expect_place("linked", "$R/d/link.policy", 3);
	rule = image_rule(&result.image, 1);
	expect_place("one", image_text(&result.image, rule->place.file), 2);
	assert_int_equal(rule->place.line, 3);
	assert_string_equal(
	    image_text(&result.image, image_global(&result.image)->file),
	    "policy");
}

/* In byte order, so the later of two with one name is the one to blame. */
static void
test_order(void **state)
{
	(void)state;
	put_file("d/a.policy", A_SERVICE("x"));
	put_file("d/Z.policy", A_SERVICE("x"));
	put_file("d/b.policy", "bogus\n");
	put_file("d/10.policy", A_SERVICE("x"));
	put_file("d/9.policy", A_SERVICE("x"));
	expect_one("include $R/d\n" A_SERVICE("x"),
	    "policy:11:9: the name 'x' is taken: $R/d/10.policy:1 (case does "
	    "not count)\n"
	    "$R/d/9.policy:1:9: the name 'x' is taken: $R/d/10.policy:1 (case "
	    "does not count)\n"
	    "$R/d/Z.policy:1:9: the name 'x' is taken: $R/d/10.policy:1 (case "
	    "does not count)\n"
	    "$R/d/a.policy:1:9: the name 'x' is taken: $R/d/10.policy:1 (case "
	    "does not count)\n"
	    "$R/d/b.policy:1:1: unknown directive 'bogus'\n");
}

static void
test_not_there(void **state)
{
	(void)state;
	load_with("include $R/d\n", &plain);
	expect_loaded("");
	expect_one("include $R/none\ninclude $R/none.policy\n"
		   "include /none/such\nnet here @there\n"
		   "service a {\n\tallow @too\n\t$U\n\texec /bin/cat\n}\n",
	    "policy:10:9: cannot include $R/none: No such file or directory\n"
	    "policy:11:9: cannot include $R/none.policy: No such file or "
	    "directory\n"
	    "policy:12:9: cannot include /none/such: /none: No such file or "
	    "directory\n");
	assert_int_equal(symlink("nowhere", "d/x.policy"), 0);
	assert_int_equal(mkfifo("d/y.policy", 0600), 0);
	make_directory("d/z.policy", 0755);
	expect_one("include $R/d\ninclude /dev/null\n",
	    "policy:10:9: cannot include $R/d/x.policy: $R/d/nowhere: No such "
	    "file or directory\n"
	    "policy:10:9: cannot include $R/d/y.policy: not a regular file\n"
	    "policy:10:9: cannot include $R/d/z.policy: not a regular file\n"
	    "policy:11:9: cannot include /dev/null: not a regular file\n");
}

static void
test_twice(void **state)
{
	(void)state;
	put_file("d/a.policy", A_SERVICE("a"));
	assert_int_equal(symlink("a.policy", "d/b.policy"), 0);
	assert_int_equal(symlink("../policy", "d/c.policy"), 0);
	expect_one("include $R/d/a.policy\ninclude $R/d\n"
		   "include $R/d/../d\n",
	    "policy:11:9: cannot include $R/d/a.policy: it is included "
	    "already, by line 10\n"
	    "policy:11:9: cannot include $R/d/b.policy: it is included "
	    "already, by line 10\n"
	    "policy:11:9: cannot include $R/d/c.policy: it is the main file\n"
	    "policy:12:9: cannot include $R/d/../d: it is included already, by "
	    "line 11\n");
}

static void
test_bounds(void **state)
{
	char path[64], large[FILES_BYTES_MAX / 2];

	(void)state;
	for (unsigned i = 0; i < FILES_MAX - 2; i++) {
		snprintf(path, sizeof(path), "d/%u.policy", i);
		put_file(path, "");
	}
	put_file("net", "192.0.2.1\n");
	load_with("net a file $R/net\nadmission {\n\tallow @a\n}\n", &plain);
	expect_problem("'admission' is given twice");
	load_with("include $R/d\nnet a file $R/net\n"
		  "service s {\n\tallow @a\n\t$U\n\texec /bin/cat\n}\n",
	    &plain);
	expect_loaded("");
	expect_one("include $R/d\nnet a file $R/net\nnet a file $R/net\n"
		   "service s {\n\tallow @a\n\t$U\n\texec /bin/cat\n}\n",
	    "policy:12:12: a policy of more than 40 files\n");
	put_file("d/x.policy", "");
	put_file("d/y.policy", "");
	put_file("d/z.policy", "bogus\n");
	expect_one("include $R/d\ninclude $R/net\n",
	    "policy:10:9: a policy of more than 40 files\n"
	    "policy:11:9: a policy of more than 40 files\n");
	memset(large, '\n', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	write_file("large", large, 0644);
	write_file("larger", large, 0644);
	write_file("small", "#\n#\n", 0644);
	expect_one("include $R/large\ninclude $R/larger\ninclude $R/small\n",
	    "policy:11:9: cannot include $R/larger: more than 65536 bytes\n");
}

/* What others could change, and with which text it is refused. */
static void
test_trust(void **state)
{
	(void)state;
	put_file("d/a.policy", A_SERVICE("a"));
	put_file("net", "::1\n");
	make_directory("wide", 0777);
	make_directory("wide/d", 0755);
	put_file("wide/d/a.policy", A_SERVICE("a"));
	put_file("wide/net", "::1\n");
	assert_int_equal(symlink("wide/d", "to-d"), 0);
	assert_int_equal(symlink("../wide/d/a.policy", "d/link.policy"), 0);
	assert_int_equal(symlink("wide/net", "to-net"), 0);
	expect_one("include $R/d\n",
	    "policy:10:9: cannot include $R/d/link.policy: $R/d/../wide can "
	    "be written to by others than its owner: chmod go-w $R/d/../wide\n");
	assert_int_equal(unlink("d/link.policy"), 0);
	expect_one("include $R/wide/d\ninclude $R/to-d\n"
		   "include $R/wide/d/a.policy\n",
	    "policy:10:9: cannot include $R/wide/d: $R/wide can be written to "
	    "by others than its owner: chmod go-w $R/wide\n"
	    "policy:11:9: cannot include $R/to-d: $R/wide can be written to "
	    "by others than its owner: chmod go-w $R/wide\n"
	    "policy:12:9: cannot include $R/wide/d/a.policy: $R/wide can be "
	    "written to by others than its owner: chmod go-w $R/wide\n");
	assert_int_equal(chmod("d", 0775), 0);
	expect_one("include $R/d\n",
	    "policy:10:9: cannot include $R/d: it can be written to by others "
	    "than its owner: chmod go-w $R/d\n");
	/* Others cannot replace what is in it, but could add to it. */
	assert_int_equal(chmod("d", 01777), 0);
	expect_one("include $R/d\n",
	    "policy:10:9: cannot include $R/d: it can be written to by others "
	    "than its owner: chmod go-w $R/d\n");
	assert_int_equal(chmod("d", 0755), 0);
	assert_int_equal(chmod("d/a.policy", 0664), 0);
	expect_one("include $R/d\ninclude $R/d/a.policy\n",
	    "policy:10:9: cannot include $R/d/a.policy: it can be written to "
	    "by others than its owner: chmod go-w $R/d/a.policy\n"
	    "policy:11:9: cannot include $R/d/a.policy: it is included "
	    "already, by line 10\n");
	assert_int_equal(chmod("net", 0646), 0);
	expect_one("net a file $R/net\nnet a file $R/wide/net\n"
		   "net a file $R/to-net\nnet a file $R/d\nnet a file /none\n"
		   "service s {\n\tallow @a\n\t$U\n\texec /bin/cat\n}\n",
	    "policy:10:12: cannot read $R/net: it can be written to by others "
	    "than its owner: chmod go-w $R/net\n"
	    "policy:11:12: cannot read $R/wide/net: $R/wide can be written to "
	    "by others than its owner: chmod go-w $R/wide\n"
	    "policy:12:12: cannot read $R/to-net: $R/wide can be written to by "
	    "others than its owner: chmod go-w $R/wide\n"
	    "policy:13:12: cannot read $R/d: not a regular file\n"
	    "policy:14:12: cannot read /none: No such file or directory\n");
	/* Another machine is going to own them. */
	load_with("include $R/to-d\nnet a file $R/to-net\nnet a file $R/net\n"
		  "service s {\n\tallow @a\n\t$U\n\texec /bin/cat\n}\n",
	    &anywhere);
	expect_loaded("");
}

static void
test_owners(void **state)
{
	(void)state;
	if (!is_superuser)
		skip();
	put_file("d/a.policy", A_SERVICE("a"));
	put_file("net", "::1\n");
	assert_int_equal(chown("d/a.policy", FOREIGNER, 0), 0);
	assert_int_equal(chown("net", FOREIGNER, 0), 0);
	expect_one("include $R/d\n",
	    "policy:10:9: cannot include $R/d/a.policy: it belongs to uid "
	    "65533: it must belong to root\n");
	expect_one("net a file $R/net\n"
		   "service s {\n\tallow @a\n\t$U\n\texec /bin/cat\n}\n",
	    "policy:10:12: cannot read $R/net: it belongs to uid 65533: it "
	    "must belong to root\n");
	assert_int_equal(chown("d", FOREIGNER, 0), 0);
	expect_one("include $R/d\ninclude $R/d/a.policy\n",
	    "policy:10:9: cannot include $R/d: it belongs to uid 65533: it "
	    "must belong to root\n"
	    "policy:11:9: cannot include $R/d/a.policy: $R/d belongs to uid "
	    "65533, who could replace what lies there: it must belong to "
	    "root\n");
}

static bool
has(uint32_t set, const char *text)
{
	struct addr addr;

	assert_true(addr_parse(&addr, text, strlen(text)));
	return image_set_has(&result.image, set, &addr);
}

/* Overlaps, duplicates, any order, and lines and files of one net add up. */
static void
test_net_files(void **state)
{
	static const char *const in[] = { "10.0.0.0", "10.0.1.255", "10.0.3.7",
		"192.0.2.1", "198.51.100.9", "2001:db8::1", "2001:db8:1::" };
	static const char *const out[] = { "10.0.2.0", "10.0.3.6", "10.0.3.8",
		"9.255.255.255", "2001:db9::", "198.51.100.8" };
	const struct image_set *set;

	(void)state;
	put_file("one",
	    "# list\r\n10.0.1.0/24 ; x\r\n10.0.0.0/24\r\n10.0.3.7\r\n"
	    "10.0.0.0/23\r\n10.0.0.128/25\r\n2001:db8::/32\r\n");
	put_file("two", "10.0.3.7\n2001:db8:1::/48\n192.0.2.1\n");
	put_file("none", "# nobody\n");
	load_with("net n file $R/one\nnet n 198.51.100.9\n"
		  "net more @n @empty\n" /* declared later: a mistake */
		  "net empty file $R/none\n",
	    &plain);
	expect_problem("policy:12:13: net 'empty' is not declared above");
	load_with("net n file $R/one\nnet n 198.51.100.9\n"
		  "net empty file $R/none\n"
		  "net more @n @empty\nnet n file $R/two\n"
		  "net more file $R/two\n"
		  "service s {\n\tallow @more\n\t$U\n\texec /bin/cat\n}\n",
	    &plain);
	expect_loaded("");
	for (uint32_t n = 0; n <= 2; n += 2) {
		for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
			assert_true(has(n, in[i]));
		for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
			assert_false(has(n, out[i]));
		set = image_set(&result.image, n);
		assert_int_equal(set->v4.count, 4);
		assert_int_equal(set->v6.count, 1);
	}
	set = image_set(&result.image, 1);
	assert_int_equal(set->v4.count + set->v6.count, 0);
}

static void
test_bad_net_files(void **state)
{
	FILE *file = fopen("many", "we");
	const char *end;

	(void)state;
	put_file("one", "192.0.2.1/24\n::1\nx\n");
	expect_one("net n file $R/one\nnet n file $R/one\n"
		   "service s {\n\tallow @n\n\t$U\n\texec /none\n}\n",
	    "policy:15:7: cannot use program /none: No such file or "
	    "directory\n"
	    "$R/one:1:1: '192.0.2.1/24' has bits set behind its length: write "
	    "192.0.2.0/24 for the network or leave the length out for the "
	    "host\n"
	    "$R/one:3:1: 'x' is not an address or prefix (names of hosts are "
	    "not looked up)\n"
	    "$R/one:1:1: '192.0.2.1/24' has bits set behind its length: write "
	    "192.0.2.0/24 for the network or leave the length out for the "
	    "host\n"
	    "$R/one:3:1: 'x' is not an address or prefix (names of hosts are "
	    "not looked up)\n");
	for (int i = 0; i < 20000; i++)
		fputs("x\n", file);
	fclose(file);
	load_with("net n file $R/many\n"
		  "service s {\n\tallow @n\n\t$U\n\texec /bin/cat\n}\n",
	    &plain);
	assert_false(result.is_loaded);
	end = strstr(result.problems, "and 19000 more\n");
	assert_non_null(end);
}

static void
test_fragment(void **state)
{
	struct loader_options fragment = { .fragment_path = "m.policy" };

	(void)state;
	put_file("d/a.policy", A_SERVICE("x"));
	put_file("d/z.policy", A_SERVICE("y"));
	/* As it would be read: behind a, before z. */
	put_file("m.policy", A_SERVICE("x") A_SERVICE("y"));
	load_with("include $R/d\n", &fragment);
	expect_refused("m.policy:1:9: the name 'x' is taken: $R/d/a.policy:1 "
		       "(case does not count)\n"
		       "$R/d/z.policy:1:9: the name 'y' is taken: m.policy:6 "
		       "(case does not count)\n");
	/* In the place of the one of its name, which is not even read. */
	put_file("d/m.policy", "broken\n");
	put_file("m.policy", "net one @two\n" A_SERVICE("m"));
	load_with("include $R/d\n", &fragment);
	expect_refused(
	    "m.policy:1:9: net 'two' is not declared above this line\n");
	put_file("m.policy", A_SERVICE("m"));
	load_with("include $R/d\n", &fragment);
	assert_true(result.is_loaded);
	expect_place("m", "m.policy", 1);
	assert_int_equal(image_count(&result.image, IMAGE_SERVICES), 3);
	/* A directory besides files, but no second one. */
	put_file("file", A_SERVICE("file"));
	load_with("include $R/file\ninclude $R/d\n", &fragment);
	assert_true(result.is_loaded);
	make_directory("e", 0755);
	load_with("include $R/d\ninclude $R/e\n", &fragment);
	expect_problem("policy: m.policy cannot be checked: 2 directories are "
		       "included, and it could stand in each\n");
	load_with("include $R/file\n", &fragment);
	expect_refused("policy: m.policy cannot be checked: this policy "
		       "includes no directory that it could stand in\n");
	assert_int_equal(chmod("m.policy", 0664), 0);
	load_with("include $R/d\n", &fragment);
	expect_refused("policy:10:9: cannot include m.policy: it can be "
		       "written to by others than its owner: chmod go-w "
		       "m.policy\n");
	fragment.fragment_path = "none.policy";
	load_with("include $R/d\n", &fragment);
	expect_problem("policy:10:9: cannot include none.policy: ");
	fragment.fragment_path = "d/m.policy";
	load_with("include $R/d\n", &fragment);
	expect_problem("d/m.policy:1:1: unknown directive 'broken'\n");
	fragment.fragment_path = "file";
	load_with("include $R/d\n", &fragment);
	expect_problem("policy: file would not be read in a directory: its "
		       "name has to end with .policy\n");
	fragment.fragment_path = "d/.m.policy";
	load_with("include $R/d\n", &fragment);
	expect_problem("policy: d/.m.policy would not be read in a directory");
}

/* On a machine that is to build packages, the rest of it is not there. */
static void
test_without_system(void **state)
{
	struct loader_options fragment = { .fragment_path = "m.policy",
		.skips_system = true };
	struct loader_options printed = { .wants_text = true,
		.skips_system = true };

	(void)state;
	load_with("include /none/d\ninclude /none/x.policy\n"
		  "net b file /none/b\n"
		  "service s {\n\tallow @b @else\n\tuser u\n\texec /x\n}\n",
	    &anywhere);
	expect_loaded("");
	/* What is printed could not be read again. */
	load_with("include /none/d\nservice s {\n\tallow @else\n\tuser u\n"
		  "\texec /x\n}\n",
	    &printed);
	expect_refused("policy:12:8: net 'else' is not declared\n");
	put_file("m.policy", "bogus\n");
	load_with("include /none/x.policy\ninclude /none/d\n", &fragment);
	expect_refused("m.policy:1:1: unknown directive 'bogus'\n");
	fragment.fragment_path = "none.policy";
	load_with("include /none/d\n", &fragment);
	expect_refused("policy:10:9: cannot include none.policy: No such file "
		       "or directory\n");
	fragment.fragment_path = "m.policy";
	fragment.policy_path = "none";
	run(&fragment);
	expect_refused("none: cannot be read: No such file or directory\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_files, empty_room),
		cmocka_unit_test_setup(test_order, empty_room),
		cmocka_unit_test_setup(test_not_there, empty_room),
		cmocka_unit_test_setup(test_twice, empty_room),
		cmocka_unit_test_setup(test_bounds, empty_room),
		cmocka_unit_test_setup(test_trust, empty_room),
		cmocka_unit_test_setup(test_owners, empty_room),
		cmocka_unit_test_setup(test_net_files, empty_room),
		cmocka_unit_test_setup(test_bad_net_files, empty_room),
		cmocka_unit_test_setup(test_fragment, empty_room),
		cmocka_unit_test_setup(test_without_system, empty_room),
	};

	return cmocka_run_group_tests(tests, make_room, remove_room);
}
