/*
 * From policy to image: what is looked up, what is refused to whom, and a
 * child that can do nothing but read. Root and others load different things.
 */
#include "loader/accounts.c"
#include "loader/build.c"
#include "loader/capability.c"
#include "loader/exec.c"
#include "loader/image.c"
#include "loader/load.c"
#include "loader/memory.c"
#include "loader/paths.c"
#include "loader/problems.c"
#include "loader/run.c"
#include "loader/service.c"
#include "loader/sets.c"
#include "loader/who.c"

#include <dirent.h>
#include <ftw.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/ioctl.h>

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

static int
make_room(void **state)
{
	(void)state;
	is_superuser = geteuid() == 0;
	umask(022);
	return mkdtemp(room) == NULL || chdir(room) == -1 ? -1 : 0;
}

static int
remove_one(
    const char *path, const struct stat *status, int kind, struct FTW *at)
{
	(void)status;
	(void)kind;
	(void)at;
	return remove(path);
}

static int
remove_room(void **state)
{
	(void)state;
	return chdir("/") == -1
	    ? -1
	    : nftw(room, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
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

static void
forget_result(void)
{
	if (result.is_loaded)
		munmap((void *)(uintptr_t)result.mapped, result.size);
	result.is_loaded = false;
}

static void
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
static void
load_text_of(const char *rest)
{
	const struct loader_options options = { .policy_path = "policy" };
	char text[16384];
	int length = snprintf(text, sizeof(text), "%s", preface);

	snprintf(text + length, sizeof(text) - (size_t)length, rest, USER);
	write_file("policy", text, 0600);
	run(&options);
}

static void
expect_loaded(const char *problems)
{
	if (!result.is_loaded)
		fail_msg("not loaded: %s", result.problems);
	assert_string_equal(result.problems, problems);
}

static void
expect_problem(const char *problem)
{
	assert_false(result.is_loaded);
	assert_int_equal(result.error, EINVAL);
	if (strstr(result.problems, problem) == NULL)
		fail_msg("no '%s' in: %s", problem, result.problems);
}

static const char *
text_of(struct image_text text)
{
	return image_text(&result.image, text);
}

static const char *
word_at(struct image_range range, uint32_t index)
{
	return text_of(image_word(&result.image, range.first + index));
}

static void
expect_words(struct image_range range, const char *const words[])
{
	for (uint32_t i = 0; i < range.count; i++) {
		assert_non_null(words[i]);
		assert_string_equal(word_at(range, i), words[i]);
	}
	assert_null(words[range.count]);
}

static void
test_everything(void **state)
{
	static const char *const argv[] = { "-sh", "-c", "two words", "",
		NULL };
	static const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:"
		"/bin",
		"PROTO=TCP", "TCPMUX_SERVICE=zz", "HOME=/srv", "USER=someone",
		"LOGNAME=", "A=b=c", NULL
	};
	static const struct {
		const char *name;
		uint32_t service;
	} entries[] = { { "9418", 0 }, { "aa", 0 }, { "y/2", 1 }, { "zz", 1 } };
	const struct image_service *service;

	(void)state;
	load_text_of("net n 10.0.0.0/8 2001:db8::/32\n"
		     "defaults {\n\t%1$s\n}\n"
		     "service ZZ {\n"
		     "\texec /bin/sh -c \"two words\" ''\n\targv0 -sh\n"
		     "\tchdir /tmp\n\tumask 027\n\tdeny 10.0.0.1\n"
		     "\tallow @n 192.0.2.1\n\talias Y/2\n"
		     "\tenv HOME=/srv USER=someone LOGNAME=\n\tenv A=b=c\n"
		     "\treply mux \"Go on\"\n\tsummary \"a shell\"\n"
		     "\tsessions 100\n\tstderr null\n\tleftovers keep\n"
		     "\tkeepalive off\n\tunlisted\n}\n"
		     "service aa disabled {\n\texec /bin/cat\n\tallow any\n"
		     "\talias 9418\n\treply service\n\tsessions 3\n}\n");
	assert_true(result.is_loaded);
	assert_int_equal(image_count(&result.image, IMAGE_SERVICES), 2);
	service = image_service(&result.image, 1);
	assert_string_equal(text_of(service->name), "zz");
	assert_string_equal(text_of(service->place.file), "policy");
	assert_int_equal(service->place.line, PREFACE_LINES + 5);
	assert_string_equal(text_of(service->program), "/bin/sh");
	expect_words(service->argv, argv);
	expect_words(service->env, env);
	assert_string_equal(text_of(service->chdir), "/tmp");
	assert_string_equal(text_of(service->reply_text), "Go on");
	assert_string_equal(text_of(service->summary), "a shell");
	assert_int_equal(service->umask, 027);
	assert_int_equal(service->sessions, 100);
	assert_int_equal(service->per_source, 12);
	assert_int_equal(service->keepalive_s, 0);
	assert_int_equal(service->stderr_to, IMAGE_STDERR_NULL);
	assert_int_equal(service->leftovers, IMAGE_LEFTOVERS_KEEP);
	assert_int_equal(service->reply, IMAGE_REPLY_MUX);
	assert_int_equal(
	    service->flags & ~IMAGE_SERVICE_SELF, IMAGE_SERVICE_UNLISTED);
	assert_int_equal(service->rules.count, 3);
	assert_int_equal(
	    image_rule(&result.image, service->rules.first + 1)->place.line,
	    PREFACE_LINES + 11);

	service = image_service(&result.image, 0);
	assert_string_equal(text_of(service->chdir), "/");
	assert_int_equal(service->per_source, 1);
	assert_int_equal(service->umask, 077);
	assert_int_equal(service->reply, IMAGE_REPLY_SERVICE);
	assert_int_equal(
	    service->flags & ~IMAGE_SERVICE_SELF, IMAGE_SERVICE_DISABLED);
	assert_int_equal(result.image.names.count, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(names_find(&result.image.names,
				     (const uint8_t *)entries[i].name,
				     strlen(entries[i].name)),
		    i);
		assert_int_equal(
		    image_name_service(&result.image, i), entries[i].service);
	}
}

static void
test_global(void **state)
{
	const struct loader_options options = { .policy_path = "policy" };
	const struct image_global *global;

	(void)state;
	write_file("policy",
	    "policy 1\nlisten ::1 port 10001\nlisten * port 10002\n"
	    "admission {\n\tdeny 192.0.2.0/24\n\tallow any\n\tsessions 5\n"
	    "\tpending 6\n\tpending-per-source 2\n\tper-source 3\n}\n"
	    "log {\n\tto syslog local3\n\tformat json\n}\n"
	    "parser {\n\tuser 65534\n\tgroup 7\n\ttimeout 2s\n\tworkers 2\n"
	    "\trecycle 100 30s\n\troom reduced\n}\n",
	    0644);
	run(&options);
	expect_loaded("");
	global = image_global(&result.image);
	assert_int_equal(image_count(&result.image, IMAGE_LISTENS), 2);
	assert_int_equal(image_listen(&result.image, 0)->addr.family, ADDR_V6);
	assert_int_equal(image_listen(&result.image, 1)->addr.port, 10002);
	assert_int_equal(image_listen(&result.image, 1)->place.line, 3);
	assert_int_equal(global->admission.count, 2);
	assert_int_equal(global->sessions, 5);
	assert_int_equal(global->pending, 6);
	assert_int_equal(global->pending_per_source, 2);
	assert_int_equal(global->per_source, 3);
	assert_int_equal(global->log_sink, IMAGE_LOG_SYSLOG);
	assert_int_equal(global->log_format, IMAGE_LOG_JSON);
	assert_int_equal(global->syslog_facility, LOG_LOCAL3);
	assert_int_equal(global->parser_timeout_ms, 2000);
	assert_int_equal(global->parser_workers, 2);
	assert_int_equal(global->recycle_verdicts, 100);
	assert_int_equal(global->recycle_age_s, 30);
	assert_int_equal(global->room, IMAGE_ROOM_REDUCED);
	assert_int_equal(global->parser_uid, is_superuser ? 65534 : geteuid());
	assert_int_equal(global->parser_gid, is_superuser ? 7 : getegid());
}

#define SERVICE(name, lines) \
	"service " name " {\n\tallow any\n\texec /bin/cat\n" lines "}\n"

static void
test_ids(void **state)
{
	static const char *const account_env[] = { "HOME=/usr/sbin",
		"USER=daemon", "LOGNAME=daemon" };
	static const char *const number_env[] = { "HOME=/", "USER=65533",
		"LOGNAME=65533" };
	const struct image_service *service;

	(void)state;
	if (!is_superuser)
		skip();
	load_text_of(SERVICE("a", "\tuser daemon\n") SERVICE("b",
	    "\tuser 65533\n\tgroup daemon\n\tgroups 5 adm 5\n") SERVICE("c",
	    "\tuser 2\n\tgroup 3\n\tgroups user\n"
	    "\tcapabilities NET_RAW cap_chown\n\tnew-privileges\n") SERVICE("d",
	    "\tuser root unsafe\n\tumask 022\n\tcapabilities all\n"));
	expect_loaded("");
	service = image_service(&result.image, 0);
	assert_int_equal(service->uid, 1);
	assert_int_equal(service->gid, 1);
	assert_int_equal(service->groups.count, 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_string_equal(
		    word_at(service->env, i + 1), account_env[i]);
	service = image_service(&result.image, 1);
	assert_int_equal(service->uid, FOREIGNER);
	assert_int_equal(service->gid, 1);
	assert_int_equal(service->groups.count, 2);
	assert_int_equal(image_gids(&result.image, service->groups)[0], 4);
	assert_int_equal(image_gids(&result.image, service->groups)[1], 5);
	for (uint32_t i = 0; i < 3; i++)
		assert_string_equal(
		    word_at(service->env, i + 1), number_env[i]);
	service = image_service(&result.image, 2);
	assert_int_equal(service->uid, 2);
	assert_int_equal(service->gid, 3);
	/* As initgroups would: the group of the account is one of them. */
	assert_int_equal(service->groups.count, 1);
	assert_int_equal(image_gid(&result.image, service->groups.first), 2);
	assert_true(service->capabilities == (UINT64_C(1) << 13 | UINT64_C(1)));
	assert_int_equal(service->flags, IMAGE_SERVICE_NEW_PRIVILEGES);
	service = image_service(&result.image, 3);
	assert_int_equal(service->uid, 0);
	assert_int_equal(service->flags, IMAGE_SERVICE_CAPABILITIES_ALL);
	assert_true(service->capabilities == 0);
}

static void
test_self(void **state)
{
	const struct image_service *service;
	char user[32];

	(void)state;
	if (is_superuser)
		skip();
	load_text_of(SERVICE("a", "\tuser self\n"));
	expect_loaded("");
	service = image_service(&result.image, 0);
	assert_int_equal(service->uid, geteuid());
	assert_int_equal(service->gid, getegid());
	assert_int_equal(service->flags, IMAGE_SERVICE_SELF);
	snprintf(user, sizeof(user), "USER=%s",
	    getpwuid(geteuid()) != NULL ? getpwuid(geteuid())->pw_name : "");
	if (getpwuid(geteuid()) == NULL)
		snprintf(user, sizeof(user), "USER=%u", geteuid());
	assert_string_equal(word_at(service->env, 2), user);
}

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
	expect_problem(".: a policy is a regular file\n");
	write_file("policy", preface, 0664);
	run(&options);
	expect_problem("policy: the file can be written to by others than its "
		       "owner: chmod go-w the file\n");
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
	expect_problem("policy: a policy is a regular file\n");
	assert_int_equal(unlink("policy"), 0);
	if (!is_superuser)
		return;
	write_file("policy", preface, 0600);
	assert_int_equal(chown("policy", FOREIGNER, 0), 0);
	run(&options);
	expect_problem("policy: the file belongs to uid 65533, ");
	unlink("policy");
}

static void
test_shared_uid(void **state)
{
	(void)state;
	if (!is_superuser)
		skip();
	load_text_of(
	    SERVICE("a", "\tuser daemon\n") SERVICE("b", "\tuser bin\n")
		SERVICE("c", "\tuser 1\n") SERVICE("d", "\tuser daemon\n"));
	expect_loaded("policy:23:7: warning: 3 services run as uid 1: what "
		      "belongs to one belongs to all of them\n");
}

static void
test_notes(void **state)
{
	const struct loader_options options = { .policy_path = "policy",
		.is_verbose = true };
	char text[512];
	int length = snprintf(text, sizeof(text), "%s", preface);

	(void)state;
	snprintf(text + length, sizeof(text) - (size_t)length,
	    SERVICE("ssh", "\t%s\n"), USER);
	write_file("policy", text, 0600);
	run(&options);
	expect_loaded("policy:10:9: note: 'ssh' is registered for what is "
		      "served on port 22: it should be the same here\n");
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

static void
test_many_services(void **state)
{
	enum { MANY = 5000 };
	const struct loader_options options = { .policy_path = "policy" };
	FILE *file = fopen("policy", "we");

	(void)state;
	fputs(preface, file);
	for (unsigned i = 0; i < MANY; i++)
		fprintf(file,
		    "service s%04u {\n\tallow 10.0.%u.%u\n\t%s\n"
		    "\texec /bin/cat\n\talias a%u\n}\n",
		    i * 7 % MANY, i / 256, i % 256, USER, i);
	fclose(file);
	run(&options);
	assert_true(result.is_loaded);
	assert_int_equal(image_count(&result.image, IMAGE_SERVICES), MANY);
	assert_int_equal(result.image.names.count, 2 * MANY);
	for (unsigned i = 0; i < MANY; i++) {
		struct addr addr = { .family = ADDR_V4,
			.bytes = { 10, 0, (uint8_t)(i / 256), (uint8_t)i } };
		char name[8];
		int length = snprintf(name, sizeof(name), "a%u", i);
		int64_t found = names_find(
		    &result.image.names, (const uint8_t *)name, (size_t)length);
		const struct image_service *service;
		uint32_t set;

		assert_true(found >= 0);
		service = image_service(&result.image,
		    image_name_service(&result.image, (uint32_t)found));
		snprintf(name, sizeof(name), "s%04u", i * 7 % MANY);
		assert_string_equal(text_of(service->name), name);
		set = image_rule(&result.image, service->rules.first)->set;
		assert_true(image_set_has(&result.image, set, &addr));
		addr.bytes[3] ^= 1;
		assert_false(image_set_has(&result.image, set, &addr));
	}
}

/* More problems than a pipe takes: the child waits until they are read. */
static struct loader_job
start_stuck(int ends[2])
{
	const struct loader_options options = { .policy_path = "policy" };
	struct pollfd readable;
	struct loader_job job;
	FILE *file = fopen("policy", "we");

	fputs(preface, file);
	for (int i = 0; i < 2000; i++)
		fprintf(file, "no-such-directive-%d\n", i);
	fclose(file);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0);
	assert_int_equal(loader_start(&job, &options, ends[1]), 0);
	readable = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	assert_int_equal(poll(&readable, 1, TIMEOUT_MS), 1);
	return job;
}

static uint64_t
status_of(pid_t pid, const char *key)
{
	char path[64], line[256];
	uint64_t value = UINT64_MAX;
	size_t length = strlen(key);
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, key, length) == 0)
			value = strtoull(line + length, NULL, 16);
	fclose(file);
	return value;
}

