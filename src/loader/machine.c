/*
 * What the machine lacks, found out by trying before the loader has given up
 * the rights that it takes.
 * Never keeps anything of what it tries.
 */
#include "loader/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/securebits.h>

#include "sys/cgroup.h"
#include "sys/drop.h"
#include "sys/fd.h"
#include "sys/landlock.h"
#include "sys/namespace.h"

/*
 * A launcher of root's that keeps the way to new privileges open enters a
 * domain by CAP_SYS_ADMIN, as it would a namespace; so root with neither is
 * taken to have neither. All others have no_new_privs.
 */
static int
try_landlock(const struct machine *machine)
{
	if (landlock_abi() < LANDLOCK_ABI_TCP)
		return EOPNOTSUPP;
	return geteuid() == 0 ? machine->network_error : 0;
}

/* Its path, cut if it is too long: it is for people. */
static void
name_group(struct machine *machine, int group_fd)
{
	char link[64];
	ssize_t length;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", group_fd);
	length = readlink(link, machine->group, sizeof(machine->group) - 1);
	machine->group[length < 0 ? 0 : length] = '\0';
}

/*
 * Of who only asks it is not known where it will serve. systemd has commands
 * of a unit (ExecReload=) in a group beside the one that is the unit's.
 */
static int
leave_control_group(struct machine *machine, int group_fd)
{
	static const char control[] = "/.control";
	const size_t end = strlen(control), length = strlen(machine->group);
	int above_fd;

	if (length <= end ||
	    strcmp(machine->group + length - end, control) != 0)
		return group_fd;
	machine->group[length - end] = '\0';
	above_fd = openat(group_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd_close(&group_fd);
	return above_fd;
}

/* What stands in the way of handing any down. */
static int
try_group(int group_fd, bool is_made)
{
	const int how = AT_EACCESS;

	/* No more can be made there once rights are given up, nor need be. */
	if (!is_made && faccessat(group_fd, ".", W_OK | X_OK, how) != 0)
		return errno;
	if (faccessat(group_fd, "cgroup.subtree_control", W_OK, how) != 0)
		return errno;
	return 0;
}

/* The kernel takes no other word for it than the deed, which is the parent's.
 */
static int
try_controller(int group_fd, unsigned controller, bool is_to_serve)
{
	if ((cgroup_controllers(group_fd) & controller) == 0)
		return EOPNOTSUPP;
	if (!is_to_serve || cgroup_is_root(group_fd) ||
	    (cgroup_handed_down(group_fd) & controller) != 0)
		return 0;
	return cgroup_has_others(group_fd, getppid(), getpid()) ? EBUSY : 0;
}

static void
look_at_groups(struct machine *machine, bool is_to_serve, int made_fd)
{
	int fd = made_fd < 0 ? cgroup_open_own()
			     : fcntl(made_fd, F_DUPFD_CLOEXEC, 0);
	int error = fd < 0 ? errno : 0;

	if (fd >= 0)
		name_group(machine, fd);
	if (fd >= 0 && !is_to_serve)
		fd = leave_control_group(machine, fd);
	for (uint32_t i = 0; i < CGROUP_CONTROLLERS; i++) {
		int *found = &machine->controller_errors[i];

		*found = error != 0 ? error
				    : try_controller(fd, 1u << i, is_to_serve);
		if (*found == 0)
			*found = try_group(fd, made_fd >= 0);
	}
	fd_close(&fd);
}

/* All at once, as that is what nearly all machines can. */
static void
try_isolation(struct machine *machine)
{
	static const int kinds[MACHINE_ISOLATIONS] = { CLONE_NEWPID,
		CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUTS };
	int all = 0;

	for (uint32_t i = 0; i < MACHINE_ISOLATIONS; i++)
		all |= kinds[i];
	if (geteuid() != 0 || namespace_try(all) == 0)
		return;
	for (uint32_t i = 0; i < MACHINE_ISOLATIONS; i++)
		machine->isolate_errors[i] = namespace_try(kinds[i]);
}

static void
look_at_rights(struct machine *machine)
{
	unsigned securebits = 0;

	(void)drop_get_securebits(&securebits);
	machine->is_root_nobody = (securebits & SECBIT_NOROOT) != 0;
	machine->has_no_new_privileges = drop_verify_can_gain() != 0;
	machine->bounding = drop_get_bounding();
}

void
machine_look(struct machine *machine, bool is_to_serve, int group_fd)
{
	machine->network_error = namespace_try_network();
	machine->landlock_tcp_error = try_landlock(machine);
	machine->proc_error = access("/proc/self/fd", F_OK) == 0 ? 0 : errno;
	look_at_groups(machine, is_to_serve, is_to_serve ? group_fd : -1);
	try_isolation(machine);
	look_at_rights(machine);
}
