#ifndef PARENT_WORKERS_H
#define PARENT_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/resource.h>
#include <sys/types.h>

#include "core/claim.h"
#include "core/message.h"
#include "core/verdict.h"
#include "parent/edition.h"
#include "sys/shared.h"

struct parent;
struct session;

/*
 * The parser's workers: how they come, are asked, audited, and go. At most
 * one batch is open with each; a worker that does anything but answer it is
 * killed, and who was in the batch is handed to another, one at a time.
 */
enum worker_state {
	WORKER_EMPTY,
	WORKER_STARTING, /* building its room; has not greeted yet */
	WORKER_IDLE,
	WORKER_BUSY,
	WORKER_LEAVING, /* told to, or killed; not reaped yet */
};

struct worker {
	enum worker_state state;
	pid_t pid;
	int channel_fd; /* owned */
	int status_fd; /* owned; how its room went */
	int count_fd; /* owned; /proc/PID/fd, -1 if not to be had */
	bool is_old; /* to leave as soon as another is there */
	bool is_killed; /* by us */
	bool was_told; /* to leave */
	uint8_t side; /* of the edition whose names it knows */
	struct handover batch[BATCH_MAX];
	uint32_t batch_count;
	uint32_t verdicts; /* answers given */
	struct claims claims; /* who was penalised on its word */
	int64_t started_ms, audited_ms;
	int64_t deadline_ms; /* of its state; 0: none */
	int64_t late_ms; /* busy: until then its answer is in time */
};

/* Seats, a successor for each, a reload's for each, some on their way out. */
#define WORKERS_A_SEAT 4u

struct workers {
	struct worker *all; /* in the mapping below */
	struct shared table; /* owned; of struct worker */
	struct shared claims; /* owned; CLAIMS_MAX of each */
	uint32_t capacity;
	uint32_t started; /* workers, ever */
	uint64_t generation; /* of the last handover */
	int64_t spawn_ms; /* not before then is another started */
	int64_t backoff_ms; /* to be added next time; 0: none yet */
	uint32_t idle[EDITION_SIDES];
	bool had_suspect; /* in the last batch: then it is the others' turn */
};

/* Makes room in the table for so many seats; starts nobody. 0, or -1: errno. */
int workers_make_room(struct parent *parent, uint32_t seats);

/* The seats of a side's edition; whether each has a worker that greeted. */
uint32_t workers_seats(const struct parent *parent, uint32_t side);
bool workers_are_ready(const struct parent *parent, uint32_t side);

/* All of a side have to go: the idle and the unready now, the busy after. */
void workers_dismiss(struct parent *parent, uint32_t side);

/* Whether any of that side is there, or not reaped yet. */
bool workers_have(const struct parent *parent, uint32_t side);

/* An idle one has to go: tells it. */
void worker_retire(struct parent *parent, struct worker *worker);

/*
 * Who is in its batch is queued again: to be handed over alone, if that may
 * have been the reason for something.
 */
void worker_take_back(
    struct parent *parent, struct worker *worker, bool is_suspicious);

/* Starts, retires and kills as it is due. */
void workers_tend(struct parent *parent);

/* Hands what is queued to whoever is idle. */
void workers_dispatch(struct parent *parent);

/* A message, or the end, is on the worker's channel. */
void workers_receive(struct parent *parent, uint32_t index);

/* If pid is a worker's: takes back its batch, frees its place, true. */
bool workers_reap(
    struct parent *parent, pid_t pid, int status, const struct rusage *usage);

/* Its place in the table. */
uint32_t worker_index(const struct parent *parent, const struct worker *worker);

/* Starts one in an empty place; if that fails, it stays one, and it is logged.
 */
void worker_start(struct parent *parent, struct worker *worker, uint32_t side);

/* Something went wrong with one: the next is started a little later. */
void workers_back_off(struct parent *parent);

/* Goes from its state to the next, with limit_ms for it (0: no limit). */
void worker_enter(struct parent *parent, struct worker *worker,
    enum worker_state state, int64_t limit_ms);

/* When it has to be looked at next, if nothing comes of it; 0: never. */
int64_t worker_due_ms(const struct worker *worker);

/* Kills a worker for what it did; its batch is handed to others. */
void workers_convict(
    struct parent *parent, struct worker *worker, enum violation violation);

/* Kills all of them, those too that were told to leave. */
void workers_finish(struct parent *parent);

#endif
