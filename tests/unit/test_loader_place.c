/*
 * Where a service is put and what it may use: root directories that could be
 * changed, and more than tcpmuxd itself has, are no policy.
 */
#include "loading.h"

#include <sched.h>

#include <linux/securebits.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* What only the owner of the machine may change, and what is in it. */
static void
test_root_directory(void **state)
{
	static const struct {
		const char *lines, *problem;
	} rows[] = {
		{ "exec /bin/cat\n\tchroot %s/none",
		    "/none as the root directory: No such file or "
		    "directory\n" },
		{ "exec /bin/cat\n\tchroot %s/jail/in",
		    "/jail/in as the root directory: not a directory\n" },
		{ "exec /bin/cat\n\tchroot %s/open",
		    "/open can be written to by others than its owner" },
		{ "exec /bin/cat\n\tchroot %s/theirs",
		    "/theirs belongs to uid 65533" },
		{ "exec /bin/cat\n\tchroot %s/open/inner",
		    "/open can be written to by others than its owner" },
		{ "exec /bin/cat\n\tchroot %s/jail",
		    "/jail: /bin: No such file or directory\n" },
		{ "exec /out\n\tchroot %s/jail",
		    "cannot use program /out inside " },
		{ "exec /in\n\tchdir /etc\n\tchroot %s/jail",
		    "cannot use directory /etc inside " },
		{ "exec /in\n\tchdir /in\n\tchroot %s/jail",
		    "/jail: not a directory\n" },
		{ "exec /in\n\tchroot %s/jail", NULL },
		{ "exec /up\n\tchroot %s/jail", NULL },
		{ "exec /../in\n\tchdir /sub\n\tchroot %s/jail", NULL },
		{ "exec /bin/cat\n\tchroot /", NULL },
	};
	char lines[512], text[768];

	(void)state;
	if (!is_superuser)
		skip();
	assert_int_equal(chmod(room, 0755), 0);
	assert_int_equal(mkdir("jail", 0755), 0);
	assert_int_equal(mkdir("jail/sub", 0700), 0);
	assert_int_equal(mkdir("open", 0777), 0);
	assert_int_equal(chmod("open", 0777), 0);
	assert_int_equal(mkdir("open/inner", 0755), 0);
	assert_int_equal(mkdir("theirs", 0755), 0);
	assert_int_equal(chown("theirs", FOREIGNER, 0), 0);
	write_file("jail/in", "#!/none\n", 0755);
	assert_int_equal(symlink("/bin/cat", "jail/out"), 0);
	assert_int_equal(symlink("../../in", "jail/up"), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(lines, sizeof(lines), rows[i].lines, room);
		snprintf(text, sizeof(text),
		    "service a {\n\tallow any\n\t%%s\n\t%s\n}\n", lines);
		load_text_of(text);
		if (rows[i].problem == NULL)
			expect_loaded("");
		else
			expect_problem(rows[i].problem);
	}
}

