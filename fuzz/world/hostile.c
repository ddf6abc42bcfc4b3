/*
 * A worker in an attacker's hands: keeps what it is handed, and answers what
 * the script says: honestly, nearly so, with another outcome, with bytes of
 * its own, again, unasked, with descriptors.
 * Does nothing that the parser's five system calls would not let it do.
 */
#include "world.h"

#include <string.h>

#include "core/line.h"
#include "parser/allowed.h"
#include "sys/channel.h"

#include "calls.h"

/* What one worker has; the oldest of more than these is forgotten. */
#define WORKERS_KEPT 8u

static struct kept {
	pid_t pid;
	struct handover asked[BATCH_MAX];
	int fds[BATCH_MAX];
	int count;
	uint8_t said[VERDICT_MESSAGE_MAX + 1];
	size_t said_length;
} workers[WORKERS_KEPT];

void
hostile_begin(void)
{
	memset(workers, 0, sizeof(workers));
}

static struct kept *
kept_of(const struct process *worker)
{
	struct kept *kept = &workers[(unsigned)worker->pid % WORKERS_KEPT];

	if (kept->pid != worker->pid)
		*kept = (struct kept){ .pid = worker->pid };
	return kept;
}

static void
receive(const struct process *worker, struct kept *kept)
{
	struct packet *packet = packet_take(fd_file(worker->fds[0]));
	int count;

	if (packet == NULL)
		return;
	count = handover_decode(kept->asked, packet->bytes, packet->length);
	kernel_require(count > 0 && packet->file_count == (size_t)count,
	    "a handover that is none");
	kept->count = count;
	for (int i = 0; i < count; i++)
		kept->fds[i] = fd_make(packet->files[i], worker->pid);
	packet_free(packet);
}

static void
let_go(struct kept *kept)
{
	for (int i = 0; i < kept->count; i++)
		if (kept->fds[i] >= 0)
			(void)kernel_close(kept->fds[i]);
	for (int i = 0; i < kept->count; i++)
		kept->fds[i] = -1;
}

/* What the parser that ships would say, but for urgent marks. */
static struct verdict
honest(const struct process *worker, const struct handover *asked, int fd)
{
	struct verdict answer = { .slot = asked->slot,
		.generation = asked->generation,
		.outcome = OUTCOME_CLOSED,
		.name = VERDICT_NO_NAME };
	const struct connection *client =
	    fd < 0 ? NULL : fd_file(fd)->connection;
	struct names names;
	struct line line;
	int64_t index;

	if (client == NULL || client->has_reset || client->sent == 0 ||
	    !names_init(&names, worker->names, worker->names_bytes))
		return answer;
	line = line_read(client->in, client->sent,
	    (asked->flags & HANDOVER_LENIENT_LF) != 0);
	answer.outcome =
	    line.state == LINE_MORE ? OUTCOME_MORE : OUTCOME_MALFORMED;
	if (line.state == LINE_MORE)
		answer.length = (uint16_t)client->sent;
	if (line.state != LINE_COMPLETE)
		return answer;
	answer.length = line.length;
	index = names_find(&names, client->in, line.name_length);
	answer.outcome = index >= 0 ? OUTCOME_NAME : OUTCOME_UNKNOWN;
	if (index >= 0) {
		answer.name = (uint32_t)index;
		return answer;
	}
	answer.claimed[0] = (uint8_t)line.name_length;
	memcpy(answer.claimed + 1, client->in, line.name_length);
	if (name_is_help(client->in, line.name_length)) {
		answer.outcome = OUTCOME_HELP;
		memset(answer.claimed, 0, sizeof(answer.claimed));
	}
	return answer;
}

/* Another outcome than the true one, and well formed. */
static void
lie(struct verdict *answer)
{
	uint8_t how = script_byte();

	answer->name = VERDICT_NO_NAME;
	answer->length = 0;
	memset(answer->claimed, 0, sizeof(answer->claimed));
	answer->outcome = (uint8_t)(how % 8);
	switch (answer->outcome) {
	case OUTCOME_MORE:
	case OUTCOME_HELP:
		answer->length = (uint16_t)(how >> 3);
		break;
	case OUTCOME_NAME:
		answer->name = how >> 3;
		answer->length = script_byte();
		break;
	case OUTCOME_UNKNOWN:
		answer->length = script_byte();
		answer->claimed[0] = 1;
		answer->claimed[1] = 'x';
		break;
	default:
		break;
	}
}

