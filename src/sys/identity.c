/*
 * Giving up who a process is, and asking the kernel whether it is gone.
 * Trusts no return value alone: identity_verify looks at all of it again.
 * Never gives up a part and says that it was all.
 */
#include "sys/identity.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Every bit, and the lock of every bit. */
#define SECUREBITS_ALL \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | \
	    SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | \
	    SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

/* More than any kernel has capabilities: prctl says where they end. */
#define CAPABILITIES_MAX 64

int
identity_drop_groups(void)
{
	return setgroups(0, NULL);
}

int
identity_set_gid(gid_t gid)
{
	return setresgid(gid, gid, gid);
}

/* libcap-ng returns numbers of its own. */
static int
apply(capng_select_t set)
{
	capng_clear(set);
	errno = EPERM;
	return capng_apply(set) == 0 ? 0 : -1;
}

static bool
bounding_set_is_empty(void)
{
	for (unsigned long i = 0; i < CAPABILITIES_MAX; i++)
		if (prctl(PR_CAPBSET_READ, i) > 0)
			return false;
	return true;
}

/* libcap-ng does not mind if the kernel refuses. */
int
identity_drop_bounding_set(void)
{
	if (apply(CAPNG_SELECT_BOUNDS) == 0 && bounding_set_is_empty())
		return 0;
	errno = EPERM;
	return -1;
}

int
identity_lock_securebits(void)
{
	return prctl(PR_SET_SECUREBITS, SECUREBITS_ALL);
}

int
identity_set_uid(uid_t uid)
{
	return setresuid(uid, uid, uid);
}

int
identity_drop_capabilities(void)
{
	if (apply(CAPNG_SELECT_AMBIENT) != 0)
		return -1;
	return apply(CAPNG_SELECT_CAPS);
}

static bool
ids_are(const struct identity *identity)
{
	uid_t uids[3];
	gid_t gids[3];

	if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 ||
	    getresgid(&gids[0], &gids[1], &gids[2]) != 0)
		return false;
	for (size_t i = 0; i < 3; i++)
		if (uids[i] != identity->uid || gids[i] != identity->gid)
			return false;
	return !identity->has_no_groups || getgroups(0, NULL) == 0;
}

static bool
capabilities_are_gone(bool is_sealed)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_get_caps_process() != 0 ||
	    capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
		return false;
	for (unsigned long i = 0; i < CAPABILITIES_MAX; i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) > 0)
			return false;
	return !is_sealed ||
	    (bounding_set_is_empty() &&
		prctl(PR_GET_SECUREBITS) == SECUREBITS_ALL);
}

/* If one of these works, the process ends: there is no going on as root. */
static bool
no_way_back(void)
{
	return setuid(0) != 0 && setgid(0) != 0 && setgroups(0, NULL) != 0;
}

int
identity_verify(const struct identity *identity)
{
	if (ids_are(identity) && capabilities_are_gone(identity->is_sealed) &&
	    no_way_back())
		return 0;
	errno = EPERM;
	return -1;
}
