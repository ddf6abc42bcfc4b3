/*
 * Services' stderr, line by line into the log.
 * Trusts no byte of it: the log escapes them.
 * Never takes more at a time than a bound, and never waits.
 */
#include "parent/stderr.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "parent/parent.h"
#include "sys/fd.h"
#include "sys/log.h"

int
stderr_open(struct parent *parent, struct session *session)
{
	uint64_t token =
	    loop_token(TOKEN_STDERR, session_slot(parent, session));
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	/* So that one session's end has only so much to be taken at once. */
	(void)fcntl(ends[0], F_SETPIPE_SZ, STDERR_PIPE_BYTES);
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0 ||
	    loop_add(&parent->loop, ends[0], EPOLLIN, token) != 0) {
		fd_close(&ends[0]);
		fd_close(&ends[1]);
		return -1;
	}
	session->stderr_fd = ends[0];
	return ends[1];
}

static void
log_held(struct parent *parent, struct session *session)
{
	if (session->stderr_held == 0)
		return;
	log_begin(LOG_LEVEL_NOTICE, "stderr");
	log_text("service", session->service_name);
	log_number("session", session->id);
	log_bytes("text", session->stderr_line, session->stderr_held);
	log_end();
	session->stderr_held = 0;
	parent->stderr_lines++;
}

/* A line may come in pieces, as from programs that do not buffer stderr. */
static void
take(struct parent *parent, struct session *session, const char *bytes,
    size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n') {
			log_held(parent, session);
			continue;
		}
		if (session->stderr_held == sizeof(session->stderr_line))
			log_held(parent, session);
		session->stderr_line[session->stderr_held++] = bytes[i];
	}
}

static void
close_pipe(struct parent *parent, struct session *session)
{
	(void)loop_remove(&parent->loop, session->stderr_fd);
	fd_close(&session->stderr_fd);
	log_held(parent, session);
}

/* False if there is nothing for now, or nothing any more. */
static bool
read_some(struct parent *parent, struct session *session)
{
	char bytes[STDERR_READ_BYTES];
	ssize_t length = read(session->stderr_fd, bytes, sizeof(bytes));

	if (length < 0 && errno == EAGAIN)
		return false;
	if (length <= 0) {
		close_pipe(parent, session);
		return false;
	}
	take(parent, session, bytes, (size_t)length);
	return true;
}

void
stderr_receive(struct parent *parent, struct session *session)
{
	/* Its turn comes: epoll puts whom it has told of behind the others. */
	if (session->stderr_fd < 0 ||
	    parent->stderr_lines >= STDERR_LINES_A_TURN)
		return;
	(void)read_some(parent, session);
}

void
stderr_finish(struct parent *parent, struct session *session)
{
	/* A process that was left behind could go on writing for ever. */
	int reads_left = 2 * STDERR_PIPE_BYTES / (int)STDERR_READ_BYTES;

	while (session->stderr_fd >= 0 && reads_left-- > 0 &&
	    read_some(parent, session))
		continue;
	if (session->stderr_fd >= 0)
		close_pipe(parent, session);
}
