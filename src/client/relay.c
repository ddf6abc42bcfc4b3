/*
 * The relay: standard input to the socket, the socket to standard output, at
 * the same time, by splice(2) where one end is a pipe. Looks at no byte of
 * it. Never sets O_NONBLOCK on what it shares, never takes what it cannot
 * keep until it is delivered.
 */
#include "client/relay.h"

#include "client/message.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPLICE_BYTES ((size_t)1024 * 1024)
#define SPLICES_A_TURN 8
#define TERMINAL_BYTES 512
/* One EAGAIN may mean either end, two both; a third, that splice is stuck. */
#define STALLS_MAX 3

enum flow_state {
	FLOW_AWAITS_INPUT,
	FLOW_AWAITS_OUTPUT,
	FLOW_ENDED, /* end of file, and all of it delivered */
	FLOW_INPUT_FAILED, /* errno in flow.error */
	FLOW_OUTPUT_FAILED,
};

/* One direction. */
struct flow {
	int from;
	int to;
	enum relay_kind from_kind;
	enum relay_kind to_kind;
	enum flow_state state;
	int error;
	bool is_spliced;
	unsigned int stalls; /* EAGAINs since splice last moved a byte */
	uint8_t *buffer;
	size_t begin; /* first byte not yet delivered */
	size_t end;
};

enum relay_kind
relay_kind_of(int fd)
{
	struct stat status;

	if (fstat(fd, &status) == -1)
		return RELAY_FILE; /* using it will say what is wrong */
	if (S_ISFIFO(status.st_mode))
		return RELAY_PIPE;
	if (S_ISSOCK(status.st_mode))
		return RELAY_SOCKET;
	return isatty(fd) == 1 ? RELAY_TERMINAL : RELAY_FILE;
}

static bool
is_passing(int error)
{
	return error == EAGAIN || error == EINTR;
}

/* EAGAIN does not say which end it means: wait for one, then the other. */
static void
splice_stalled(struct flow *flow)
{
	flow->stalls++;
	if (flow->stalls >= STALLS_MAX) {
		/* TCP's splice stops at an urgent mark, read goes past it. */
		flow->is_spliced = false;
		flow->state = FLOW_AWAITS_INPUT;
		return;
	}
	flow->state =
	    flow->stalls == 2 ? FLOW_AWAITS_OUTPUT : FLOW_AWAITS_INPUT;
}

/*
 * An error of splice is that of either end: of a pipe there is only EPIPE,
 * when it is written; the rest is the socket's. Where splice itself is not
 * possible copying goes on, or says what is wrong; no byte was taken. So it
 * does where nobody reads the pipe any more: splice says so before it looks
 * whether there is anything to write, and at the end there is not.
 */
static void
splice_failed(struct flow *flow, int error)
{
	if (error == EINVAL || error == EBADF ||
	    (error == EPIPE && flow->to_kind != RELAY_SOCKET)) {
		flow->is_spliced = false;
		return;
	}
	flow->error = error;
	flow->state = flow->to_kind == RELAY_SOCKET ? FLOW_OUTPUT_FAILED
						    : FLOW_INPUT_FAILED;
}

/* At an urgent mark TCP's splice says end of file, too: recv is believed. */
static void
splice_ended(struct flow *flow)
{
	if (flow->from_kind == RELAY_SOCKET)
		flow->is_spliced = false;
	else
		flow->state = FLOW_ENDED;
}

static void
splice_some(struct flow *flow)
{
	for (int turn = 0; turn < SPLICES_A_TURN; turn++) {
		ssize_t moved = splice(flow->from, NULL, flow->to, NULL,
		    SPLICE_BYTES, RELAY_SPLICE_FLAGS);

		if (moved > 0) {
			flow->stalls = 0;
			flow->state = FLOW_AWAITS_INPUT;
		} else if (moved == 0) {
			splice_ended(flow);
			return;
		} else if (errno == EAGAIN) {
			splice_stalled(flow);
			return;
		} else if (errno != EINTR) {
			splice_failed(flow, errno);
			return;
		}
	}
}

static void
fill(struct flow *flow)
{
	ssize_t count = flow->from_kind == RELAY_SOCKET
	    ? recv(flow->from, flow->buffer, RELAY_BUFFER_BYTES, MSG_DONTWAIT)
	    : read(flow->from, flow->buffer, RELAY_BUFFER_BYTES);

	if (count > 0) {
		flow->begin = 0;
		flow->end = (size_t)count;
		flow->state = FLOW_AWAITS_OUTPUT;
	} else if (count == 0) {
		flow->state = FLOW_ENDED;
	} else if (!is_passing(errno)) {
		flow->state = FLOW_INPUT_FAILED;
		flow->error = errno;
	}
}

