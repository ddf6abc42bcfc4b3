/*
 * There are no users here, only the numbers that the parser was given.
 * libcap-ng's capng_change_id, which nothing calls, wants to look them up,
 * and would link the name service with all its file reading into a program
 * that must have none of it.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>

struct passwd *
getpwuid(uid_t uid)
{
	(void)uid;
	errno = ENOSYS;
	return NULL;
}

int
initgroups(const char *user, gid_t group)
{
	(void)user;
	(void)group;
	errno = ENOSYS;
	return -1;
}
