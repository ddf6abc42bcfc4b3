/*
 * Shared anonymous mappings: mmap(2), madvise(2).
 * Trusts nobody to keep a pointer into one that grows.
 * Never shrinks one.
 */
#include "sys/shared.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

int
shared_map(struct shared *shared, size_t bytes)
{
	void *base;

	*shared = (struct shared){ .base = NULL };
	bytes = bytes > 0 ? bytes : 1;
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return -1;
	if (madvise(base, bytes, MADV_POPULATE_WRITE) == -1 &&
	    errno != EINVAL) {
		(void)munmap(base, bytes);
		return -1;
	}
	*shared = (struct shared){ .base = base, .bytes = bytes };
	return 0;
}

int
shared_grow(struct shared *shared, size_t bytes)
{
	struct shared larger;

	if (bytes <= shared->bytes)
		return 0;
	/* mremap(2) would leave shared memory as small as it was. */
	if (shared_map(&larger, bytes) != 0)
		return -1;
	if (shared->base != NULL)
		memcpy(larger.base, shared->base, shared->bytes);
	shared_unmap(shared);
	*shared = larger;
	return 0;
}

void
shared_unmap(struct shared *shared)
{
	if (shared->base != NULL)
		(void)munmap(shared->base, shared->bytes);
	*shared = (struct shared){ .base = NULL };
}
