#ifndef PARENT_SESSION_H
#define PARENT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/types.h>

#include "core/addr.h"
#include "core/image.h"
#include "core/name.h"
#include "core/reply.h"
#include "parent/edition.h"
#include "sys/cgroup_limit.h"
#include "sys/shared.h"
#include "sys/sock_diag.h"

struct parent;

/*
 * One slot for each connection, from accept to the last trace of it. A
 * connection is in exactly one state; session_enter is the only way from one
 * to the next, and keeps every count and list true, so that no path out of a
 * state can forget one.
 */
enum session_state {
	SESSION_FREE,
	/* undecided */
	SESSION_QUEUED, /* for a parser */
	SESSION_HANDED, /* in a parser's batch */
	SESSION_WAITING, /* for more bytes of its line */
	SESSION_HELPING, /* being told the names */
	/* decided: yes */
	SESSION_CHOSEN, /* for a launcher to have room */
	SESSION_LAUNCHING, /* a launcher has it */
	SESSION_RUNNING, /* the service has it */
	SESSION_ENDING, /* but for its main process, which has ended */
	/* decided: no, or done */
	SESSION_RINGED, /* its end is looked for once, a little later */
	SESSION_LINGERING, /* still sending, or slow to close */
	SESSION_STATES,
};

#define SESSION_NONE UINT32_MAX

/* More slots than any policy can ask for: ids are good whatever it asks for. */
#define SESSION_SLOTS_MAX (UINT32_C(1) << 21)

enum session_link_use {
	SESSION_LINK_TIME, /* in the list of its deadline */
	SESSION_LINK_QUEUE, /* waiting for a worker or a launcher */
	SESSION_LINK_USES,
};

struct session_link {
	uint32_t before, next;
};

struct session_list {
	uint32_t first, last;
	uint32_t count;
	enum session_link_use use;
};

/* Who ends a session that runs. */
enum session_end {
	SESSION_END_ITSELF,
	SESSION_END_LIFETIME,
	SESSION_END_IDLE,
};

/* A plain record: fixed size, no pointer. */
struct session {
	struct addr peer;
	uint64_t id; /* never used twice; id % SESSION_SLOTS_MAX is the slot */
	uint64_t generation; /* of the open handover; 0: none is open */
	int64_t accepted_ms;
	int64_t deadline_ms; /* of its state */
	int64_t linger_end_ms;
	int64_t ends_ms; /* while it runs: when it is made to end, or killed */
	int64_t asks_ms; /* and when it may have been idle for too long */
	struct sock_diag_key key; /* by which the kernel knows it then */
	uint32_t lifetime_s, idle_s; /* of its service; 0: any time */
	struct cgroup_limits limits; /* of its service */
	int fd; /* the client; owned; -1 once the service alone has it */
	int status_fd; /* owned; what the launch reports, or who is passed it */
	int stderr_fd; /* owned; what the service complains of */
	int pipe_fd; /* owned; at its end the session is, if it was passed */
	int cgroup_fd; /* owned; tells when what is left of it has ended */
	uint64_t cgroup; /* number of its cgroup; 0: none */
	pid_t pid; /* 0: not known; good until reaped */
	uint32_t next_pid; /* the next slot with the same hash of its pid */
	uint32_t source, share; /* records of what it is counted on */
	uint32_t service; /* in the policy that it was decided under */
	uint32_t service_id; /* its service_state's */
	uint32_t tally; /* in the policy in force; SESSION_NONE: not there */
	uint32_t listener;
	uint32_t waits_for; /* id of the worker's claims that wants more */
	uint32_t drained_bytes; /* thrown away since it was refused */
	struct reply_cursor cursor;
	struct session_link links[SESSION_LINK_USES];
	uint16_t seen; /* bytes of its line that a parser has seen */
	uint16_t stderr_held; /* bytes in stderr_line */
	uint8_t exit_count;
	uint8_t state; /* enum session_state */
	uint8_t end; /* enum session_end */
	uint8_t side; /* of the edition whose names it is told */
	uint8_t launcher; /* that has its service launched */
	bool is_registered; /* fd is in the loop */
	bool has_line; /* its line was whole, and what it was said to be */
	bool is_lenient; /* its listener takes a bare LF */
	bool is_final; /* its FIN was seen */
	bool was_woken; /* handed over again because something came */
	bool is_suspect; /* to be handed over alone */
	bool is_shunned; /* and after all others: it was alone already */
	bool had_stranger; /* a parser that is not ours was handed it */
	bool is_gone; /* its connection, when the kernel was asked last */
	bool keeps_leftovers;
	bool is_limited; /* so its cgroup is among those that can be */
	bool has_stderr_log;
	bool is_passed; /* to a server that runs already */
	bool was_accepted; /* `+` was said before it was passed */
	bool is_exempt; /* from rates and penalties */
	uint8_t logged; /* enum image_logged; of its service */
	/* What only services need, behind what every connection does. */
	char service_name[NAME_MAX_BYTES + 1];
	struct image_exit exits[IMAGE_EXITS_MAX]; /* of its service */
	char stderr_line[512]; /* of its service, not yet at its end */
};

