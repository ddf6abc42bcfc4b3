#ifndef LAUNCHER_EVERYONE_H
#define LAUNCHER_EVERYONE_H

#include <stddef.h>

/*
 * What every service with a `filesystem` may use besides: what programs
 * cannot start without, and what the C library looks up. All of it is public
 * on every system; none of it has to be there. The manual has the same list.
 */
struct everyone {
	const char *path;
	/* LANDLOCK_MAY_*; 0: nobody may, it is the directory that those
	 * which follow lie in, if it is theirs. */
	unsigned access;
};

/* The first is `/`. */
extern const struct everyone everyone[];
extern const size_t everyone_count;

#endif
