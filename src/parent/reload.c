/*
 * The course of a reload: load, tell, prepare, swap, let leave.
 * Trusts a loader's image only once core/image has checked it, and the loader
 * for no longer than LIMIT_LOADER_MS.
 * Never waits, and never touches the policy in force before all is ready.
 */
#include "parent/reload.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "parent/limits.h"
#include "parent/parent.h"
#include "parent/settle.h"
#include "parent/swap.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/memfd.h"

static uint32_t
other_side(const struct parent *parent)
{
	return 1 - parent->side;
}

static void
enter(struct parent *parent, enum reload_state state, int64_t limit_ms)
{
	parent->reload.state = state;
	parent->reload.deadline_ms =
	    limit_ms == 0 ? 0 : parent->now_ms + limit_ms;
}

static void
log_failed(const char *reason, int error)
{
	log_begin(LOG_LEVEL_ERROR, "reload-failed");
	log_word("reason", reason);
	if (error != 0)
		log_errno(error);
	log_end();
}

void
reload_fail(struct parent *parent, const char *reason, int error)
{
	if (parent->reload.reason != NULL)
		return;
	parent->reload.reason = reason;
	parent->reload.error = error;
}

static void
begin(struct parent *parent)
{
	struct reload *reload = &parent->reload;

	log_begin(LOG_LEVEL_NOTICE, "reload");
	log_end();
	reload->is_asked = false;
	reload->reason = NULL;
	reload->image_fd = -1;
	reload->problems_told = 0;
	reload->began_ms = parent->now_ms;
	reload->job = (struct loader_job){ .channel = -1 };
	reload->problems_fd = memfd_open("tcpmuxd-problems");
	enter(parent, RELOAD_LOADING, LIMIT_LOADER_MS);
	if (reload->problems_fd < 0 ||
	    loader_start(&reload->job, &parent->loading, reload->problems_fd) !=
		0 ||
	    loop_add(&parent->loop, reload->job.channel, EPOLLIN,
		loop_token(TOKEN_LOADER, 0)) != 0)
		reload_fail(parent, "resources", errno);
}

void
reload_ask(struct parent *parent)
{
	struct reload *reload = &parent->reload;

	if (parent->phase > PHASE_SERVING) {
		log_failed("stopping", 0);
		return;
	}
	if (parent->phase == PHASE_SERVING && reload->state == RELOAD_IDLE) {
		begin(parent);
		return;
	}
	reload->is_asked = true;
	log_begin(LOG_LEVEL_NOTICE, "reload");
	log_word("queued", "yes");
	log_end();
}

void
reload_receive(struct parent *parent)
{
	struct reload *reload = &parent->reload;

	if (reload->state != RELOAD_LOADING || reload->job.channel < 0)
		return;
	reload->image_fd = loader_take(&reload->job);
	if (reload->image_fd < 0 && errno == EAGAIN)
		return;
	/* Its channel is closed, and was ours alone: so it left the loop. */
	if (reload->image_fd < 0 && errno == EINVAL)
		reload_fail(parent, "policy", 0);
	else if (reload->image_fd < 0)
		reload_fail(parent, "loader", errno);
	enter(parent, RELOAD_TELLING, 0);
}

bool
reload_reap(struct parent *parent, pid_t pid)
{
	if (pid != parent->reload.job.pid)
		return false;
	parent->reload.job.pid = 0;
	return true;
}

bool
reload_is_coming(const struct parent *parent, uint32_t side)
{
	return side != parent->side && parent->reload.state == RELOAD_PREPARING;
}

static void
log_problem(struct parent *parent, const char *line, size_t length)
{
	log_begin(
	    parent->reload.image_fd < 0 ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
	    "reload-problem");
	log_bytes("text", line, length);
	log_end();
}

/*
 * Some lines of what the loader said, so that a turn does not bring more of
 * them than the log takes. True once all are told.
 */
static bool
tell_some(struct parent *parent)
{
	struct reload *reload = &parent->reload;
	char text[LIMIT_PROBLEM_BYTES_A_TURN];
	ssize_t length = pread(reload->problems_fd, text, sizeof(text),
	    (off_t)reload->problems_told);
	const char *line = text;

	if (length <= 0)
		return true;
	for (;;) {
		size_t left = (size_t)(text + length - line);
		const char *end = memchr(line, '\n', left);

		if (end == NULL)
			break;
		log_problem(parent, line, (size_t)(end - line));
		line = end + 1;
	}
	/* No line is as long as this, nor without an end. */
	if (line == text)
		return true;
	reload->problems_told += (uint64_t)(line - text);
	return false;
}

static void
open_image(struct parent *parent)
{
	struct reload *reload = &parent->reload;
	int image_fd = reload->image_fd;

	reload->image_fd = -1;
	enter(parent, RELOAD_CHECKING, 0);
	if (edition_open(&parent->editions[other_side(parent)], image_fd) != 0)
		reload_fail(parent, "map-image", errno);
}

/* A part of a large image, so that nobody waits for all of it. */
static bool
check_some(struct parent *parent)
{
	struct edition *next = &parent->editions[other_side(parent)];
	enum image_error error;

	if (!edition_check(next, LIMIT_CHECKS_A_TURN, &error))
		return false;
	if (error != IMAGE_OK)
		reload_fail(parent, "check-image", 0);
	return error == IMAGE_OK;
}

