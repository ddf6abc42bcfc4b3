/*
 * What tcpmuxd found when it started, and what is weaker for it.
 * Trusts /proc.
 * Never guesses: what it cannot find out it calls missing.
 */
#include "parent/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cap-ng.h>

#include "parent/ban.h"
#include "parent/limits.h"
#include "parent/parent.h"
#include "sys/fd.h"
#include "sys/landlock.h"
#include "sys/log.h"

struct needed {
	unsigned capability;
	const char *name;
	const char *without; /* NULL: who needs it, the loader refuses */
	bool is_at_rest; /* permitted, and raised where it is needed */
};

static const struct needed needed[] = {
	{ CAP_NET_BIND_SERVICE, "net_bind_service", "bind ports below 1024",
	    false },
	{ CAP_SETUID, "setuid", "start a service as another user", false },
	{ CAP_SETGID, "setgid", "start a service as another group", false },
	{ CAP_SETPCAP, "setpcap", "empty a bounding set", false },
	{ CAP_SYS_CHROOT, "sys_chroot", "change a root directory", false },
	{ CAP_SYS_ADMIN, "sys_admin", "make namespaces", false },
	{ CAP_KILL, "kill", "end a session of another user", false },
	{ CAP_SYS_NICE, "sys_nice", NULL, false },
	{ CAP_SYS_RESOURCE, "sys_resource", NULL, false },
	{ CAP_DAC_READ_SEARCH, "dac_read_search", "read any policy file",
	    false },
	/* tell_drop says what is missing, where it is wanted */
	{ CAP_NET_ADMIN, "net_admin", NULL, true },
};

#define NEEDED (sizeof(needed) / sizeof(needed[0]))

uint64_t
report_kept_capabilities(void)
{
	uint64_t kept = 0;

	for (size_t i = 0; i < NEEDED; i++)
		kept |= UINT64_C(1) << needed[i].capability;
	return kept;
}

int
report_reduce_capabilities(struct parent *parent)
{
	bool had[NEEDED];

	if (!parent->is_root)
		return 0;
	for (size_t i = 0; i < NEEDED; i++)
		had[i] = capng_have_capability(
			     CAPNG_PERMITTED, needed[i].capability) == 1;
	capng_clear(CAPNG_SELECT_CAPS);
	for (size_t i = 0; i < NEEDED; i++)
		if (had[i] &&
		    capng_update(CAPNG_ADD,
			needed[i].is_at_rest
			    ? CAPNG_PERMITTED
			    : CAPNG_EFFECTIVE | CAPNG_PERMITTED,
			needed[i].capability) != 0)
			return -1;
	if (capng_apply(CAPNG_SELECT_CAPS) == 0)
		return 0;
	errno = EPERM;
	return -1;
}

static void
tell_weaker(const char *what)
{
	log_begin(LOG_LEVEL_WARNING, "weaker");
	log_text("text", what);
	log_end();
}

/* Since Linux 6.2 the size of /proc/PID/fd is the number in it. */
static bool
can_count_descriptors(void)
{
	struct stat about;

	return stat("/proc/self/fd", &about) == 0 && about.st_size > 0;
}

static void
tell_kernel(const struct parent *parent)
{
	struct utsname name = { .release = "" };
	int landlock = landlock_abi();

	(void)uname(&name);
	log_begin(LOG_LEVEL_NOTICE, "kernel");
	log_text("release", name.release);
	log_number("landlock", landlock > 0 ? (uint64_t)landlock : 0);
	log_word("scopes", landlock >= LANDLOCK_ABI_SCOPES ? "yes" : "no");
	log_word("peek_on", parent->can_peek_on ? "yes" : "no");
	log_word("fd_count", can_count_descriptors() ? "yes" : "no");
	log_end();
	if (landlock < LANDLOCK_ABI_REFER)
		tell_weaker("no Landlock (Linux 5.19): sessions of one user "
			    "can trace and signal each other");
	else if (landlock < LANDLOCK_ABI_SCOPES)
		tell_weaker("no Landlock scopes (Linux 6.12): sessions of one "
			    "user can signal each other");
	if (landlock > 0 && landlock < LANDLOCK_ABI_TRUNCATE &&
	    image_count(&parent->image, IMAGE_RULESETS) > 0)
		tell_weaker(
		    "no truncation in Landlock (Linux 6.2): `filesystem` "
		    "does not keep a service from emptying files that "
		    "its user may write to");
	if (!parent->can_peek_on)
		tell_weaker("no SO_PEEK_OFF on TCP (Linux 6.9): urgent data "
			    "inside a request line is refused");
	if (!can_count_descriptors())
		tell_weaker("/proc does not count descriptors (Linux 6.2): a "
			    "parser that keeps one is not noticed");
}

