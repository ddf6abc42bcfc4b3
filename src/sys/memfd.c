/*
 * Sealed memory files: made once, mapped read-only ever after.
 * Trusts no descriptor to be one: all four seals are asked for first.
 * Never maps anything writable.
 */
#include "sys/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fd.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static const int all_seals =
    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

int
memfd_open(const char *name)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);

	/* Before Linux 6.3 there is no such flag. */
	if (fd == -1 && errno == EINVAL)
		fd = memfd_create(name, flags);
	return fd;
}

static int
write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t count = write(fd, bytes, size);

		if (count == -1 && errno == EINTR)
			continue;
		if (count == -1)
			return -1;
		bytes += count;
		size -= (size_t)count;
	}
	return 0;
}

int
memfd_seal(const char *name, const void *bytes, size_t size)
{
	int fd = memfd_open(name);

	if (fd == -1)
		return -1;
	if (write_all(fd, bytes, size) == -1 ||
	    fcntl(fd, F_ADD_SEALS, all_seals) == -1)
		fd_close(&fd);
	return fd;
}

const void *
memfd_map(int fd, size_t *size)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat status;
	void *base;

	if (seals == -1 || fstat(fd, &status) == -1)
		return NULL;
	if ((seals & all_seals) != all_seals) {
		errno = EPERM;
		return NULL;
	}
	if (status.st_size <= 0) {
		errno = EINVAL;
		return NULL;
	}
	base = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	/*
	 * Before Linux 6.7 a write-sealed file has no shared mappings. A
	 * private one that is never written is the same pages.
	 */
	if (base == MAP_FAILED && errno == EPERM)
		base = mmap(NULL, (size_t)status.st_size, PROT_READ,
		    MAP_PRIVATE, fd, 0);
	if (base == MAP_FAILED)
		return NULL;
	*size = (size_t)status.st_size;
	return base;
}
