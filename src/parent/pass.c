/*
 * Passes a decided connection on to a server that runs already, and knows it
 * again when it ends.
 * Trusts the policy for where that server is, the kernel for who it is, and
 * the server for nothing: it may be away, slow, or never read.
 * Never waits for it, and never reads what it sends.
 */
#include "parent/pass.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/breaker.h"
#include "core/pass.h"
#include "core/reply.h"
#include "parent/limits.h"
#include "parent/parent.h"
#include "parent/settle.h"
#include "sys/channel.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/restore.h"
#include "sys/server.h"

/* Where it can fail, and whether that says something of the server. */
enum pass_step {
	PASS_NONE,
	PASS_QUEUE, /* too many wait for it */
	PASS_CONNECT,
	PASS_SERVER, /* it is somebody else */
	PASS_SOCKET,
	PASS_PIPE,
	PASS_REPLY,
	PASS_SEND,
	PASS_UNREAD, /* it closed without reading */
	PASS_DEADLINE,
};

static const struct {
	const char *word;
	bool is_servers;
} steps[] = {
	[PASS_NONE] = { NULL, false },
	[PASS_QUEUE] = { "queue", true },
	[PASS_CONNECT] = { "connect", true },
	[PASS_SERVER] = { "server", true },
	[PASS_SOCKET] = { "socket", false },
	[PASS_PIPE] = { "pipe", false },
	[PASS_REPLY] = { "reply", false },
	[PASS_SEND] = { "send", true },
	[PASS_UNREAD] = { "unread", true },
	[PASS_DEADLINE] = { "deadline", true },
};

/* What is counted of its service; NULL if no policy has it any more. */
static struct service_state *
state_of(struct parent *parent, const struct session *session)
{
	if (session->tally == SESSION_NONE)
		return NULL;
	return &parent->services[session->tally];
}

/* What we lack ourselves says nothing about the server. */
static bool
is_servers_fault(enum pass_step step, int error)
{
	return steps[step].is_servers && error != EMFILE && error != ENFILE &&
	    error != ENOMEM && error != ENOBUFS;
}

static void
note_failure(struct parent *parent, const struct session *session,
    enum pass_step step, int error)
{
	struct service_state *state = state_of(parent, session);

	if (state == NULL || !is_servers_fault(step, error))
		return;
	/* It has more than it can take, but it does take: that is not away. */
	if (error == EAGAIN && state->breaker.good_ms != 0 &&
	    parent->now_ms - state->breaker.good_ms < LIMIT_PASS_BUSY_MS)
		return;
	if (!breaker_fail(&state->breaker, parent->now_ms))
		return;
	log_begin(LOG_LEVEL_WARNING, "pass-suspended");
	log_text("service", session->service_name);
	log_word("step", steps[step].word);
	log_errno(error);
	log_end();
}

static void
note_success(struct parent *parent, const struct session *session)
{
	struct service_state *state = state_of(parent, session);

	if (state == NULL || !breaker_succeed(&state->breaker, parent->now_ms))
		return;
	log_begin(LOG_LEVEL_NOTICE, "pass-resumed");
	log_text("service", session->service_name);
	log_end();
}

static void
close_watched(struct parent *parent, int *fd)
{
	if (*fd >= 0)
		(void)loop_remove(&parent->loop, *fd);
	fd_close(fd);
}

static void
log_session(const struct session *session)
{
	log_text("service", session->service_name);
	log_addr(&session->peer);
	log_number("session", session->id);
}

/*
 * Its server does not have it, and shall not: with `+` said no other answer
 * may follow, so the connection is cut; else it is refused. The server may
 * still find it in its queue: what it gets then is dead.
 */
static void
fail(struct parent *parent, struct session *session, enum pass_step step,
    int error)
{
	close_watched(parent, &session->status_fd);
	close_watched(parent, &session->pipe_fd);
	note_failure(parent, session, step, error);
	if (!session->was_accepted) {
		settle_refuse_launch(parent, session, steps[step].word, error);
		return;
	}
	log_begin(LOG_LEVEL_WARNING, "launch-failed");
	log_session(session);
	log_word("step", steps[step].word);
	log_errno(error);
	log_end();
	fd_reset(session->fd);
	session_enter(parent, session, SESSION_FREE);
}

/* The pipe that tells when the session ends; the write end, or -1. */
static int
open_pipe(struct parent *parent, struct session *session)
{
	uint64_t token =
	    loop_token(TOKEN_PASS_END, session_slot(parent, session));
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	session->pipe_fd = ends[0];
	/* No event is asked for: the end of the pipe comes unasked. */
	if (loop_add(&parent->loop, ends[0], 0, token) != 0)
		fd_close(&ends[1]);
	return ends[1];
}

/* All that can be known before the client hears `+`; errno is set. */
static enum pass_step
prepare(struct parent *parent, struct session *session,
    const struct image_service *service, int *pipe_end)
{
	const char *path = image_text(&parent->image, service->program);
	uint64_t token = loop_token(TOKEN_PASS, session_slot(parent, session));

	errno = EAGAIN;
	if (parent->services[session->service].passing > LIMIT_PASSES_OPEN)
		return PASS_QUEUE;
	session->status_fd = server_connect(
	    path, service->uid, parent->is_root && service->uid != 0);
	if (session->status_fd < 0)
		return PASS_CONNECT;
	errno = EPERM;
	if (!server_is(session->status_fd, service->uid))
		return PASS_SERVER;
	if (restore_socket(session->fd, service->keepalive_s) != 0)
		return PASS_SOCKET;
	*pipe_end = open_pipe(parent, session);
	if (*pipe_end < 0 ||
	    loop_add(&parent->loop, session->status_fd,
		EPOLLRDHUP | EPOLLONESHOT, token) != 0)
		return PASS_PIPE;
	return PASS_NONE;
}

