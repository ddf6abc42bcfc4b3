/*
 * The life of the parser's workers: started, audited, retired, killed.
 * Trusts a worker's exit status, which is the kernel's word, and its
 * silence for no longer than a second.
 * Never waits for one and never runs one whose room is not closed.
 */
#include "parent/workers.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/step.h"
#include "parent/limits.h"
#include "parent/parent.h"
#include "parent/penalty.h"
#include "parent/recheck.h"
#include "parent/settle.h"
#include "sys/fd.h"
#include "sys/log.h"

int
workers_make_room(struct parent *parent, uint32_t seats)
{
	struct workers *workers = &parent->workers;
	uint32_t wanted = WORKERS_A_SEAT * (seats + 1);

	if (wanted <= workers->capacity)
		return 0;
	if (penalty_make_room(parent, wanted) != 0 ||
	    shared_grow(&workers->table, wanted * sizeof(struct worker)) != 0)
		return -1;
	workers->all = workers->table.base;
	while (workers->capacity < wanted)
		workers->all[workers->capacity++] =
		    (struct worker){ .state = WORKER_EMPTY,
			    .channel_fd = -1,
			    .status_fd = -1,
			    .count_fd = -1 };
	return 0;
}

uint32_t
workers_seats(const struct parent *parent, uint32_t side)
{
	return image_global(&parent->editions[side].image)->parser_workers;
}

void
worker_enter(struct parent *parent, struct worker *worker,
    enum worker_state state, int64_t limit_ms)
{
	if (worker->state == WORKER_IDLE)
		parent->workers.idle[worker->side]--;
	if (state == WORKER_IDLE)
		parent->workers.idle[worker->side]++;
	worker->state = state;
	worker->deadline_ms = limit_ms == 0 ? 0 : parent->now_ms + limit_ms;
}

/* In a seat: greeted or about to, and not to be replaced. */
static bool
has_seat(const struct worker *worker)
{
	return !worker->is_old &&
	    (worker->state == WORKER_STARTING || worker->state == WORKER_IDLE ||
		worker->state == WORKER_BUSY);
}

static uint32_t
count_seated(const struct parent *parent, uint32_t side, bool only_greeted)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < parent->workers.capacity; i++) {
		const struct worker *worker = &parent->workers.all[i];

		count += worker->side == side && has_seat(worker) &&
		    (!only_greeted || worker->state != WORKER_STARTING);
	}
	return count;
}

bool
workers_are_ready(const struct parent *parent, uint32_t side)
{
	return count_seated(parent, side, true) >= workers_seats(parent, side);
}

static struct worker *
empty_place(struct parent *parent)
{
	for (uint32_t i = 0; i < parent->workers.capacity; i++)
		if (parent->workers.all[i].state == WORKER_EMPTY)
			return &parent->workers.all[i];
	return NULL;
}

void
worker_retire(struct parent *parent, struct worker *worker)
{
	worker_enter(parent, worker, WORKER_LEAVING, LIMIT_RETIRE_MS);
	worker->was_told = true;
	(void)loop_remove(&parent->loop, worker->channel_fd);
	fd_close(&worker->channel_fd);
}

void
worker_take_back(
    struct parent *parent, struct worker *worker, bool is_suspicious)
{
	for (uint32_t i = 0; i < worker->batch_count; i++) {
		const struct handover *entry = &worker->batch[i];
		struct session *session = session_at(parent, entry->slot);

		if (session->generation != entry->generation)
			continue;
		session->generation = 0;
		session->is_suspect |= is_suspicious;
		recheck_rewind(parent, session);
		session_enter(parent, session, SESSION_QUEUED);
	}
	worker->batch_count = 0;
}

/* Who is alone in its batch, and not decided meanwhile; or NULL. */
static struct session *
who_is_alone(struct parent *parent, const struct worker *worker)
{
	const struct handover *entry = &worker->batch[0];
	struct session *session;

	if (worker->batch_count != 1)
		return NULL;
	session = session_at(parent, entry->slot);
	return session->generation == entry->generation ? session : NULL;
}

static void
refuse_crasher(
    struct parent *parent, struct session *session, bool is_penalised)
{
	if (is_penalised)
		penalty_add(parent, session, IMAGE_PENALTY_CRASH);
	settle_refuse(parent, session, REFUSAL_CRASH);
}

/*
 * Who was alone when its worker ended comes after all others. When a second
 * one did, it is what the two have in common, and would cost worker
 * after worker. That they were silent can be for want of processors: then it
 * is refused, and that is all.
 */
