/*
 * Filters of system calls: the image's programs, entered one by one.
 * Trusts the loader for what is in them; that they refuse is tried.
 * Never uses libseccomp, which allocates.
 */
#include "launcher/filter.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#include <sys/syscall.h>

#include "launcher/child.h"
#include "sys/filter.h"

/* Makes no new namespace, so everybody may; both profiles refuse it. */
static bool
is_unshare_refused(void)
{
	return syscall(SYS_unshare, 0) == -1 && errno == EPERM;
}

/* Of no socket at all: EBADF, if it came to the kernel. */
static bool
is_listen_refused(void)
{
	return syscall(SYS_listen, -1, 0) == -1 && errno == EPERM;
}

/* In the order in which they can be entered: stdio refuses that, too. */
static const struct {
	enum image_filter filter;
	bool (*is_refusing)(void);
} programs[] = {
	{ IMAGE_FILTER_OFFLINE, is_listen_refused },
	{ IMAGE_FILTER_DEFAULT, is_unshare_refused },
	{ IMAGE_FILTER_STDIO, is_unshare_refused },
};

int
filters_enter(const struct base *base, unsigned filters)
{
	const struct image *image = &base->image;

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		const enum image_filter filter = programs[i].filter;

		if ((filters >> filter & 1) == 0)
			continue;
		if (filter_enter(image_filter(image, filter),
			image_global(image)->filters[filter].count) != 0)
			return -1;
		if (!programs[i].is_refusing()) {
			errno = EPERM;
			return -1;
		}
	}
	return 0;
}

static int
enter(const struct child *child)
{
	const struct plan *plan = child->plan;

	if (filters_enter(child->base, plan->filters) != 0)
		return -1;
	return plan->refuses_clone3 ? filter_enter_without_clone3(0) : 0;
}

int
child_enter_filters_first(struct child *child)
{
	return child->plan->has_new_privileges ? enter(child) : 0;
}

int
child_enter_filters(struct child *child)
{
	return child->plan->has_new_privileges ? 0 : enter(child);
}
