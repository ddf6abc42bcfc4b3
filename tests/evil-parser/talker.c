/*
 * talker: says too much, too little, too late or nothing: what is wrong is
 * how often it answers and how long, not what.
 */
#include "evil.h"

static struct evil evil;
static uint8_t bytes[VERDICT_MESSAGE_MAX + 65536];

/* Its last honest answer. */
static uint8_t before[VERDICT_MESSAGE_MAX];
static size_t before_length;

static void
replay(const struct batch *batch)
{
	evil_close_all(batch);
	evil_send(before, before_length);
}

static void
answer_twice(const struct batch *batch)
{
	size_t length = evil_encode(bytes, batch);

	evil_close_all(batch);
	evil_send(bytes, length);
	evil_send(bytes, length);
}

/* Its answer and 10,000 messages behind it: all it can be made to carry. */
static void
flood(const struct batch *batch)
{
	size_t length = evil_encode(bytes, batch);

	evil_close_all(batch);
	for (int i = 0; i < 10000; i++)
		evil_send(bytes, length);
}

/* Without an answer: 10,000 of what the parser's first word is. */
static void
flood_greetings(const struct batch *batch)
{
	evil_close_all(batch);
	for (int i = 0; i < 10000; i++)
		evil_greet();
}

static void
send_length(const struct batch *batch, size_t length)
{
	(void)evil_encode(bytes, batch);
	evil_close_all(batch);
	evil_send(bytes, length);
}

static void
answer_half(const struct batch *batch)
{
	send_length(batch, batch->count / 2 * VERDICT_BYTES + 1);
}

static void
answer_one_short(const struct batch *batch)
{
	send_length(batch, batch->count * VERDICT_BYTES - 1);
}

static void
answer_one_long(const struct batch *batch)
{
	send_length(batch, batch->count * VERDICT_BYTES + 1);
}

static void
answer_one_more(const struct batch *batch)
{
	send_length(batch, (batch->count + 1) * VERDICT_BYTES);
}

static void
answer_enormous(const struct batch *batch)
{
	send_length(batch, sizeof(bytes));
}

/* To the other end this is the end of the channel. */
static void
answer_empty(const struct batch *batch)
{
	send_length(batch, 0);
}

static void
say_nothing(const struct batch *batch)
{
	evil_close_all(batch);
	for (;;)
		(void)pause();
}

static void
spin(const struct batch *batch)
{
	volatile bool is_spinning = true;

	evil_close_all(batch);
	while (is_spinning)
		;
}

/* Alive, and not to be talked to any more. */
static void
hang_up(const struct batch *batch)
{
	evil_close_all(batch);
	(void)close(ROOM_CHANNEL_FD);
	for (;;)
		(void)pause();
}

static const struct {
	const char *how;
	void (*answer)(const struct batch *batch);
} ways[] = {
	{ "replay", replay },
	{ "twice", answer_twice },
	{ "flood", flood },
	{ "flood-greetings", flood_greetings },
	{ "half", answer_half },
	{ "one-short", answer_one_short },
	{ "one-long", answer_one_long },
	{ "one-more", answer_one_more },
	{ "enormous", answer_enormous },
	{ "empty", answer_empty },
	{ "nothing", say_nothing },
	{ "spin", spin },
	{ "hang-up", hang_up },
};

static void
talk(const struct batch *batch)
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
	while (evil_is(&evil, "no-greeting"))
		(void)pause();
	evil_greet();
	for (;;) {
		evil_receive(&evil, &batch);
		if (evil_is(&evil, "replay") && before_length == 0)
			before_length = evil_encode(before, &batch);
		else if (evil_is_due(&evil, &batch)) {
			talk(&batch);
			continue;
		}
		evil_answer(&batch);
	}
}
