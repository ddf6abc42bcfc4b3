/*
 * Hands a decided connection to a launcher and follows it until its service
 * runs, or did not.
 * Trusts the launcher's child until it execs, and the kernel for its pid.
 * Never lets go of the client before the launch is known good.
 */
#include "parent/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/message.h"
#include "core/step.h"
#include "parent/cgroup.h"
#include "parent/lifetime.h"
#include "parent/limits.h"
#include "parent/parent.h"
#include "parent/pass.h"
#include "parent/reap.h"
#include "parent/settle.h"
#include "parent/stderr.h"
#include "sys/channel.h"
#include "sys/fd.h"
#include "sys/log.h"

static struct launcher *
launcher_of(struct parent *parent, const struct session *session)
{
	return &parent->launchers.all[session->launcher];
}

/* What goes with one LAUNCH beside the socket. */
struct enclosed {
	int fds[LAUNCH_FDS_MAX]; /* owned, all but the first */
	size_t count;
	uint8_t flags; /* LAUNCH_* */
};

static int
enclose(struct enclosed *enclosed, int fd, uint8_t flag)
{
	if (fd < 0)
		return -1;
	enclosed->fds[enclosed->count++] = fd;
	enclosed->flags |= flag;
	return 0;
}

/* The pipe by which the launch reports. */
static int
enclose_status(
    struct parent *parent, struct session *session, struct enclosed *enclosed)
{
	uint32_t slot = session_slot(parent, session);
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	session->status_fd = ends[0];
	(void)enclose(enclosed, ends[1], 0);
	/* No event is asked for: the end of the pipe comes unasked. */
	return loop_add(
	    &parent->loop, ends[0], 0, loop_token(TOKEN_STATUS, slot));
}

/* The step that failed, with errno; NULL: all that the service needs. */
static const char *
enclose_all(
    struct parent *parent, struct session *session, struct enclosed *enclosed)
{
	if (enclose_status(parent, session, enclosed) != 0)
		return "send";
	if (session->has_stderr_log &&
	    enclose(enclosed, stderr_open(parent, session), LAUNCH_STDERR) != 0)
		return "send";
	if (((!session->keeps_leftovers && parent->cgroups.all_fd >= 0) ||
		session->is_limited) &&
	    enclose(enclosed, cgroup_take(parent, session),
		parent->cgroups.can_clone ? LAUNCH_CGROUP | LAUNCH_BORN
					  : LAUNCH_CGROUP) != 0)
		return step_name(STEP_CGROUP);
	return NULL;
}

/* NULL, or the step that failed, with errno. */
static const char *
send_launch(
    struct parent *parent, struct launcher *launcher, struct session *session)
{
	uint8_t bytes[LAUNCH_BYTES];
	struct sockaddr_storage local = { .ss_family = AF_UNSPEC };
	socklen_t local_length = sizeof(local);
	struct launch launch = { .session = session->id,
		.service = session->service,
		.peer = session->peer };
	struct enclosed enclosed = { .fds = { session->fd }, .count = 1 };
	const char *step = "send";

	(void)getsockname(
	    session->fd, (struct sockaddr *)&local, &local_length);
	if (addr_from_sockaddr(
		&launch.local, (struct sockaddr *)&local, local_length))
		step = enclose_all(parent, session, &enclosed);
	launch.flags = enclosed.flags;
	launch_encode(bytes, &launch);
	if (step == NULL &&
	    channel_send(launcher->channel_fd, bytes, sizeof(bytes),
		enclosed.fds, enclosed.count) != 0)
		step = "send";
	while (enclosed.count > 1)
		fd_close(&enclosed.fds[--enclosed.count]);
	return step;
}

