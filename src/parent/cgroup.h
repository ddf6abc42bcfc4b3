#ifndef PARENT_CGROUP_H
#define PARENT_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

struct image;
struct parent;
struct session;

/*
 * A cgroup for each session whose leftovers are killed, tcpmuxd.PID/NUMBER
 * below our own: what a session starts cannot leave it, and all of it is ended
 * with the session. Some that are empty are kept for who comes next. Without a
 * cgroup that can be written to, sessions have their process groups.
 *
 * Sessions with limits have theirs elsewhere, in a second one of these, so that
 * only they pay for it that the kernel counts; and each has a new one, because
 * what a session leaves in files in memory stays on its group's account.
 */
#define CGROUPS_KEPT 256u
#define CGROUP_NONE 0u /* no session's number */

/* Of one that no session has any more. */
enum cgroup_state {
	CGROUP_EMPTY,
	CGROUP_LEFT, /* by a launch that failed; its child may still end */
	CGROUP_USED, /* good for nothing but to be removed: it was killed (see
			cgroup_clone), or limited */
};

#define CGROUPS_PREFIX "tcpmuxd."

struct cgroups {
	int own_fd, all_fd; /* owned; -1: sessions have none */
	int limited_fd; /* owned; of those with limits; -1: can have none */
	unsigned controllers; /* CGROUP_*: what those have */
	unsigned ours; /* of these, what own_fd did not hand down before us */
	const char *failed_step; /* why not, as it stands in the log */
	int error;
	uint32_t left; /* of those who were here before us */
	char name[32]; /* of the one that all are in */
	char limited_name[32]; /* of the other */
	bool can_clone; /* a service right into its cgroup */
	struct {
		uint64_t number;
		enum cgroup_state state;
		bool is_limited;
	} kept[CGROUPS_KEPT]; /* a ring */
	uint32_t first, count;
};

/*
 * Makes the one that all sessions' are in, and ends what is left of a tcpmuxd
 * that did not come to that. Whatever fails, sessions have none.
 */
void cgroups_init(struct parent *parent);

/*
 * Sees to it that sessions of a policy can have the limits that it wants, once
 * it is known to be one that can (loader/machine). 0, or -1 with errno.
 */
int cgroups_limit(struct parent *parent, const struct image *image);

/*
 * Removes all of them: kills what is in there still, and gives it a moment to
 * end (LIMIT_END_MS).
 */
void cgroups_finish(struct parent *parent);

/* parent/cgroup_place.c: where all of them are, and where tcpmuxd is */

/* Makes the two that all others are in. 0, or -1 with errno. */
int cgroups_make(struct cgroups *cgroups);

/* Goes back to where it was started, and removes the two. */
void cgroups_remove(struct cgroups *cgroups);

/*
 * Gives a session an empty one. Returns a descriptor of it for the launcher,
 * which is the caller's, or -1 with errno.
 */
int cgroup_take(struct parent *parent, struct session *session);

/* Its launch failed: kills what there may be, and takes it back. */
void cgroup_drop(struct parent *parent, struct session *session);

/*
 * Its main process has ended: kills what is left. Returns whether nothing is,
 * and the session has no cgroup any more; else it goes on to end.
 */
bool cgroup_end(struct parent *parent, struct session *session);

/* One of what is left has ended, or was asked to. The last frees the slot. */
void cgroup_receive(struct parent *parent, struct session *session);

/* Whether the kernel has killed some of it because its memory ran out. */
bool cgroup_ran_out(const struct parent *parent, const struct session *session);

/* Sends a signal to all that is in it, its main process but for SIGKILL. */
void cgroup_signal_all(const struct parent *parent,
    const struct session *session, int signal_number);

#endif
