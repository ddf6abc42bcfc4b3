/*
 * The peeking: one batch in, one answer out, nothing kept in between.
 * Trusts the parent no further than the format of its message, and no byte
 * of a client. Never waits for a client, writes to one or takes a byte from
 * one.
 */
#include "parser/serve.h"

#include "core/line.h"
#include "core/message.h"
#include "parser/allowed.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* More stack than reading a line and finding a name take. */
#define WIPED_BELOW_BYTES 1024

/* A batch as it is worked on. On the stack; wiped when answered. */
struct batch {
	int count;
	struct handover asked[BATCH_MAX];
	int fds[BATCH_MAX];
	struct verdict answers[BATCH_MAX];
	uint8_t message[VERDICT_MESSAGE_MAX];
};

/* What a client has sent so far, as far as a line can be long. */
struct seen {
	uint8_t bytes[LINE_MAX_BYTES];
	size_t count;
	struct line line;
	bool has_ended; /* its FIN was reached */
	bool has_failed; /* the socket is in error */
};

/* As many descriptors as there are entries, in one piece, nothing else. */
static bool
take_descriptors(struct batch *batch, struct msghdr *message)
{
	struct cmsghdr *rights = CMSG_FIRSTHDR(message);
	size_t bytes = (size_t)batch->count * sizeof(int);

	if ((message->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		return false;
	if (rights == NULL || rights->cmsg_level != SOL_SOCKET ||
	    rights->cmsg_type != SCM_RIGHTS ||
	    rights->cmsg_len != CMSG_LEN(bytes) ||
	    CMSG_NXTHDR(message, rights) != NULL)
		return false;
	memcpy(batch->fds, CMSG_DATA(rights), bytes);
	return true;
}

static enum serve_end
receive(struct batch *batch, int channel_fd)
{
	uint8_t bytes[HANDOVER_MESSAGE_MAX];
	union {
		char bytes[CMSG_SPACE(BATCH_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec part = { .iov_base = bytes, .iov_len = sizeof(bytes) };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t length;

	do
		length = recvmsg(channel_fd, &message, ALLOWED_RECEIVE_FLAGS);
	while (length < 0 && errno == EINTR);
	if (length == 0)
		return SERVE_CLOSED;
	if (length < 0)
		return SERVE_BROKEN;
	batch->count = handover_decode(batch->asked, bytes, (size_t)length);
	if (batch->count < 0 || !take_descriptors(batch, &message))
		return SERVE_BROKEN;
	return SERVE_ANSWERED;
}

/*
 * One peek is nearly always enough. A peek stops at an urgent mark though,
 * so where the kernel can go on from there it is asked again, until there is
 * no more: that also tells at once whether a FIN stands behind half a line.
 * A line of LINE_MAX_BYTES is always decided, so there is room for a byte.
 */
static void
peek(struct seen *seen, int fd, bool is_lenient, bool can_peek_on)
{
	seen->count = 0;
	seen->line.state = LINE_MORE;
	seen->has_ended = false;
	seen->has_failed = false;
	do {
		ssize_t length = recvfrom(fd, seen->bytes + seen->count,
		    sizeof(seen->bytes) - seen->count, ALLOWED_PEEK_FLAGS, NULL,
		    NULL);

		if (length <= 0) {
			seen->has_ended = length == 0;
			seen->has_failed = length < 0 && errno != EAGAIN;
			return;
		}
		seen->count += (size_t)length;
		seen->line = line_read(seen->bytes, seen->count, is_lenient);
	} while (seen->line.state == LINE_MORE && can_peek_on);
}

static void
answer_line(
    struct verdict *answer, const struct seen *seen, const struct names *names)
{
	size_t length = seen->line.name_length;
	int64_t index;

	answer->length = seen->line.length;
	if (name_is_help(seen->bytes, length)) {
		answer->outcome = OUTCOME_HELP;
		return;
	}
	index = names_find(names, seen->bytes, length);
	if (index >= 0) {
		answer->outcome = OUTCOME_NAME;
		answer->name = (uint32_t)index;
		return;
	}
	answer->outcome = OUTCOME_UNKNOWN;
	answer->claimed[0] = (uint8_t)length;
	memcpy(answer->claimed + 1, seen->bytes, length);
}

/* Half a line: it may go on, or it will not. */
static void
answer_more(struct verdict *answer, const struct seen *seen, bool is_final)
{
	if (!is_final && !seen->has_ended) {
		answer->outcome = OUTCOME_MORE;
		answer->length = (uint16_t)seen->count;
	} else {
		answer->outcome = OUTCOME_MALFORMED;
		if (seen->count == 0)
			answer->outcome = OUTCOME_CLOSED;
	}
}

static void
answer_one(struct verdict *answer, struct seen *seen,
    const struct handover *asked, int fd, const struct serve *serve)
{
	*answer = (struct verdict){ .slot = asked->slot,
		.generation = asked->generation,
		.name = VERDICT_NO_NAME };
	peek(seen, fd, (asked->flags & HANDOVER_LENIENT_LF) != 0,
	    serve->can_peek_on);
	if (seen->has_failed) {
		answer->outcome = OUTCOME_CLOSED;
		return;
	}
	switch (seen->line.state) {
	case LINE_COMPLETE:
		answer_line(answer, seen, &serve->names);
		return;
	case LINE_MALFORMED:
		answer->outcome = OUTCOME_MALFORMED;
		return;
	case LINE_MORE:
		answer_more(answer, seen, (asked->flags & HANDOVER_FINAL) != 0);
		return;
	}
}

static int
send_answers(struct batch *batch, int channel_fd)
{
	size_t count = (size_t)batch->count;
	size_t length = verdict_encode(batch->message, batch->answers, count);
	ssize_t sent;

	do
		sent = sendto(channel_fd, batch->message, length,
		    ALLOWED_SEND_FLAGS, NULL, 0);
	while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)length ? 0 : -1;
}

/*
 * No client shall find here what another one sent: neither in what a batch
 * was worked on with, nor where the functions called for it kept copies.
 */
static __attribute__((noinline)) void
wipe(struct batch *batch, struct seen *seen)
{
	uint8_t below[WIPED_BELOW_BYTES];
	size_t count = (size_t)batch->count;

	explicit_bzero(batch->answers, count * sizeof(batch->answers[0]));
	explicit_bzero(batch->message, count * VERDICT_BYTES);
	explicit_bzero(seen, sizeof(*seen));
	explicit_bzero(below, sizeof(below));
}

enum serve_end
serve_until_end(const struct serve *serve)
{
	struct batch batch;
	struct seen seen;
	enum serve_end end;

	for (;;) {
		end = receive(&batch, serve->channel_fd);
		if (end != SERVE_ANSWERED)
			return end;
		for (int i = 0; i < batch.count; i++) {
			answer_one(&batch.answers[i], &seen, &batch.asked[i],
			    batch.fds[i], serve);
			(void)close(batch.fds[i]);
		}
		if (send_answers(&batch, serve->channel_fd) != 0)
			return SERVE_BROKEN;
		wipe(&batch, &seen);
	}
}