static void
tell_capabilities(const struct parent *parent)
{
	log_begin(LOG_LEVEL_NOTICE, "capabilities");
	for (size_t i = 0; i < NEEDED; i++)
		log_word(needed[i].name,
		    capng_have_capability(
			CAPNG_PERMITTED, needed[i].capability) == 1
			? "yes"
			: "no");
	log_end();
	if (!parent->is_root) {
		tell_weaker("not root: services run as this user, and so does "
			    "the parser");
		return;
	}
	for (size_t i = 0; i < NEEDED; i++) {
		char text[128];

		if (needed[i].without == NULL ||
		    capng_have_capability(
			CAPNG_PERMITTED, needed[i].capability) == 1)
			continue;
		(void)snprintf(text, sizeof(text),
		    "no capability %s: cannot %s", needed[i].name,
		    needed[i].without);
		tell_weaker(text);
	}
}

/* Who is passed on has three descriptors until its server takes it, then one.
 */
static uint64_t
count_passing(const struct parent *parent)
{
	const struct image *image = &parent->image;
	uint64_t most = 0;

	for (uint32_t i = 0; i < image_count(image, IMAGE_SERVICES); i++)
		if (image_service(image, i)->kind == IMAGE_KIND_PASS)
			most += LIMIT_PASSES_OPEN;
	if (most > image_global(image)->sessions)
		most = image_global(image)->sessions;
	return 2 * most;
}

/* What the policy may come to need, if all its limits are reached at once. */
static void
tell_descriptors(const struct parent *parent)
{
	const struct image_global *global = image_global(&parent->image);
	uint64_t fixed = 64 + LIMIT_ACCEPTS_TOGETHER + parent->listeners.count +
	    UINT64_C(3) * WORKERS_A_SEAT *
		((uint64_t)global->parser_workers + 1);
	uint64_t wanted = fixed + global->pending + LIMIT_LINGER_SLOTS +
	    global->sessions +
	    UINT64_C(2) * LIMIT_LAUNCHES_OPEN * EDITION_SIDES *
		launch_count(parent, parent->side) +
	    count_passing(parent);
	struct rlimit limit = { 0 };

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	log_begin(LOG_LEVEL_NOTICE, "descriptors");
	log_number("limit", limit.rlim_cur);
	log_number("needed", wanted);
	log_number("sessions", global->sessions);
	log_number("pending", global->pending);
	log_end();
	if (limit.rlim_cur < wanted)
		tell_weaker("too few descriptors for the policy's limits: "
			    "connections wait when they run out");
}

static char
read_setting(const char *path)
{
	char setting = '?';
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, &setting, 1) != 1)
		setting = '?';
	fd_close(&fd);
	return setting;
}

static void
tell_syncookies(void)
{
	char setting = read_setting("/proc/sys/net/ipv4/tcp_syncookies");
	const char text[2] = { setting, '\0' };

	log_begin(LOG_LEVEL_NOTICE, "syncookies");
	log_text("setting", text);
	log_end();
	if (setting != '1' && setting != '2')
		tell_weaker("net.ipv4.tcp_syncookies is not on: a flood of "
			    "SYNs can keep others out");
}

