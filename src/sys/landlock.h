#ifndef SYS_LANDLOCK_H
#define SYS_LANDLOCK_H

#include <stdbool.h>

/*
 * Landlock, landlock(7): a process gives up rights for itself and for all it
 * will ever exec. Both uses here need no_new_privs (or CAP_SYS_ADMIN) first.
 */

/* Since this ABI (Linux 5.19) a domain need not break renames. */
#define LANDLOCK_ABI_REFER 2
/* Since this ABI (Linux 6.2) it can keep a file from being truncated. */
#define LANDLOCK_ABI_TRUNCATE 3
/* Since this ABI (Linux 6.7) TCP can be forbidden. */
#define LANDLOCK_ABI_TCP 4
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
 * From now on the caller and all that come of it may neither connect(2) nor
 * bind(2) a TCP socket. 0, or -1 with errno: EOPNOTSUPP if the kernel's ABI is
 * below LANDLOCK_ABI_TCP.
 */
int landlock_forbid_tcp(void);

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

/* What may be done with a file, or with all that is beneath a directory. */
#define LANDLOCK_MAY_READ 0x1u /* files; the lists of directories */
/* Read, write, truncate, make (no devices), remove, move and link between
 * directories that may be written to, control devices. */
#define LANDLOCK_MAY_WRITE 0x2u
#define LANDLOCK_MAY_EXECUTE 0x4u /* and read */

/*
 * A ruleset like that of a session, which also closes all files to be opened,
 * changed or executed, but for those that landlock_allow adds to it. Before
 * LANDLOCK_ABI_REFER nothing can be moved to another directory. Returns a
 * CLOEXEC descriptor as above; EOPNOTSUPP if abi, which is the kernel's, is 0.
 * This and landlock_allow are async-signal-safe.
 */
int landlock_files_ruleset(int abi);

/*
 * Opens what path_fd (O_PATH will do) is open on, and if it is a directory all
 * beneath it, for access (LANDLOCK_MAY_*). It stays open by its inode,
 * whatever becomes of its name, and that inode's number is not given to
 * another while the ruleset lives. Returns 0, or -1 with errno.
 */
int landlock_allow(
    int ruleset_fd, int abi, int path_fd, unsigned access, bool is_directory);

/*
 * Enters a new domain of this ruleset. Async-signal-safe. Returns 0, or -1
 * with errno, EPERM if no_new_privs is not set.
 */
int landlock_enter(int ruleset_fd);

#endif
