/*
 * Signals, as events of the loop: stop, drain, status, children.
 * Trusts whoever may signal us: root, or our own user.
 * Never runs a handler but the empty one that ends a close.
 */
#include "parent/signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "parent/launch.h"
#include "parent/limits.h"
#include "parent/listen.h"
#include "parent/parent.h"
#include "parent/reap.h"
#include "parent/reload.h"
#include "parent/settle.h"
#include "sys/fd.h"
#include "sys/log.h"

static const int heard[] = { SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP,
	SIGUSR1 };

int
signals_init(struct parent *parent)
{
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < sizeof(heard) / sizeof(heard[0]); i++)
		(void)sigaddset(&set, heard[i]);
	/*
	 * Started with SIGCHLD ignored, we would never hear who ended; with
	 * SIGALRM blocked, nothing would bound a close.
	 */
	if (sigprocmask(SIG_SETMASK, &set, NULL) != 0 || fd_init() != 0 ||
	    signal(SIGCHLD, SIG_DFL) == SIG_ERR ||
	    signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -1;
	parent->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (parent->signal_fd < 0)
		return -1;
	return loop_add(&parent->loop, parent->signal_fd, EPOLLIN,
	    loop_token(TOKEN_SIGNAL, 0));
}

/* What is counted now: all zero once nobody is connected and nothing runs. */
static void
log_counts(const struct parent *parent)
{
	uint32_t services = image_count(&parent->image, IMAGE_SERVICES);
	uint64_t running = 0;

	for (uint32_t i = 0; i < services; i++)
		running += parent->services[i].sessions;
	log_number("service_sessions", running);
	log_number("sources_busy", source_busy(&parent->sources));
	log_number("shares_busy", source_busy(&parent->shares));
}

void
signals_log_counters(struct parent *parent)
{
	const struct counters *counters = &parent->counters;

	log_number("accepted", counters->accepted);
	log_number("shut_out", counters->shut_out);
	log_number("refused", counters->refused);
	log_number("helped", counters->helped);
	log_number("launched", counters->launched);
	log_number("finished", counters->finished);
	log_number("evicted", counters->evicted);
	log_number("timed_out", counters->timed_out);
	log_number("probes", counters->probes);
	log_number("violations", counters->violations);
	log_number("workers_started", counters->workers_started);
	log_number("accept_failures", counters->accept_failures);
	log_number("log_lost", log_lost());
	log_number("log_suppressed", counters->log_suppressed);
	log_counts(parent);
}

static void
tell_status(struct parent *parent)
{
	const struct sessions *sessions = &parent->sessions;

	log_begin(LOG_LEVEL_NOTICE, "status");
	log_duration("uptime_s", parent->now_ms - parent->started_ms);
	log_number("pending", parent->crowd.count);
	log_number("launching", sessions->launching.count);
	log_number("running", sessions->running);
	log_number(
	    "lingering", sessions->ring.count + sessions->lingering.count);
	log_number("free", sessions->free.count);
	signals_log_counters(parent);
	log_end();
}

/* Nobody new; who is undecided, with a draining tcpmuxd, still is decided. */
static void
enter_phase(struct parent *parent, enum phase phase, const char *event)
{
	if (parent->phase >= phase)
		return;
	parent->phase = phase;
	listen_close(parent);
	log_begin(LOG_LEVEL_NOTICE, event);
	log_number("running", parent->sessions.running);
	log_end();
}

/* Those who wait for an answer get it now. */
static void
refuse_waiting(struct parent *parent)
{
	struct sessions *sessions = &parent->sessions;
	struct session *session;

	for (session = session_list_first(parent, &sessions->deciding);
	     session != NULL;
	     session = session_list_first(parent, &sessions->deciding))
		settle_refuse(parent, session, REFUSAL_STOPPING);
	for (uint32_t i = 0; i < sessions->capacity; i++) {
		session = session_at(parent, i);
		if (session->state == SESSION_CHOSEN)
			launch_give_up(parent, session);
	}
}

static void
stop(struct parent *parent)
{
	if (parent->phase == PHASE_STOPPING)
		return;
	enter_phase(parent, PHASE_STOPPING, "stopping");
	refuse_waiting(parent);
	reap_signal_all(parent, SIGTERM);
	parent->stop_ms = parent->now_ms + LIMIT_STOP_MS;
}

static void
hear(struct parent *parent, uint32_t signal_number)
{
	switch (signal_number) {
	case SIGCHLD:
		parent->has_ended = true;
		break;
	case SIGTERM:
	case SIGINT:
		stop(parent);
		break;
	case SIGQUIT:
		enter_phase(parent, PHASE_DRAINING, "draining");
		break;
	case SIGHUP:
		reload_ask(parent);
		break;
	case SIGUSR1:
		tell_status(parent);
		break;
	default:
		break;
	}
}

void
signals_receive(struct parent *parent)
{
	struct signalfd_siginfo received[8];
	ssize_t length = read(parent->signal_fd, received, sizeof(received));

	for (ssize_t i = 0; (i + 1) * (ssize_t)sizeof(received[0]) <= length;
	     i++)
		hear(parent, received[i].ssi_signo);
}

/*
 * They may be dead, and yet not ours to reap: a process that left the group
 * can trace the main one and never wait for it. That shall not keep us.
 */
static void
abandon(struct parent *parent)
{
	log_begin(LOG_LEVEL_WARNING, "abandoned");
	log_number("running", reap_count_waited_for(parent));
	log_end();
	parent->stop_kills++;
	parent->stop_ms = 0;
}

void
signals_tend(struct parent *parent)
{
	if (parent->stop_ms == 0 || parent->now_ms < parent->stop_ms)
		return;
	if (parent->stop_kills == LIMIT_STOP_KILLS) {
		abandon(parent);
		return;
	}
	reap_signal_all(parent, SIGKILL);
	parent->stop_kills++;
	parent->stop_ms = parent->now_ms + LIMIT_STOP_MS;
}

bool
signals_are_obeyed(struct parent *parent)
{
	const struct sessions *sessions = &parent->sessions;
	uint32_t open = parent->crowd.count + sessions->launching.count +
	    sessions->ring.count + sessions->lingering.count;

	switch (parent->phase) {
	case PHASE_STARTING:
	case PHASE_SERVING:
		return false;
	case PHASE_DRAINING:
		return open + sessions->running == 0;
	case PHASE_STOPPING:
		return parent->stop_kills > LIMIT_STOP_KILLS ||
		    open + reap_count_waited_for(parent) == 0;
	}
	return false;
}
