/*
 * What a service may use of the machine, as far as tcpmuxd may give it.
 * Trusts the kernel's word for what this process, tcpmuxd's child, may have.
 * Never lets a policy load that a launch would have to refuse.
 */
#include "loader/load.h"

#include <string.h>
#include <unistd.h>

#include <sys/resource.h>

#include <linux/capability.h>

static const struct {
	__rlimit_resource_t resource;
	const char *name, *word;
} limits[IMAGE_RLIMITS] = {
	[IMAGE_RLIMIT_ADDRESS_SPACE] = { RLIMIT_AS, "RLIMIT_AS",
	    "address-space" },
	[IMAGE_RLIMIT_USER_PROCESSES] = { RLIMIT_NPROC, "RLIMIT_NPROC",
	    "user-processes" },
	[IMAGE_RLIMIT_OPEN_FILES] = { RLIMIT_NOFILE, "RLIMIT_NOFILE",
	    "open-files" },
	[IMAGE_RLIMIT_CPU] = { RLIMIT_CPU, "RLIMIT_CPU", "cpu" },
	[IMAGE_RLIMIT_FILE_SIZE] = { RLIMIT_FSIZE, "RLIMIT_FSIZE",
	    "file-size" },
	[IMAGE_RLIMIT_CORE] = { RLIMIT_CORE, "RLIMIT_CORE", "core" },
	[IMAGE_RLIMIT_STACK] = { RLIMIT_STACK, "RLIMIT_STACK", "stack" },
};

static void
check_limit(struct load *load, const struct policy_limits *from,
    enum image_rlimit which)
{
	struct rlimit is;

	if (load_has_capability(load, CAP_SYS_RESOURCE) ||
	    getrlimit(limits[which].resource, &is) != 0 ||
	    from->values[which] <= is.rlim_max)
		return;
	problems_add(&load->problems, PROBLEM_ERROR, from->places[which],
	    "'limit %s' is above the hard limit of tcpmuxd (%s is %ju), and "
	    "tcpmuxd has no CAP_SYS_RESOURCE to raise it",
	    limits[which].word, limits[which].name, (uintmax_t)is.rlim_max);
}

/* As the kernel decides, setpriority(2). */
static void
check_nice(struct load *load, const struct policy_service *from)
{
	const int32_t now = getpriority(PRIO_PROCESS, 0);
	struct rlimit allowed = { .rlim_cur = 0 };

	(void)getrlimit(RLIMIT_NICE, &allowed);
	if (from->nice >= now || load_has_capability(load, CAP_SYS_NICE) ||
	    (rlim_t)(IMAGE_NICE_MAX + 1 - from->nice) <= allowed.rlim_cur)
		return;
	problems_add(&load->problems, PROBLEM_ERROR, from->nice_place,
	    "'nice %d' is below the %d of tcpmuxd, which has neither "
	    "CAP_SYS_NICE nor an RLIMIT_NICE of %d",
	    from->nice, now, IMAGE_NICE_MAX + 1 - from->nice);
}

static void
check_isolation(
    struct load *load, const struct policy_service *from, uint32_t which)
{
	/* In the order of their bits. */
	static const struct {
		const char *word, *path, *limit;
	} kinds[MACHINE_ISOLATIONS] = {
		{ "pid", "/proc/self/ns/pid", "user.max_pid_namespaces" },
		{ "mount", "/proc/self/ns/mnt", "user.max_mnt_namespaces" },
		{ "ipc", "/proc/self/ns/ipc", "user.max_ipc_namespaces" },
		{ "uts", "/proc/self/ns/uts", "user.max_uts_namespaces" },
	};
	const int error = load->options->machine.isolate_errors[which];

	if (access(kinds[which].path, F_OK) != 0)
		problems_add(&load->problems, PROBLEM_ERROR,
		    from->isolate_place,
		    "'isolate %s' needs a kernel that has such namespaces, and "
		    "shows them in %s",
		    kinds[which].word, kinds[which].path);
	else if (error != 0 && load_has_capability(load, CAP_SYS_ADMIN))
		problems_add(&load->problems, PROBLEM_ERROR,
		    from->isolate_place,
		    "'isolate %s': tcpmuxd cannot make such a namespace: %s "
		    "(sysctl %s limits them)",
		    kinds[which].word, strerror(error), kinds[which].limit);
}

static void
load_isolate(struct load *load, const struct policy_service *from,
    struct image_service *to)
{
	to->isolate = from->isolate;
	if (load->options->skips_system || from->isolate == 0)
		return;
	load_need(load, CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "isolate",
	    from->isolate_place);
	for (uint32_t i = 0; i < MACHINE_ISOLATIONS; i++)
		if ((from->isolate >> i & 1) != 0)
			check_isolation(load, from, i);
}

void
load_limits(struct load *load, const struct policy_service *from,
    struct image_service *to)
{
	const bool is_checked = !load->options->skips_system;

	load_isolate(load, from, to);
	load_session_limits(load, from, to);
	to->rlimits_set = from->limits.set & ((1u << IMAGE_RLIMITS) - 1);
	for (uint32_t i = 0; i < IMAGE_RLIMITS; i++) {
		if ((from->limits.set >> i & 1) == 0)
			continue;
		to->rlimits[i] = from->limits.values[i];
		if (is_checked)
			check_limit(load, &from->limits, (enum image_rlimit)i);
	}
	if (!from->has_nice)
		return;
	to->has_nice = 1;
	to->nice = (int8_t)from->nice;
	if (is_checked)
		check_nice(load, from);
}