/* Without cgroups sessions have process groups, which can be left. */
static void
tell_leftovers(const struct parent *parent)
{
	const struct cgroups *cgroups = &parent->cgroups;

	log_begin(LOG_LEVEL_NOTICE, "cgroup");
	log_word("sessions", cgroups->all_fd >= 0 ? "yes" : "no");
	if (cgroups->all_fd >= 0) {
		log_word("name", cgroups->name);
		log_word("clone", cgroups->can_clone ? "yes" : "no");
		log_number("left", cgroups->left);
	} else {
		log_word("step", cgroups->failed_step);
		log_errno(cgroups->error);
	}
	log_end();
	if (cgroups->all_fd < 0)
		tell_weaker("sessions end by process group: a process that "
			    "leaves its session's group is not ended with it");
}

/* Only `limit ... if-available` does without any of it. */
static void
tell_limits(const struct parent *parent)
{
	const struct cgroups *cgroups = &parent->cgroups;
	const uint8_t missing = image_global(&parent->image)->missing;

	if (cgroups->controllers != 0) {
		log_begin(LOG_LEVEL_NOTICE, "cgroup-limits");
		log_word("name", cgroups->limited_name);
		log_word("memory",
		    (cgroups->controllers & CGROUP_MEMORY) != 0 ? "yes" : "no");
		log_word("processes",
		    (cgroups->controllers & CGROUP_PIDS) != 0 ? "yes" : "no");
		log_end();
	}
	if ((missing & IMAGE_SESSION_MEMORY) != 0)
		tell_weaker("no controller `memory` in tcpmuxd's cgroup: "
			    "`limit memory` does nothing");
	if ((missing & IMAGE_SESSION_PROCESSES) != 0)
		tell_weaker("no controller `pids` in tcpmuxd's cgroup: "
			    "`limit processes` does nothing");
}

static void
tell_room(const struct parent *parent)
{
	enum room_kind kind = parent->editions[parent->side].room;

	log_begin(LOG_LEVEL_NOTICE, "room");
	log_word("kind", room_word(kind));
	log_end();
	switch (kind) {
	case ROOM_FULL:
		break;
	case ROOM_USER:
		tell_weaker("the parser's room is a user namespace: it has "
			    "this user's id and groups");
		break;
	case ROOM_REDUCED:
		tell_weaker("`room reduced`: the parser has no namespaces and "
			    "no empty root");
		break;
	}
}

static void
tell_drop(const struct parent *parent)
{
	if (ban_is_weaker(parent))
		tell_weaker("no filter on sockets: `drop-in-kernel` does "
			    "nothing, and who is shut out is still accepted");
}

/* Only `network none if-available` does without any of it. */
static void
tell_network(const struct parent *parent)
{
	const struct image *image = &parent->image;
	uint8_t walls = image_global(image)->walls;
	bool is_wanted = false;

	for (uint32_t i = 0; i < image_count(image, IMAGE_SERVICES); i++)
		if (image_service(image, i)->network == IMAGE_NETWORK_NONE)
			is_wanted = true;
	if (!is_wanted)
		return;
	log_begin(LOG_LEVEL_NOTICE, "network-none");
	log_word(
	    "namespace", (walls & IMAGE_WALL_NAMESPACE) != 0 ? "yes" : "no");
	log_word("landlock", (walls & IMAGE_WALL_LANDLOCK) != 0 ? "yes" : "no");
	log_end();
	if ((walls & IMAGE_WALL_NAMESPACE) == 0)
		tell_weaker("no network namespace: a filter of system calls is "
			    "all that `network none` has");
	if ((walls & IMAGE_WALL_LANDLOCK) == 0)
		tell_weaker(
		    "no Landlock rules for TCP (Linux 6.7): a service of "
		    "`network none` can connect its own socket "
		    "elsewhere");
}

void
report_start(struct parent *parent)
{
	log_begin(LOG_LEVEL_NOTICE, "start");
	log_word("version", TCPMUXD_VERSION);
	log_text("policy",
	    image_text(&parent->image, image_global(&parent->image)->file));
	log_end();
	tell_kernel(parent);
	tell_capabilities(parent);
	tell_descriptors(parent);
	tell_syncookies();
	tell_drop(parent);
	tell_leftovers(parent);
	tell_limits(parent);
	tell_room(parent);
	tell_network(parent);
	log_flush();
}
