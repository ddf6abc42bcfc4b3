/*
 * Sessions' cgroups: made, used again, emptied.
 * Trusts the kernel to say when one is empty, and nothing else.
 * Never waits for that, and gives none to another session before.
 */
#include "parent/cgroup.h"

#include <errno.h>
#include <signal.h>

#include "parent/limits.h"
#include "parent/parent.h"
#include "sys/cgroup.h"
#include "sys/cgroup_limit.h"
#include "sys/fd.h"

static void
give_up(struct cgroups *cgroups, const char *step)
{
	cgroups->failed_step = step;
	cgroups->error = errno;
	fd_close(&cgroups->limited_fd);
	fd_close(&cgroups->all_fd);
	fd_close(&cgroups->own_fd);
}

/* One of them is made, and has to be one that can be killed. */
static int
try_one(struct cgroups *cgroups)
{
	int fd, result;

	if (cgroup_make(cgroups->all_fd, 1) != 0)
		return -1;
	fd = cgroup_open(cgroups->all_fd, 1);
	cgroups->can_clone = fd >= 0 && cgroup_can_clone(fd);
	fd_close(&fd);
	result = cgroup_kill(cgroups->all_fd, 1);
	(void)cgroup_clear(cgroups->all_fd, LIMIT_SWEEP_MS);
	return result;
}

void
cgroups_init(struct parent *parent)
{
	struct cgroups *cgroups = &parent->cgroups;

	cgroups->all_fd = -1;
	cgroups->limited_fd = -1;
	cgroups->own_fd = cgroup_open_own();
	if (cgroups->own_fd < 0) {
		give_up(cgroups, "find");
		return;
	}
	cgroups->left = (uint32_t)cgroup_sweep(
	    cgroups->own_fd, CGROUPS_PREFIX, LIMIT_SWEEP_MS);
	if (cgroups_make(cgroups) != 0) {
		give_up(cgroups, "make");
		return;
	}
	if (try_one(cgroups) != 0) {
		int error = errno;

		cgroups_remove(cgroups);
		errno = error;
		give_up(cgroups, "kill");
	}
}

/* Descriptors that are both open or both closed. */
static void
close_both(struct cgroups *cgroups, int *dir_fd, int *watch_fd)
{
	if (*dir_fd >= 0)
		cgroups->opened--;
	fd_close(dir_fd);
	fd_close(watch_fd);
}

void
cgroups_finish(struct parent *parent)
{
	struct cgroups *cgroups = &parent->cgroups;

	if (cgroups->all_fd < 0)
		return;
	for (uint32_t i = 0; i < cgroups->count; i++) {
		struct cgroup_kept *kept =
		    &cgroups->kept[(cgroups->first + i) % CGROUPS_KEPT];

		close_both(cgroups, &kept->dir_fd, &kept->watch_fd);
	}
	(void)cgroup_clear(cgroups->all_fd, 0);
	if (cgroups->limited_fd >= 0)
		(void)cgroup_clear(cgroups->limited_fd, 0);
	cgroups_remove(cgroups);
	fd_close(&cgroups->limited_fd);
	fd_close(&cgroups->all_fd);
	fd_close(&cgroups->own_fd);
}

/* Where a session's is. */
static int
above(const struct cgroups *cgroups, bool is_limited)
{
	return is_limited ? cgroups->limited_fd : cgroups->all_fd;
}

/* The one that is kept the longest; its descriptors are the caller's. */
static struct cgroup_kept
take_first(struct cgroups *cgroups)
{
	const struct cgroup_kept kept = cgroups->kept[cgroups->first];

	cgroups->first = (cgroups->first + 1) % CGROUPS_KEPT;
	cgroups->count--;
	return kept;
}

