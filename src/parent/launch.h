#ifndef PARENT_LAUNCH_H
#define PARENT_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/types.h>

#include "core/image.h"
#include "parent/edition.h"
#include "parent/session.h"

struct parent;

/*
 * The launchers: one for each base of confinement that the policy needs. A
 * chosen session goes to its launcher with the client's socket; the launched
 * child says who it is, then how far it came. Only when it is known to have
 * become the service does the parent let go of the socket.
 */
enum launcher_kind {
	LAUNCHER_BASE, /* root; no bounding set, `syscalls default` */
	LAUNCHER_FULL, /* root; for what keeps more than these leave */
	LAUNCHER_SELF, /* not root: ids stay as they are */
	LAUNCHER_BASE_OFFLINE, /* the same three for `network none` */
	LAUNCHER_FULL_OFFLINE,
	LAUNCHER_SELF_OFFLINE,
	LAUNCHER_KINDS,
};

#define LAUNCHERS (EDITION_SIDES * LAUNCHER_KINDS)

struct launcher {
	uint8_t side; /* of the edition that it has the services of */
	uint8_t kind; /* enum launcher_kind */
	bool is_wanted;
	bool is_ready;
	bool was_told; /* to leave */
	pid_t pid; /* 0: none */
	int channel_fd; /* owned */
	int status_fd; /* owned; how its start went; -1 once it is ready */
	struct session_list chosen; /* waiting for it */
	uint32_t open; /* launches it has and has not answered */
	int64_t spawn_ms; /* not before then is it started again */
	int64_t backoff_ms;
	int64_t leaves_ms; /* killed then, if it was told */
};

struct launchers {
	struct launcher all[LAUNCHERS]; /* each side's, kind by kind */
	int program_fd; /* owned */
};

/* Opens the program. 0, or -1 logged. */
int launch_init(struct parent *parent);

/* The launchers that a side's edition needs are wanted from now on. */
void launch_want(struct parent *parent, uint32_t side);

/* They are not wanted any more, once they have launched whom they shall. */
void launch_dismiss(struct parent *parent, uint32_t side);

/* Whether any of that side is there, or not reaped yet, or has who waits. */
bool launch_has(const struct parent *parent, uint32_t side);

/* Whether every wanted launcher of this side is ready. */
bool launch_is_ready(const struct parent *parent, uint32_t side);

/* Its place among all of them. */
static inline uint32_t
launch_index(uint32_t side, enum launcher_kind kind)
{
	return side * LAUNCHER_KINDS + kind;
}

/* How many launchers a side's edition needs. */
uint32_t launch_count(const struct parent *parent, uint32_t side);

/* Which launcher a service comes from. */
enum launcher_kind
launch_kind(const struct parent *parent, const struct image_service *service);

/* Sends off who waits for this launcher, while it has room. */
void launch_pump(struct parent *parent, struct launcher *launcher);

/* Starts who is wanted and not there. */
void launch_tend(struct parent *parent);

/* The session's service has been decided: has it launched, in its turn. */
void launch_choose(struct parent *parent, struct session *session);

/* It is still waiting for a launcher, and shall not any longer. */
void launch_give_up(struct parent *parent, struct session *session);

/* Its launch took too long. */
void launch_expire(struct parent *parent, struct session *session);

/* A launcher's channel, its start's status pipe, a launch's status pipe. */
void launch_receive(struct parent *parent, uint32_t index);
void launch_start_settled(struct parent *parent, uint32_t index);
void launch_settle(struct parent *parent, uint32_t slot);

/* Takes in what launched children have said. */
void launch_receive_all(struct parent *parent);

/* If pid is a launcher's: gives up what it had not launched; true. */
bool launch_reap(struct parent *parent, pid_t pid, int status);

/* Tells all launchers to leave. */
void launch_finish(struct parent *parent);

#endif
