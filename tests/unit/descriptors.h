#ifndef TESTS_UNIT_DESCRIPTORS_H
#define TESTS_UNIT_DESCRIPTORS_H

/* Which descriptors are open. */
#include <fcntl.h>
#include <unistd.h>

#define DESCRIPTORS_MOST 256 /* more than any test has open */

/* For tests of numbers: what else was inherited would make holes. */
static inline void
descriptors_close_inherited(void)
{
	closefrom(STDERR_FILENO + 1);
}

/* Whether what was opened is closed again: compare it before and after. */
static inline int
descriptors_count(void)
{
	int count = 0;

	for (int fd = 0; fd < DESCRIPTORS_MOST; fd++)
		count += fcntl(fd, F_GETFD) != -1;
	return count;
}

#endif
