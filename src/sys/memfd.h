#ifndef SYS_MEMFD_H
#define SYS_MEMFD_H

#include <stddef.h>

/*
 * Memory that nobody can change any more: a memfd with all of F_SEAL_SEAL,
 * SHRINK, GROW and WRITE (memfd_create(2), fcntl(2)). Who maps one can check
 * its bytes once and then rely on them, whoever made it.
 */

/*
 * Makes one of these bytes; `name` is what /proc shows. Returns the
 * descriptor, the caller's, or -1 with errno.
 */
int memfd_seal(const char *name, const void *bytes, size_t size);

/* An empty one that is not sealed, for a child to write to. -1 with errno. */
int memfd_open(const char *name);

/*
 * Maps a sealed one read-only; a fork shares its pages. Returns NULL with
 * errno: EPERM if a seal is missing, EINVAL if it is empty or no memfd. The
 * descriptor stays the caller's; undone by munmap(2).
 */
const void *memfd_map(int fd, size_t *size);

#endif
