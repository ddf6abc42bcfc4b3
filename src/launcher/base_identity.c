/*
 * Who the launcher is, and what is left of that before its first launch.
 * Trusts the kernel's answers, not that it was started as it should be.
 * Never keeps a right that none of its children needs.
 */
#include "launcher/base_identity.h"

#include <errno.h>
#include <unistd.h>

#include <linux/capability.h>

#include "sys/drop.h"

#define BIT(capability) (UINT64_C(1) << (capability))

/* What a common launcher keeps of root's capabilities, and why. */
static const uint64_t common_capabilities =
    BIT(CAP_SETUID) | /* become the service's user */
    BIT(CAP_SETGID) | /* take its groups */
    BIT(CAP_SYS_CHROOT) | /* take the service's root directory */
    BIT(CAP_SYS_NICE) | /* run it with a higher priority */
    BIT(CAP_SYS_RESOURCE) | /* give it more than tcpmuxd has */
    BIT(CAP_DAC_READ_SEARCH); /* open its `filesystem` where only it may look */

static int
refuse(void)
{
	errno = EPERM;
	return -1;
}

/* Root for the first two kinds, and for the third anybody else. */
int
base_check_ids(struct base *base)
{
	const struct drop_ids ids = { .uid = getuid(),
		.gid = getgid(),
		.group_count = (size_t)getgroups(0, NULL) };

	if ((ids.uid == 0) == (base->kind == BASE_SELF))
		return refuse();
	base->uid = ids.uid;
	base->gid = ids.gid;
	base->group_count = (uint32_t)ids.group_count;
	if (drop_get_securebits(&base->securebits) != 0)
		return -1;
	return drop_verify_ids(&ids);
}

/* A service that has some is given them by its child. */
int
base_leave_groups(struct base *base)
{
	if (base->kind == BASE_SELF)
		return 0;
	base->group_count = 0;
	return drop_set_groups(NULL, 0);
}

/* Empty for the common base; whole, for the child to cut, for the full one. */
int
base_cut_bounding_set(struct base *base)
{
	return base->kind == BASE_COMMON ? drop_bounding(0) : 0;
}

/* None of the common base's services keeps anything of root's. */
int
base_lock_root(struct base *base)
{
	return base->kind == BASE_COMMON ? drop_root_meaning(base->securebits)
					 : 0;
}

int
base_cut_capabilities(struct base *base)
{
	struct drop_capabilities sets;

	if (drop_get_capabilities(&sets) != 0 || drop_clear_ambient() != 0)
		return -1;
	base->capabilities = sets.permitted;
	sets.inheritable = 0;
	if (base->kind == BASE_COMMON)
		sets.permitted &= common_capabilities;
	if (base->kind == BASE_SELF)
		sets.permitted = 0;
	sets.effective = sets.permitted;
	if (drop_set_capabilities(&sets) != 0)
		return -1;
	return drop_verify_capabilities(&sets);
}
