/*
 * A launch's limits: how the service is scheduled, and how much it may use.
 * Trusts the image's numbers to be in range, and no call to have taken them.
 * Never changes what the policy does not name, but for core dumps: the loader
 * always names those.
 */
#include "launcher/child.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include <sys/resource.h>

static const __rlimit_resource_t resources[IMAGE_RLIMITS] = {
	[IMAGE_RLIMIT_ADDRESS_SPACE] = RLIMIT_AS,
	[IMAGE_RLIMIT_USER_PROCESSES] = RLIMIT_NPROC,
	[IMAGE_RLIMIT_OPEN_FILES] = RLIMIT_NOFILE,
	[IMAGE_RLIMIT_CPU] = RLIMIT_CPU,
	[IMAGE_RLIMIT_FILE_SIZE] = RLIMIT_FSIZE,
	[IMAGE_RLIMIT_CORE] = RLIMIT_CORE,
	[IMAGE_RLIMIT_STACK] = RLIMIT_STACK,
};

static int
refuse(void)
{
	errno = EPERM;
	return -1;
}

int
child_set_nice(struct child *child)
{
	const struct image_service *service = child->plan->service;

	if (service->has_nice == 0)
		return 0;
	if (setpriority(PRIO_PROCESS, 0, service->nice) != 0)
		return -1;
	errno = 0; /* -1 is a priority, too */
	if (getpriority(PRIO_PROCESS, 0) != service->nice)
		return errno != 0 ? -1 : refuse();
	return 0;
}

static bool
is_set(const struct child *child, enum image_rlimit which)
{
	return (child->plan->service->rlimits_set >> which & 1) != 0;
}

/* The soft one is the hard one: a service cannot give itself more. */
static int
set_limit(const struct child *child, enum image_rlimit which)
{
	const rlim_t value = child->plan->service->rlimits[which];
	const struct rlimit limit = { .rlim_cur = value, .rlim_max = value };
	struct rlimit is;

	if (setrlimit(resources[which], &limit) != 0 ||
	    getrlimit(resources[which], &is) != 0)
		return -1;
	if (is.rlim_cur != value || is.rlim_max != value)
		return refuse();
	return 0;
}

/* Both would get into the way of the steps between. */
static bool
is_late(enum image_rlimit which)
{
	return which == IMAGE_RLIMIT_USER_PROCESSES ||
	    which == IMAGE_RLIMIT_OPEN_FILES;
}

/* More than there is takes a capability that the child does not keep. */
static int
raise_limit(const struct child *child, enum image_rlimit which)
{
	struct rlimit is;

	if (getrlimit(resources[which], &is) != 0)
		return -1;
	if (is.rlim_max >= child->plan->service->rlimits[which])
		return 0;
	return set_limit(child, which);
}

int
child_set_limits(struct child *child)
{
	for (int i = 0; i < IMAGE_RLIMITS; i++) {
		const enum image_rlimit which = (enum image_rlimit)i;

		if (!is_set(child, which))
			continue;
		if ((is_late(which) ? raise_limit(child, which)
				    : set_limit(child, which)) != 0)
			return -1;
	}
	return 0;
}

int
child_limit_processes(struct child *child)
{
	if (!is_set(child, IMAGE_RLIMIT_USER_PROCESSES))
		return 0;
	return set_limit(child, IMAGE_RLIMIT_USER_PROCESSES);
}

int
child_limit_files(struct child *child)
{
	if (!is_set(child, IMAGE_RLIMIT_OPEN_FILES))
		return 0;
	return set_limit(child, IMAGE_RLIMIT_OPEN_FILES);
}