/* Each client's truth, or, where the script's bit is set, a lie. */
static void
answer(const struct process *worker, struct kept *kept, bool is_lying)
{
	struct verdict answers[BATCH_MAX];

	for (int i = 0; i < kept->count; i++) {
		answers[i] = honest(worker, &kept->asked[i], kept->fds[i]);
		if (is_lying && (script_byte() & 1) != 0)
			lie(&answers[i]);
	}
	kept->said_length =
	    verdict_encode(kept->said, answers, (size_t)kept->count);
}

static void
patch(struct kept *kept)
{
	for (int i = script_byte() % 4; i > 0 && kept->said_length > 0; i--) {
		size_t at = script_byte() | (size_t)script_byte() << 8;

		kept->said[at % kept->said_length] ^= script_byte();
	}
	if ((script_byte() & 1) != 0)
		kept->said_length =
		    script_byte() * VERDICT_BYTES % (VERDICT_MESSAGE_MAX + 1);
}

/* With descriptors it can be no answer, and once more it can be none either. */
static void
say(struct process *worker, const struct kept *kept, size_t fds, bool is_again)
{
	int sent[BATCH_MAX];
	size_t count = 0;

	for (int i = 0; i < kept->count && count < fds; i++)
		if (kept->fds[i] >= 0)
			sent[count++] = kept->fds[i];
	if (fds > 0 && count == 0)
		sent[count++] = worker->fds[0];
	if (channel_send(worker->fds[0], kept->said, kept->said_length, sent,
		count) == 0 &&
	    kept->said_length > 0 && (count > 0 || is_again))
		worker->is_guilty = true;
}

static void
say_bytes(const struct process *worker)
{
	uint8_t bytes[VERDICT_MESSAGE_MAX + 64] = { 0 };
	const uint8_t *from;
	size_t length = script_byte() | (size_t)(script_byte() & 0x1f) << 8;
	size_t given = script_bytes(&from, length % 200);

	if (length > sizeof(bytes))
		length = sizeof(bytes);
	memcpy(bytes, from, given);
	(void)channel_send(worker->fds[0], bytes, length, NULL, 0);
}

/* Moves the offset that the parent set, which it shares. */
static void
peek(const struct kept *kept)
{
	uint8_t bytes[64];
	size_t size = script_byte() % sizeof(bytes);

	for (int i = 0; i < kept->count; i++)
		if (kept->fds[i] >= 0)
			(void)fuzz_recvfrom(kept->fds[i], bytes, size,
			    ALLOWED_PEEK_FLAGS, NULL, NULL);
}

static void
act(struct process *worker, struct kept *kept, uint8_t how)
{
	switch (how % 12) {
	case 0:
	case 1:
	case 2:
		answer(worker, kept, how % 12 == 2);
		if (how % 12 == 1)
			patch(kept);
		let_go(kept);
		say(worker, kept, 0, false);
		kept->count = 0;
		break;
	case 3:
		answer(worker, kept, true);
		say(worker, kept, 0, false); /* and keeps the sockets */
		break;
	case 4:
		answer(worker, kept, false);
		say(worker, kept, 1U + how % BATCH_MAX, false);
		break;
	case 5:
		say(worker, kept, 0, true);
		break;
	case 6:
		say_bytes(worker);
		break;
	case 7:
		peek(kept);
		break;
	case 8:
		let_go(kept);
		break;
	case 9:
		process_end(worker, (how & 16) != 0 ? 11 : 0);
		break;
	default:
		break; /* it only listens */
	}
}

void
worker_hostile(struct process *worker)
{
	struct kept *kept = kept_of(worker);
	uint8_t how = script_byte();

	if (worker->step == 0 && (how & 0xc0) == 0) {
		worker_act(worker);
		return;
	}
	kernel.current = worker->pid;
	receive(worker, kept);
	act(worker, kept, how);
	kernel.current = KERNEL_OUR_PID;
}
