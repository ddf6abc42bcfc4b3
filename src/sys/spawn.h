#ifndef SYS_SPAWN_H
#define SYS_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

/* As many descriptors as a program can be given. */
#define SPAWN_FDS_MAX 16

/* Where the descriptors that a program is given begin. */
#define SPAWN_FIRST_FD 3

/* Exit statuses of a child that never became the program. */
#define SPAWN_EXIT_PREPARE 126
#define SPAWN_EXIT_EXEC 127

/*
 * A program of ours to be started. Everything stays the caller's; pointers
 * must be good until spawn_program returns, no longer.
 */
struct spawn {
	int program_fd; /* executed by execveat(2), AT_EMPTY_PATH */
	const char *const *argv; /* ends with NULL */
	const int *fds; /* become 3, 4, 5... in the program */
	size_t fd_count; /* <= SPAWN_FDS_MAX */
	int stderr_fd; /* becomes 2; -1: /dev/null */
	unsigned long clone_flags; /* of clone(2), without the signal */
	bool has_nofile;
	struct rlimit nofile; /* set in the child, if has_nofile */
	/* In the child, before exec; or NULL. Not 0: the child ends. */
	int (*prepare)(void *context);
	void *context;
};

/*
 * Starts it: an ordinary clone (never vfork, never clone3, which some
 * containers refuse), then in the child: dies with its parent
 * (PR_SET_PDEATHSIG), signals to their defaults and none blocked, 0 and 1
 * /dev/null, every descriptor not listed closed by the exec, prepare, exec
 * with an empty environment. Returns the pid, or -1 with errno (clone's, or
 * EINVAL). A child that fails on the way exits with one of the statuses
 * above; the caller learns of it by waiting.
 */
pid_t spawn_program(const struct spawn *spawn);

/*
 * Every signal to its default, none blocked: for a child between clone and
 * exec, or one that goes on as our own program. Returns 0, or -1 with errno.
 */
int spawn_reset_signals(void);

#endif
