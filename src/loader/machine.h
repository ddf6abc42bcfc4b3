#ifndef LOADER_MACHINE_H
#define LOADER_MACHINE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "sys/cgroup_limit.h"

/* Of IMAGE_ISOLATE_*, by the numbers of their bits. */
#define MACHINE_ISOLATIONS 4u

/*
 * What this machine and tcpmuxd's own process can do for a service: errno of
 * what stands in the way, or 0.
 */
struct machine {
	int network_error; /* of an empty network namespace */
	int landlock_tcp_error; /* of Landlock's rules for TCP */
	int proc_error; /* of /proc, which shows what is open */
	/*
	 * Of each controller for sessions' cgroups. ENOENT: there is no cgroup
	 * v2; EOPNOTSUPP: not in the group; EBUSY: others are in it, too.
	 */
	int controller_errors[CGROUP_CONTROLLERS];
	char group[PATH_MAX]; /* where they would be; empty: nowhere */
	int isolate_errors[MACHINE_ISOLATIONS]; /* of a namespace; if root */
	/* What nothing can undo, and what tcpmuxd starts has as well. */
	uint64_t bounding; /* all that root can have after exec */
	bool has_no_new_privileges; /* nor more than it had before */
	bool is_root_nobody; /* SECBIT_NOROOT: nothing at all */
};

/*
 * Tries it, with the rights that tcpmuxd has: a child that ends at once makes
 * the namespace. is_to_serve and group_fd are struct loader_options'.
 */
void machine_look(struct machine *machine, bool is_to_serve, int group_fd);

#endif