static enum pass_step
say_accepted(struct parent *parent, struct session *session,
    const struct image_service *service)
{
	uint8_t bytes[REPLY_ACCEPT_BYTES_MAX];
	size_t length = reply_accept(&parent->image, service, bytes);
	ssize_t sent;

	if (length == 0)
		return PASS_NONE;
	session->was_accepted = true;
	sent = send(session->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent == (ssize_t)length)
		return PASS_NONE;
	if (sent >= 0)
		errno = EIO;
	return PASS_REPLY;
}

/* It fits: nothing else was ever sent on this connection. */
static enum pass_step
send_message(struct session *session, int pipe_end)
{
	const int fds[PASS_FDS] = { session->fd, pipe_end };
	struct pass pass = { .service = session->service_name,
		.peer = session->peer,
		.session = session->id };
	struct sockaddr_storage local = { .ss_family = AF_UNSPEC };
	socklen_t local_length = sizeof(local);
	uint8_t bytes[PASS_BYTES_MAX];
	size_t length;

	(void)getsockname(
	    session->fd, (struct sockaddr *)&local, &local_length);
	(void)addr_from_sockaddr(
	    &pass.local, (struct sockaddr *)&local, local_length);
	length = pass_encode(bytes, &pass);
	return channel_send(session->status_fd, bytes, length, fds, PASS_FDS) ==
		0
	    ? PASS_NONE
	    : PASS_SEND;
}

void
pass_choose(struct parent *parent, struct session *session)
{
	const struct service_state *state = &parent->services[session->service];
	const struct image_service *service =
	    image_service(&parent->image, session->service);
	enum pass_step failed;
	int pipe_end = -1;

	if (!breaker_lets(&state->breaker, state->passing, parent->now_ms)) {
		settle_refuse(parent, session, REFUSAL_SUSPENDED);
		return;
	}
	session_unwatch(parent, session);
	session_enter(parent, session, SESSION_LAUNCHING);
	failed = prepare(parent, session, service, &pipe_end);
	if (failed == PASS_NONE)
		failed = say_accepted(parent, session, service);
	if (failed == PASS_NONE)
		failed = send_message(session, pipe_end);
	fd_close(&pipe_end);
	if (failed != PASS_NONE)
		fail(parent, session, failed, errno);
}

/* The server has the socket now; ours would only keep it open. */
static void
let_go(struct parent *parent, struct session *session)
{
	close_watched(parent, &session->status_fd);
	fd_close_shared(&session->fd);
	note_success(parent, session);
	parent->counters.launched++;
	parent->counters.passed++;
	if (session_is_logged(session, false)) {
		log_begin(LOG_LEVEL_INFO, "launch");
		log_session(session);
		log_end();
	}
	session_enter(parent, session, SESSION_RUNNING);
}

static void
finish(struct parent *parent, struct session *session)
{
	parent->counters.finished++;
	if (session_is_logged(session, false)) {
		log_begin(LOG_LEVEL_INFO, "exit");
		log_session(session);
		log_duration(
		    "duration_s", parent->now_ms - session->accepted_ms);
		log_end();
	}
	close_watched(parent, &session->pipe_fd);
	session_enter(parent, session, SESSION_FREE);
}

void
pass_settle(struct parent *parent, uint32_t slot)
{
	struct session *session = session_at(parent, slot);

	if (!session->is_passed || session->state != SESSION_LAUNCHING)
		return;
	switch (server_state(session->status_fd)) {
	case SERVER_WAITING: /* told once; what is left is its deadline */
		break;
	case SERVER_HAS_READ:
		let_go(parent, session);
		break;
	case SERVER_GONE:
		fail(parent, session, PASS_UNREAD, ECONNRESET);
		break;
	}
}

void
pass_end(struct parent *parent, uint32_t slot)
{
	struct session *session = session_at(parent, slot);

	/* Both at once, or the message is gone with what was in it. */
	pass_settle(parent, slot);
	if (!session->is_passed || session->pipe_fd < 0)
		return;
	/* It took what came with the message, and left the rest unread. */
	if (session->state == SESSION_LAUNCHING)
		let_go(parent, session);
	finish(parent, session);
}

void
pass_expire(struct parent *parent, struct session *session)
{
	if (server_state(session->status_fd) == SERVER_HAS_READ)
		let_go(parent, session);
	else
		fail(parent, session, PASS_DEADLINE, ETIMEDOUT);
}

void
pass_finish(struct parent *parent)
{
	for (uint32_t i = 0; i < parent->sessions.capacity; i++) {
		struct session *session = session_at(parent, i);

		if (!session->is_passed || session->state != SESSION_RUNNING)
			continue;
		close_watched(parent, &session->pipe_fd);
		session_enter(parent, session, SESSION_FREE);
	}
}
