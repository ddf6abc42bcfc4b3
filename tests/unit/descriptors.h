#ifndef TESTS_UNIT_DESCRIPTORS_H
#define TESTS_UNIT_DESCRIPTORS_H

/* Whether what was opened is closed again. */
#include <fcntl.h>

#define DESCRIPTORS_MOST 256 /* more than any test has open */

static inline int
descriptors_count(void)
{
	int count = 0;

	for (int fd = 0; fd < DESCRIPTORS_MOST; fd++)
		count += fcntl(fd, F_GETFD) != -1;
	return count;
}

#endif