/* Forgets a launch that failed; the socket is still ours and unanswered. */
static void
drop_launch(struct parent *parent, struct session *session)
{
	if (session->status_fd >= 0)
		(void)loop_remove(&parent->loop, session->status_fd);
	stderr_finish(parent, session);
	fd_close(&session->status_fd);
	if (session->state == SESSION_LAUNCHING)
		launcher_of(parent, session)->open--;
	if (session->pid != 0)
		reap_forget(parent, session);
	cgroup_drop(parent, session);
}

/* It did not come to the launcher: refused, or, if that is gone, kept. */
static void
undo_launch(struct parent *parent, struct launcher *launcher,
    struct session *session, const char *step, int error)
{
	drop_launch(parent, session);
	if (error != EPIPE && error != ECONNRESET) {
		settle_refuse_launch(parent, session, step, error);
		return;
	}
	launcher->is_ready = false;
	session_enter(parent, session, SESSION_CHOSEN);
	session_list_push(parent, &launcher->chosen, session);
}

void
launch_pump(struct parent *parent, struct launcher *launcher)
{
	while (launcher->is_ready && launcher->chosen.count > 0 &&
	    launcher->open < LIMIT_LAUNCHES_OPEN) {
		struct session *session =
		    session_list_first(parent, &launcher->chosen);
		const char *step;

		session_list_remove(parent, &launcher->chosen, session);
		session_enter(parent, session, SESSION_LAUNCHING);
		launcher->open++;
		step = send_launch(parent, launcher, session);
		if (step != NULL)
			undo_launch(parent, launcher, session, step, errno);
	}
}

void
launch_choose(struct parent *parent, struct session *session)
{
	struct launcher *launcher;

	session->launcher = (uint8_t)launch_index(parent->side,
	    launch_kind(
		parent, image_service(&parent->image, session->service)));
	launcher = launcher_of(parent, session);
	/* What else is ours on it, its child or its server's side puts back. */
	session_unwatch(parent, session);
	session_enter(parent, session, SESSION_CHOSEN);
	session_list_push(parent, &launcher->chosen, session);
	launch_pump(parent, launcher);
}

static void
refuse_launch(
    struct parent *parent, struct session *session, const char *step, int error)
{
	drop_launch(parent, session);
	settle_refuse_launch(parent, session, step, error);
}

void
launch_give_up(struct parent *parent, struct session *session)
{
	session_list_remove(
	    parent, &launcher_of(parent, session)->chosen, session);
	settle_refuse_launch(parent, session, "launcher", ETIMEDOUT);
}

static void
log_launch_failed(const struct session *session, const struct status *failed)
{
	log_begin(LOG_LEVEL_WARNING, "launch-failed");
	log_text("service", session->service_name);
	log_addr(&session->peer);
	log_number("session", session->id);
	log_word("step", step_name(failed->step));
	log_errno((int)failed->error);
	log_end();
}

/* The client may have read its `+`: no other answer may follow. */
static void
end_replied(
    struct parent *parent, struct session *session, const struct status *failed)
{
	log_launch_failed(session, failed);
	drop_launch(parent, session);
	session_enter(parent, session, SESSION_FREE);
}

/* Whether a child that has just been killed had come as far as its `+`. */
static bool
has_replied(const struct session *session)
{
	uint8_t bytes[STATUS_BYTES];
	struct status first = { .step = STEP_NONE };

	if (read(session->status_fd, bytes, sizeof(bytes)) ==
	    (ssize_t)sizeof(bytes))
		first = status_decode(bytes);
	return first.step == STEP_REPLY && first.error == 0;
}

void
launch_expire(struct parent *parent, struct session *session)
{
	const struct launcher *launcher = launcher_of(parent, session);

	if (session->is_passed) {
		pass_expire(parent, session);
		return;
	}
	if (session->state == SESSION_CHOSEN) {
		launch_give_up(parent, session);
		return;
	}
	launch_receive_all(parent);
	if (session->pid != 0)
		(void)kill(session->pid, SIGKILL);
	else if (launcher->pid != 0)
		(void)kill(launcher->pid, SIGKILL);
	if (has_replied(session)) {
		const struct status late = { .step = STEP_EXEC,
			.error = ETIMEDOUT };

		end_replied(parent, session, &late);
		return;
	}
	refuse_launch(parent, session, "deadline", ETIMEDOUT);
}

