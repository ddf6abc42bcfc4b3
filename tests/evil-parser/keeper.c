/*
 * keeper: handles descriptors as it must not: keeps a client's, or sends
 * some back with its answer.
 */
#include "evil.h"

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
	int fds[64];

	for (size_t i = 0; i < 64; i++)
		fds[i] = batch->fds[0];
	send_back(batch, fds, 64);
}

/* The channel's own end, through itself. */
static void
send_back_channel(struct batch *batch)
{
	const int channel_fd = ROOM_CHANNEL_FD;

	send_back(batch, &channel_fd, 1);
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
