#ifndef TESTS_UNIT_GUARDED_H
#define TESTS_UNIT_GUARDED_H

/* Bytes right in front of a page that cannot be read. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* At most a page of them; they are there until the next are. */
static inline uint8_t *
guarded(const void *bytes, size_t size)
{
	static uint8_t *guard;
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (guard == NULL) {
		guard = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_true(guard != MAP_FAILED);
		guard += page;
		assert_int_equal(mprotect(guard, page, PROT_NONE), 0);
	}
	assert_true(size <= page);
	return memcpy(guard - size, bytes, size);
}

#endif
