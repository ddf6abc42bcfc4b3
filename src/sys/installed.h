#ifndef SYS_INSTALLED_H
#define SYS_INSTALLED_H

#include <limits.h>

/*
 * Where the other programs of tcpmuxd are looked for, first to last.
 */
enum installed_place {
	INSTALLED_BESIDE, /* in the folder of our own executable */
	INSTALLED_LIBEXEC, /* in the one that was chosen when it was built */
	INSTALLED_PLACES,
};

/* The program's path there; 0, or -1 with errno if there can be none. */
int installed_path(
    char path[PATH_MAX], const char *name, enum installed_place place);

#endif
