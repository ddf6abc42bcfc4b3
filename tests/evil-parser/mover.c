/*
 * mover: says that the client asked for "bar", goes on peeking at its socket
 * after that, and so moves the offset that the parent's own peeks might
 * start from: to where the client's next line, "bar", stands.
 */
#include "evil.h"

#define PEEKS 200000

static struct evil evil;

/* Peeks of one line's length keep the offset at the beginning of a line. */
static void
move(int fd)
{
	uint8_t line[sizeof("bar\r\n") - 1];

	for (int i = 0; i < PEEKS; i++)
		if (recv(fd, line, sizeof(line), MSG_PEEK | MSG_DONTWAIT) == 0)
			return;
}

static void
lie(struct batch *batch)
{
	uint8_t bytes[VERDICT_MESSAGE_MAX];

	for (size_t i = 0; i < batch->count; i++) {
		struct verdict *answer = &batch->answers[i];

		if (answer->outcome == OUTCOME_CLOSED)
			continue;
		answer->outcome = OUTCOME_NAME;
		answer->name = (uint32_t)names_find(
		    &evil.names, (const uint8_t *)"bar", 3);
		answer->length = sizeof("bar\r\n") - 1;
		answer->claimed[0] = 0;
	}
	evil_send(bytes, evil_encode(bytes, batch));
	for (size_t i = 0; i < batch->count; i++)
		move(batch->fds[i]);
	evil_close_all(batch);
}

int
main(void)
{
	static struct batch batch;

	evil_enter(&evil);
	evil_greet();
	for (;;) {
		evil_receive(&evil, &batch);
		lie(&batch);
	}
}
