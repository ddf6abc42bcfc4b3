#ifndef SYS_DROP_H
#define SYS_DROP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Giving up an identity by direct system calls, for a child between clone
 * and exec: nothing here allocates, locks or reads a file, so all of it is
 * async-signal-safe. See credentials(7) and capabilities(7). A set of
 * capabilities is a number: bit n is capability n. Functions that return int
 * return 0, or -1 with errno.
 */
struct drop_capabilities {
	uint64_t effective, permitted, inheritable;
};

/* As many groups as can be verified. */
#define DROP_GROUPS_MAX 4096u

/* Who a process is to be, in all of the kernel's real, effective and saved. */
struct drop_ids {
	uint32_t uid, gid;
	const uint32_t *groups; /* sorted, not owned; NULL: only counted */
	size_t group_count; /* <= DROP_GROUPS_MAX, but for NULL */
};

/* The caller's own capability sets, read and written. */
int drop_get_capabilities(struct drop_capabilities *sets);
int drop_set_capabilities(const struct drop_capabilities *sets);

/* The caller's bounding set. */
uint64_t drop_get_bounding(void);

/* Takes all but `keep` out of it (CAP_SETPCAP), and reads it back. */
int drop_bounding(uint64_t keep);

int drop_clear_ambient(void);
/* Needs the capabilities permitted and inheritable. */
int drop_raise_ambient(uint64_t capabilities);

/* Survive the setresuid to follow (until exec): PR_SET_KEEPCAPS. */
int drop_keep_capabilities(void);

/*
 * From now on uid 0 and set-user-ID root files give no capabilities, and
 * nothing can undo it: SECBIT_NOROOT, locked, added to the bits in `before`.
 */
int drop_root_meaning(unsigned before);
int drop_get_securebits(unsigned *bits);
/* Whether drop_root_meaning has taken effect. */
bool drop_is_root_meaningless(void);

/* The steps in the order they must be taken. */
int drop_set_groups(const uint32_t *groups, size_t count);
int drop_set_gid(uint32_t gid);
int drop_set_uid(uint32_t uid);

/* -1 and EPERM if the caller is not exactly `ids`. */
int drop_verify_ids(const struct drop_ids *ids);

/* -1 and EPERM if the caller's sets are not exactly these. */
int drop_verify_capabilities(const struct drop_capabilities *sets);

/* -1 and EPERM if uid 0 can be had back. For who is not uid 0. */
int drop_verify_no_return(void);

/* -1 and EPERM without no_new_privs. */
int drop_verify_new_privileges(void);
/* -1 and EPERM with it. */
int drop_verify_can_gain(void);

/* no_new_privs, and reads it back. */
int drop_new_privileges(void);

#endif
