/*
 * Who a process is, given up and looked at again, in children of root's: an
 * answer that does not come is no good one, and each id is looked at.
 */
#include "sys/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <grp.h>
#include <sys/prctl.h>

#include "failing.h"
#include "sys/drop.h"

#define ID 61078
#define OTHER 61079
#define GROUP 7
#define NONE 255 /* where the child could not come to be what it should */
#define CAPABILITIES 64

static int
become(uid_t uid, gid_t gid)
{
	const gid_t group = GROUP;

	return setgroups(1, &group) != 0 || identity_set_gid(gid) != 0 ||
		identity_set_uid(uid) != 0
	    ? -1
	    : 0;
}

static int
verify(bool has_no_groups)
{
	const struct identity wanted = {
		.uid = ID, .gid = ID, .has_no_groups = has_no_groups
	};

	return failing_told(identity_verify(&wanted));
}

static int
verify_it(void)
{
	return become(ID, ID) == 0 ? verify(false) : NONE;
}

static int
verify_with_group(void)
{
	return become(ID, ID) == 0 ? verify(true) : NONE;
}

static int
verify_other_user(void)
{
	return become(OTHER, ID) == 0 ? verify(false) : NONE;
}

static int
verify_other_group(void)
{
	return become(ID, OTHER) == 0 ? verify(false) : NONE;
}

/* Of whom nothing tells but what is not told: the ids. */
static int
verify_root(void)
{
	const struct identity root = { .uid = 0 };

	return identity_drop_capabilities() == 0
	    ? failing_told(identity_verify(&root))
	    : NONE;
}

/* There is nothing to drop, so it would not be seen there. */
static int
drop_empty_bounding_set(void)
{
	for (unsigned long i = 0; i < CAPABILITIES; i++)
		if (prctl(PR_CAPBSET_READ, i) > 0 &&
		    prctl(PR_CAPBSET_DROP, i) != 0)
			return NONE;
	return failing_told(identity_drop_bounding_set());
}

static int
verify_ids(uint32_t uid, uint32_t gid, size_t group_count)
{
	static const uint32_t groups[] = { GROUP };
	const struct drop_ids ids = { .uid = uid,
		.gid = gid,
		.groups = groups,
		.group_count = group_count };

	return become(ID, ID) == 0 ? failing_told(drop_verify_ids(&ids)) : NONE;
}

static int
ids_same(void)
{
	return verify_ids(ID, ID, 1);
}

static int
ids_other_user(void)
{
	return verify_ids(OTHER, ID, 1);
}

static int
ids_other_group(void)
{
	return verify_ids(ID, OTHER, 1);
}

static int
ids_fewer_groups(void)
{
	return verify_ids(ID, ID, 0);
}

/* Without any: how many there are says it all. */
static int
ids_no_groups(void)
{
	static const uint32_t groups[] = { GROUP };
	const struct drop_ids ids = { .groups = groups };

	return drop_set_groups(NULL, 0) == 0
	    ? failing_told(drop_verify_ids(&ids))
	    : NONE;
}

#define NO_WAY_BACK \
	FAILS(setuid, EPERM), FAILS(setgid, EPERM), \
	    FAILS_WHERE(setgroups, EPERM, 0, 0)

static const struct failing_row rows[] = {
	{ "identity", verify_it, 0, { FAILS_NOT }, 1 },
	{ "identity with a group", verify_with_group, EPERM, { FAILS_NOT }, 1 },
	{ "identity of another user", verify_other_user, EPERM, { FAILS_NOT },
	    1 },
	{ "identity of another group", verify_other_group, EPERM, { FAILS_NOT },
	    1 },
	{ "root for good", verify_root, 0, { NO_WAY_BACK }, 3 },
	{ "uids that are not told", verify_root, EPERM,
	    { NO_WAY_BACK, FAILS(getresuid, EIO) }, 4 },
	{ "gids that are not told", verify_root, EPERM,
	    { NO_WAY_BACK, FAILS(getresgid, EIO) }, 4 },
	{ "an empty bounding set", drop_empty_bounding_set, 0, { FAILS_NOT },
	    1 },
	{ "capabilities that are not told", drop_empty_bounding_set, EPERM,
	    { FAILS(capget, EIO) }, 1 },
	{ "ids", ids_same, 0, { FAILS_NOT }, 1 },
	{ "ids of another user", ids_other_user, EPERM, { FAILS_NOT }, 1 },
	{ "ids of another group", ids_other_group, EPERM, { FAILS_NOT }, 1 },
	{ "ids with a group more", ids_fewer_groups, EPERM, { FAILS_NOT }, 1 },
	{ "ids without groups", ids_no_groups, 0,
	    { FAILS_WHERE(getgroups, EIO, 0, DROP_GROUPS_MAX) }, 1 },
};

static void
what_is_left_is_seen(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	failing_expect(rows, sizeof(rows) / sizeof(rows[0]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
