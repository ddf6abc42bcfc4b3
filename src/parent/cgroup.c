/*
 * Sessions' cgroups: made, used again, emptied.
 * Trusts the kernel to say when one is empty, and nothing else.
 * Never waits for that, and gives none to another session before.
 */
#include "parent/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "parent/limits.h"
#include "parent/parent.h"
#include "sys/cgroup.h"
#include "sys/fd.h"

#define PREFIX "tcpmuxd."
#define NAMES_TRIED 8

static void
give_up(struct cgroups *cgroups, const char *step)
{
	cgroups->failed_step = step;
	cgroups->error = errno;
	fd_close(&cgroups->all_fd);
	fd_close(&cgroups->own_fd);
}

/*
 * Of our name there may be one in use: pids of another pid namespace are
 * others' numbers.
 */
static int
make_all(struct cgroups *cgroups)
{
	int number = (int)getpid();

	for (int i = 0; i < NAMES_TRIED && cgroups->all_fd < 0; i++) {
		(void)snprintf(
		    cgroups->name, sizeof(cgroups->name), PREFIX "%d", number);
		cgroups->all_fd =
		    cgroup_make_locked(cgroups->own_fd, cgroups->name);
		if (cgroups->all_fd < 0 && errno != EEXIST && errno != ENOENT &&
		    errno != EWOULDBLOCK)
			return -1;
		/* No pid is as large: pid_max ends at 4,194,304. */
		number = 10000000 * (i + 1) + (int)getpid();
	}
	return cgroups->all_fd < 0 ? -1 : 0;
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
	cgroups->own_fd = cgroup_open_own();
	if (cgroups->own_fd < 0) {
		give_up(cgroups, "find");
		return;
	}
	cgroups->left =
	    (uint32_t)cgroup_sweep(cgroups->own_fd, PREFIX, LIMIT_SWEEP_MS);
	if (make_all(cgroups) != 0) {
		give_up(cgroups, "make");
		return;
	}
	if (try_one(cgroups) != 0) {
		int error = errno;

		(void)unlinkat(cgroups->own_fd, cgroups->name, AT_REMOVEDIR);
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
	(void)cgroup_clear(cgroups->all_fd, 0);
	(void)unlinkat(cgroups->own_fd, cgroups->name, AT_REMOVEDIR);
	fd_close(&cgroups->all_fd);
	fd_close(&cgroups->own_fd);
}

/* Who is kept the longest has to go if there are too many. */
static void
keep(struct cgroups *cgroups, uint64_t number, enum cgroup_state state)
{
	uint32_t last;

	if (cgroups->count == CGROUPS_KEPT) {
		(void)cgroup_remove(
		    cgroups->all_fd, cgroups->kept[cgroups->first].number);
		cgroups->first = (cgroups->first + 1) % CGROUPS_KEPT;
		cgroups->count--;
	}
	last = (cgroups->first + cgroups->count++) % CGROUPS_KEPT;
	cgroups->kept[last].number = number;
	cgroups->kept[last].state = state;
}

static void
remove_killed(struct cgroups *cgroups, uint64_t number)
{
	if (cgroup_remove(cgroups->all_fd, number) != 0)
		keep(cgroups, number, CGROUP_KILLED);
}

/* Whether nothing is in it; what is not known is not so. */
static bool
is_empty(const struct cgroups *cgroups, uint64_t number)
{
	int fd = cgroup_watch(cgroups->all_fd, number);
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

	if (cgroups->count == 0)
		return CGROUP_NONE;
	cgroups->first = (cgroups->first + 1) % CGROUPS_KEPT;
	cgroups->count--;
	switch (state) {
	case CGROUP_EMPTY:
		return number;
	case CGROUP_LEFT:
		if (is_empty(cgroups, number))
			return number;
		(void)cgroup_kill(cgroups->all_fd, number);
		break;
	case CGROUP_KILLED:
		break;
	}
	remove_killed(cgroups, number);
	return CGROUP_NONE;
}

int
cgroup_take(struct parent *parent, struct session *session)
{
	struct cgroups *cgroups = &parent->cgroups;
	int fd;

	session->cgroup = take_kept(cgroups);
	if (session->cgroup == CGROUP_NONE) {
		/* A session's number is used once, so it is nobody's. */
		if (cgroup_make(cgroups->all_fd, session->id) != 0)
			return -1;
		session->cgroup = session->id;
	}
	fd = cgroup_open(cgroups->all_fd, session->cgroup);
	if (fd < 0) {
		keep(cgroups, session->cgroup, CGROUP_EMPTY);
		session->cgroup = CGROUP_NONE;
	}
	return fd;
}

void
cgroup_drop(struct parent *parent, struct session *session)
{
	if (session->cgroup != CGROUP_NONE)
		keep(&parent->cgroups, session->cgroup, CGROUP_LEFT);
	session->cgroup = CGROUP_NONE;
}

/* Whether nothing is in it any more: then it is no more the session's. */
static bool
let_go(struct parent *parent, struct session *session, bool was_killed)
{
	struct cgroups *cgroups = &parent->cgroups;

	if (session->cgroup_fd < 0)
		session->cgroup_fd =
		    cgroup_watch(cgroups->all_fd, session->cgroup);
	if (session->cgroup_fd < 0 || cgroup_is_populated(session->cgroup_fd))
		return false;
	(void)loop_remove(&parent->loop, session->cgroup_fd);
	fd_close(&session->cgroup_fd);
	if (was_killed)
		remove_killed(cgroups, session->cgroup);
	else
		keep(cgroups, session->cgroup, CGROUP_EMPTY);
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
	(void)cgroup_kill(parent->cgroups.all_fd, session->cgroup);
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

void
cgroup_signal_all(const struct parent *parent, const struct session *session,
    int signal_number)
{
	if (session->cgroup == CGROUP_NONE)
		return;
	if (signal_number == SIGKILL)
		(void)cgroup_kill(parent->cgroups.all_fd, session->cgroup);
	else
		cgroup_signal(parent->cgroups.all_fd, session->cgroup,
		    signal_number, session->pid);
}
