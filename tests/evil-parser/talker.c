/*
 * talker: says too much, too little, too late or nothing: what is wrong is
 * how often it answers and how long, not what.
 */
#include "evil.h"

#include <time.h>

#define MILLION 1000000

static struct evil evil;
static uint8_t bytes[VERDICT_MESSAGE_MAX + 65536];

/* Its last honest answer. */
static uint8_t before[VERDICT_MESSAGE_MAX];
static size_t before_length;

static void
replay(struct batch *batch)
{
	evil_close_all(batch);
	evil_send(before, before_length);
}

static void
answer_twice(struct batch *batch)
{
	size_t length = evil_encode(bytes, batch);

	evil_close_all(batch);
	evil_send(bytes, length);
	evil_send(bytes, length);
}

/* Its answer and a million messages behind it, or as many as it lives for. */
static void
flood(struct batch *batch)
{
	size_t length = evil_encode(bytes, batch);

	evil_close_all(batch);
	for (int i = 0; i < MILLION; i++)
		evil_send(bytes, length);
}

/* Without an answer: as many of what the parser's first word is. */
static void
flood_greetings(struct batch *batch)
{
	evil_close_all(batch);
	for (int i = 0; i < MILLION; i++)
		evil_greet();
}

/* Right answers, in another order than was asked in. */
static void
answer_swapped(struct batch *batch)
{
	size_t last = batch->count - 1;
	struct verdict first = batch->answers[0];

	batch->answers[0] = batch->answers[last];
	batch->answers[last] = first;
	evil_answer(batch);
}

/* The first entry's answer for all of them. */
static void
answer_first_for_all(struct batch *batch)
{
	for (size_t i = 1; i < batch->count; i++)
		batch->answers[i] = batch->answers[0];
	evil_answer(batch);
}

/* What it would have said, had it still been asked. */
static void
answer_late(struct batch *batch)
{
	const struct timespec late = { .tv_sec = 1, .tv_nsec = 300000000 };

	(void)nanosleep(&late, NULL);
	evil_answer(batch);
}

static void
send_length(struct batch *batch, size_t length)
{
	(void)evil_encode(bytes, batch);
	evil_close_all(batch);
	evil_send(bytes, length);
}

static void
answer_half(struct batch *batch)
{
	send_length(batch, batch->count / 2 * VERDICT_BYTES + 1);
}

static void
answer_one_short(struct batch *batch)
{
	send_length(batch, batch->count * VERDICT_BYTES - 1);
}

static void
answer_one_long(struct batch *batch)
{
	send_length(batch, batch->count * VERDICT_BYTES + 1);
}

static void
answer_one_more(struct batch *batch)
{
	send_length(batch, (batch->count + 1) * VERDICT_BYTES);
}

static void
answer_enormous(struct batch *batch)
{
	send_length(batch, sizeof(bytes));
}

/* To the other end this is the end of the channel. */
static void
answer_empty(struct batch *batch)
{
	send_length(batch, 0);
}

static void
say_nothing(struct batch *batch)
{
	evil_close_all(batch);
	for (;;)
		(void)pause();
}

static void
spin(struct batch *batch)
{
	volatile bool is_spinning = true;

	evil_close_all(batch);
	while (is_spinning)
		;
}

/* Alive, and not to be talked to any more. */
static void
hang_up(struct batch *batch)
{
	evil_close_all(batch);
	(void)close(ROOM_CHANNEL_FD);
	for (;;)
		(void)pause();
}

static const struct {
	const char *how;
	void (*answer)(struct batch *batch);
} ways[] = {
	{ "replay", replay },
	{ "twice", answer_twice },
	{ "flood", flood },
	{ "flood-greetings", flood_greetings },
	{ "swapped", answer_swapped },
	{ "first-for-all", answer_first_for_all },
	{ "late", answer_late },
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
talk(struct batch *batch)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (evil_is(&evil, ways[i].how)) {
			ways[i].answer(batch);
			return;
		}
	_exit(1);
}

static _Noreturn void
hang(void)
{
	for (;;)
		(void)pause();
}

int
main(void)
{
	static struct batch batch;
	bool is_deaf;

	evil_enter(&evil);
	if (evil_is(&evil, "no-greeting"))
		hang();
	/* Before anybody is handed over: the next one may be here by then. */
	is_deaf = evil_is(&evil, "deaf") && evil_is_due(&evil, &batch);
	evil_greet();
	if (is_deaf)
		hang();
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
