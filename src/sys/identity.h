#ifndef SYS_IDENTITY_H
#define SYS_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Who a process is, given up for good, step by step in this order (see
 * capabilities(7), credentials(7)). Each returns 0, or -1 with errno. For
 * single-threaded processes: the C library's setres*id are per process.
 */

/* No supplementary groups (CAP_SETGID). */
int identity_drop_groups(void);

/* Real, effective, saved and, with it, file system gid. */
int identity_set_gid(gid_t gid);

/* Empties the bounding set: no exec can bring a capability (CAP_SETPCAP). */
int identity_drop_bounding_set(void);

/* All securebits(7) set and locked: uid 0 means nothing (CAP_SETPCAP). */
int identity_lock_securebits(void);

/* As identity_set_gid. Capabilities survive it here: securebits. */
int identity_set_uid(uid_t uid);

/* No capability in any set of the process, ambient included. */
int identity_drop_capabilities(void);

struct identity {
	uid_t uid;
	gid_t gid;
	bool has_no_groups; /* identity_drop_groups was possible */
	bool is_sealed; /* so were the bounding set and securebits */
};

/*
 * Asks the kernel again whether all of it holds: every id, the groups, every
 * capability set, securebits; and that no way back works, setuid(0) first.
 * -1 with EPERM if anything is other than it should be.
 */
int identity_verify(const struct identity *identity);

#endif
