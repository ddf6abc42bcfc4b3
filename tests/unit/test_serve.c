/*
 * parser/serve without a room: batches over a channel, sockets of this
 * process as clients, and each answer judged by core/verdict as the parent
 * judges it. tests/confine asks the same of the program that ships.
 */
#include "parser/serve.h"

#include "core/message.h"
#include "core/verdict.h"
#include "sys/channel.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* It is the parser's own, in no library. */
#include "parser/serve.c"

/* git, rsync: magic, count, three offsets, the names. */
static const struct {
	uint32_t numbers[5];
	char names[8];
} table = { { NAMES_MAGIC, 2, 20, 23, 28 }, "gitrsync" };

struct fixture {
	int parent; /* owned */
	struct serve serve; /* its channel: owned */
};

static int
set_up(void **state)
{
	static struct fixture fixture;
	int ends[2];

	fixture = (struct fixture){ .serve = { .can_peek_on = true } };
	assert_int_equal(channel_pair(ends), 0);
	fixture.parent = ends[0];
	fixture.serve.channel_fd = ends[1];
	assert_true(names_init(&fixture.serve.names, &table, sizeof(table)));
	*state = &fixture;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *fixture = *state;

	close(fixture->parent);
	close(fixture->serve.channel_fd);
	return 0;
}

/* A client that has sent this, and ours of it, peeked at from the start. */
static void
connect_and_send(int pair[2], const void *bytes, size_t count)
{
	const int offset = 0;

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_PEEK_OFF, &offset,
			     sizeof(offset)),
	    0);
	assert_int_equal(send(pair[0], bytes, count, 0), count);
}

/* All that was handed over is answered, then the parent closes. */
static void
serve_all(const struct fixture *fixture, enum serve_end end)
{
	assert_int_equal(shutdown(fixture->parent, SHUT_WR), 0);
	assert_int_equal(serve_until_end(&fixture->serve), end);
}

static void
receive_answers(const struct fixture *fixture, const struct handover batch[],
    size_t count, struct verdict answers[BATCH_MAX])
{
	uint8_t bytes[VERDICT_MESSAGE_MAX + 1];
	struct channel_message message =
	    channel_receive(fixture->parent, bytes, sizeof(bytes), false);

	assert_false(message.is_cut || message.has_descriptors);
	assert_int_equal(verdict_check(answers, bytes, (size_t)message.length,
			     batch, count, fixture->serve.names.count),
	    VIOLATION_NONE);
}

/* The answer to one client that has sent this. */
static struct verdict
ask(const char *bytes, size_t count, uint8_t flags, bool has_ended)
{
	void *state;
	struct handover asked = { 7, 0x1122334455667788u, flags };
	struct verdict answers[BATCH_MAX];
	uint8_t message[HANDOVER_MESSAGE_MAX];
	size_t length = handover_encode(message, &asked, 1);
	int pair[2];
	uint8_t left[512];

	set_up(&state);
	connect_and_send(pair, bytes, count);
	if (has_ended)
		shutdown(pair[0], SHUT_WR);

	const struct fixture *fixture = state;

	assert_int_equal(
	    channel_send(fixture->parent, message, length, &pair[1], 1), 0);
	serve_all(fixture, SERVE_CLOSED);
	receive_answers(fixture, &asked, 1, answers);
	/* Nothing was taken. */
	if (count > 0) {
		assert_int_equal(recv(pair[1], left, sizeof(left), 0), count);
		assert_memory_equal(left, bytes, count);
	}
	close(pair[0]);
	close(pair[1]);
	tear_down(&state);
	return answers[0];
}

static void
every_prefix_is_decided_when_it_can_be(void **unused)
{
	static const struct {
		const char *bytes;
		size_t decides; /* as many of them */
		enum outcome outcome;
	} rows[] = {
		{ "git\r\n", 5, OUTCOME_NAME },
		{ "RSYNC\r\ndata", 7, OUTCOME_NAME },
		{ "Help\r\n", 6, OUTCOME_HELP },
		{ "gi\r\n", 4, OUTCOME_UNKNOWN },
		{ "git\n", 4, OUTCOME_MALFORMED },
		{ "git\rx", 5, OUTCOME_MALFORMED },
		{ "g t\r\n", 2, OUTCOME_MALFORMED },
		{ "\r\n", 1, OUTCOME_MALFORMED },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t n = 0; n <= strlen(rows[i].bytes); n++) {
			struct verdict answer = ask(rows[i].bytes, n, 0, false);

			if (n < rows[i].decides) {
				assert_int_equal(answer.outcome, OUTCOME_MORE);
				assert_int_equal(answer.length, n);
			} else {
				assert_int_equal(
				    answer.outcome, rows[i].outcome);
			}
		}
	}
}