static void
shun(struct parent *parent, const struct worker *worker, bool is_penalised)
{
	struct session *session = who_is_alone(parent, worker);

	if (session == NULL)
		return;
	if (session->is_shunned)
		refuse_crasher(parent, session, is_penalised);
	session->is_shunned = true;
}

/*
 * A worker that had nobody before died of who was alone with it; another one
 * may have died of one of those.
 */
static void
blame(struct parent *parent, const struct worker *worker)
{
	struct session *session = who_is_alone(parent, worker);

	if (session != NULL && worker->verdicts == 0)
		refuse_crasher(parent, session, true);
	else
		shun(parent, worker, true);
}

static void
put_down(struct parent *parent, struct worker *worker)
{
	worker->is_killed = true;
	(void)kill(worker->pid, SIGKILL);
	if (worker->channel_fd >= 0)
		(void)loop_remove(&parent->loop, worker->channel_fd);
	fd_close(&worker->channel_fd);
	worker_enter(parent, worker, WORKER_LEAVING, 0);
	worker_take_back(parent, worker, true);
}

void
workers_convict(
    struct parent *parent, struct worker *worker, enum violation violation)
{
	parent->counters.violations++;
	log_begin(LOG_LEVEL_WARNING, "violation");
	log_word("reason", violation_name(violation));
	log_number("worker", (uint64_t)worker->pid);
	log_number("batch", worker->batch_count);
	log_end();
	penalty_wipe(parent, worker);
	shun(parent, worker, violation != VIOLATION_SILENCE);
	put_down(parent, worker);
	workers_back_off(parent);
}

/*
 * An idle worker has its channel open and nothing else. /proc tells how many
 * descriptors a process has without asking it (since Linux 6.2).
 */
static void
audit(struct parent *parent, struct worker *worker)
{
	struct stat about;

	if (worker->count_fd < 0 ||
	    parent->now_ms - worker->audited_ms < LIMIT_AUDIT_MS)
		return;
	worker->audited_ms = parent->now_ms;
	if (fstat(worker->count_fd, &about) == 0 &&
	    about.st_size > ROOM_IDLE_FDS)
		workers_convict(parent, worker, VIOLATION_DESCRIPTORS);
}

/* Old by what it has answered, or by the time it has been there. */
static bool
is_due(const struct parent *parent, const struct worker *worker)
{
	const struct image_global *global = image_global(&parent->image);

	return worker->verdicts >= global->recycle_verdicts ||
	    parent->now_ms - worker->started_ms >=
	    (int64_t)global->recycle_age_s * 1000;
}

int64_t
worker_due_ms(const struct worker *worker)
{
	return worker->state == WORKER_BUSY && !worker->is_old
	    ? worker->late_ms
	    : worker->deadline_ms;
}

/*
 * Others need not wait for one that is late: from then on its seat is a
 * successor's, and it leaves if it answers after all.
 */
static void
tend_busy(struct parent *parent, struct worker *worker)
{
	if (parent->now_ms < worker_due_ms(worker))
		return;
	/* Perhaps it is we who are late: its answer may be there. */
	workers_receive(parent, worker_index(parent, worker));
	if (worker->state != WORKER_BUSY)
		return;
	if (worker->is_old)
		workers_convict(parent, worker, VIOLATION_SILENCE);
	worker->is_old = true;
}

static void
tend_one(struct parent *parent, struct worker *worker, bool has_successor)
{
	switch (worker->state) {
	case WORKER_STARTING:
		if (parent->now_ms >= worker->deadline_ms) {
			workers_convict(parent, worker, VIOLATION_SILENCE);
			if (parent->phase == PHASE_STARTING)
				parent->fatal = "a parser did not get ready";
		}
		break;
	case WORKER_BUSY:
		tend_busy(parent, worker);
		break;
	case WORKER_IDLE:
		if (!worker->is_old && is_due(parent, worker))
			worker->is_old = true; /* a successor is started */
		else if (worker->is_old && has_successor)
			worker_retire(parent, worker);
		else
			audit(parent, worker);
		break;
	case WORKER_LEAVING: /* so it said, or so it was told */
		if (worker->deadline_ms != 0 &&
		    parent->now_ms >= worker->deadline_ms)
			workers_convict(parent, worker, VIOLATION_SILENCE);
		break;
	case WORKER_EMPTY:
		break;
	}
}

static void
fill_seats(struct parent *parent, uint32_t side)
{
	uint32_t seats = workers_seats(parent, side);

	for (uint32_t seated = count_seated(parent, side, false);
	     seated < seats && parent->now_ms >= parent->workers.spawn_ms;
	     seated++) {
		struct worker *worker = empty_place(parent);

		if (worker == NULL)
			return;
		worker_start(parent, worker, side);
	}
}