static unsigned
descriptors_of(pid_t pid)
{
	char path[64];
	unsigned count = 0;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	directory = opendir(path);
	assert_non_null(directory);
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count - 2;
}

static void
test_child(void **state)
{
	int inherited = open("/dev/null", O_RDONLY | O_CLOEXEC);
	uint64_t reads = UINT64_C(1) << CAP_DAC_READ_SEARCH;
	int ends[2];
	struct loader_job job = start_stuck(ends);

	(void)state;
	assert_int_equal(status_of(job.pid, "NoNewPrivs:"), 1);
	assert_int_equal(status_of(job.pid, "CapInh:"), 0);
	assert_int_equal(status_of(job.pid, "CapAmb:"), 0);
	assert_int_equal(status_of(job.pid, "CapEff:") & ~reads, 0);
	assert_int_equal(status_of(job.pid, "CapPrm:") & ~reads, 0);
	assert_int_equal(status_of(job.pid, "SigBlk:"), 0);
	assert_int_equal(status_of(job.pid, "SigIgn:"), 0);
	if (is_superuser) {
		assert_int_equal(status_of(job.pid, "CapBnd:") & ~reads, 0);
		/* 0, 1, 2, problems, channel */
		assert_int_equal(descriptors_of(job.pid), 5);
	}
	errno = 0;
	assert_int_equal(loader_take(&job), -1);
	assert_int_equal(errno, EAGAIN);
	assert_true(job.channel >= 0);
	loader_cancel(&job);
	assert_int_equal(job.channel, -1);
	assert_int_equal(waitpid(job.pid, NULL, 0), job.pid);
	close(ends[0]);
	close(ends[1]);
	close(inherited);
}

