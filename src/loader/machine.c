/*
 * What the machine lacks, found out by trying before the loader has given up
 * the rights that it takes.
 * Never keeps anything of what it tries.
 */
#include "loader/machine.h"

#include <errno.h>
#include <unistd.h>

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

void
machine_look(struct machine *machine)
{
	machine->network_error = namespace_try_network();
	machine->landlock_tcp_error = try_landlock(machine);
}
