/*
 * What a session may use, by its cgroup, as far as there are any for it.
 * Trusts what loader/machine has found out.
 * Never lets a service have more than it is to have, unless it says so.
 */
#include "loader/load.h"

#include <errno.h>
#include <string.h>

static const struct {
	enum policy_limit limit;
	uint8_t bit;
	const char *word;
} of_session[CGROUP_CONTROLLERS] = {
	{ POLICY_LIMIT_MEMORY, IMAGE_SESSION_MEMORY, "memory" },
	{ POLICY_LIMIT_PROCESSES, IMAGE_SESSION_PROCESSES, "processes" },
};

/* What is wrong, and what would have it. */
static const char *
reason_of(int error)
{
	switch (error) {
	case ENOENT:
		return "there is no cgroup v2 where tcpmuxd runs; it has to be "
		       "mounted";
	case EOPNOTSUPP:
		return "that group has no such controller; who starts tcpmuxd "
		       "has to delegate it (systemd: 'Delegate=memory pids')";
	case EBUSY:
		return "other processes are in that group, which has to be "
		       "tcpmuxd's own from its start (systemd: "
		       "'Delegate=memory pids')";
	default:
		return strerror(error);
	}
}

static void
complain_of_session(
    struct load *load, const struct policy_service *from, uint32_t which)
{
	const struct machine *machine = &load->options->machine;
	const char *group = machine->group;

	problems_add(&load->problems, PROBLEM_ERROR,
	    from->limits.places[of_session[which].limit],
	    "'limit %s' needs the controller '%s' of cgroup v2%s%s: %s; with "
	    "'if-available' it does without",
	    of_session[which].word, cgroup_controller_name(which),
	    group[0] == '\0' ? "" : " in ", group,
	    reason_of(machine->controller_errors[which]));
}

/* Whether sessions are to be held to it. */
static bool
can_have(struct load *load, const struct policy_service *from, uint32_t which)
{
	const enum policy_limit limit = of_session[which].limit;

	if ((from->limits.set >> limit & 1) == 0)
		return false;
	if (load->options->skips_system ||
	    load->options->machine.controller_errors[which] == 0) {
		load->build.global.limited |= of_session[which].bit;
		return true;
	}
	if ((from->limits.if_available >> limit & 1) != 0)
		load->build.global.missing |= of_session[which].bit;
	else
		complain_of_session(load, from, which);
	return false;
}

/* An init of ours is none of the service's processes, but in its group. */
void
load_session_limits(struct load *load, const struct policy_service *from,
    struct image_service *to)
{
	const uint32_t init = (from->isolate & IMAGE_ISOLATE_PID) != 0;

	if (can_have(load, from, 0))
		to->memory = from->limits.values[POLICY_LIMIT_MEMORY];
	if (can_have(load, from, 1))
		to->processes = init +
		    (uint32_t)from->limits.values[POLICY_LIMIT_PROCESSES];
}
