/*
 * Whether `network none` can be had, whole.
 * Trusts what loader/machine has found out.
 * Never lets a service have less than it is to have, unless it says so.
 */
#include "loader/load.h"

#include <errno.h>
#include <string.h>

/* What holds it beside the filter, and what would have it. */
static const struct {
	uint8_t wall;
	const char *what;
} walls[] = {
	{ IMAGE_WALL_NAMESPACE,
	    "an empty network namespace (Linux with CONFIG_NET_NS; root with "
	    "CAP_SYS_ADMIN, others with user namespaces)" },
	{ IMAGE_WALL_LANDLOCK,
	    "Landlock's rules for TCP (Linux 6.7, and CAP_SYS_ADMIN for root)" },
};

static int
error_of(const struct load *load, uint8_t wall)
{
	const struct machine *machine = &load->options->machine;

	if (load->options->skips_system)
		return 0;
	return wall == IMAGE_WALL_NAMESPACE ? machine->network_error
					    : machine->landlock_tcp_error;
}

void
load_network(struct load *load, const struct policy_service *from)
{
	if (from->network != IMAGE_NETWORK_NONE)
		return;
	for (size_t i = 0; i < sizeof(walls) / sizeof(walls[0]); i++) {
		const int error = error_of(load, walls[i].wall);

		if (error == 0)
			load->build.global.walls |= walls[i].wall;
		else if (!from->is_network_if_available)
			problems_add(&load->problems, PROBLEM_ERROR,
			    from->network_place,
			    "'network none' needs %s: %s; with "
			    "'if-available' it does without",
			    walls[i].what, strerror(error));
	}
}
