/*
 * Fuzzes the parser with what its parent may send, and what clients may: any
 * bytes with any number of descriptors, over sockets in memory. What is no
 * HANDOVER ends it without an answer; else each client gets the outcome that a
 * slow reader of its bytes finds, none has lost a byte, and no descriptor is
 * kept.
 *
 * The input: how many messages (and, in bit 7, a kernel that cannot go on
 * behind an urgent mark), then of each its length, its descriptors, its bytes,
 * and of each descriptor the client's bytes; see read_client.
 */
#include "core/line.h"
#include "core/verdict.h"
#include "parser/serve.h"
#include "sys/channel.h"

#include "world/kernel.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* git, rsync and z: magic, count, four offsets, the names. */
static const struct {
	uint32_t numbers[6];
	char names[9];
} table = { { NAMES_MAGIC, 3, 24, 27, 32, 33 }, "gitrsyncz" };

#define TABLE_BYTES (sizeof(table.numbers) + sizeof(table.names))

static const char *const names[] = { "git", "rsync", "z" };

static const uint8_t *input;
static size_t left;
static bool can_peek_on; /* as sockets come, the parser is told */

static uint8_t
byte(void)
{
	if (left == 0)
		return 0;
	left--;
	return *input++;
}

/* How it ends, then how many bytes, then those; a name, if there are none. */
static struct connection *
read_client(void)
{
	static const struct sockaddr peer = { .sa_family = AF_INET };
	struct connection *client = client_connect(&peer, sizeof(peer), 0);
	uint8_t how = byte();
	size_t length = byte();

	if (client == NULL)
		return NULL;
	client->peek_offset = can_peek_on ? 0 : -1;
	if (length > left)
		length = left;
	client_send(client, input, length);
	input += length;
	left -= length;
	client->has_fin = (how & 1) != 0;
	client->has_reset = (how & 6) == 6;
	if ((how & 16) != 0)
		client->mark = how >> 5;
	return client;
}

static int
make_socket(struct connection *client)
{
	struct file *file = file_make(FILE_STREAM);

	file->connection = client;
	client->file = file;
	return fd_make(file, kernel.current);
}

/* All that can be seen in one look: up to a mark, where it cannot go on. */
static size_t
visible(const struct connection *client)
{
	if (client->peek_offset < 0 && client->mark > 0 &&
	    client->mark < client->sent)
		return client->mark;
	return client->sent;
}

/* Slowly, from the words of core/message.h. */
static enum outcome
expected(
    const struct connection *client, size_t count, uint8_t flags, int64_t *name)
{
	bool lenient_lf = (flags & HANDOVER_LENIENT_LF) != 0;
	struct line line = { .state = LINE_MORE };

	*name = -1;
	if (client->has_reset)
		return OUTCOME_CLOSED;
	for (size_t i = 1; i <= count && line.state == LINE_MORE; i++)
		line = line_read(client->in, i, lenient_lf);
	if (line.state == LINE_MALFORMED)
		return OUTCOME_MALFORMED;
	if (line.state == LINE_MORE) {
		bool has_ended = (flags & HANDOVER_FINAL) != 0 ||
		    (client->has_fin &&
			(count == 0 || client->peek_offset >= 0));

		if (!has_ended)
			return OUTCOME_MORE;
		return count == 0 ? OUTCOME_CLOSED : OUTCOME_MALFORMED;
	}
	if (name_is_help(client->in, line.name_length))
		return OUTCOME_HELP;
	for (int i = 0; i < 3; i++)
		if (name_is_line(client->in, line.length,
			(const uint8_t *)names[i], strlen(names[i]), true))
			*name = i;
	return *name < 0 ? OUTCOME_UNKNOWN : OUTCOME_NAME;
}

struct sent {
	struct connection *clients[PACKET_FDS];
	size_t count;
	struct handover asked[BATCH_MAX];
	size_t length;
	int entries; /* -1: it is no HANDOVER */
};

/* One message into the channel; what it should have been. */
static void
send_one(int channel, struct sent *sent)
{
	uint8_t bytes[HANDOVER_MESSAGE_MAX + 64] = { 0 };
	size_t length = byte() | (size_t)(byte() & 1) << 8;
	int fds[PACKET_FDS];

	sent->count = byte() % (PACKET_FDS + 1);
	for (size_t i = 0; i < length && i < sizeof(bytes); i++)
		bytes[i] = byte();
	if (length > sizeof(bytes))
		length = sizeof(bytes);
	for (size_t i = 0; i < sent->count; i++) {
		sent->clients[i] = read_client();
		if (sent->clients[i] == NULL) {
			sent->count = i;
			break;
		}
		fds[i] = make_socket(sent->clients[i]);
	}
	sent->length = length;
	sent->entries = handover_decode(sent->asked, bytes, length);
	if (sent->entries >= 0 && (size_t)sent->entries != sent->count)
		sent->entries = -1;
	if (channel_send(channel, bytes, length, fds, sent->count) != 0)
		abort();
	for (size_t i = 0; i < sent->count; i++)
		(void)kernel_close(fds[i]);
}

static void
check_answers(int channel, const struct sent *sent)
{
	uint8_t bytes[VERDICT_MESSAGE_MAX + 1];
	struct verdict answers[BATCH_MAX];
	struct channel_message message =
	    channel_receive(channel, bytes, sizeof(bytes), false);

	kernel_require(
	    message.length > 0 && !message.is_cut && !message.has_descriptors,
	    "no answer, or one with descriptors");
	kernel_require(
	    verdict_check(answers, bytes, (size_t)message.length, sent->asked,
		(size_t)sent->entries, 3) == VIOLATION_NONE,
	    "an answer that is a violation");
	for (int i = 0; i < sent->entries; i++) {
		const struct connection *client = sent->clients[i];
		int64_t name;

		if (answers[i].outcome !=
		    expected(
			client, visible(client), sent->asked[i].flags, &name))
			abort();
		if (name >= 0 && answers[i].name != name)
			abort();
	}
}

static void
check_clients(const struct sent *sent)
{
	for (size_t i = 0; i < sent->count; i++)
		kernel_require(sent->clients[i]->taken == 0 &&
			sent->clients[i]->answered == 0 &&
			!sent->clients[i]->is_shut,
		    "a client lost a byte or got one");
}

static void
play(const int ends[2], struct serve *serve)
{
	struct sent sent = { .count = 0 };
	enum serve_end end;
	uint8_t how = byte();

	can_peek_on = (how & 0x80) == 0;
	serve->can_peek_on = can_peek_on;
	for (int i = how % 4; i >= 0; i--) {
		send_one(ends[0], &sent);
		end = serve_until_end(serve);
		check_clients(&sent);
		/* None at all is how a channel's end looks. */
		kernel_require(end ==
			(sent.entries < 0 && sent.length > 0 ? SERVE_BROKEN
							     : SERVE_CLOSED),
		    "it goes on after what is no handover, or does not");
		if (sent.entries < 0)
			break;
		check_answers(ends[0], &sent);
		/* The two ends of the channel, and nothing of a client's. */
		kernel_require(
		    fds_count_of(KERNEL_OUR_PID) == 2, "it keeps a descriptor");
		memset(kernel.connections, 0, sizeof(kernel.connections));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct serve serve;
	int ends[2];

	input = bytes;
	left = length;
	kernel_begin();
	if (channel_pair(ends) != 0 ||
	    !names_init(&serve.names, &table, TABLE_BYTES))
		abort();
	serve.channel_fd = ends[1];
	play(ends, &serve);
	kernel_end();
	return 0;
}
