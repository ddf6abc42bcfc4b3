/*
 * Policies that are not loaded, and why: what is not there, what only root can
 * give, what somebody else could change. Also the warnings.
 */
#include "loading.h"

struct refusal {
	const char *rest, *problem;
};

static void
check_refusals(const struct refusal rows[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		load_text_of(rows[i].rest);
		expect_problem(rows[i].problem);
	}
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void
test_refused_to_all(void **state)
{
	static const struct refusal rows[] = {
		{ "service a {\n\tallow any\n\t%s\n\texec /none/such\n}\n",
		    "policy:13:7: cannot use program /none/such: /none: No "
		    "such file or directory\n" },
		{ "service a {\n\tallow any\n\t%s\n\texec /etc/passwd\n}\n",
		    "policy:13:7: cannot use program /etc/passwd: not "
		    "executable\n" },
		{ "service a {\n\tallow any\n\t%s\n\texec /etc\n}\n",
		    "policy:13:7: cannot use program /etc: not a regular "
		    "file\n" },
		{ "service a {\n\tallow any\n\t%s\n\texec /bin/cat\n"
		  "\tchdir /none\n}\n",
		    "policy:14:8: cannot use directory /none: No such file or "
		    "directory\n" },
		{ "service a {\n\tallow any\n\t%s\n\texec /bin/cat\n"
		  "\tchdir /etc/passwd\n}\n",
		    "policy:14:8: cannot use directory /etc/passwd: not a "
		    "directory\n" },
		{ "service a {\n\tbogus\n\t%s\n}\n", "policy:11:2: " },
		{ "net n fe80::/10 fe80::%%none0/64\n" SERVICE("a", "\t%s\n"),
		    "policy:10:17: no interface is called 'none0'\n" },
		{ "listen fe80::1%%none0\n" SERVICE("a", "\t%s\n"),
		    "policy:10:8: no interface is called 'none0'\n" },
	};

	(void)state;
	check_refusals(rows, COUNT(rows));
}

static void
test_refused_to_root(void **state)
{
	static const struct refusal rows[] = {
		{ SERVICE("a", "\tuser self\n"),
		    "policy:13:7: 'user self' is for a tcpmuxd without root" },
		{ SERVICE("a", "\tuser root\n"),
		    "policy:13:7: 'root' is uid 0" },
		{ SERVICE("a", "\tuser 0\n"), "policy:13:7: '0' is uid 0" },
		{ SERVICE("a", "\tuser root unsafe\n"),
		    "policy:13:7: a service that runs as root needs a written "
		    "umask" },
		{ SERVICE("a", "\tuser nobody\n"),
		    "policy:13:7: 'nobody' is the parser's user" },
		{ SERVICE("a", "\tuser 65533\n"),
		    "policy:13:7: user 65533 has no account to take a group "
		    "from: say which, 'group NAME' or 'group 65533'" },
		{ SERVICE("a", "\tuser nosuchuser\n"),
		    "policy:13:7: no user is called 'nosuchuser'\n" },
		{ SERVICE("a", "\tuser daemon\n\tgroup nosuchgroup\n"),
		    "policy:14:8: no group is called 'nosuchgroup'\n" },
		{ SERVICE("a", "\tuser daemon\n\tgroups adm nosuchgroup\n"),
		    "policy:14:13: no group is called 'nosuchgroup'\n" },
		{ SERVICE("a", "\tuser 65533\n\tgroup 1\n\tgroups user\n"),
		    "policy:13:7: 'groups user' needs an account" },
		{ SERVICE(
		      "a", "\tuser daemon\n\tcapabilities net_bnd_service\n"),
		    "policy:14:15: no capability is called 'net_bnd_service': "
		    "did you mean 'net_bind_service'?\n" },
	};

	(void)state;
	if (!is_superuser)
		skip();
	check_refusals(rows, COUNT(rows));
}

static void
test_refused_to_others(void **state)
{
	static const struct refusal rows[] = {
		{ SERVICE("a", "\tuser daemon\n"),
		    "policy:13:7: only root can run a service as another "
		    "user" },
		{ SERVICE("a", "\tuser self\n\tgroup daemon\n"),
		    "policy:10:1: 'group' needs a tcpmuxd that runs as root" },
		{ SERVICE("a", "\tuser self\n\tgroups user\n"),
		    "policy:10:1: 'groups' needs" },
		{ SERVICE("a", "\tuser self\n\tcapabilities kill\n"),
		    "policy:10:1: 'capabilities' needs" },
		{ SERVICE("a", "\tuser self\n\tcapabilities all\n"),
		    "policy:10:1: 'capabilities' needs" },
		{ SERVICE("a", "\tuser self\n\tnew-privileges\n"),
		    "policy:10:1: 'new-privileges' needs" },
		{ SERVICE("a", "\tuser self\n\tchroot /usr\n"),
		    "policy:10:1: 'chroot' needs" },
		{ SERVICE("a", "\tuser self\n\tisolate uts\n"),
		    "policy:10:1: 'isolate' needs" },
	};

	(void)state;
	if (is_superuser)
		skip();
	check_refusals(rows, COUNT(rows));
}

static void
test_parser_user(void **state)
{
	static const struct refusal rows[] = {
		{ "user nosuchuser",
		    "policy:4:7: no user is called "
		    "'nosuchuser'\n" },
		{ "group adm",
		    "policy: no user is called '_tcpmuxd', as which "
		    "the parser is to run: create it (useradd " },
		{ "user root", "policy:4:7: the parser cannot run as root\n" },
		{ "user 65533", "policy:4:7: user 65533 has no account" },
		{ "program /bin/none", "cannot use program /bin/none" },
	};
	const struct loader_options options = { .policy_path = "policy" };
	char text[256];

	(void)state;
	if (!is_superuser || getpwnam("_tcpmuxd") != NULL)
		skip();
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(text, sizeof(text),
		    "policy 1\nlisten ::1\nparser {\n\t%s\n}\n", rows[i].rest);
		write_file("policy", text, 0644);
		run(&options);
		expect_problem(rows[i].problem);
	}
}

