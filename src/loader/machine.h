#ifndef LOADER_MACHINE_H
#define LOADER_MACHINE_H

#include <limits.h>
#include <stdbool.h>

#include "sys/cgroup_limit.h"

/*
 * What this machine and tcpmuxd's own process can do for a service: errno of
 * what stands in the way, or 0. All zero is a machine that can do everything.
 */
struct machine {
	int network_error; /* of an empty network namespace */
	int landlock_tcp_error; /* of Landlock's rules for TCP */
	/*
	 * Of each controller for sessions' cgroups. ENOENT: there is no cgroup
	 * v2; EOPNOTSUPP: not in the group; EBUSY: others are in it, too.
	 */
	int controller_errors[CGROUP_CONTROLLERS];
	char group[PATH_MAX]; /* where they would be; empty: nowhere */
};

/*
 * Tries it, with the rights that tcpmuxd has: a child that ends at once makes
 * the namespace. is_to_serve and group_fd are struct loader_options'.
 */
void machine_look(struct machine *machine, bool is_to_serve, int group_fd);

#endif
