#ifndef SYS_CGROUP_H
#define SYS_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>

/*
 * Control groups, version 2 (cgroups(7)): a process cannot leave the one it
 * is in by forking, however often, so that all that it starts can be found and
 * ended. Groups are directories, and called by numbers below one of them.
 */

/*
 * Writes where the cgroup of this process is mounted, and a NUL. The two files
 * are /proc/self/mountinfo and /proc/self/cgroup. 0, or -1 with errno: ENOENT
 * if it is nowhere, ENAMETOOLONG.
 */
int cgroup_find(
    const char *mounts, const char *membership, char *path, size_t size);

/* Writes one of the kernel's files at once. 0, or -1 with errno. */
int cgroup_write(int dir_fd, const char *path, const char *text);

/* A descriptor of the cgroup of this process, or -1 with errno. */
int cgroup_open_own(void);

/*
 * Makes a group that only its user may look into and locks it (flock(2)): the
 * lock tells that somebody uses it, for as long as the descriptor is open
 * anywhere. Returns that, or -1 with errno: EWOULDBLOCK, it is somebody else's.
 */
int cgroup_make_locked(int above_fd, const char *name);

/* Locks it, if nobody else has. 0, or -1 with errno. */
int cgroup_lock(int group_fd);

/* Makes group number `number` in it. 0, or -1 with errno. */
int cgroup_make(int above_fd, uint64_t number);

/* Removes it, if nothing is in it. 0, or -1 with errno. */
int cgroup_remove(int above_fd, uint64_t number);

/* A descriptor of it that says only where it is (O_PATH), or -1. */
int cgroup_open(int above_fd, uint64_t number);

/*
 * A descriptor that is ready with EPOLLPRI when cgroup_is_populated may have
 * become another, since it was asked last; or -1.
 */
int cgroup_watch(int above_fd, uint64_t number);

/* Whether a process is in it that is no zombie; true if that is not known. */
bool cgroup_is_populated(int watch_fd);

/* Kills all that is in it, also what is being forked. 0, or -1 with errno. */
int cgroup_kill(int above_fd, uint64_t number);

/*
 * Sends a signal to what is in it, one process excepted: to no more than
 * CGROUP_SIGNALS_MAX of them.
 */
#define CGROUP_SIGNALS_MAX 128
void
cgroup_signal(int above_fd, uint64_t number, int signal_number, pid_t except);

/*
 * Makes a process in the group of an O_PATH descriptor, like an ordinary clone
 * with these flags (CLONE_*); with CLONE_PARENT, the signal of its end is the
 * caller's own. The pid, 0 in the new one, or -1 with errno. Into a group that
 * was killed before, or from one, kernels have it die at once
 * (cgroup_can_clone). The key is for a filter: filter_enter_without_clone3.
 */
long cgroup_clone(int group_fd, uint64_t flags, uint64_t key);

/*
 * Whether it can: it is tried, from the group that this process is in, and the
 * new process has to find the group no longer empty.
 */
bool cgroup_can_clone(int group_fd);

/* Moves the calling process there. 0, or -1 with errno. Safe after a clone. */
int cgroup_enter(int group_fd);

/*
 * Whether there is a process in the group of an O_PATH descriptor. Safe after
 * a clone.
 */
bool cgroup_has_process(int group_fd);

/*
 * Kills what is in the numbered groups of one and removes them; waits up to so
 * long for what is being killed. Returns how many it could not remove.
 */
size_t cgroup_clear(int above_fd, int wait_ms);

/*
 * Does that to each group below whose name is this and a number, and which
 * nobody has locked, and removes it, and the group that its maker was in.
 */
#define CGROUP_SELF "self"
size_t cgroup_sweep(int above_fd, const char *prefix, int wait_ms);

#endif