/* Whoever could change it would be asked what clients may have. */
static void
test_parser_program(void **state)
{
	static const struct {
		mode_t mode;
		uid_t owner;
	} rows[] = { { 0775, 0 }, { 0757, 0 }, { 0755, FOREIGNER } };
	const struct loader_options options = { .policy_path = "policy" };
	char text[256];

	(void)state;
	if (!is_superuser)
		skip();
	assert_int_equal(chmod(room, 0755), 0);
	snprintf(text, sizeof(text),
	    "policy 1\nlisten ::1\nparser {\n\tuser 65534\n\tgroup 65534\n"
	    "\tprogram %s/parser\n}\n",
	    room);
	for (size_t i = 0; i < COUNT(rows); i++) {
		write_file("policy", text, 0644);
		write_file("parser", "#!/bin/sh\n", 0755);
		assert_int_equal(chown("parser", rows[i].owner, 0), 0);
		assert_int_equal(chmod("parser", rows[i].mode), 0);
		run(&options);
		expect_problem("/parser must belong to root and be writable by "
			       "nobody else\n");
	}
	unlink("parser");
}

/* Words and environment of one service: 64 KiB of them. */
static void
test_too_much_for_a_program(void **state)
{
	enum { WORDS = 20, WORD_BYTES = 4000 };
	const struct loader_options options = { .policy_path = "policy" };
	FILE *file = fopen("policy", "we");

	(void)state;
	assert_non_null(file);
	fprintf(file, "%sservice a {\n\tallow any\n\t%s\n\texec /bin/cat",
	    preface, USER);
	for (int i = 0; i < WORDS; i++)
		fprintf(file, " %0*d", WORD_BYTES, i);
	fputs("\n}\n", file);
	assert_int_equal(fclose(file), 0);
	run(&options);
	expect_problem("policy:10:1: arguments and environment take more than "
		       "65536 bytes\n");
}

