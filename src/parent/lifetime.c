/*
 * Ends sessions that last too long, or in which nothing comes or goes.
 * Trusts the kernel's figures for the connection, not what a service says.
 * Never asks before a session can be over its time, and never waits.
 */
#include "parent/lifetime.h"

#include <signal.h>

#include "parent/cgroup.h"
#include "parent/limits.h"
#include "parent/parent.h"
#include "parent/reap.h"
#include "sys/sock_diag.h"

void
lifetime_begin(struct parent *parent, struct session *session)
{
	const int64_t idle_ms = (int64_t)session->idle_s * 1000;

	session->ends_ms = session->lifetime_s == 0
	    ? INT64_MAX
	    : parent->now_ms + (int64_t)session->lifetime_s * 1000;
	/* One that has no key any more is found to be gone. */
	if (idle_ms > 0)
		(void)sock_diag_key(&session->key, session->fd, &session->peer);
	session->asks_ms = idle_ms > 0 ? parent->now_ms + idle_ms : INT64_MAX;
	if (session->lifetime_s > 0 || idle_ms > 0)
		timers_set(&parent->timers, session_slot(parent, session),
		    session->ends_ms < session->asks_ms ? session->ends_ms
							: session->asks_ms);
}

static void
end(struct parent *parent, struct session *session, enum session_end why)
{
	session->end = (uint8_t)why;
	reap_signal(parent, session, SIGTERM);
	session->ends_ms = parent->now_ms + LIMIT_STOP_MS;
}

/*
 * A connection that is gone has no figures: when it went is not known, so it
 * counts as idle from now on.
 */
static void
ask(struct parent *parent, struct session *session)
{
	const uint32_t idle_ms = session->idle_s * 1000;
	const bool was_gone = session->is_gone;
	uint32_t quiet_ms = 0;

	if (parent->diag_fd < 0)
		parent->diag_fd = sock_diag_open();
	session->asks_ms = parent->now_ms;
	switch (sock_diag_ask(parent->diag_fd, &session->key, &quiet_ms)) {
	case SOCK_DIAG_FOUND:
		break;
	case SOCK_DIAG_GONE:
		session->is_gone = true;
		if (was_gone)
			quiet_ms = idle_ms;
		break;
	case SOCK_DIAG_UNKNOWN:
		session->asks_ms += LIMIT_ASK_MS;
		return;
	}
	if (quiet_ms >= idle_ms)
		end(parent, session, SESSION_END_IDLE);
	else
		session->asks_ms += idle_ms - quiet_ms;
}

/* Its time has come: for what, and when the next time comes. */
static void
attend(struct parent *parent, struct session *session)
{
	if (session->state == SESSION_ENDING) {
		cgroup_receive(parent, session);
		return;
	}
	if (session->end != SESSION_END_ITSELF) {
		reap_signal(parent, session, SIGKILL);
		session->ends_ms = parent->now_ms + LIMIT_STOP_MS;
	} else if (parent->now_ms >= session->ends_ms) {
		end(parent, session, SESSION_END_LIFETIME);
	} else {
		ask(parent, session);
	}
	if (session->end != SESSION_END_ITSELF)
		session->asks_ms = INT64_MAX;
	timers_set(&parent->timers, session_slot(parent, session),
	    session->ends_ms < session->asks_ms ? session->ends_ms
						: session->asks_ms);
}

void
lifetime_tend(struct parent *parent)
{
	for (int i = 0; i < LIMIT_ENDS_A_TURN; i++) {
		int64_t due_ms;
		uint32_t slot = timers_first(&parent->timers, &due_ms);

		if (slot == TIMERS_NONE || due_ms > parent->now_ms)
			return;
		attend(parent, session_at(parent, slot));
	}
}

int64_t
lifetime_due_ms(const struct parent *parent)
{
	int64_t due_ms;

	return timers_first(&parent->timers, &due_ms) == TIMERS_NONE ? 0
								     : due_ms;
}

const char *
lifetime_reason(const struct session *session)
{
	switch ((enum session_end)session->end) {
	case SESSION_END_ITSELF:
		break;
	case SESSION_END_LIFETIME:
		return "lifetime";
	case SESSION_END_IDLE:
		return "idle";
	}
	return NULL;
}
