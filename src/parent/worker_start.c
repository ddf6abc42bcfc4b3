/*
 * How a parser's worker comes: its room, its channel, and how it is watched.
 * Trusts it for nothing until it has greeted.
 * Never starts one for whose descriptors nobody could look.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "parent/limits.h"
#include "parent/parent.h"
#include "parent/penalty.h"
#include "parent/workers.h"
#include "sys/channel.h"
#include "sys/fd.h"
#include "sys/log.h"

uint32_t
worker_index(const struct parent *parent, const struct worker *worker)
{
	return (uint32_t)(worker - parent->workers.all);
}

void
workers_back_off(struct parent *parent)
{
	struct workers *workers = &parent->workers;

	if (workers->backoff_ms == 0)
		workers->backoff_ms = LIMIT_BACKOFF_MIN_MS;
	else
		workers->backoff_ms *= 2;
	if (workers->backoff_ms > LIMIT_BACKOFF_MAX_MS)
		workers->backoff_ms = LIMIT_BACKOFF_MAX_MS;
	workers->spawn_ms = parent->now_ms + workers->backoff_ms;
}

static void
log_spawn_failed(struct parent *parent, int error)
{
	log_begin(LOG_LEVEL_ERROR, "worker-failed");
	log_word("step", "clone");
	log_errno(error);
	log_end();
	workers_back_off(parent);
	if (parent->phase == PHASE_STARTING)
		parent->fatal = "the parser cannot be started";
}

/* Its descriptors are counted through a directory that outlives exec. */
static int
open_count(pid_t pid)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void
worker_start(struct parent *parent, struct worker *worker, uint32_t side)
{
	const struct edition *edition = &parent->editions[side];
	const struct image_global *global = image_global(&edition->image);
	struct room room = parent->room;
	uid_t uid = parent->is_root ? global->parser_uid : geteuid();
	gid_t gid = parent->is_root ? global->parser_gid : getegid();
	int channel[2] = { -1, -1 };
	int status[2] = { -1, -1 };
	int count_fd = -1;
	pid_t pid = -1;

	room.kind = edition->room;
	if (channel_pair(channel) == 0 &&
	    pipe2(status, O_CLOEXEC | O_NONBLOCK) == 0)
		pid = room_spawn(&room, edition->parser_fd, channel[1],
		    edition->names_fd, status[1], uid, gid);
	if (pid > 0)
		count_fd = open_count(pid);
	/* Without /proc nobody can be counted; for want of a descriptor of
	 * ours nobody goes uncounted. */
	if (pid < 0 || (count_fd < 0 && (errno == EMFILE || errno == ENFILE)) ||
	    loop_add(&parent->loop, channel[0], EPOLLIN,
		loop_token(TOKEN_WORKER, worker_index(parent, worker))) != 0) {
		log_spawn_failed(parent, errno);
		if (pid > 0)
			(void)kill(pid, SIGKILL);
		fd_close(&channel[0]);
		fd_close(&status[0]);
		fd_close(&count_fd);
	} else {
		*worker = (struct worker){ .pid = pid,
			.side = (uint8_t)side,
			.channel_fd = channel[0],
			.status_fd = status[0],
			.count_fd = count_fd,
			.started_ms = parent->now_ms,
			.audited_ms = parent->now_ms };
		penalty_begin(parent, worker);
		worker_enter(parent, worker, WORKER_STARTING, LIMIT_START_MS);
		parent->counters.workers_started++;
	}
	fd_close(&channel[1]);
	fd_close(&status[1]);
}