/* As in a process that has less than this one, for good. */
static void
with_less(void (*lose)(void), const char *line, const char *problem)
{
	char text[256];
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		lose();
		snprintf(
		    text, sizeof(text), SERVICE("a", "\t%%s\n\t%s\n"), line);
		load_text_of(text);
		if (problem == NULL ? result.is_loaded
				    : !result.is_loaded &&
			    strstr(result.problems, problem) != NULL)
			_exit(0);
		fprintf(stderr, "%s: %s\n", line, result.problems);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
lose_capabilities(void)
{
	const struct rlimit files = { .rlim_cur = 100, .rlim_max = 100 };
	const int what = CAPNG_EFFECTIVE | CAPNG_PERMITTED;

	if (setrlimit(RLIMIT_NOFILE, &files) != 0 ||
	    setpriority(PRIO_PROCESS, 0, 7) != 0 ||
	    capng_get_caps_process() != 0)
		_exit(2);
	if (is_superuser &&
	    (capng_updatev(CAPNG_DROP, what, CAP_SYS_NICE, CAP_SYS_RESOURCE,
		 CAP_SYS_CHROOT, CAP_SYS_ADMIN, -1) != 0 ||
		capng_apply(CAPNG_SELECT_CAPS) != 0))
		_exit(2);
}

/* The other processes of the kernel's user are asked for nothing here. */
static void
lose_nothing(void)
{
	const struct rlimit files = { .rlim_cur = 100, .rlim_max = 100 };

	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		_exit(2);
}

/* As of a kernel that has none. */
static void
lose_proc(void)
{
	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", "/proc", "tmpfs", 0, NULL) != 0)
		_exit(2);
}

static void
test_more_than_tcpmuxd_has(void **state)
{
	(void)state;
	with_less(lose_capabilities, "limit open-files 101",
	    "policy:14:8: 'limit open-files' is above the hard limit of "
	    "tcpmuxd (RLIMIT_NOFILE is 100), and tcpmuxd has no "
	    "CAP_SYS_RESOURCE to raise it\n");
	with_less(lose_capabilities, "limit open-files 100", NULL);
	with_less(lose_capabilities, "limit core 0", NULL);
	with_less(lose_capabilities, "nice 4",
	    "policy:14:7: 'nice 4' is below the 7 of tcpmuxd, which has "
	    "neither CAP_SYS_NICE nor an RLIMIT_NICE of 16\n");
	with_less(lose_capabilities, "nice -20",
	    "'nice -20' is below the 7 of tcpmuxd, which has neither "
	    "CAP_SYS_NICE nor an RLIMIT_NICE of 40\n");
	with_less(lose_capabilities, "nice 7", NULL);
	if (!is_superuser)
		return;
	with_less(lose_capabilities, "chroot /usr\n\tchdir /",
	    "policy:14:9: 'chroot' needs CAP_SYS_CHROOT, which tcpmuxd does "
	    "not have\n");
	with_less(lose_nothing, "nice -20", NULL);
	with_less(lose_nothing, "isolate pid uts", NULL);
	with_less(lose_capabilities, "isolate uts",
	    "policy:14:10: 'isolate' needs CAP_SYS_ADMIN, which tcpmuxd does "
	    "not have\n");
	with_less(lose_proc, "isolate ipc",
	    "policy:14:10: 'isolate ipc' needs a kernel that has such "
	    "namespaces, and shows them in /proc/self/ns/ipc\n");
}

static void
lose_capability(unsigned capability)
{
	const int what = CAPNG_EFFECTIVE | CAPNG_PERMITTED;

	if (capng_get_caps_process() != 0 ||
	    capng_update(CAPNG_DROP, what, capability) != 0 ||
	    capng_apply(CAPNG_SELECT_CAPS) != 0)
		_exit(2);
}

static void
lose_setuid(void)
{
	lose_capability(CAP_SETUID);
}

static void
lose_setgid(void)
{
	lose_capability(CAP_SETGID);
}

static void
lose_setpcap(void)
{
	lose_capability(CAP_SETPCAP);
}

static void
lose_sys_admin(void)
{
	lose_capability(CAP_SYS_ADMIN);
}

static void
lose_root(void)
{
	if (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT) != 0)
		_exit(2);
}

static void
lose_new_privileges(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		_exit(2);
}

/* What it still has itself, nobody that it starts can. */
static void
lose_kill_by_exec(void)
{
	if (prctl(PR_CAPBSET_DROP, CAP_KILL, 0, 0, 0) != 0)
		_exit(2);
}

static void
test_rights_that_tcpmuxd_lacks(void **state)
{
	static const struct {
		void (*lose)(void);
		const char *line, *problem;
	} rows[] = {
		{ lose_setuid, "umask 022",
		    "policy:13:7: 'user' needs CAP_SETUID, which tcpmuxd does "
		    "not have\n" },
		{ lose_setgid, "umask 022",
		    "policy:13:7: 'user' needs CAP_SETGID, " },
		{ lose_setgid, "group daemon",
		    "policy:14:8: 'group' needs CAP_SETGID, " },
		{ lose_setgid, "group daemon\n\tgroups bin",
		    "policy:15:9: 'groups' needs CAP_SETGID, " },
		{ lose_setpcap, "umask 022",
		    "policy:13:7: 'user' needs CAP_SETPCAP, " },
		{ lose_setpcap, "new-privileges", NULL },
		{ lose_root, "umask 022",
		    "policy:13:7: 'user': tcpmuxd was started with the "
		    "securebit noroot " },
		{ lose_sys_admin, "new-privileges",
		    "policy:14:2: 'new-privileges' needs 'syscalls any' and "
		    "'network any', or CAP_SYS_ADMIN, which " },
		{ lose_sys_admin, "new-privileges\n\tsyscalls any", NULL },
		{ lose_new_privileges, "umask 022", NULL },
		{ lose_new_privileges, "new-privileges",
		    "policy:14:2: 'new-privileges': tcpmuxd was started with "
		    "no_new_privs (systemd: 'NoNewPrivileges='), which " },
		{ lose_new_privileges, "capabilities setuid kill",
		    "policy:14:22: 'capabilities kill': tcpmuxd was started "
		    "with no_new_privs (systemd: 'NoNewPrivileges='), and so "
		    "gives none that it does not keep for itself\n" },
		{ lose_kill_by_exec, "capabilities setuid kill",
		    "policy:14:22: 'capabilities kill': tcpmuxd's bounding set "
		    "lacks it (systemd: 'CapabilityBoundingSet=')\n" },
		{ lose_kill_by_exec, "capabilities all", NULL },
	};

	(void)state;
	if (!is_superuser)
		skip();
	for (size_t i = 0; i < COUNT(rows); i++)
		with_less(rows[i].lose, rows[i].line, rows[i].problem);
}