/* Who is kept the longest has to go if there are too many. */
static void
keep(struct cgroups *cgroups, const struct cgroup_kept *kept)
{
	uint32_t last;

	if (cgroups->count == CGROUPS_KEPT) {
		struct cgroup_kept first = take_first(cgroups);

		close_both(cgroups, &first.dir_fd, &first.watch_fd);
		(void)cgroup_remove(
		    above(cgroups, first.is_limited), first.number);
	}
	last = (cgroups->first + cgroups->count++) % CGROUPS_KEPT;
	cgroups->kept[last] = *kept;
}

static void
remove_used(struct cgroups *cgroups, struct cgroup_kept *kept)
{
	close_both(cgroups, &kept->dir_fd, &kept->watch_fd);
	kept->state = CGROUP_USED;
	if (cgroup_remove(above(cgroups, kept->is_limited), kept->number) != 0)
		keep(cgroups, kept);
}

/* What has been a session's, with its descriptors, is so no more. */
static void
take_back(
    struct cgroups *cgroups, struct session *session, enum cgroup_state state)
{
	struct cgroup_kept kept = { .number = session->cgroup,
		.state = state,
		.is_limited = session->is_limited,
		.dir_fd = session->cgroup_dir_fd,
		.watch_fd = session->cgroup_fd };

	session->cgroup = CGROUP_NONE;
	session->cgroup_dir_fd = session->cgroup_fd = -1;
	/* Alone, it was opened to see the end. */
	if (kept.dir_fd < 0)
		fd_close(&kept.watch_fd);
	if (state == CGROUP_USED)
		remove_used(cgroups, &kept);
	else
		keep(cgroups, &kept);
}

/* Whether nothing is in it; what is not known is not so. */
static bool
is_empty(const struct cgroups *cgroups, const struct cgroup_kept *kept)
{
	int fd = kept->watch_fd;
	bool is;

	if (fd >= 0)
		return !cgroup_is_populated(fd);
	fd = cgroup_watch(above(cgroups, kept->is_limited), kept->number);
	is = fd >= 0 && !cgroup_is_populated(fd);
	fd_close(&fd);
	return is;
}

/* Whether it may be given to another session. */
static bool
is_good(const struct cgroups *cgroups, const struct cgroup_kept *kept)
{
	switch (kept->state) {
	case CGROUP_EMPTY:
		return true;
	case CGROUP_LEFT:
		if (is_empty(cgroups, kept))
			return !kept->is_limited;
		(void)cgroup_kill(
		    above(cgroups, kept->is_limited), kept->number);
		break;
	case CGROUP_USED:
		break;
	}
	return false;
}

/* Gives it the one that is kept the longest, if it can have that one. */
static void
take_kept(struct cgroups *cgroups, struct session *session)
{
	struct cgroup_kept kept;

	if (cgroups->count == 0)
		return;
	kept = take_first(cgroups);
	if (!is_good(cgroups, &kept)) {
		remove_used(cgroups, &kept);
	} else if (session->is_limited) {
		keep(cgroups, &kept);
	} else {
		session->cgroup = kept.number;
		session->cgroup_dir_fd = kept.dir_fd;
		session->cgroup_fd = kept.watch_fd;
	}
}

/* A session's number is used once, so it is nobody's. */
static int
make_own(struct cgroups *cgroups, struct session *session)
{
	const int above_fd = above(cgroups, session->is_limited);

	if (cgroup_make(above_fd, session->id) != 0)
		return -1;
	if (session->is_limited &&
	    cgroup_limit(above_fd, session->id, &session->limits) != 0) {
		const int error = errno;

		(void)cgroup_remove(above_fd, session->id);
		errno = error;
		return -1;
	}
	session->cgroup = session->id;
	return 0;
}

static int
open_both(struct cgroups *cgroups, struct session *session)
{
	const int above_fd = above(cgroups, session->is_limited);

	session->cgroup_dir_fd = cgroup_open(above_fd, session->cgroup);
	if (session->cgroup_dir_fd < 0)
		return -1;
	cgroups->opened++;
	session->cgroup_fd = cgroup_watch(above_fd, session->cgroup);
	return session->cgroup_fd < 0 ? -1 : 0;
}

