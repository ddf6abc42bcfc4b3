/*
 * Groups, ids, capabilities, securebits and no_new_privs, each by the one
 * system call that changes it and the one that tells whether it did.
 * Trusts the kernel's answers, not that a call which returned 0 did its work.
 * Never allocates, locks, or goes through glibc's wrappers for threads.
 */
#include "sys/drop.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define CAPABILITY_BITS 64u
#define NOROOT (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED)

static int
refuse(void)
{
	errno = EPERM;
	return -1;
}

static uint64_t
join(uint32_t low, uint32_t high)
{
	return (uint64_t)high << 32 | low;
}

int
drop_get_capabilities(struct drop_capabilities *sets)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct halves[2] = { 0 };

	if (syscall(SYS_capget, &header, halves) != 0)
		return -1;
	sets->effective = join(halves[0].effective, halves[1].effective);
	sets->permitted = join(halves[0].permitted, halves[1].permitted);
	sets->inheritable = join(halves[0].inheritable, halves[1].inheritable);
	return 0;
}

int
drop_set_capabilities(const struct drop_capabilities *sets)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	const struct __user_cap_data_struct halves[2] = {
		{ .effective = (uint32_t)sets->effective,
		    .permitted = (uint32_t)sets->permitted,
		    .inheritable = (uint32_t)sets->inheritable },
		{ .effective = (uint32_t)(sets->effective >> 32),
		    .permitted = (uint32_t)(sets->permitted >> 32),
		    .inheritable = (uint32_t)(sets->inheritable >> 32) },
	};

	return (int)syscall(SYS_capset, &header, halves);
}

uint64_t
drop_get_bounding(void)
{
	uint64_t bounding = 0;

	for (unsigned i = 0; i < CAPABILITY_BITS; i++) {
		const int has = prctl(PR_CAPBSET_READ, i, 0, 0, 0);

		if (has == -1)
			break;
		bounding |= (uint64_t)has << i;
	}
	return bounding;
}

int
drop_bounding(uint64_t keep)
{
	const uint64_t excess = drop_get_bounding() & ~keep;

	for (unsigned i = 0; i < CAPABILITY_BITS; i++)
		if ((excess >> i & 1) != 0 &&
		    prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0)
			return -1;
	if ((drop_get_bounding() & ~keep) != 0)
		return refuse();
	return 0;
}

int
drop_clear_ambient(void)
{
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

int
drop_raise_ambient(uint64_t capabilities)
{
	for (unsigned i = 0; i < CAPABILITY_BITS; i++) {
		if ((capabilities >> i & 1) == 0)
			continue;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) != 0)
			return -1;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) != 1)
			return refuse();
	}
	return 0;
}

int
drop_keep_capabilities(void)
{
	return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
}

int
drop_root_meaning(unsigned before)
{
	return prctl(
	    PR_SET_SECUREBITS, (unsigned long)(before | NOROOT), 0, 0, 0);
}

int
drop_get_securebits(unsigned *bits)
{
	const int found = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);

	if (found == -1)
		return -1;
	*bits = (unsigned)found;
	return 0;
}

bool
drop_is_root_meaningless(void)
{
	unsigned bits;

	return drop_get_securebits(&bits) == 0 && (bits & NOROOT) == NOROOT;
}

int
drop_set_groups(const uint32_t *groups, size_t count)
{
	return (int)syscall(SYS_setgroups, count, groups);
}

int
drop_set_gid(uint32_t gid)
{
	return (int)syscall(SYS_setresgid, gid, gid, gid);
}

int
drop_set_uid(uint32_t uid)
{
	return (int)syscall(SYS_setresuid, uid, uid, uid);
}

/* Apart, so that its array costs only those who have groups. */
static __attribute__((noinline)) int
verify_groups(const struct drop_ids *ids)
{
	uint32_t found[DROP_GROUPS_MAX];
	const long count = syscall(SYS_getgroups, DROP_GROUPS_MAX, found);

	if (count < 0 || (size_t)count != ids->group_count ||
	    memcmp(found, ids->groups, (size_t)count * sizeof(found[0])) != 0)
		return refuse();
	return 0;
}

int
drop_verify_ids(const struct drop_ids *ids)
{
	uint32_t uids[3];
	uint32_t gids[3];

	if (syscall(SYS_getresuid, &uids[0], &uids[1], &uids[2]) != 0 ||
	    syscall(SYS_getresgid, &gids[0], &gids[1], &gids[2]) != 0)
		return -1;
	for (int i = 0; i < 3; i++)
		if (uids[i] != ids->uid || gids[i] != ids->gid)
			return refuse();
	if ((size_t)syscall(SYS_getgroups, 0, NULL) != ids->group_count)
		return refuse();
	if (ids->groups == NULL || ids->group_count == 0)
		return 0;
	return verify_groups(ids);
}

int
drop_verify_capabilities(const struct drop_capabilities *sets)
{
	struct drop_capabilities found;

	if (drop_get_capabilities(&found) != 0)
		return -1;
	if (found.effective != sets->effective ||
	    found.permitted != sets->permitted ||
	    found.inheritable != sets->inheritable)
		return refuse();
	return 0;
}

int
drop_verify_no_return(void)
{
	if (syscall(SYS_setuid, 0) == 0)
		return refuse();
	return 0;
}

int
drop_verify_new_privileges(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : refuse();
}

int
drop_verify_can_gain(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? 0 : refuse();
}

int
drop_new_privileges(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return drop_verify_new_privileges();
}
