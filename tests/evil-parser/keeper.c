/*
 * keeper: handles descriptors as it must not: keeps a client's, sends some
 * back with its answer, or leaves something set on a client's socket.
 */
#include "evil.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#ifndef SO_PEEK_OFF
#define SO_PEEK_OFF 42
#endif

static struct evil evil;

static void
answer_and_keep_one(struct batch *batch)
{
	uint8_t bytes[VERDICT_MESSAGE_MAX];

	for (size_t i = 1; i < batch->count; i++)
		(void)close(batch->fds[i]);
	evil_send(bytes, evil_encode(bytes, batch));
}

static void
answer_and_keep_all(struct batch *batch)
{
	uint8_t bytes[VERDICT_MESSAGE_MAX];

	evil_send(bytes, evil_encode(bytes, batch));
}

/* A copy under another number. */
static void
answer_and_keep_copy(struct batch *batch)
{
	(void)fcntl(batch->fds[0], F_DUPFD_CLOEXEC, 500);
	evil_answer(batch);
}

static void
send_back(struct batch *batch, const int *fds, size_t count)
{
	uint8_t bytes[VERDICT_MESSAGE_MAX];

	evil_send_with(bytes, evil_encode(bytes, batch), fds, count);
	evil_close_all(batch);
}

static void
send_back_one(struct batch *batch)
{
	send_back(batch, batch->fds, 1);
}

static void
send_back_many(struct batch *batch)
{
	int fds[EVIL_FDS_MAX];

	for (size_t i = 0; i < EVIL_FDS_MAX; i++)
		fds[i] = batch->fds[0];
	send_back(batch, fds, EVIL_FDS_MAX);
}

/* The channel's own end, through itself. */
static void
send_back_channel(struct batch *batch)
{
	const int channel_fd = ROOM_CHANNEL_FD;

	send_back(batch, &channel_fd, 1);
}

static void
set_all(const struct batch *batch, int level, int name, const void *value,
    socklen_t length)
{
	for (size_t i = 0; i < batch->count; i++)
		if (setsockopt(batch->fds[i], level, name, value, length) != 0)
			_exit(1);
}

/* Whoever closes the last copy waits a minute for a client that is gone. */
static void
leave_linger(struct batch *batch)
{
	const struct linger minute = { .l_onoff = 1, .l_linger = 60 };

	set_all(batch, SOL_SOCKET, SO_LINGER, &minute, sizeof(minute));
	evil_answer(batch);
}

/* No byte would be worth waking for. */
static void
leave_mark(struct batch *batch)
{
	const int most = 1 << 20;

	set_all(batch, SOL_SOCKET, SO_RCVLOWAT, &most, sizeof(most));
	evil_answer(batch);
}

/* All that is peeked at would be the second line. */
static void
leave_offset(struct batch *batch)
{
	const int offset = 6;

	set_all(batch, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset));
	evil_answer(batch);
}

/* Of the description, which a service has, too: it would see EAGAIN. */
static void
leave_nonblocking(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		if (fcntl(batch->fds[i], F_SETFL, O_NONBLOCK) != 0)
			_exit(1);
	evil_answer(batch);
}

static const struct {
	const char *how;
	void (*answer)(struct batch *batch);
} ways[] = {
	{ "keep-one", answer_and_keep_one },
	{ "keep-all", answer_and_keep_all },
	{ "keep-copy", answer_and_keep_copy },
	{ "back-one", send_back_one },
	{ "back-many", send_back_many },
	{ "back-channel", send_back_channel },
	{ "set-linger", leave_linger },
	{ "set-mark", leave_mark },
	{ "set-offset", leave_offset },
	{ "set-nonblocking", leave_nonblocking },
};

static void
answer(struct batch *batch)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (evil_is(&evil, ways[i].how)) {
			ways[i].answer(batch);
			return;
		}
	_exit(1);
}

int
main(void)
{
	static struct batch batch;

	evil_enter(&evil);
	evil_greet();
	for (;;) {
		evil_receive(&evil, &batch);
		if (evil_is_due(&evil, &batch))
			answer(&batch);
		else
			evil_answer(&batch);
	}
}