int
cgroup_take(struct parent *parent, struct session *session)
{
	struct cgroups *cgroups = &parent->cgroups;
	int error;

	take_kept(cgroups, session);
	if (session->cgroup == CGROUP_NONE && make_own(cgroups, session) != 0)
		return -1;
	if (session->cgroup_dir_fd >= 0 || open_both(cgroups, session) == 0)
		return 0;
	error = errno;
	close_both(cgroups, &session->cgroup_dir_fd, &session->cgroup_fd);
	take_back(
	    cgroups, session, session->is_limited ? CGROUP_USED : CGROUP_EMPTY);
	errno = error;
	return -1;
}

void
cgroup_launched(struct parent *parent, struct session *session)
{
	struct cgroups *cgroups = &parent->cgroups;

	if (cgroups->opened > CGROUPS_OPEN)
		close_both(
		    cgroups, &session->cgroup_dir_fd, &session->cgroup_fd);
}

void
cgroup_drop(struct parent *parent, struct session *session)
{
	if (session->cgroup != CGROUP_NONE)
		take_back(&parent->cgroups, session, CGROUP_LEFT);
}

/* Whether nothing is in it any more: then it is no more the session's. */
static bool
let_go(struct parent *parent, struct session *session, bool was_killed)
{
	struct cgroups *cgroups = &parent->cgroups;

	if (session->cgroup_fd < 0)
		session->cgroup_fd = cgroup_watch(
		    above(cgroups, session->is_limited), session->cgroup);
	if (session->cgroup_fd < 0 || cgroup_is_populated(session->cgroup_fd))
		return false;
	/* Only where there was something to kill is it in the loop. */
	if (session->state == SESSION_ENDING)
		(void)loop_remove(&parent->loop, session->cgroup_fd);
	take_back(cgroups, session,
	    was_killed || session->is_limited ? CGROUP_USED : CGROUP_EMPTY);
	return true;
}

/*
 * Kills, and sees to it that the end of it is told. Should no descriptor be
 * left to be told by, the timer looks again.
 */
static void
kill_rest(struct parent *parent, struct session *session)
{
	uint32_t slot = session_slot(parent, session);

	/* Once is enough: it is there already the next time. */
	if (session->cgroup_fd >= 0)
		(void)loop_add(&parent->loop, session->cgroup_fd, EPOLLPRI,
		    loop_token(TOKEN_CGROUP, slot));
	(void)cgroup_kill(
	    above(&parent->cgroups, session->is_limited), session->cgroup);
	timers_set(&parent->timers, slot, parent->now_ms + LIMIT_STOP_MS);
}

bool
cgroup_end(struct parent *parent, struct session *session)
{
	if (session->cgroup == CGROUP_NONE ||
	    let_go(parent, session, session->end != SESSION_END_ITSELF))
		return true;
	kill_rest(parent, session);
	return false;
}

void
cgroup_receive(struct parent *parent, struct session *session)
{
	if (session->state != SESSION_ENDING)
		return;
	if (let_go(parent, session, true))
		session_enter(parent, session, SESSION_FREE);
	else
		kill_rest(parent, session);
}

bool
cgroup_ran_out(const struct parent *parent, const struct session *session)
{
	return session->cgroup != CGROUP_NONE && session->limits.memory != 0 &&
	    cgroup_was_short_of_memory(
		parent->cgroups.limited_fd, session->cgroup);
}

void
cgroup_signal_all(const struct parent *parent, const struct session *session,
    int signal_number)
{
	const int above_fd = above(&parent->cgroups, session->is_limited);

	if (session->cgroup == CGROUP_NONE)
		return;
	if (signal_number == SIGKILL)
		(void)cgroup_kill(above_fd, session->cgroup);
	else
		cgroup_signal(
		    above_fd, session->cgroup, signal_number, session->pid);
}
