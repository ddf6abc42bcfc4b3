#ifndef SYS_LANDLOCK_H
#define SYS_LANDLOCK_H

/*
 * Landlock, landlock(7): a process gives up rights for itself and for all it
 * will ever exec. Both uses here need no_new_privs (or CAP_SYS_ADMIN) first.
 */

/* Since this ABI (Linux 5.19) a domain need not break renames. */
#define LANDLOCK_ABI_REFER 2
/* Since this ABI (Linux 6.12) signals and abstract sockets stay inside. */
#define LANDLOCK_ABI_SCOPES 6

/* The ABI version the running kernel offers; 0: Landlock is not there. */
int landlock_abi(void);

/*
 * Closes to the caller everything that this kernel's Landlock knows: every
 * file not yet open, TCP bind and connect, signals and abstract Unix sockets
 * across the border. Returns 0, or -1 with errno: EOPNOTSUPP if the kernel
 * has no Landlock, or what landlock_create_ruleset(2) or
 * landlock_restrict_self(2) say.
 */
int landlock_deny_all(void);

/*
 * A ruleset that takes away nothing but reaching out of its domain: whoever
 * enters it can no longer ptrace, read the memory of or take descriptors
 * from processes that did not enter with it, and, with scopes, neither
 * signal them nor reach their abstract Unix sockets. Files stay as they are.
 * Returns a CLOEXEC descriptor that the caller owns and that any number of
 * processes may enter, each entry being a domain of its own; or -1 with
 * errno: EOPNOTSUPP if the kernel's ABI is below LANDLOCK_ABI_REFER.
 */
int landlock_session_ruleset(void);

/*
 * Enters a new domain of this ruleset. Async-signal-safe. Returns 0, or -1
 * with errno, EPERM if no_new_privs is not set.
 */
int landlock_enter(int ruleset_fd);

#endif
