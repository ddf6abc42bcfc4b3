/*
 * A launch's middle: from root to the service's user, and the walls around
 * it. Without root (BASE_SELF) there is nobody to become, only to verify.
 * Trusts no call of its own: child_verify asks the kernel what came of it.
 * Never leaves a way back that the policy did not write down.
 */
#include "launcher/child.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <linux/capability.h>

#include "sys/drop.h"
#include "sys/fd.h"
#include "sys/landlock.h"

static bool
is_self(const struct child *child)
{
	return child->base->kind == BASE_SELF;
}

/* Uid 0 stops meaning anything, unless the policy says that it does. */
static bool
locks_root(const struct plan *plan)
{
	return plan->capabilities == 0 && !plan->has_new_privileges;
}

int
child_set_groups(struct child *child)
{
	/* The base has none. */
	if (is_self(child) || child->plan->group_count == 0)
		return 0;
	return drop_set_groups(child->plan->groups, child->plan->group_count);
}

int
child_set_gid(struct child *child)
{
	return is_self(child) ? 0 : drop_set_gid(child->plan->gid);
}

/* The common base has done it for all; new-privileges is there for programs
 * like sudo, which need a bounding set. */
int
child_cut_bounding_set(struct child *child)
{
	if (child->base->kind != BASE_FULL || child->plan->has_new_privileges)
		return 0;
	return drop_bounding(child->plan->capabilities);
}

/* So has the common base this. */
int
child_lock_root(struct child *child)
{
	if (child->base->kind != BASE_FULL || !locks_root(child->plan))
		return 0;
	return drop_root_meaning(child->base->securebits);
}

int
child_set_uid(struct child *child)
{
	const struct plan *plan = child->plan;

	if (is_self(child))
		return 0;
	if (plan->capabilities != 0 && drop_keep_capabilities() != 0)
		return -1;
	return drop_set_uid(plan->uid);
}

/* Without securebits to the contrary, who is not root any more has none left:
 * none was inheritable. child_verify sees whether it is so. */
static bool
has_lost_all(const struct child *child)
{
	return !is_self(child) && child->plan->uid != 0 &&
	    child->plan->capabilities == 0 && child->base->securebits == 0;
}

int
child_cut_capabilities(struct child *child)
{
	const struct plan *plan = child->plan;
	const struct drop_capabilities kept = { .effective = plan->capabilities,
		.permitted = plan->capabilities,
		.inheritable = plan->inheritable };

	if (has_lost_all(child))
		return 0;
	if (drop_set_capabilities(&kept) != 0)
		return -1;
	return drop_raise_ambient(plan->inheritable);
}

int
child_verify(struct child *child)
{
	const struct plan *plan = child->plan;
	const struct drop_ids ids = { .uid = plan->uid,
		.gid = plan->gid,
		.groups = plan->groups,
		.group_count = plan->group_count };
	const struct drop_capabilities kept = { .effective = plan->capabilities,
		.permitted = plan->capabilities,
		.inheritable = plan->inheritable };

	if (drop_verify_ids(&ids) != 0 || drop_verify_capabilities(&kept) != 0)
		return -1;
	if (!is_self(child) && locks_root(plan) &&
	    !drop_is_root_meaningless()) {
		errno = EPERM;
		return -1;
	}
	if (plan->uid == 0 || (plan->capabilities >> CAP_SETUID & 1) != 0)
		return 0;
	return drop_verify_no_return();
}

int
child_refuse_privileges(struct child *child)
{
	/* Inherited, it would have nothing of what its policy gives it. */
	if (child->plan->has_new_privileges)
		return drop_verify_can_gain();
	return child->base->has_no_new_privileges ? drop_verify_new_privileges()
						  : drop_new_privileges();
}

int
child_choose_files(struct child *child)
{
	const struct base *base = child->base;
	const uint32_t filesystem = child->plan->service->filesystem;

	if (filesystem == 0)
		return 0;
	return rulesets_take(
	    base->rulesets, &base->image, filesystem - 1, &child->files);
}

/* Nobody may list the root who was not given all of it. */
static int
verify_closed(void)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return errno == EACCES ? 0 : -1;
	fd_close(&fd);
	errno = EPERM;
	return -1;
}

/* Root in a domain could neither kill nor mount. */
int
child_enter_domain(struct child *child)
{
	const struct ruleset *files = &child->files;

	if (child->plan->has_new_privileges)
		return 0;
	if (files->fd == -1)
		return child->base->ruleset_fd == -1
		    ? 0
		    : landlock_enter(child->base->ruleset_fd);
	if (landlock_enter(files->fd) != 0)
		return -1;
	return files->opens_root ? 0 : verify_closed();
}