void
workers_tend(struct parent *parent)
{
	struct workers *workers = &parent->workers;
	bool is_ready = workers_are_ready(parent, parent->side);

	for (uint32_t i = 0; i < workers->capacity; i++)
		tend_one(parent, &workers->all[i], is_ready);
	for (uint32_t side = 0; side < EDITION_SIDES; side++)
		if (side == parent->side || reload_is_coming(parent, side))
			fill_seats(parent, side);
}

/* What it said of its room before it died, if it died of that. */
static void
log_room_failure(struct worker *worker, int status)
{
	uint8_t bytes[STATUS_BYTES];
	struct status failed = { .step = STEP_NONE };

	if (read(worker->status_fd, bytes, sizeof(bytes)) == sizeof(bytes))
		failed = status_decode(bytes);
	log_begin(LOG_LEVEL_ERROR, "worker-failed");
	log_word("step", step_name(failed.step));
	if (failed.error != 0)
		log_errno((int)failed.error);
	log_number("status", (uint64_t)(unsigned)status);
	log_end();
}

/*
 * Did it die of something it did? A signal from outside convicts nobody,
 * and comes as SIGKILL; so does the end of its CPU time, which is its own.
 */
static bool
died_by_itself(
    const struct worker *worker, int status, const struct rusage *usage)
{
	if (worker->is_killed || worker->was_told)
		return false;
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		return true;
	return usage->ru_utime.tv_sec + usage->ru_stime.tv_sec >=
	    ROOM_CPU_SECONDS;
}

static void
log_exit(const struct worker *worker, int status)
{
	log_begin(LOG_LEVEL_WARNING, "worker-died");
	log_number("worker", (uint64_t)worker->pid);
	if (WIFSIGNALED(status))
		log_number("signal", (uint64_t)WTERMSIG(status));
	else
		log_number("status", (uint64_t)WEXITSTATUS(status));
	log_number("batch", worker->batch_count);
	log_end();
}

bool
workers_reap(
    struct parent *parent, pid_t pid, int status, const struct rusage *usage)
{
	struct worker *worker = NULL;
	bool is_own_doing;

	for (uint32_t i = 0; i < parent->workers.capacity; i++)
		if (parent->workers.all[i].state != WORKER_EMPTY &&
		    parent->workers.all[i].pid == pid)
			worker = &parent->workers.all[i];
	if (worker == NULL)
		return false;
	is_own_doing = died_by_itself(worker, status, usage);
	if (worker->status_fd >= 0 && !worker->is_killed) {
		log_room_failure(worker, status);
		if (parent->phase == PHASE_STARTING)
			parent->fatal = "the parser's room cannot be closed";
		if (reload_is_coming(parent, worker->side))
			reload_fail(parent, "worker", 0);
	} else if (!worker->is_killed && !worker->was_told) {
		log_exit(worker, status);
	}
	if (is_own_doing) {
		workers_back_off(parent);
		penalty_wipe(parent, worker);
		blame(parent, worker);
	}
	worker_take_back(parent, worker, true);
	if (worker->channel_fd >= 0)
		(void)loop_remove(&parent->loop, worker->channel_fd);
	fd_close(&worker->channel_fd);
	fd_close(&worker->status_fd);
	fd_close(&worker->count_fd);
	worker_enter(parent, worker, WORKER_EMPTY, 0);
	return true;
}

void
workers_dismiss(struct parent *parent, uint32_t side)
{
	for (uint32_t i = 0; i < parent->workers.capacity; i++) {
		struct worker *worker = &parent->workers.all[i];

		if (worker->side != side)
			continue;
		if (worker->state == WORKER_STARTING)
			put_down(parent, worker);
		else if (worker->state == WORKER_IDLE)
			worker_retire(parent, worker);
	}
}

bool
workers_have(const struct parent *parent, uint32_t side)
{
	for (uint32_t i = 0; i < parent->workers.capacity; i++)
		if (parent->workers.all[i].side == side &&
		    parent->workers.all[i].state != WORKER_EMPTY)
			return true;
	return false;
}

void
workers_finish(struct parent *parent)
{
	for (uint32_t i = 0; i < parent->workers.capacity; i++) {
		struct worker *worker = &parent->workers.all[i];

		/* Who was told to leave may not be about to. */
		if (worker->state != WORKER_EMPTY)
			put_down(parent, worker);
	}
}
