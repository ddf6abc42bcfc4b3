/*
 * sys/spawn: what a started program finds, whatever its parent had open.
 * The program is a shell, which writes what it sees to descriptor 3.
 */
#include "sys/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SHELL "/bin/sh"

/* Starts a shell with these as 4, 5..., and returns what it writes to 3. */
static const char *
output_of(const char *script, const struct spawn *how, const int fds[],
    size_t count, int *status)
{
	static char text[4096];
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct spawn spawn = *how;
	int all[SPAWN_FDS_MAX];
	int ends[2];
	size_t length = 0;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	all[0] = ends[1];
	for (size_t i = 0; i < count; i++)
		all[i + 1] = fds[i];
	spawn.program_fd = open(SHELL, O_RDONLY | O_CLOEXEC);
	assert_true(spawn.program_fd >= 0);
	spawn.argv = argv;
	spawn.fds = all;
	spawn.fd_count = count + 1;

	pid_t pid = spawn_program(&spawn);

	assert_true(pid > 0);
	close(ends[1]);
	close(spawn.program_fd);
	for (;;) {
		ssize_t got =
		    read(ends[0], text + length, sizeof(text) - 1 - length);

		assert_true(got >= 0);
		if (got == 0)
			break;
		length += (size_t)got;
	}
	text[length] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, status, 0), pid);
	return text;
}

static const struct spawn plain = { .stderr_fd = -1 };

static int
file_saying(const char *word)
{
	int fd = memfd_create("word", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, word, strlen(word)), strlen(word));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* The numbers they had are one another's: each must still come right. */
static void
descriptors_change_places(void **state)
{
	int status;
	int low[3];
	int fds[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		const char *const words[] = { "a", "b", "c" };
		int fd = file_saying(words[i]);

		/* Far enough up that nothing of the harness is in the way. */
		low[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		close(fd);
	}
	fds[0] = low[2];
	fds[1] = low[0];
	fds[2] = low[1];
	assert_string_equal(output_of("cat <&4 >&3; cat <&5 >&3; cat <&6 >&3",
				&plain, fds, 3, &status),
	    "cab");
	assert_int_equal(status, 0);
	for (int i = 0; i < 3; i++)
		close(low[i]);
}

static void
nothing_else_is_open(void **state)
{
	int status;
	int open_fds[40];
	const char *found;

	(void)state;
	/* Not even what is not CLOEXEC. */
	for (int i = 0; i < 40; i++)
		open_fds[i] = open("/dev/zero", O_RDONLY);
	/* By built-in commands only: pipes and redirections open more. */
	found = output_of("exec >&3; n=0; while [ $n -lt 80 ]; do "
			  "[ -e /proc/$$/fd/$n ] && echo $n; "
			  "n=$((n + 1)); done",
	    &plain, NULL, 0, &status);
	assert_string_equal(found, "0\n1\n2\n3\n");
	found = output_of("for n in 0 1 2; do "
			  "[ /proc/$$/fd/$n -ef /dev/null ] && set -- $* $n; "
			  "done; exec >&3; echo $*",
	    &plain, NULL, 0, &status);
	assert_string_equal(found, "0 1 2\n");
	for (int i = 0; i < 40; i++)
		close(open_fds[i]);
}

static void
standard_error_can_be_given(void **state)
{
	int status;
	int word = file_saying("loud");
	struct spawn spawn = plain;

	(void)state;
	spawn.stderr_fd = word;
	assert_string_equal(
	    output_of("cat <&2 >&3", &spawn, NULL, 0, &status), "loud");
	close(word);
}

static void
environment_and_signals_are_not_inherited(void **state)
{
	int status;
	sigset_t all;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	assert_string_equal(
	    output_of("cat /proc/$$/environ >&3; "
		      "grep -E '^Sig(Blk|Ign)' /proc/self/status >&3",
		&plain, NULL, 0, &status),
	    "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
	(void)sigprocmask(SIG_UNBLOCK, &all, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
}

static void
a_limit_is_set_in_the_child(void **state)
{
	int status;
	struct spawn spawn = plain;

	(void)state;
	spawn.has_nofile = true;
	spawn.nofile = (struct rlimit){ 33, 33 };
	assert_string_equal(output_of("echo $(ulimit -Sn) $(ulimit -Hn) >&3",
				&spawn, NULL, 0, &status),
	    "33 33\n");
}

/* A parent that has used up its descriptors can still start a worker. */
static void
a_full_table_is_no_obstacle(void **state)
{
	struct rlimit before;
	struct rlimit few;
	const char *const argv[] = { "sh", "-c", "exit 7", NULL };
	int fds[1];
	int status;
	int last = 0;

	(void)state;
	struct spawn spawn = plain;

	spawn.program_fd = open(SHELL, O_RDONLY | O_CLOEXEC);
	spawn.argv = argv;
	spawn.fds = fds;
	spawn.fd_count = 1;
	fds[0] = spawn.program_fd;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){ 64, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (int fd = dup(0); fd >= 0; fd = dup(0))
		last = fd;
	assert_int_equal(errno, EMFILE);

	pid_t pid = spawn_program(&spawn);

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	for (int fd = spawn.program_fd; fd <= last; fd++)
		close(fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static int
refuse(void *context)
{
	(void)context;
	return -1;
}

static void
a_child_that_fails_says_where(void **state)
{
	int status;
	struct spawn spawn = plain;
	const char *const argv[] = { "none", NULL };

	(void)state;
	spawn.prepare = refuse;
	assert_string_equal(
	    output_of("echo here >&3", &spawn, NULL, 0, &status), "");
	assert_int_equal(WEXITSTATUS(status), SPAWN_EXIT_PREPARE);

	spawn = plain;
	spawn.argv = argv;
	spawn.program_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t pid = spawn_program(&spawn);

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), SPAWN_EXIT_EXEC);
	close(spawn.program_fd);
}

static void
too_much_is_an_error(void **state)
{
	struct spawn spawn = plain;

	(void)state;
	spawn.fd_count = SPAWN_FDS_MAX + 1;
	assert_int_equal(spawn_program(&spawn), -1);
	assert_int_equal(errno, EINVAL);
	spawn.fd_count = 0;
	spawn.program_fd = -1;
	assert_int_equal(spawn_program(&spawn), -1);
	assert_int_equal(errno, EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_change_places),
		cmocka_unit_test(nothing_else_is_open),
		cmocka_unit_test(standard_error_can_be_given),
		cmocka_unit_test(environment_and_signals_are_not_inherited),
		cmocka_unit_test(a_limit_is_set_in_the_child),
		cmocka_unit_test(a_full_table_is_no_obstacle),
		cmocka_unit_test(a_child_that_fails_says_where),
		cmocka_unit_test(too_much_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