/* A program of ours in the room, to be changed by each row. */
static void
load_own_program(mode_t mode, uid_t owner, const char *user)
{
	char rest[256];

	write_file("program", "#!/bin/sh\n", 0755);
	assert_int_equal(chmod(room, 0755), 0);
	assert_int_equal(chown("program", owner, (gid_t)-1), 0);
	assert_int_equal(chmod("program", mode), 0);
	snprintf(rest, sizeof(rest),
	    "service a {\n\tallow any\n\t%s\n\texec %s/program\n}\n", user,
	    room);
	load_text_of(rest);
	unlink("program");
}

static void
test_program_warnings(void **state)
{
	char expected[256];

	(void)state;
	load_own_program(0755, geteuid(), USER);
	expect_loaded("");
	load_own_program(0777, geteuid(), USER);
	assert_true(result.is_loaded);
	snprintf(expected, sizeof(expected),
	    is_superuser ? "policy:13:7: warning: the service can write to its "
			   "own program %s/program"
			 : "policy:13:7: warning: program %s/program can be "
			   "written to by others than its owner",
	    room);
	assert_non_null(strstr(result.problems, expected));
	if (!is_superuser)
		return;
	load_own_program(0755, 1, "user daemon");
	assert_true(result.is_loaded);
	assert_non_null(strstr(result.problems, "can write to its own"));
	load_own_program(0755, 2, "user daemon");
	assert_true(result.is_loaded);
	assert_non_null(
	    strstr(result.problems, "belongs to uid 2, not to root"));
	load_own_program(0775, 0, "user daemon");
	assert_non_null(strstr(result.problems, "by others than its owner"));
	load_own_program(0775, 0, "user daemon\n\tgroups 0");
	assert_non_null(strstr(result.problems, "can write to its own"));
}

static void
test_program_way(void **state)
{
	(void)state;
	write_file("program", "#!/bin/sh\n", 0755);
	load_own_program(0755, geteuid(), USER);
	expect_loaded("");
	assert_int_equal(mkdir("loose", 0777), 0);
	assert_int_equal(chmod("loose", 0777), 0);
	assert_int_equal(symlink("../program", "loose/program"), 0);
	write_file("program", "#!/bin/sh\n", 0755);
	char rest[256];

	snprintf(rest, sizeof(rest),
	    "service a {\n\tallow any\n\t%%s\n\texec %s/loose/program\n}\n",
	    room);
	load_text_of(rest);
	expect_problem("/loose can be written to by others than its owner: "
		       "chmod go-w /tmp/");
}

static void
test_policy_trust(void **state)
{
	const struct loader_options options = { .policy_path = "policy" };
	const struct loader_options missing = { .policy_path = "none" };
	const struct loader_options directory = { .policy_path = "." };
	const struct loader_options loose = { .policy_path = "wide/policy" };

	(void)state;
	run(&missing);
	expect_problem("none: cannot be read: ");
	run(&directory);
	expect_problem(".: cannot be read: not a regular file\n");
	write_file("policy", preface, 0664);
	run(&options);
	expect_problem(
	    "policy: cannot be read: it can be written to by others than "
	    "its owner: chmod go-w policy\n");
	write_file("policy", preface, 0646);
	run(&options);
	expect_problem("can be written to by others");
	assert_int_equal(mkdir("wide", 0777), 0);
	assert_int_equal(chmod("wide", 0777), 0);
	write_file("wide/policy", preface, 0600);
	run(&loose);
	expect_problem("/wide can be written to by others");
	assert_int_equal(unlink("policy"), 0);
	assert_int_equal(mkfifo("policy", 0600), 0);
	run(&options);
	expect_problem("policy: cannot be read: not a regular file\n");
	assert_int_equal(unlink("policy"), 0);
	if (!is_superuser)
		return;
	write_file("policy", preface, 0600);
	assert_int_equal(chown("policy", FOREIGNER, 0), 0);
	run(&options);
	expect_problem("policy: cannot be read: it belongs to uid 65533: ");
	unlink("policy");
}