static void
test_timeout(void **state)
{
	const struct loader_options options = { .policy_path = "policy" };
	int ends[2];
	struct loader_job job = start_stuck(ends);

	(void)state;
	loader_cancel(&job);
	assert_int_equal(waitpid(job.pid, NULL, 0), job.pid);
	/* The pipe is full by now, and stays so. */
	errno = 0;
	assert_int_equal(loader_run(&options, ends[1], 50), -1);
	assert_int_equal(errno, ETIMEDOUT);
	errno = 0;
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	close(ends[0]);
	close(ends[1]);
}

static void
test_async(void **state)
{
	const struct loader_options options = { .policy_path = "policy" };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct loader_job job;
	struct pollfd readable;
	int status = -1;
	int image;
	size_t size;

	(void)state;
	write_file("policy", preface, 0600);
	assert_int_equal(loader_start(&job, &options, null), 0);
	readable = (struct pollfd){ .fd = job.channel, .events = POLLIN };
	assert_int_equal(poll(&readable, 1, TIMEOUT_MS), 1);
	image = loader_take(&job);
	assert_true(image >= 0);
	assert_int_equal(fcntl(image, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(job.channel, -1);
	assert_non_null(memfd_map(image, &size));
	assert_int_equal(waitpid(job.pid, &status, 0), job.pid);
	assert_int_equal(status, 0);
	close(image);
	close(null);
}

/* Sends what no loader would, and takes it. */
static int
take_forged(const char *bytes, size_t length, const int fds[], size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec part = { .iov_base = (char *)(uintptr_t)bytes,
		.iov_len = length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct loader_job job = { .pid = -1 };
	int ends[2];
	int image;

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	job.channel = ends[0];
	if (count > 0) {
		struct cmsghdr *header;

		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	}
	if (length > 0)
		assert_int_equal(
		    sendmsg(ends[1], &message, 0), (ssize_t)length);
	close(ends[1]);
	errno = 0;
	image = loader_take(&job);
	assert_int_equal(job.channel, -1);
	return image;
}

static void
test_forged(void **state)
{
	int sealed = memfd_seal("tcpmuxd-test", "x", 1);
	int open_memory = memfd_create("tcpmuxd-test", MFD_CLOEXEC);
	const int two[] = { sealed, sealed };
	unsigned before = descriptors_of(getpid());
	int image;

	(void)state;
	assert_int_equal(take_forged("", 0, NULL, 0), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(take_forged("b", 1, NULL, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(take_forged("i", 1, NULL, 0), -1);
	assert_int_equal(errno, EPROTO);
	assert_int_equal(take_forged("x", 1, &sealed, 1), -1);
	assert_int_equal(errno, EPROTO);
	assert_int_equal(take_forged("b", 1, &sealed, 1), -1);
	assert_int_equal(errno, EPROTO);
	assert_int_equal(take_forged("ii", 2, &sealed, 1), -1);
	assert_int_equal(errno, EPROTO);
	assert_int_equal(take_forged("i", 1, &open_memory, 1), -1);
	assert_int_equal(errno, EPROTO);
	assert_int_equal(take_forged("i", 1, two, 2), -1);
	assert_int_equal(errno, EPROTO);
	assert_int_equal(descriptors_of(getpid()), before);
	image = take_forged("i", 1, &sealed, 1);
	assert_true(image >= 0);
	close(image);
	close(open_memory);
	close(sealed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_global),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_self),
		cmocka_unit_test(test_refused_to_all),
		cmocka_unit_test(test_refused_to_root),
		cmocka_unit_test(test_refused_to_others),
		cmocka_unit_test(test_parser_user),
		cmocka_unit_test(test_program_warnings),
		cmocka_unit_test(test_program_way),
		cmocka_unit_test(test_policy_trust),
		cmocka_unit_test(test_shared_uid),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_without_system),
		cmocka_unit_test(test_order_and_bound),
		cmocka_unit_test(test_many_services),
		cmocka_unit_test(test_child),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_async),
		cmocka_unit_test(test_forged),
	};

	return cmocka_run_group_tests(tests, make_room, remove_room);
}
