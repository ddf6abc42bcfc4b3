/*
 * What goes to a parser's worker and what comes back: HANDOVER and VERDICT.
 * Trusts no byte that comes back; core/verdict judges it first.
 * Never has two batches open with one worker.
 */
#include "parent/workers.h"

#include <errno.h>
#include <sys/socket.h>

#include "parent/limits.h"
#include "parent/parent.h"
#include "parent/recheck.h"
#include "sys/channel.h"
#include "sys/fd.h"
#include "sys/log.h"

/*
 * Suspects and all others take turns, so that neither waits for more than
 * one batch of the other; whoever was alone when a worker was convicted
 * waits for both, or it would cost them a worker again and again.
 */
static struct session_list *
choose_queue(struct parent *parent)
{
	struct sessions *sessions = &parent->sessions;
	bool is_others_turn =
	    parent->workers.had_suspect && sessions->fresh.count > 0;

	if (sessions->suspect.count > 0 && !is_others_turn)
		return &sessions->suspect;
	return sessions->fresh.count > 0 ? &sessions->fresh
					 : &sessions->shunned;
}

/* What the parser is to know of a connection: its end, its listener's ways. */
static uint8_t
flags_of(const struct session *session)
{
	uint8_t flags = session->is_final ? HANDOVER_FINAL : 0;

	if (session->is_lenient)
		flags |= HANDOVER_LENIENT_LF;
	return flags;
}

/* A suspect is handed over alone, so that it can convict only itself. */
static uint32_t
fill_batch(struct parent *parent, struct worker *worker, int fds[BATCH_MAX])
{
	struct session_list *queue = choose_queue(parent);
	const struct image *image = &parent->editions[worker->side].image;
	bool has_suspect = queue != &parent->sessions.fresh;
	uint32_t most = has_suspect ? 1 : BATCH_MAX;
	uint32_t count = 0;

	parent->workers.had_suspect = has_suspect;
	while (count < most && queue->count > 0) {
		struct session *session = session_list_first(parent, queue);

		session_enter(parent, session, SESSION_HANDED);
		session->generation = ++parent->workers.generation;
		session->had_stranger |=
		    image_global(image)->parser_program.length > 0;
		worker->batch[count] =
		    (struct handover){ .slot = session_slot(parent, session),
			    .generation = session->generation,
			    .flags = flags_of(session) };
		fds[count] = session->fd;
		count++;
	}
	return count;
}

/* Its channel is closed: SIGCHLD will tell of what, or it is helped. */
static void
let_leave(struct parent *parent, struct worker *worker)
{
	int64_t deadline_ms = worker->deadline_ms;

	(void)loop_remove(&parent->loop, worker->channel_fd);
	worker_enter(parent, worker, WORKER_LEAVING, LIMIT_BATCH_MS);
	/* A batch is held for no longer because of that. */
	if (deadline_ms != 0 && deadline_ms < worker->deadline_ms)
		worker->deadline_ms = deadline_ms;
}

/* It was gone before it could be asked: nobody in the batch had to do it. */
static void
withdraw_batch(struct parent *parent, struct worker *worker)
{
	for (uint32_t i = 0; i < worker->batch_count; i++) {
		struct session *session =
		    session_at(parent, worker->batch[i].slot);

		session->generation = 0;
		session_enter(parent, session, SESSION_QUEUED);
	}
	worker->batch_count = 0;
}

static void
hand_over(struct parent *parent, struct worker *worker)
{
	uint8_t bytes[HANDOVER_MESSAGE_MAX];
	int fds[BATCH_MAX];
	size_t length;
	int error;

	worker->batch_count = fill_batch(parent, worker, fds);
	worker_enter(parent, worker, WORKER_BUSY, LIMIT_BATCH_MS);
	worker->late_ms = parent->now_ms + LIMIT_LATE_MS;
	length = handover_encode(bytes, worker->batch, worker->batch_count);
	if (channel_send(worker->channel_fd, bytes, length, fds,
		worker->batch_count) == 0)
		return;
	error = errno;
	withdraw_batch(parent, worker);
	if (error == EPIPE || error == ECONNRESET)
		let_leave(parent, worker);
	else /* short of memory: none of its doing; the next turn tries again */
		worker_enter(parent, worker, WORKER_IDLE, 0);
}

void
workers_dispatch(struct parent *parent)
{
	const struct sessions *sessions = &parent->sessions;
	struct workers *workers = &parent->workers;

	for (uint32_t i = 0;
	     i < workers->capacity && workers->idle[parent->side] > 0; i++) {
		if (sessions->suspect.count + sessions->fresh.count +
			sessions->shunned.count ==
		    0)
			return;
		if (workers->all[i].state == WORKER_IDLE &&
		    workers->all[i].side == parent->side)
			hand_over(parent, &workers->all[i]);
	}
}

static void
greet(struct parent *parent, struct worker *worker,
    const struct channel_message *message, uint8_t greeting)
{
	if (message->length != VERDICT_GREETING_BYTES || greeting != 0 ||
	    message->has_descriptors) {
		workers_convict(parent, worker, VIOLATION_UNASKED);
		return;
	}
	fd_close(&worker->status_fd);
	worker_enter(parent, worker, WORKER_IDLE, 0);
	log_begin(LOG_LEVEL_DEBUG, "worker-ready");
	log_number("worker", (uint64_t)worker->pid);
	log_end();
}

static void
answer(struct parent *parent, struct worker *worker, const uint8_t *bytes,
    const struct channel_message *message)
{
	struct verdict answers[BATCH_MAX];
	uint32_t count = worker->batch_count;
	uint32_t names = parent->editions[worker->side].image.names.count;
	enum violation violation;

	if (message->has_descriptors)
		violation = VIOLATION_DESCRIPTORS;
	else if (message->is_cut)
		violation = VIOLATION_LENGTH;
	else
		violation = verdict_check(answers, bytes,
		    (size_t)message->length, worker->batch, count, names);
	if (violation == VIOLATION_NONE && worker->side != parent->side) {
		/* By names that are no more: but it has let go of them. */
		worker_take_back(parent, worker, false);
		worker_enter(parent, worker, WORKER_IDLE, 0);
		worker_retire(parent, worker);
		return;
	}
	/* What recheck finds false is the worker's too; the rest is undone. */
	for (uint32_t i = 0; i < count && violation == VIOLATION_NONE; i++)
		violation = recheck_answer(
		    parent, worker, &worker->batch[i], &answers[i]);
	if (violation != VIOLATION_NONE) {
		workers_convict(parent, worker, violation);
		return;
	}
	worker->batch_count = 0;
	worker->verdicts += count;
	worker_enter(parent, worker, WORKER_IDLE, 0);
	parent->workers.backoff_ms = 0;
}

void
workers_receive(struct parent *parent, uint32_t index)
{
	struct worker *worker = &parent->workers.all[index];
	uint8_t bytes[VERDICT_MESSAGE_MAX + 1];
	struct channel_message message;

	if (worker->channel_fd < 0)
		return;
	message =
	    channel_receive(worker->channel_fd, bytes, sizeof(bytes), false);
	if (message.length < 0 && errno == EAGAIN)
		return;
	if (message.length <= 0) {
		let_leave(parent, worker);
		return;
	}
	if (worker->state == WORKER_STARTING)
		greet(parent, worker, &message, bytes[0]);
	else
		answer(parent, worker, bytes, &message);
}
