#ifndef LAUNCHER_EVERYONE_H
#define LAUNCHER_EVERYONE_H

#include <stddef.h>

/*
 * What every service with a `filesystem` may use besides: what programs
 * cannot start without, and what the C library looks up. All of it is public
 * on every system; none of it has to be there. The manual has the same list.
 */
#define EVERYONE_MAX 24u

struct everyone {
	const char *path;
	unsigned access; /* LANDLOCK_MAY_* */
};

extern const struct everyone everyone[];
extern const size_t everyone_count;

#endif
