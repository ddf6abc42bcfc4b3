/*
 * Starts one parser as the parent would and says how it ended:
 *   room-start [-f CALL[,ARG]...=ERRNO]... [-n INDEX=PATH]...
 *       PROGRAM ROOM UID GID CHANNEL_FD NAMES_FD STATUS_FD
 * -f: in the parser this system call (with these first arguments, - is any)
 * returns that error; 0 makes it lie: it says that it was done, and does
 * nothing. -n: the namespace of that index is this file instead. Prints
 * "pid N", then "exit N" or "signal N".
 */
#include "sys/room.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS 4u

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "room-start: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int
number(const char *text)
{
	return (int)strtol(text, NULL, 0);
}

static void
add_failure(scmp_filter_ctx filter, const char *text)
{
	struct scmp_arg_cmp same[ARGUMENTS];
	unsigned count = 0;
	char call[64];
	const char *at = text;
	const char *failure = strchr(text, '=');

	for (unsigned i = 0; i < ARGUMENTS; i++) {
		at = strchr(at, ',');
		if (at == NULL)
			break;
		if (*++at != '-')
			same[count++] = (struct scmp_arg_cmp){ .arg = i,
				.op = SCMP_CMP_MASKED_EQ,
				.datum_a = UINT32_MAX,
				.datum_b = strtoul(at, NULL, 10) };
	}
	if (failure == NULL || sscanf(text, "%63[^,=]", call) != 1 ||
	    seccomp_rule_add_array(filter,
		SCMP_ACT_ERRNO((unsigned)number(failure + 1)),
		seccomp_syscall_resolve_name(call), count, same) != 0)
		die(text);
}

static void
replace_namespace(struct room *room, const char *text)
{
	const char *path = strchr(text, '=');
	int index = number(text);

	if (path == NULL || index < 0 || index >= ROOM_NAMESPACES)
		die(text);
	close(room->namespaces[index]);
	room->namespaces[index] = open(path + 1, O_RDONLY | O_CLOEXEC);
	if (room->namespaces[index] < 0)
		die(text);
}

static int
report(pid_t parser)
{
	int status;

	printf("pid %d\n", parser);
	fflush(stdout);
	if (waitpid(parser, &status, 0) != parser)
		die("waitpid");
	if (WIFSIGNALED(status))
		printf("signal %d\n", WTERMSIG(status));
	else
		printf("exit %d\n", WEXITSTATUS(status));
	return 0;
}

int
main(int argc, char *argv[])
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	const char *replaced[ROOM_NAMESPACES] = { NULL };
	size_t replacements = 0;
	bool is_failing = false;
	enum room_kind kind;
	struct room room;
	int option;

	while ((option = getopt(argc, argv, "f:n:")) != -1) {
		if (option == 'f') {
			add_failure(filter, optarg);
			is_failing = true;
		} else if (option == 'n' && replacements < ROOM_NAMESPACES) {
			replaced[replacements++] = optarg;
		} else {
			exit(2);
		}
	}
	argv += optind;
	if (argc - optind != 7 || !room_from_word(&kind, argv[1]))
		exit(2);
	int program = open(argv[0], O_RDONLY | O_CLOEXEC);

	if (program < 0)
		die(argv[0]);
	/* As the parent is: its child may not write its own uid_map then. */
	if (prctl(PR_SET_DUMPABLE, 0) != 0)
		die("prctl");
	if (room_prepare(&room, kind) != 0)
		die("room_prepare");
	for (size_t i = 0; i < replacements; i++)
		replace_namespace(&room, replaced[i]);
	/* Root needs no no_new_privs for this, which the parser would keep. */
	if (seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) != 0 ||
	    (is_failing && seccomp_load(filter) != 0))
		die("seccomp");
	seccomp_release(filter);

	pid_t parser = room_spawn(&room, program, number(argv[4]),
	    number(argv[5]), number(argv[6]), (uid_t)number(argv[2]),
	    (gid_t)number(argv[3]));

	if (parser < 0)
		die("room_spawn");
	/* Only the parser's copies shall keep the ends open. */
	close(number(argv[4]));
	close(number(argv[6]));
	return report(parser);
}