/* Everything of the next edition but its processes, which come by and by. */
static void
prepare(struct parent *parent)
{
	struct reload *reload = &parent->reload;
	struct edition *next = &parent->editions[other_side(parent)];
	struct edition *former = &parent->editions[parent->side];
	const char *step = edition_prepare(parent, next, former);

	enter(parent, RELOAD_PREPARING, LIMIT_START_MS);
	if (step != NULL) {
		reload_fail(parent, step, errno);
		return;
	}
	if (cgroups_limit(parent, &next->image) != 0) {
		reload_fail(parent, "cgroup", errno);
		return;
	}
	if (workers_make_room(
		parent, image_global(&next->image)->parser_workers) != 0) {
		reload_fail(parent, "tables", errno);
		return;
	}
	if (listen_prepare(parent, &reload->listeners, &next->image) != 0) {
		reload_fail(parent, "listen", errno);
		return;
	}
	launch_want(parent, other_side(parent));
}

/* From here on the other side is to become empty. */
static void
begin_leaving(struct parent *parent)
{
	parent->reload.is_leaving = true;
	parent->reload.leaves_ms = parent->now_ms + LIMIT_FORMER_MS;
}

/* What was begun is undone; what runs of it leaves. */
static void
give_up(struct parent *parent)
{
	struct reload *reload = &parent->reload;

	log_failed(reload->reason, reload->error);
	if (reload->job.channel >= 0)
		(void)loop_remove(&parent->loop, reload->job.channel);
	/* Also one that had its say, and does not end. */
	loader_cancel(&reload->job);
	fd_close(&reload->problems_fd);
	fd_close(&reload->image_fd);
	if (reload->state == RELOAD_CHECKING ||
	    reload->state == RELOAD_PREPARING) {
		listen_drop(parent, &reload->listeners);
		workers_dismiss(parent, other_side(parent));
		launch_dismiss(parent, other_side(parent));
		begin_leaving(parent);
	}
	enter(parent, RELOAD_IDLE, 0);
}

static void
log_reloaded(struct parent *parent)
{
	log_begin(LOG_LEVEL_NOTICE, "reloaded");
	log_duration("duration_s", parent->now_ms - parent->reload.began_ms);
	log_number("listeners", parent->listeners.count);
	log_number("services", image_count(&parent->image, IMAGE_SERVICES));
	log_number("workers", workers_seats(parent, parent->side));
	log_end();
}

static void
swap_if_ready(struct parent *parent)
{
	uint32_t next = other_side(parent);
	const char *step;

	if (!workers_are_ready(parent, next) || !launch_is_ready(parent, next))
		return;
	step = swap_editions(parent);
	if (step != NULL) {
		reload_fail(parent, step, errno);
		return;
	}
	log_reloaded(parent);
	begin_leaving(parent);
	enter(parent, RELOAD_IDLE, 0);
}

/* Whoever still has the other side's edition; its image first of all. */
static void
let_leave(struct parent *parent)
{
	uint32_t side = other_side(parent);
	struct edition *edition = &parent->editions[side];
	bool is_late = parent->now_ms >= parent->reload.leaves_ms;

	if (parent->sessions.helping[side] > 0 && is_late)
		settle_end_helps(parent, side);
	if (parent->sessions.helping[side] == 0)
		shared_unmap(&edition->map);
	if (edition->map.base != NULL || workers_have(parent, side) ||
	    launch_has(parent, side))
		return;
	edition_close(edition);
	parent->reload.is_leaving = false;
}

/* Whatever its state, it has come to an end that is none of its own. */
static void
notice_end(struct parent *parent)
{
	const struct reload *reload = &parent->reload;

	if (reload->state == RELOAD_IDLE)
		return;
	if (parent->phase > PHASE_SERVING)
		reload_fail(parent, "stopping", 0);
	if (reload->deadline_ms != 0 && parent->now_ms >= reload->deadline_ms)
		reload_fail(parent, "timeout", 0);
}

void
reload_tend(struct parent *parent)
{
	struct reload *reload = &parent->reload;

	if (reload->is_leaving)
		let_leave(parent);
	if (reload->state == RELOAD_IDLE && reload->is_asked &&
	    parent->phase == PHASE_SERVING)
		begin(parent);
	notice_end(parent);
	if (reload->state == RELOAD_TELLING && tell_some(parent)) {
		fd_close(&reload->problems_fd);
		enter(parent, RELOAD_READ, 0);
	}
	/* There is room for one edition beside the one in force. */
	if (reload->state == RELOAD_READ && reload->reason == NULL &&
	    !reload->is_leaving)
		open_image(parent);
	if (reload->state == RELOAD_CHECKING && reload->reason == NULL &&
	    check_some(parent))
		prepare(parent);
	if (reload->state == RELOAD_PREPARING && reload->reason == NULL)
		swap_if_ready(parent);
	if (reload->state != RELOAD_IDLE && reload->state != RELOAD_TELLING &&
	    reload->reason != NULL)
		give_up(parent);
}

int64_t
reload_due_ms(const struct parent *parent)
{
	const struct reload *reload = &parent->reload;
	int64_t due_ms = reload->deadline_ms;

	if (reload->state == RELOAD_TELLING ||
	    reload->state == RELOAD_CHECKING ||
	    (reload->state == RELOAD_IDLE && reload->is_asked &&
		parent->phase == PHASE_SERVING))
		return parent->now_ms;
	if (reload->is_leaving && reload->leaves_ms > parent->now_ms &&
	    (due_ms == 0 || reload->leaves_ms < due_ms))
		due_ms = reload->leaves_ms;
	return due_ms;
}

void
reload_finish(struct parent *parent)
{
	loader_cancel(&parent->reload.job);
}
