#ifndef LAUNCHER_CHILD_H
#define LAUNCHER_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "launcher/base.h"
#include "launcher/plan.h"

/*
 * The steps of a launch, taken in the child in the order of launch.c's
 * table. All are async-signal-safe and return 0, or -1 with errno: the child
 * then ends. Each makes sure that it has taken effect wherever the kernel
 * can be asked.
 */

/* Where the status pipe is once the descriptors are in their places. */
#define CHILD_STATUS_FD 3

struct child {
	const struct base *base;
	const struct plan *plan;
	uint64_t session;
	int socket_fd; /* owned, like the other two; 0 once in its place */
	int status_fd;
	int stderr_fd; /* -1 unless the service has a pipe */
	struct ruleset files; /* what it may use of them; fd -1: no matter */
	int cgroup_fd; /* -1 if the session has none */
	bool is_born_there; /* or has to go */
};

/* place.c: what it inherits, and where it is. */
int child_announce(struct child *child);
int child_enter_cgroup(struct child *child);
int child_lead_session(struct child *child);
int child_reset_signals(struct child *child);
int child_place_descriptors(struct child *child);
int child_reset_socket(struct child *child);
int child_set_umask(struct child *child);
int child_change_root(struct child *child);
int child_change_directory(struct child *child);
/* The program check opens files, and not behind any of ours. */
int child_drop_tools(struct child *child);

/* isolate.c: namespaces, and what is mounted in them. */
/* Which ones the launcher itself is in: a step of its own. */
int isolate_remember(struct base *base);
/* What its clone takes to have a pid namespace, or 0. */
unsigned isolate_clone_flags(const struct child *child);
int child_enter_namespaces(struct child *child);
int child_mount_own(struct child *child);

/*
 * init.c: the process that took all steps so far goes on as the init of its
 * pid namespace, if it has one, and a child of it returns from here.
 */
int child_leave_init(struct child *child);

/* limits.c: what it may use of the machine. */
int child_set_nice(struct child *child);
/* All but the two that come late. */
int child_set_limits(struct child *child);
/* Before setresuid it could make execve fail. */
int child_limit_processes(struct child *child);
/* Before, it would have to count the descriptors of ours. */
int child_limit_files(struct child *child);

/* become.c: who it is, and what it may do. */
int child_set_groups(struct child *child);
int child_set_gid(struct child *child);
int child_cut_bounding_set(struct child *child);
int child_lock_root(struct child *child);
int child_set_uid(struct child *child);
int child_cut_capabilities(struct child *child);
int child_verify(struct child *child);
int child_refuse_privileges(struct child *child);
int child_choose_files(struct child *child);
int child_enter_domain(struct child *child);

/* filter.c: what it may call. */
int child_enter_filters_first(struct child *child);
int child_enter_filters(struct child *child);

/* program.c: whether execve would do. */
int child_check_program(struct child *child);

#endif
