/*
 * The turn of the wheel: wait, let each part take in what happened, then do
 * what is due.
 * Trusts the loop's tokens, which it made itself.
 * Never waits anywhere else.
 */
#include "parent/serve.h"

#include <errno.h>

#include "parent/ban.h"
#include "parent/cgroup.h"
#include "parent/launch.h"
#include "parent/lifetime.h"
#include "parent/limits.h"
#include "parent/listen.h"
#include "parent/parent.h"
#include "parent/pass.h"
#include "parent/recheck.h"
#include "parent/reap.h"
#include "parent/reload.h"
#include "parent/settle.h"
#include "parent/signals.h"
#include "parent/stderr.h"
#include "parent/workers.h"
#include "sys/clock.h"
#include "sys/log.h"

#define TURN_MAX_MS 1000

/* A client's socket is ready: what for, its state tells. */
static void
wake_client(struct parent *parent, uint32_t slot, uint32_t events)
{
	struct session *session = session_at(parent, slot);

	switch ((enum session_state)session->state) {
	case SESSION_WAITING:
		recheck_wake(parent, slot, events);
		break;
	case SESSION_HELPING:
		settle_resume_help(parent, session);
		break;
	case SESSION_LINGERING:
		settle_resume_linger(parent, session);
		break;
	case SESSION_FREE:
	case SESSION_QUEUED:
	case SESSION_HANDED:
	case SESSION_CHOSEN:
	case SESSION_LAUNCHING:
	case SESSION_RUNNING:
	case SESSION_ENDING:
	case SESSION_RINGED:
	case SESSION_STATES:
		break;
	}
}

static void
dispatch(struct parent *parent, const struct epoll_event *event)
{
	uint32_t index = loop_token_index(event->data.u64);

	switch ((enum token)loop_token_kind(event->data.u64)) {
	case TOKEN_SIGNAL:
		signals_receive(parent);
		break;
	case TOKEN_LISTENER:
		listen_accept(parent, index);
		break;
	case TOKEN_WORKER:
		workers_receive(parent, index);
		break;
	case TOKEN_LAUNCHER:
		launch_receive(parent, index);
		break;
	case TOKEN_LAUNCHER_START:
		launch_start_settled(parent, index);
		break;
	case TOKEN_CLIENT:
		wake_client(parent, index, event->events);
		break;
	case TOKEN_STATUS:
		launch_settle(parent, index);
		break;
	case TOKEN_LOADER:
		reload_receive(parent);
		break;
	case TOKEN_CGROUP:
		cgroup_receive(parent, session_at(parent, index));
		break;
	case TOKEN_STDERR:
		stderr_receive(parent, session_at(parent, index));
		break;
	case TOKEN_PASS:
		pass_settle(parent, index);
		break;
	case TOKEN_PASS_END:
		pass_end(parent, index);
		break;
	}
}

static int64_t
sooner(int64_t deadline_ms, int64_t other_ms)
{
	return other_ms != 0 && other_ms < deadline_ms ? other_ms : deadline_ms;
}

static int64_t
first_deadline(struct parent *parent, const struct session_list *list)
{
	const struct session *session = session_list_first(parent, list);

	return session == NULL ? 0 : session->deadline_ms;
}

/* How long nothing is due. */
static int
quiet_ms(struct parent *parent)
{
	const struct sessions *sessions = &parent->sessions;
	int64_t due_ms = parent->now_ms + (parent->has_ended ? 0 : TURN_MAX_MS);

	due_ms = sooner(due_ms, first_deadline(parent, &sessions->ring));
	due_ms = sooner(due_ms, first_deadline(parent, &sessions->deciding));
	due_ms = sooner(due_ms, first_deadline(parent, &sessions->launching));
	due_ms = sooner(due_ms, first_deadline(parent, &sessions->lingering));
	due_ms = sooner(due_ms, lifetime_due_ms(parent));
	due_ms = sooner(due_ms, listen_due_ms(parent));
	due_ms = sooner(due_ms, ban_due_ms(parent));
	due_ms = sooner(due_ms, parent->stop_ms);
	due_ms = sooner(due_ms, reload_due_ms(parent));
	if (parent->workers.spawn_ms > parent->now_ms)
		due_ms = sooner(due_ms, parent->workers.spawn_ms);
	for (uint32_t i = 0; i < parent->workers.capacity; i++)
		due_ms = sooner(due_ms, worker_due_ms(&parent->workers.all[i]));
	for (uint32_t i = 0; i < LAUNCHERS; i++)
		if (parent->launchers.all[i].spawn_ms > parent->now_ms)
			due_ms =
			    sooner(due_ms, parent->launchers.all[i].spawn_ms);
	return due_ms <= parent->now_ms ? 0 : (int)(due_ms - parent->now_ms);
}

