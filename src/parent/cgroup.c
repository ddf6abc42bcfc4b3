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

void
cgroups_finish(struct parent *parent)
{
	struct cgroups *cgroups = &parent->cgroups;

	if (cgroups->all_fd < 0)
		return;
	/* A launch that has failed may be ending still. */
	(void)cgroup_clear(cgroups->all_fd, LIMIT_END_MS);
	if (cgroups->limited_fd >= 0)
		(void)cgroup_clear(cgroups->limited_fd, LIMIT_END_MS);
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

/* Who is kept the longest has to go if there are too many. */
static void
keep(struct cgroups *cgroups, uint64_t number, bool is_limited,
    enum cgroup_state state)
{
	uint32_t last;

	if (cgroups->count == CGROUPS_KEPT) {
		(void)cgroup_remove(
		    above(cgroups, cgroups->kept[cgroups->first].is_limited),
		    cgroups->kept[cgroups->first].number);
		cgroups->first = (cgroups->first + 1) % CGROUPS_KEPT;
		cgroups->count--;
	}
	last = (cgroups->first + cgroups->count++) % CGROUPS_KEPT;
	cgroups->kept[last].number = number;
	cgroups->kept[last].is_limited = is_limited;
	cgroups->kept[last].state = state;
}

static void
remove_used(struct cgroups *cgroups, uint64_t number, bool is_limited)
{
	if (cgroup_remove(above(cgroups, is_limited), number) != 0)
		keep(cgroups, number, is_limited, CGROUP_USED);
}

/* Whether nothing is in it; what is not known is not so. */
static bool
is_empty(int above_fd, uint64_t number)
{
	int fd = cgroup_watch(above_fd, number);
	bool is = fd >= 0 && !cgroup_is_populated(fd);

	fd_close(&fd);
	return is;
}

/* The one that is kept the longest, if it is good; else CGROUP_NONE. */
static uint64_t
take_kept(struct cgroups *cgroups)
{
	const uint64_t number = cgroups->kept[cgroups->first].number;
	const enum cgroup_state state = cgroups->kept[cgroups->first].state;
	const bool is_limited = cgroups->kept[cgroups->first].is_limited;

	if (cgroups->count == 0)
		return CGROUP_NONE;
	cgroups->first = (cgroups->first + 1) % CGROUPS_KEPT;
	cgroups->count--;
	switch (state) {
	case CGROUP_EMPTY:
		return number;
	case CGROUP_LEFT:
		if (is_empty(above(cgroups, is_limited), number)) {
			if (!is_limited)
				return number;
			break;
		}
		(void)cgroup_kill(above(cgroups, is_limited), number);
		break;
	case CGROUP_USED:
		break;
	}
	remove_used(cgroups, number, is_limited);
	return CGROUP_NONE;
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

int
cgroup_take(struct parent *parent, struct session *session)
{
	struct cgroups *cgroups = &parent->cgroups;
	const uint64_t kept = take_kept(cgroups);
	int fd;

	if (kept != CGROUP_NONE && session->is_limited)
		keep(cgroups, kept, false, CGROUP_EMPTY);
	else
		session->cgroup = kept;
	if (session->cgroup == CGROUP_NONE && make_own(cgroups, session) != 0)
		return -1;
	fd = cgroup_open(above(cgroups, session->is_limited), session->cgroup);
	if (fd < 0) {
		keep(cgroups, session->cgroup, session->is_limited,
		    session->is_limited ? CGROUP_USED : CGROUP_EMPTY);
		session->cgroup = CGROUP_NONE;
	}
	return fd;
}

void
cgroup_drop(struct parent *parent, struct session *session)
{
	if (session->cgroup != CGROUP_NONE)
		keep(&parent->cgroups, session->cgroup, session->is_limited,
		    CGROUP_LEFT);
	session->cgroup = CGROUP_NONE;
}

/* Whether nothing is in it any more: then it is no more the session's. */
static bool
let_go(struct parent *parent, struct session *session, bool was_killed)
{
	struct cgroups *cgroups = &parent->cgroups;
	const bool is_watched = session->cgroup_fd >= 0;

	if (!is_watched)
		session->cgroup_fd = cgroup_watch(
		    above(cgroups, session->is_limited), session->cgroup);
	if (session->cgroup_fd < 0 || cgroup_is_populated(session->cgroup_fd))
		return false;
	if (is_watched)
		(void)loop_remove(&parent->loop, session->cgroup_fd);
	fd_close(&session->cgroup_fd);
	if (was_killed || session->is_limited)
		remove_used(cgroups, session->cgroup, session->is_limited);
	else
		keep(cgroups, session->cgroup, false, CGROUP_EMPTY);
	session->cgroup = CGROUP_NONE;
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