static void
the_details_are_the_lines(void **unused)
{
	struct verdict answer = ask("rsync\r\n@RSYNCD", 14, 0, false);

	(void)unused;
	assert_int_equal(answer.name, 1);
	assert_int_equal(answer.length, 7);
	answer = ask("No-Such\r\n", 9, 0, false);
	assert_int_equal(answer.name, VERDICT_NO_NAME);
	assert_int_equal(answer.length, 9);
	assert_int_equal(answer.claimed[0], 7);
	assert_memory_equal(answer.claimed + 1, "No-Such", 7);
	answer = ask("git\n", 4, HANDOVER_LENIENT_LF, false);
	assert_int_equal(answer.outcome, OUTCOME_NAME);
	assert_int_equal(answer.length, 4);
}

static void
half_a_line_ends_in_one_of_two_ways(void **unused)
{
	(void)unused;
	assert_int_equal(
	    ask("gi", 2, HANDOVER_FINAL, false).outcome, OUTCOME_MALFORMED);
	assert_int_equal(
	    ask("", 0, HANDOVER_FINAL, false).outcome, OUTCOME_CLOSED);
	/* A second peek finds the end by itself. */
	assert_int_equal(ask("gi", 2, 0, true).outcome, OUTCOME_MALFORMED);
	assert_int_equal(ask("", 0, 0, true).outcome, OUTCOME_CLOSED);
	assert_int_equal(ask("git\r\n", 5, 0, true).outcome, OUTCOME_NAME);
}

static void
a_full_batch_is_answered_in_its_order(void **state)
{
	const struct fixture *fixture = *state;
	static const char *const lines[] = { "git\r\n", "x\r\n", "", "\n" };
	static const enum outcome outcomes[] = { OUTCOME_NAME, OUTCOME_UNKNOWN,
		OUTCOME_MORE, OUTCOME_MALFORMED };
	struct handover batch[BATCH_MAX];
	struct verdict answers[BATCH_MAX];
	uint8_t message[HANDOVER_MESSAGE_MAX];
	int clients[BATCH_MAX];
	int fds[BATCH_MAX];

	for (uint32_t i = 0; i < BATCH_MAX; i++) {
		int pair[2];

		connect_and_send(pair, lines[i % 4], strlen(lines[i % 4]));
		clients[i] = pair[0];
		fds[i] = pair[1];
		batch[i] = (struct handover){ 1000 - i, i * 77, 0 };
	}
	assert_int_equal(
	    channel_send(fixture->parent, message,
		handover_encode(message, batch, BATCH_MAX), fds, BATCH_MAX),
	    0);
	serve_all(fixture, SERVE_CLOSED);
	receive_answers(fixture, batch, BATCH_MAX, answers);
	for (size_t i = 0; i < BATCH_MAX; i++) {
		uint8_t byte;

		assert_int_equal(answers[i].outcome, outcomes[i % 4]);
		/* It has closed its copy: with ours the connection ends. */
		close(fds[i]);
		assert_true(recv(clients[i], &byte, 1, MSG_DONTWAIT) <= 0);
		close(clients[i]);
	}
}

static void
what_is_no_batch_ends_it(void **state)
{
	static const struct {
		size_t length;
		uint8_t flags;
		size_t fds;
	} rows[] = {
		{ 12, 0, 1 },
		{ 14, 0, 1 },
		{ 13, 0x04, 1 },
		{ 13, 0, 0 },
		{ 13, 0, 2 },
		{ 26, 0, 1 },
		{ HANDOVER_MESSAGE_MAX + HANDOVER_BYTES, 0, 32 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t bytes[HANDOVER_MESSAGE_MAX + HANDOVER_BYTES] = { 0 };
		int fds[CHANNEL_FDS_MAX];
		const struct fixture *fixture;

		set_up(state);
		fixture = *state;
		for (size_t n = 0; n < CHANNEL_FDS_MAX; n++)
			fds[n] = fixture->parent;
		bytes[12] = rows[i].flags;
		assert_int_equal(channel_send(fixture->parent, bytes,
				     rows[i].length, fds, rows[i].fds),
		    0);
		serve_all(fixture, SERVE_BROKEN);
		tear_down(state);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_prefix_is_decided_when_it_can_be),
		cmocka_unit_test(the_details_are_the_lines),
		cmocka_unit_test(half_a_line_ends_in_one_of_two_ways),
		cmocka_unit_test_setup_teardown(
		    a_full_batch_is_answered_in_its_order, set_up, tear_down),
		cmocka_unit_test(what_is_no_batch_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