/* As much as can be written without blocking, once poll says writable. */
static size_t
piece_of(const struct flow *flow)
{
	size_t rest = flow->end - flow->begin;

	switch (flow->to_kind) {
	case RELAY_PIPE:
		return rest < PIPE_BUF ? rest : PIPE_BUF;
	case RELAY_TERMINAL:
		return rest < TERMINAL_BYTES ? rest : TERMINAL_BYTES;
	case RELAY_SOCKET:
	case RELAY_FILE:
		return rest;
	}
	return rest;
}

static void
drain(struct flow *flow)
{
	const uint8_t *bytes = flow->buffer + flow->begin;
	ssize_t count = flow->to_kind == RELAY_SOCKET
	    ? send(flow->to, bytes, piece_of(flow), RELAY_SEND_FLAGS)
	    : write(flow->to, bytes, piece_of(flow));

	if (count >= 0) {
		flow->begin += (size_t)count;
		if (flow->begin == flow->end)
			flow->state = FLOW_AWAITS_INPUT;
	} else if (!is_passing(errno)) {
		flow->state = FLOW_OUTPUT_FAILED;
		flow->error = errno;
	}
}

static void
copy_some(struct flow *flow)
{
	if (flow->begin == flow->end) {
		fill(flow);
		/* These two cannot block: no need to ask whether they would. */
		if (flow->to_kind != RELAY_SOCKET &&
		    flow->to_kind != RELAY_FILE)
			return;
	}
	if (flow->state == FLOW_AWAITS_OUTPUT)
		drain(flow);
}

static bool
is_open(const struct flow *flow)
{
	return flow->state == FLOW_AWAITS_INPUT ||
	    flow->state == FLOW_AWAITS_OUTPUT;
}

/* An end that is not waited for is left out: its hang-up would wake us. */
static struct pollfd
wanted_by(const struct flow *flow)
{
	if (!is_open(flow))
		return (struct pollfd){ .fd = -1 };
	if (flow->state == FLOW_AWAITS_INPUT)
		return (struct pollfd){ .fd = flow->from, .events = POLLIN };
	return (struct pollfd){ .fd = flow->to, .events = POLLOUT };
}

static void
run_flow(struct flow *flow)
{
	if (flow->is_spliced)
		splice_some(flow);
	else
		copy_some(flow);
}

/* Waits for either direction and moves what can be moved. */
static int
run_both(struct flow *up, struct flow *down)
{
	struct pollfd wanted[] = { wanted_by(up), wanted_by(down) };

	if (ppoll(wanted, 2, NULL, NULL) == -1)
		return errno == EINTR ? 0 : -1;
	if (wanted[0].revents != 0)
		run_flow(up);
	if (wanted[1].revents != 0)
		run_flow(down);
	return 0;
}

static enum status
report(const char *what, int error)
{
	message_print("%s: %s", what, strerror(error));
	return STATUS_BROKEN;
}

/*
 * A service may close without having read everything: then EPIPE upwards is
 * no failure, what it sent before counts. A reset, whichever direction the
 * kernel told of it, is one: some of what it sent may be lost.
 */
static enum status
outcome(const struct flow *up, const struct flow *down)
{
	if (up->state == FLOW_INPUT_FAILED)
		return report("standard input", up->error);
	if (down->state == FLOW_OUTPUT_FAILED)
		return report("standard output", down->error);
	if (down->state == FLOW_INPUT_FAILED)
		return report("the connection broke", down->error);
	if (up->state == FLOW_OUTPUT_FAILED && up->error != EPIPE)
		return report("the connection broke", up->error);
	return STATUS_OK;
}

enum status
relay_run(const struct relay *relay)
{
	struct flow up = { .from = STDIN_FILENO,
		.to = relay->socket_fd,
		.from_kind = relay->input,
		.to_kind = RELAY_SOCKET,
		.is_spliced = relay->input == RELAY_PIPE,
		.buffer = relay->buffers };
	struct flow down = { .from = relay->socket_fd,
		.to = STDOUT_FILENO,
		.from_kind = RELAY_SOCKET,
		.to_kind = relay->output,
		.is_spliced = relay->output == RELAY_PIPE,
		.buffer = relay->buffers + RELAY_BUFFER_BYTES };
	bool is_half_closed = false;

	while (is_open(&down) && up.state != FLOW_INPUT_FAILED) {
		if (run_both(&up, &down) == -1)
			return report("waiting", errno);
		if (up.state == FLOW_ENDED && !is_half_closed) {
			/* If the server is gone, reading will tell. */
			(void)shutdown(relay->socket_fd, SHUT_WR);
			is_half_closed = true;
		}
	}
	return outcome(&up, &down);
}
