#ifndef SYS_FILE_H
#define SYS_FILE_H

#include <limits.h>
#include <stdbool.h>

#include <sys/stat.h>
#include <sys/types.h>

/*
 * Files that only those may change who could change tcpmuxd itself: root,
 * and one other user (the caller, where there is no root). A directory is
 * trusted if its owner is and nobody else can write to it; a sticky one of
 * root's, such as /tmp, passes too, because what lies in it belongs to whoever
 * made it and is checked on its own.
 */
enum file_fault {
	FILE_FAULT_NONE,
	FILE_FAULT_ERRNO, /* see error */
	FILE_FAULT_OWNER, /* `path` belongs to `uid` */
	FILE_FAULT_WRITABLE, /* `path` is writable by its group or others */
	FILE_FAULT_LOOP, /* too many symbolic links */
};

/* What is wrong, and with which part of the way. */
struct file_trust {
	uid_t owner; /* trusted besides root: 0 for root alone */
	enum file_fault fault;
	int error;
	uid_t uid;
	char path[PATH_MAX];
};

/*
 * Opens path with flags (open(2); O_CLOEXEC, O_NOFOLLOW and O_NOCTTY are
 * added), having checked every directory on the way: also those that symbolic
 * links lead through, and links that lie in a sticky directory. Each step
 * starts from the checked descriptor of the last, so nobody untrusted can
 * change the way in between. What is opened itself is not checked. A relative
 * path starts at the working directory, whose own way is checked as well.
 * Returns the descriptor, the caller's, or -1 with the fault in trust.
 */
int file_open_trusted(const char *path, int flags, struct file_trust *trust);

/*
 * The same below root_fd, a directory that is trusted together with the way
 * to it: it is the root for path, absolute, and for every link on the way, as
 * chroot(2) makes it. root_fd stays the caller's.
 */
int file_open_trusted_in(
    int root_fd, const char *path, int flags, struct file_trust *trust);

/* Whether an open file's owner and mode are trusted; else, the fault. */
bool
file_is_trusted(const struct stat *status, uid_t owner, enum file_fault *fault);

#endif