/* Once every room is closed, and not before. */
static void
open_the_door(struct parent *parent)
{
	if (parent->phase != PHASE_STARTING ||
	    !workers_are_ready(parent, parent->side) ||
	    !launch_is_ready(parent, parent->side))
		return;
	if (listen_arm(parent) != 0) {
		parent->fatal =
		    "an address of the policy cannot be listened on";
		return;
	}
	parent->phase = PHASE_SERVING;
	log_begin(LOG_LEVEL_NOTICE, "ready");
	log_number("listeners", parent->listeners.count);
	log_number("services", image_count(&parent->image, IMAGE_SERVICES));
	log_number("workers", workers_seats(parent, parent->side));
	log_end();
}

static void
tend(struct parent *parent)
{
	reap_tend(parent);
	listen_tend(parent);
	ban_tend(parent);
	settle_tend(parent);
	reload_tend(parent);
	workers_tend(parent);
	launch_tend(parent);
	lifetime_tend(parent);
	signals_tend(parent);
	noise_tend(parent);
	open_the_door(parent);
	workers_dispatch(parent);
}

static int
finish(struct parent *parent)
{
	listen_close(parent);
	pass_finish(parent);
	reload_finish(parent);
	workers_finish(parent);
	launch_finish(parent);
	cgroups_finish(parent);
	noise_finish(parent);
	if (parent->fatal != NULL) {
		log_begin(LOG_LEVEL_ERROR, "failed");
		log_text("text", parent->fatal);
	} else {
		log_begin(LOG_LEVEL_NOTICE, "stopped");
		signals_log_counters(parent);
	}
	log_end();
	log_flush();
	return parent->fatal == NULL ? 0 : -1;
}

/*
 * When connections come thick and fast, each turn's fixed cost (two wake-ups,
 * two messages) is worth sharing: a turn that had only a few of them waits
 * for a moment, so that the next has more, as network drivers do. Not where
 * few are undecided at a time: those are all that would come, and they would
 * wait for us. Nor where they are passed on: then their servers would.
 */
static void
pace(struct parent *parent, uint64_t accepted_before)
{
	uint64_t accepted = parent->counters.accepted;
	uint64_t passed = parent->counters.passed;

	if (parent->crowd.count > parent->pace.most_undecided)
		parent->pace.most_undecided = parent->crowd.count;
	if (parent->now_ms - parent->pace.window_ms >= LIMIT_NAP_WINDOW_MS) {
		uint64_t came = accepted - parent->pace.accepted;

		parent->pace.is_busy = parent->now_ms - parent->pace.window_ms <
			INT64_C(2) * LIMIT_NAP_WINDOW_MS &&
		    came >= LIMIT_NAP_ACCEPTS &&
		    parent->pace.most_undecided > LIMIT_NAP_CROWD &&
		    (passed - parent->pace.passed) * LIMIT_NAP_PASSES < came;
		parent->pace.window_ms = parent->now_ms;
		parent->pace.most_undecided = 0;
		parent->pace.accepted = accepted;
		parent->pace.passed = passed;
	}
	if (parent->pace.is_busy && parent->sessions.launching.count == 0 &&
	    accepted - accepted_before < LIMIT_NAP_ACCEPTS)
		clock_nap_us(LIMIT_NAP_US);
}

static void
read_clocks(struct parent *parent)
{
	parent->now_ms = clock_now_ms();
	week_update(&parent->week);
}

int
serve(struct parent *parent)
{
	struct epoll_event events[LOOP_EVENTS_MAX];

	read_clocks(parent);
	parent->started_ms = parent->now_ms;
	tend(parent);
	while (parent->fatal == NULL && !signals_are_obeyed(parent)) {
		uint64_t accepted = parent->counters.accepted;
		int count;

		count = loop_wait(&parent->loop, events, quiet_ms(parent));
		read_clocks(parent);
		parent->stderr_lines = 0;
		for (int i = 0; i < count; i++)
			dispatch(parent, &events[i]);
		tend(parent);
		log_flush();
		pace(parent, accepted);
	}
	return finish(parent);
}
