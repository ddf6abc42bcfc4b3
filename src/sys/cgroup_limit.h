#ifndef SYS_CGROUP_LIMIT_H
#define SYS_CGROUP_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/types.h>

/*
 * What groups may use, by the controllers of cgroup v2. A group has those that
 * the one above it hands down, and hands down itself only what it has: the
 * kernel lets it do so if no process is in it, or if it is the root of all.
 */
#define CGROUP_MEMORY 0x01u
#define CGROUP_PIDS 0x02u
#define CGROUP_CONTROLLERS 2u
#define CGROUP_CONTROLLERS_ALL 0x03u

/* Its name as the kernel has it; bit n is controller n. */
const char *cgroup_controller_name(uint32_t n);

/* What a group has and could hand down: CGROUP_MEMORY and CGROUP_PIDS. */
unsigned cgroup_controllers(int group_fd);

/* What it hands down to those in it. */
unsigned cgroup_handed_down(int group_fd);

/* Has it hand down these too, and looks. 0, or -1 with errno. */
int cgroup_hand_down(int group_fd, unsigned controllers);

/* Has it hand down these no more. 0, or -1 with errno. */
int cgroup_hold_back(int group_fd, unsigned controllers);

/* Whether it is the root of all, which may have processes nonetheless. */
bool cgroup_is_root(int group_fd);

/* Whether a process but these is in it; true if that is not known. */
bool cgroup_has_others(int group_fd, pid_t one, pid_t other);

struct cgroup_limits {
	uint64_t memory; /* bytes, without swap; 0: any */
	uint32_t processes; /* and threads; 0: any */
};

/*
 * Limits group number `number`, and looks whether it is so. Who comes to use
 * more memory than there is has all of the group killed. 0, or -1 with errno.
 */
int
cgroup_limit(int above_fd, uint64_t number, const struct cgroup_limits *limits);

/* Whether the kernel has killed something in it for want of memory. */
bool cgroup_was_short_of_memory(int above_fd, uint64_t number);

#endif
