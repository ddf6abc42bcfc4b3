#ifndef SYS_ROOM_H
#define SYS_ROOM_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * The parser's room: where it is. (Who it is: sys/identity; what it may
 * call: sys/filter.) The first half of this header is for the parent, the
 * second for the parser, which builds its room around itself.
 *
 *   full     a uid of its own, an empty read-only root, network, ipc, uts
 *            and cgroup namespaces without anything in them, a pid
 *            namespace of its own. Needs root.
 *   user     the same inside a user namespace, for whoever is not root. The
 *            uid is the caller's own, its groups stay, and the kernel lets
 *            more code be reached before the room is closed.
 *   reduced  none of that: a uid of its own (if root) and what every kind
 *            has: no capabilities, no_new_privs, Landlock, limits, filter.
 *
 * Landlock is a second wall behind the empty root and the filter. A kernel
 * without it (landlock_abi() == 0) does not keep a parser of any kind from
 * starting; the parent says so when it starts. Any other failure does.
 */
enum room_kind {
	ROOM_FULL,
	ROOM_USER, /* not root: inside a user namespace */
	ROOM_REDUCED,
};

/* mnt, net, ipc, uts, cgroup: in this order. */
#define ROOM_NAMESPACES 5

struct room {
	enum room_kind kind;
	int namespaces[ROOM_NAMESPACES]; /* owned; -1 unless ROOM_FULL */
};

/* What a parser finds open: these, then for ROOM_FULL the namespaces. */
#define ROOM_CHANNEL_FD 3
#define ROOM_NAMES_FD 4
#define ROOM_STATUS_FD 5
#define ROOM_NAMESPACE_FD 6

/* What it keeps open between batches: the channel. A sanitizer build's parser
 * keeps standard error too, for the report. */
#ifdef TCPMUXD_SANITIZE
#define ROOM_IDLE_FDS 2
#else
#define ROOM_IDLE_FDS 1
#endif

/*
 * Seconds of CPU time that a parser has for its whole life (RLIMIT_CPU): a
 * hundred times what the default recycling leaves a worker time for.
 */
#define ROOM_CPU_SECONDS 10

/* The words of enum room_kind, for argv, the policy and the log. */
const char *room_word(enum room_kind kind);

/* True and *kind, if it is one of these words. */
bool room_from_word(enum room_kind *kind, const char *word);

/*
 * Once at start. For ROOM_FULL a short-lived child makes the one set of empty
 * namespaces (namespaces(7), pivot_root(2)) that all parsers will join; its
 * descriptors are kept in *room until room_finish. SIGCHLD may stay blocked:
 * the child is waited for. Returns 0, or -1 with errno.
 */
int room_prepare(struct room *room, enum room_kind kind);
void room_finish(struct room *room);

/*
 * Starts the parser program behind program_fd (see sys/spawn.h) with argv
 * {"tcpmuxd-parser", KIND, UID, GID} in a session of its own, and for full and
 * user as the first process of a pid namespace. uid and gid are what it shall
 * run as; for ROOM_USER, and ROOM_REDUCED without root, they must be the
 * caller's own effective ones. Returns the pid, or -1 with errno. All
 * descriptors stay the caller's.
 *
 * What follows, on status_fd's pipe and on the channel: one struct status
 * (core/step.h) if a step fails, or the end of the pipe, and then one zero
 * byte on the channel once the room is closed. Only a worker that has greeted
 * is confined. STEP_NONE is never sent; a child that ends with nothing in the
 * pipe could not execute the program.
 */
pid_t room_spawn(const struct room *room, int program_fd, int channel_fd,
    int names_fd, int status_fd, uid_t uid, gid_t gid);

/* In the parser. Each returns 0, or -1 with errno. */

/* Joins the namespaces at ROOM_NAMESPACE_FD and up, and closes them. */
int room_join(void);

/* Swaps the root for an empty, read-only one (CAP_SYS_ADMIN needed). */
int room_empty_root(void);

/* Verifies that / is an empty, read-only tmpfs; EEXIST or EROFS if not. */
int room_verify_root(void);

#endif
