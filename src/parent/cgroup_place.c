/*
 * Where sessions' cgroups are, and what of them may be limited.
 * Trusts the group that it was started in to be for tcpmuxd to divide.
 * Never moves a process but its own, and that only if it is alone there.
 */
#include "parent/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <sys/stat.h>

#include "core/image.h"
#include "parent/limits.h"
#include "parent/parent.h"
#include "sys/cgroup.h"
#include "sys/cgroup_limit.h"
#include "sys/clock.h"
#include "sys/fd.h"

#define NAMES_TRIED 8
#define LEAVE_STEP_MS 5

/*
 * Of our name there may be one in use: pids of another pid namespace are
 * others' numbers.
 */
static int
make_one(int own_fd, char *name, size_t size)
{
	int number = (int)getpid();

	for (int i = 0; i < NAMES_TRIED; i++) {
		int fd;

		(void)snprintf(name, size, CGROUPS_PREFIX "%d", number);
		fd = cgroup_make_locked(own_fd, name);
		if (fd >= 0 ||
		    (errno != EEXIST && errno != ENOENT &&
			errno != EWOULDBLOCK))
			return fd;
		/* No pid is as large: pid_max ends at 4,194,304. */
		number = 10000000 * (i + 1) + (int)getpid();
	}
	return -1;
}

/*
 * A group with processes hands nothing down: so we go into one of our own,
 * ahead of all that we start, if we can.
 */
static void
step_aside(struct cgroups *cgroups)
{
	int fd;

	if (cgroup_is_root(cgroups->own_fd) ||
	    cgroup_has_others(cgroups->own_fd, getpid(), getpid()) ||
	    mkdirat(cgroups->all_fd, CGROUP_SELF, 0700) != 0)
		return;
	fd = openat(
	    cgroups->all_fd, CGROUP_SELF, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || cgroup_enter(fd) != 0)
		(void)unlinkat(cgroups->all_fd, CGROUP_SELF, AT_REMOVEDIR);
	fd_close(&fd);
}

/* The second is made while there still are the rights to make it. */
int
cgroups_make(struct cgroups *cgroups)
{
	cgroups->all_fd =
	    make_one(cgroups->own_fd, cgroups->name, sizeof(cgroups->name));
	if (cgroups->all_fd < 0)
		return -1;
	if (cgroup_controllers(cgroups->own_fd) == 0)
		return 0;
	cgroups->limited_fd = make_one(cgroups->own_fd, cgroups->limited_name,
	    sizeof(cgroups->limited_name));
	if (cgroups->limited_fd >= 0)
		step_aside(cgroups);
	return 0;
}

/* What we have started is about to end; what is kept stays. */
static void
remove_self(const struct cgroups *cgroups)
{
	for (int ms = 0; ms < LIMIT_END_MS; ms += LEAVE_STEP_MS) {
		if (unlinkat(cgroups->all_fd, CGROUP_SELF, AT_REMOVEDIR) == 0 ||
		    errno != EBUSY)
			return;
		clock_nap_us(LEAVE_STEP_MS * 1000L);
	}
}

/*
 * In the group that hands nothing down any more there may be processes again:
 * the next tcpmuxd, for one, is started in it.
 */
void
cgroups_remove(struct cgroups *cgroups)
{
	if (cgroups->limited_fd >= 0) {
		(void)unlinkat(
		    cgroups->own_fd, cgroups->limited_name, AT_REMOVEDIR);
		(void)cgroup_hold_back(cgroups->own_fd, cgroups->ours);
		(void)cgroup_enter(cgroups->own_fd);
		remove_self(cgroups);
	}
	(void)unlinkat(cgroups->own_fd, cgroups->name, AT_REMOVEDIR);
}

/* What the policy's sessions are limited by. */
static unsigned
controllers_of(const struct image *image)
{
	const uint8_t limited = image_global(image)->limited;

	return ((limited & IMAGE_SESSION_MEMORY) != 0 ? CGROUP_MEMORY : 0) |
	    ((limited & IMAGE_SESSION_PROCESSES) != 0 ? CGROUP_PIDS : 0);
}

int
cgroups_limit(struct parent *parent, const struct image *image)
{
	struct cgroups *cgroups = &parent->cgroups;
	const unsigned wanted = controllers_of(image) & ~cgroups->controllers;
	unsigned before;

	if (wanted == 0)
		return 0;
	if (cgroups->limited_fd < 0) {
		errno = cgroups->all_fd < 0 ? cgroups->error : EOPNOTSUPP;
		return -1;
	}
	before = cgroup_handed_down(cgroups->own_fd);
	if (cgroup_hand_down(cgroups->own_fd, wanted) != 0)
		return -1;
	cgroups->ours |= wanted & ~before;
	if (cgroup_hand_down(cgroups->limited_fd, wanted) != 0)
		return -1;
	cgroups->controllers |= wanted;
	return 0;
}
