/*
 * For valgrind, which knows no seccomp(2): libseccomp takes the kernel for one
 * without, and makes no filters. Here it is told that all of it is there.
 * Only making them is helped so: nothing enters one under valgrind.
 */
#include <seccomp.h>
#include <stddef.h>

/* Not in the shell that starts valgrind, nor in valgrind. */
#pragma weak seccomp_api_set

__attribute__((constructor)) static void
say_that_filters_are_there(void)
{
	if (seccomp_api_set != NULL)
		(void)seccomp_api_set(6);
}