static void
log_launch(struct parent *parent, const struct session *session)
{
	parent->counters.launched++;
	if (!session_is_logged(session, false))
		return;
	log_begin(LOG_LEVEL_INFO, "launch");
	log_text("service", session->service_name);
	log_addr(&session->peer);
	log_number("session", session->id);
	log_number("pid", (uint64_t)session->pid);
	log_end();
}

/* The service has the socket now; ours would only keep it open. */
static void
let_go(struct parent *parent, struct session *session)
{
	struct launcher *launcher = launcher_of(parent, session);

	launcher->open--;
	launcher->backoff_ms = 0;
	(void)loop_remove(&parent->loop, session->status_fd);
	fd_close(&session->status_fd);
	lifetime_begin(parent, session);
	fd_close_shared(&session->fd);
	log_launch(parent, session);
	session_enter(parent, session, SESSION_RUNNING);
}

/*
 * The status pipe or its process is at its end. {reply, 0} first means that all
 * was verified and `+` was about to be sent; {exec, errno} behind it, that the
 * last step failed after that; anything else, that a step failed before the
 * client was told anything, and nothing at all, that the child was killed.
 */
void
launch_settle(struct parent *parent, uint32_t slot)
{
	struct session *session = session_at(parent, slot);
	struct launcher *launcher;
	uint8_t bytes[3 * STATUS_BYTES];
	struct status first = { .step = STEP_NONE };
	struct status second = { .step = STEP_NONE };
	ssize_t length;

	if (session->state != SESSION_LAUNCHING)
		return;
	launcher = launcher_of(parent, session);
	if (session->pid == 0)
		launch_receive(parent, session->launcher);
	length = read(session->status_fd, bytes, sizeof(bytes));
	if (length >= (ssize_t)STATUS_BYTES)
		first = status_decode(bytes);
	if (length >= (ssize_t)(2 * STATUS_BYTES))
		second = status_decode(bytes + STATUS_BYTES);
	if (first.step != STEP_REPLY || first.error != 0 || session->pid == 0)
		refuse_launch(
		    parent, session, step_name(first.step), (int)first.error);
	else if (second.step != STEP_NONE)
		end_replied(parent, session, &second);
	else
		let_go(parent, session);
	launch_pump(parent, launcher);
}

void
launch_receive(struct parent *parent, uint32_t index)
{
	struct launcher *launcher = &parent->launchers.all[index];

	while (launcher->channel_fd >= 0) {
		uint8_t bytes[LAUNCHED_BYTES + 1];
		struct channel_message message = channel_receive(
		    launcher->channel_fd, bytes, sizeof(bytes), true);
		struct session *session;
		uint64_t id;

		if (message.length < 0 && errno == EAGAIN)
			return;
		/* Told once, and ahead of what was sent before: unix(7). */
		if (message.length < 0 && errno == ECONNRESET)
			continue;
		if (message.length <= 0) {
			/* SIGCHLD will tell why. */
			(void)loop_remove(&parent->loop, launcher->channel_fd);
			launcher->is_ready = false;
			fd_close(&launcher->channel_fd);
			return;
		}
		session = NULL;
		if (launched_decode(&id, bytes, (size_t)message.length))
			session = session_by_id(parent, id);
		if (session == NULL || session->state != SESSION_LAUNCHING ||
		    session->pid != 0 || message.sender <= 0)
			continue;
		session->pid = message.sender;
		reap_index(parent, session);
	}
}

void
launch_receive_all(struct parent *parent)
{
	for (uint32_t i = 0; i < LAUNCHERS; i++)
		launch_receive(parent, i);
}
