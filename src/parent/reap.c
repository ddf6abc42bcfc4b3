/*
 * Takes back what ends: services, launchers, workers.
 * Trusts wait4 for who it was and how it went; a service's stderr for
 * nothing.
 * Never waits, and never signals a pid that it has reaped.
 */
#include "parent/reap.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parent/cgroup.h"
#include "parent/launch.h"
#include "parent/lifetime.h"
#include "parent/limits.h"
#include "parent/parent.h"
#include "parent/penalty.h"
#include "parent/reload.h"
#include "parent/stderr.h"
#include "parent/workers.h"
#include "sys/fd.h"
#include "sys/log.h"

static uint32_t *
bucket_of(struct parent *parent, pid_t pid)
{
	return &parent->pids.buckets[(uint32_t)pid & parent->pids.mask];
}

void
reap_index(struct parent *parent, struct session *session)
{
	uint32_t *bucket = bucket_of(parent, session->pid);

	session->next_pid = *bucket;
	*bucket = session_slot(parent, session);
}

void
reap_forget(struct parent *parent, struct session *session)
{
	uint32_t slot = session_slot(parent, session);
	uint32_t *link = bucket_of(parent, session->pid);

	while (*link != SESSION_NONE && *link != slot)
		link = &session_at(parent, *link)->next_pid;
	if (*link == slot)
		*link = session->next_pid;
	session->pid = 0;
}

static struct session *
session_of(struct parent *parent, pid_t pid)
{
	uint32_t slot = *bucket_of(parent, pid);

	while (slot != SESSION_NONE) {
		struct session *session = session_at(parent, slot);

		if (session->pid == pid)
			return session;
		slot = session->next_pid;
	}
	return NULL;
}

/* Whose hand it was, if not its own; NULL: nobody's that we know of. */
static const char *
reason_of(
    const struct parent *parent, const struct session *session, int status)
{
	const char *reason = lifetime_reason(session);

	if (reason == NULL && WIFSIGNALED(status) &&
	    WTERMSIG(status) == SIGKILL && cgroup_ran_out(parent, session))
		reason = "memory";
	return reason;
}

static void
log_exit(struct parent *parent, const struct session *session, int status,
    uint32_t penalty_ms)
{
	const char *reason = reason_of(parent, session, status);

	parent->counters.finished++;
	if (!session_is_logged(session, status != 0))
		return;
	log_begin(LOG_LEVEL_INFO, "exit");
	log_text("service", session->service_name);
	log_addr(&session->peer);
	log_number("session", session->id);
	if (WIFSIGNALED(status))
		log_number("signal", (uint64_t)WTERMSIG(status));
	else
		log_number("status", (uint64_t)WEXITSTATUS(status));
	if (reason != NULL)
		log_word("reason", reason);
	if (penalty_ms > 0)
		log_duration("penalty_s", penalty_ms);
	log_duration("duration_s", parent->now_ms - session->accepted_ms);
	log_end();
}

/* Logs how it ended; gives back its counts and its slot once all of it has. */
static void
finish(struct parent *parent, struct session *session, int status)
{
	uint32_t penalty_ms = 0;

	stderr_finish(parent, session);
	if (WIFEXITED(status))
		penalty_ms =
		    penalty_add_exit(parent, session, WEXITSTATUS(status));
	log_exit(parent, session, status, penalty_ms);
	session_enter(parent, session,
	    cgroup_end(parent, session) ? SESSION_FREE : SESSION_ENDING);
}

/*
 * Ended, and still a zombie: its process group is certainly its own. Who has
 * a cgroup is looked for there (cgroup_end).
 */
static void
end_leftovers(const struct session *session)
{
	if (!session->keeps_leftovers && session->cgroup == CGROUP_NONE)
		(void)kill(-session->pid, SIGKILL);
}

static void
reap_one(struct parent *parent, pid_t pid)
{
	struct session *session = session_of(parent, pid);
	struct rusage usage;
	int status;

	if (session == NULL) {
		/* It has said who it is, perhaps since we last listened. */
		launch_receive_all(parent);
		session = session_of(parent, pid);
	}
	if (session != NULL && session->state == SESSION_LAUNCHING) {
		/* It has said all that it ever will, and may have failed. */
		launch_settle(parent, session_slot(parent, session));
		session = session_of(parent, pid);
	}
	if (session != NULL)
		end_leftovers(session);
	if (wait4(pid, &status, WNOHANG, &usage) != pid)
		return;
	if (session == NULL) {
		if (!workers_reap(parent, pid, status, &usage) &&
		    !launch_reap(parent, pid, status))
			(void)reload_reap(parent, pid);
		return;
	}
	reap_forget(parent, session);
	finish(parent, session, status);
}

static bool
is_end(const siginfo_t *child)
{
	return child->si_code == CLD_EXITED || child->si_code == CLD_KILLED ||
	    child->si_code == CLD_DUMPED;
}

/*
 * Nobody asked for stops, but ptrace(2) tells of them: a service that may call
 * it can make its parent the tracer. Nobody would let it go on. If it cannot be
 * killed, it is at least told of only once.
 */
static void
end_stopped(pid_t pid)
{
	siginfo_t stopped;

	(void)kill(pid, SIGKILL);
	(void)waitid(P_PID, (id_t)pid, &stopped, WSTOPPED | WNOHANG);
}

/*
 * A service can make children of ours (CLONE_PARENT), as fast as it can fork:
 * who is not reaped in this turn is in the next.
 */
void
reap_tend(struct parent *parent)
{
	siginfo_t ended;

	for (int i = 0; i < LIMIT_REAPS_A_TURN && parent->has_ended; i++) {
		memset(&ended, 0, sizeof(ended));
		parent->has_ended = waitid(P_ALL, 0, &ended,
					WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    ended.si_pid != 0;
		if (parent->has_ended && is_end(&ended))
			reap_one(parent, ended.si_pid);
		else if (parent->has_ended)
			end_stopped(ended.si_pid);
	}
}

/*
 * Its group, and itself while it does not lead one yet. What is in a cgroup is
 * told once, as a program may be that is told twice; the main process first, or
 * it might end because a child did, and hide the signal.
 */
void
reap_signal(const struct parent *parent, const struct session *session,
    int signal_number)
{
	pid_t pid = session->pid;

	if (pid != 0 &&
	    (session->cgroup == CGROUP_NONE || signal_number == SIGKILL))
		(void)kill(-pid, signal_number);
	if (pid != 0 &&
	    (session->cgroup != CGROUP_NONE || signal_number == SIGKILL ||
		getpgid(pid) != pid))
		(void)kill(pid, signal_number);
	cgroup_signal_all(parent, session, signal_number);
}

/* Whether tcpmuxd does not end before it has. */
static bool
is_waited_for(const struct session *session)
{
	return session->state == SESSION_ENDING ||
	    (session->pid != 0 && !session->keeps_leftovers);
}

void
reap_signal_all(struct parent *parent, int signal_number)
{
	launch_receive_all(parent);
	for (uint32_t i = 0; i < parent->sessions.capacity; i++) {
		const struct session *session = session_at(parent, i);

		if (is_waited_for(session))
			reap_signal(parent, session, signal_number);
	}
}

uint32_t
reap_count_waited_for(struct parent *parent)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < parent->sessions.capacity; i++)
		count += is_waited_for(session_at(parent, i));
	return count;
}
