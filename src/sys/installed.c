/*
 * The ways to the other programs of tcpmuxd.
 * Trusts /proc to know what is executed here.
 * Never looks along PATH, and opens nothing.
 */
#include "sys/installed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Our own folder, with the slash behind it. */
static int
find_own_folder(char path[PATH_MAX])
{
	const ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash;

	if (length == -1)
		return -1;
	path[length] = '\0';
	slash = strrchr(path, '/');
	/* If it was replaced, the kernel has put words behind its name. */
	path[slash == NULL ? 0 : slash - path + 1] = '\0';
	return 0;
}

int
installed_path(
    char path[PATH_MAX], const char *name, enum installed_place place)
{
	char folder[PATH_MAX] = TCPMUXD_LIBEXEC "/";

	if (place == INSTALLED_BESIDE && find_own_folder(folder) != 0)
		return -1;
	if (snprintf(path, PATH_MAX, "%s%s", folder, name) < PATH_MAX)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}