/* As on a machine that builds policies for others. */
static void
test_without_system(void **state)
{
	const struct loader_options options = { .policy_path = "wide/other",
		.skips_system = true };

	(void)state;
	write_file("wide/other",
	    "policy 1\nlisten ::1\n"
	    "service a {\n\tuser web\n\tgroup web\n\tgroups x y\n"
	    "\tallow any\n\texec /opt/none/such\n\tchdir /srv/none\n}\n"
	    "service b {\n\tuser self\n\tallow any\n\texec /opt/none\n}\n",
	    0666);
	run(&options);
	expect_loaded("");
	write_file("wide/other",
	    "policy 1\nlisten ::1\n"
	    "service a {\n\tuser root\n\tallow any\n\texec /opt/none\n}\n"
	    "service b {\n\tuser _tcpmuxd\n\tallow any\n\texec /o\n}\n",
	    0666);
	run(&options);
	expect_problem("wide/other:4:7: 'root' is uid 0");
	expect_problem("wide/other:9:7: '_tcpmuxd' is the parser's user");
}

/* Beside this test there is none; elsewhere there may be. */
static void
test_builtin_is_missing(void **state)
{
	const struct loader_options elsewhere = { .policy_path = "policy",
		.skips_system = true };

	(void)state;
	if (access(TCPMUXD_LIBEXEC "/tcpmuxd-builtin", F_OK) == 0)
		skip();
	load_text_of("service e {\n\tallow any\n\t%s\n\tbuiltin echo\n}\n"
		     "service d {\n\tallow any\n\tuser self\n"
		     "\tbuiltin discard\n}\n");
	expect_problem("policy:13:10: the program that serves 'echo' is "
		       "missing: there is neither /");
	expect_problem("/tests/unit/tcpmuxd-builtin nor " TCPMUXD_LIBEXEC
		       "/tcpmuxd-builtin\n");
	expect_problem("policy:18:10: the program that serves 'discard' is ");
	run(&elsewhere);
	expect_loaded("");
	assert_string_equal(
	    image_text(&result.image, image_service(&result.image, 0)->program),
	    TCPMUXD_LIBEXEC "/tcpmuxd-builtin");
}

/* Problems come as the text does, and not without end. */
static void
test_order_and_bound(void **state)
{
	const struct loader_options options = { .policy_path = "policy" };
	FILE *file = fopen("policy", "we");
	const char *line;
	unsigned before = 0, count = 0;

	(void)state;
	fputs(preface, file);
	for (int i = 1100; i > 0; i--)
		fprintf(file,
		    "service s%04d {\n\tallow any\n\t%s\n\texec /none\n}\n", i,
		    USER);
	fclose(file);
	run(&options);
	expect_problem("policy:13:7: cannot use program /none");
	for (line = result.problems; strncmp(line, "policy:", 7) == 0;
	     line = strchr(line, '\n') + 1) {
		unsigned here = (unsigned)strtoul(line + 7, NULL, 10);

		assert_true(here >= before);
		before = here;
		count++;
	}
	assert_int_equal(count, PROBLEMS_MAX);
	/* 1,100 programs, and the warning that one user runs them all. */
	assert_string_equal(
	    line, is_superuser ? "and 101 more\n" : "and 100 more\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_to_all),
		cmocka_unit_test(test_refused_to_root),
		cmocka_unit_test(test_refused_to_others),
		cmocka_unit_test(test_parser_user),
		cmocka_unit_test(test_parser_program),
		cmocka_unit_test(test_too_much_for_a_program),
		cmocka_unit_test(test_program_warnings),
		cmocka_unit_test(test_program_way),
		cmocka_unit_test(test_policy_trust),
		cmocka_unit_test(test_without_system),
		cmocka_unit_test(test_builtin_is_missing),
		cmocka_unit_test(test_order_and_bound),
	};

	return cmocka_run_group_tests(tests, make_room, remove_room);
}
