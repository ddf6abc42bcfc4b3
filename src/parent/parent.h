#ifndef PARENT_PARENT_H
#define PARENT_PARENT_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/resource.h>

#include "core/crowd.h"
#include "core/image.h"
#include "core/source.h"
#include "core/timer.h"
#include "parent/ban.h"
#include "parent/cgroup.h"
#include "parent/edition.h"
#include "parent/launch.h"
#include "parent/listen.h"
#include "parent/noise.h"
#include "parent/reload.h"
#include "parent/session.h"
#include "parent/tables.h"
#include "parent/workers.h"
#include "sys/loop.h"
#include "sys/room.h"
#include "sys/week.h"

/*
 * The deciding room: all that it knows. Its parts, in the order in which a
 * request meets them:
 *
 *	listen   accepts                    workers  asks a parser
 *	admit    may it come in at all      recheck  decides again
 *	session  gives it a slot            settle   refuses, or tells names
 *	                                    launch   has the service started,
 *	                                    pass     or has one that runs
 *	                                    reap     takes back what is left
 */
enum token {
	TOKEN_SIGNAL,
	TOKEN_LISTENER, /* index: of the listener */
	TOKEN_WORKER, /* index: of the worker */
	TOKEN_LAUNCHER, /* index: of the launcher */
	TOKEN_LAUNCHER_START, /* index: of the launcher; its status pipe */
	TOKEN_CLIENT, /* index: slot */
	TOKEN_STATUS, /* index: slot; its launch's status pipe */
	TOKEN_LOADER, /* a reload's */
	TOKEN_CGROUP, /* index: slot; what is left in its cgroup */
	TOKEN_STDERR, /* index: slot; its service's stderr */
	TOKEN_PASS, /* index: slot; the server that it is passed to */
	TOKEN_PASS_END, /* index: slot; the pipe that its server holds */
};

enum phase {
	PHASE_STARTING, /* rooms are being closed; nobody is listened to */
	PHASE_SERVING,
	PHASE_DRAINING, /* nobody new; who is in may finish */
	PHASE_STOPPING, /* who is in is asked to end, then made to */
};

/* Since start; in the status line. */
struct counters {
	uint64_t accepted, shut_out, refused, helped, launched, finished;
	uint64_t evicted, timed_out, probes, violations, workers_started;
	uint64_t accept_failures, log_suppressed;
	uint64_t passed; /* of launched */
};

struct parent {
	struct loop loop;
	struct image image; /* the policy in force: of this side's edition */
	struct service_state
	    *services; /* and what is counted of its services */
	struct edition editions[EDITION_SIDES];
	uint32_t side; /* of the one in force */
	uint32_t service_ids; /* given so far */
	struct room room; /* the parsers' namespaces, once they are made */
	int network_fd; /* owned; the empty one of services; -1: none yet */
	struct listeners listeners;
	struct sessions sessions;
	struct source_table sources; /* who has how many, and did what */
	struct source_table shares; /* of which service */
	struct crowd crowd;
	struct ban_state ban; /* whom the kernel drops for us */
	struct workers workers;
	struct launchers launchers;
	struct {
		uint32_t *buckets; /* slots, by pid */
		uint32_t mask;
	} pids;
	struct cgroups cgroups; /* of sessions */
	struct timers timers; /* of sessions that may not last for ever */
	struct tables tables; /* the memory of these */
	struct reload reload;
	struct loader_options loading; /* what is loaded, at start and again */
	struct noise noise; /* who had how many lines of the log */
	struct counters counters;
	struct rlimit nofile; /* as tcpmuxd was started with */
	enum phase phase;
	int signal_fd; /* owned */
	int diag_fd; /* owned; to ask about connections; -1: not yet */
	int64_t now_ms; /* read once a turn */
	struct week week; /* and the minute of it, for people's hours */
	int64_t stop_ms; /* when what is left gets SIGKILL; 0: not yet */
	int stop_kills; /* how often it has got it */
	int64_t started_ms;
	uint32_t stderr_lines; /* of services, logged in this turn */
	struct {
		int64_t window_ms; /* when the window began */
		uint64_t accepted, passed; /* until then */
		uint32_t most_undecided; /* at a time, in it */
		bool is_busy; /* the window before had many */
	} pace;
	bool is_root;
	bool is_debug; /* -d */
	bool has_ended; /* perhaps a child more than was reaped */
	bool can_peek_on; /* SO_PEEK_OFF on TCP: behind an urgent mark too */
	const char *fatal; /* why tcpmuxd must end; NULL: it need not */
};

#endif