struct sessions {
	struct session *slots; /* in the mapping below */
	struct shared table; /* owned */
	uint32_t capacity;
	uint64_t next_round; /* for ids */
	struct session_list free;
	struct session_list deciding, launching, ring, lingering; /* by time */
	struct session_list fresh, suspect, shunned; /* for a parser */
	uint32_t running;
	uint32_t helping[EDITION_SIDES]; /* with that side's names */
};

/* An empty table without a slot. */
void sessions_init(struct parent *parent);

/*
 * Makes it at least as large; who is in it keeps slot and id, but is moved.
 * 0, or -1 with errno.
 */
int sessions_make_room(struct parent *parent, uint32_t capacity);

/*
 * The tables of sources and shares are new, and empty but for what they
 * remember: counts in each that is marked so what the session is counted on.
 */
void session_count_again(struct parent *parent, struct session *session,
    bool sources_are_new, bool shares_are_new);

/* Whether its service, or its launcher, has it. */
bool session_counts_as_running(const struct session *session);

/* Whether its server would be waited for, to take it, in this state. */
static inline bool
session_is_passing(const struct session *session, uint8_t state)
{
	return session->is_passed && state == SESSION_LAUNCHING;
}

/* The record of what its source has of its service; SOURCE_NONE: no room. */
uint32_t session_share(struct parent *parent, const struct session *session);

/* The slot's number, and the other way. */
struct session *session_at(struct parent *parent, uint32_t slot);
uint32_t
session_slot(const struct parent *parent, const struct session *session);

/* The session of this id, or NULL if it is gone. */
struct session *session_by_id(struct parent *parent, uint64_t id);

/*
 * Takes a free slot for an accepted socket, which it owns from then on, with
 * the source record it will be counted on. NULL if there is none: fd is then
 * still the caller's.
 */
struct session *session_take_fd(
    struct parent *parent, int fd, const struct addr *peer, uint32_t source);

/*
 * It is this service that it asks for: takes down all that is needed of the
 * service until the session's end, which may come under another policy.
 */
void session_set_service(
    struct parent *parent, struct session *session, uint32_t service);

/* Goes from its state to the next one. Entering SESSION_FREE closes all. */
void session_enter(
    struct parent *parent, struct session *session, enum session_state state);

/* Starts, or goes on, watching its socket for these events, once. */
int
session_watch(struct parent *parent, struct session *session, uint32_t events);
/* Takes its socket out of the loop. */
void session_unwatch(struct parent *parent, struct session *session);

/* Whether its service wants a line of this: what failed, or what did not. */
bool session_is_logged(const struct session *session, bool has_failed);

/* The lists by which sessions wait for someone. */
void session_list_init(struct session_list *list, enum session_link_use use);
void session_list_push(
    struct parent *parent, struct session_list *list, struct session *session);
void session_list_remove(
    struct parent *parent, struct session_list *list, struct session *session);
/* The longest waiting, or NULL. */
struct session *
session_list_first(struct parent *parent, const struct session_list *list);
/* The one that came last, or NULL. */
struct session *
session_list_last(struct parent *parent, const struct session_list *list);

#endif