/* In a user namespace, which has limits of its own. */
static void
lose_uts(void)
{
	static const char limit[] = "/proc/sys/user/max_uts_namespaces";
	int fd;

	if (unshare(CLONE_NEWUSER) != 0 || namespace_map_ids(0, 0) != 0)
		_exit(0);
	fd = open(limit, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(2);
	close(fd);
}

static void
test_namespaces_that_cannot_be_made(void **state)
{
	(void)state;
	if (!is_superuser)
		skip();
	with_less(lose_uts, "isolate pid mount ipc", NULL);
	with_less(lose_uts, "isolate ipc uts",
	    "policy:14:10: 'isolate uts': tcpmuxd cannot make such a "
	    "namespace: No space left on device (sysctl "
	    "user.max_uts_namespaces limits them)\n");
}

/* As in a container that may write to little. */
static void
lose_writing(void)
{
	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", "/dev/shm", "tmpfs", 0, NULL) != 0 ||
	    mkdir("/dev/shm/d", 0755) != 0 ||
	    mknod("/dev/shm/f", S_IFREG | 0644, 0) != 0 ||
	    mknod("/dev/shm/null", S_IFCHR | 0666, makedev(1, 3)) != 0 ||
	    mount(NULL, "/dev/shm", NULL, MS_REMOUNT | MS_RDONLY, NULL) != 0)
		_exit(2);
}

static void
test_files_that_nobody_can_write(void **state)
{
	static const struct {
		const char *line, *problem;
	} rows[] = {
		{ "filesystem write /dev /dev/shm",
		    "policy:14:24: 'filesystem write /dev/shm': it is on a "
		    "file system that is mounted read-only, as tcpmuxd sees "
		    "it; if that may change, end the line in "
		    "'if-available'\n" },
		{ "filesystem write /dev/shm/d",
		    "policy:14:19: 'filesystem write /dev/shm/d': it is on " },
		{ "filesystem write /dev/shm/f",
		    "policy:14:19: 'filesystem write /dev/shm/f': it is on " },
		{ "isolate mount\n\tfilesystem write /dev/shm/d",
		    "policy:15:19: 'filesystem write /dev/shm/d': it is on " },
		{ "chroot /dev\n\tchdir /shm\n\tfilesystem write /shm",
		    "policy:16:19: 'filesystem write /shm': it is on " },
		{ "filesystem write /dev/shm if-available", NULL },
		{ "filesystem read /dev/shm", NULL },
		{ "filesystem write /dev/shm/null", NULL },
		/* That of each session is its own. */
		{ "isolate mount\n\tfilesystem write /dev/shm", NULL },
	};

	(void)state;
	if (!is_superuser || landlock_abi() <= 0)
		skip();
	for (size_t i = 0; i < COUNT(rows); i++)
		with_less(lose_writing, rows[i].line, rows[i].problem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root_directory),
		cmocka_unit_test(test_more_than_tcpmuxd_has),
		cmocka_unit_test(test_rights_that_tcpmuxd_lacks),
		cmocka_unit_test(test_namespaces_that_cannot_be_made),
		cmocka_unit_test(test_files_that_nobody_can_write),
	};

	return cmocka_run_group_tests(tests, make_room, remove_room);
}
