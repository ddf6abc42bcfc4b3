/*
 * The life of the launchers: started, found ready, replaced.
 * Trusts a launcher as it trusts itself: it is the same people's program.
 * Never starts one that the policy has no use for.
 */
#include "parent/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/step.h"
#include "parent/limits.h"
#include "parent/parent.h"
#include "parent/programs.h"
#include "sys/channel.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/namespace.h"
#include "sys/spawn.h"

static const char *const modes[LAUNCHER_KINDS] = {
	[LAUNCHER_BASE] = "base",
	[LAUNCHER_FULL] = "full",
	[LAUNCHER_SELF] = "self",
	[LAUNCHER_BASE_OFFLINE] = "base-offline",
	[LAUNCHER_FULL_OFFLINE] = "full-offline",
	[LAUNCHER_SELF_OFFLINE] = "self-offline",
};

#define ONLINE_KINDS LAUNCHER_BASE_OFFLINE

/* As if every service had a network. */
static enum launcher_kind
online_kind(const struct parent *parent, const struct image_service *service)
{
	const uint8_t needs_full =
	    IMAGE_SERVICE_NEW_PRIVILEGES | IMAGE_SERVICE_CAPABILITIES_ALL;

	if (!parent->is_root)
		return LAUNCHER_SELF;
	if ((service->flags & needs_full) != 0 || service->capabilities != 0 ||
	    service->syscalls != IMAGE_SYSCALLS_DEFAULT ||
	    service->isolate != 0)
		return LAUNCHER_FULL;
	return LAUNCHER_BASE;
}

enum launcher_kind
launch_kind(const struct parent *parent, const struct image_service *service)
{
	const enum launcher_kind kind = online_kind(parent, service);

	if (service->network == IMAGE_NETWORK_ANY)
		return kind;
	return (enum launcher_kind)(kind + ONLINE_KINDS);
}

/* Of those that launch anything: bit n is kind n. */
static unsigned
needed_kinds(const struct parent *parent, uint32_t side)
{
	const struct image *image = &parent->editions[side].image;
	uint32_t services = image_count(image, IMAGE_SERVICES);
	unsigned kinds = 0;

	for (uint32_t i = 0; i < services; i++) {
		const struct image_service *service = image_service(image, i);

		if (image_is_launched(service))
			kinds |= 1U << launch_kind(parent, service);
	}
	return kinds;
}

uint32_t
launch_count(const struct parent *parent, uint32_t side)
{
	return (uint32_t)__builtin_popcount(needed_kinds(parent, side));
}

int
launch_init(struct parent *parent)
{
	struct launchers *launchers = &parent->launchers;

	for (uint32_t i = 0; i < LAUNCHERS; i++)
		launchers->all[i] =
		    (struct launcher){ .side = (uint8_t)(i / LAUNCHER_KINDS),
			    .kind = (uint8_t)(i % LAUNCHER_KINDS),
			    .channel_fd = -1,
			    .status_fd = -1,
			    .chosen = { .first = SESSION_NONE,
				.last = SESSION_NONE,
				.use = SESSION_LINK_QUEUE } };
	launchers->program_fd = programs_open_launcher();
	return launchers->program_fd < 0 ? -1 : 0;
}

void
launch_want(struct parent *parent, uint32_t side)
{
	const unsigned kinds = needed_kinds(parent, side);

	for (uint32_t i = 0; i < LAUNCHERS; i++) {
		struct launcher *launcher = &parent->launchers.all[i];

		if (launcher->side == side)
			launcher->is_wanted =
			    (kinds >> launcher->kind & 1) != 0;
	}
}

void
launch_dismiss(struct parent *parent, uint32_t side)
{
	for (uint32_t i = 0; i < LAUNCHERS; i++)
		if (parent->launchers.all[i].side == side)
			parent->launchers.all[i].is_wanted = false;
}

bool
launch_has(const struct parent *parent, uint32_t side)
{
	for (uint32_t i = 0; i < LAUNCHERS; i++) {
		const struct launcher *launcher = &parent->launchers.all[i];

		if (launcher->side == side &&
		    (launcher->pid != 0 || launcher->open > 0 ||
			launcher->chosen.count > 0))
			return true;
	}
	return false;
}

bool
launch_is_ready(const struct parent *parent, uint32_t side)
{
	for (uint32_t i = 0; i < LAUNCHERS; i++) {
		const struct launcher *launcher = &parent->launchers.all[i];

		if (launcher->side == side && launcher->is_wanted &&
		    !launcher->is_ready)
			return false;
	}
	return true;
}

static void
add_backoff(struct parent *parent, struct launcher *launcher)
{
	if (launcher->backoff_ms == 0)
		launcher->backoff_ms = LIMIT_BACKOFF_MIN_MS;
	else if (launcher->backoff_ms < LIMIT_BACKOFF_MAX_MS / 2)
		launcher->backoff_ms *= 2;
	else
		launcher->backoff_ms = LIMIT_BACKOFF_MAX_MS;
	launcher->spawn_ms = parent->now_ms + launcher->backoff_ms;
}

struct ids {
	uid_t uid;
	gid_t gid;
};

/*
 * Without root a namespace is made by who is to live in it; who that is only
 * its parent can tell: in there, all ids are nobody's until they are mapped.
 */
static int
map_ids(void *context)
{
	const struct ids *ids = context;

	return namespace_map_ids(ids->uid, ids->gid);
}

/* What `network none` has beside a filter, as far as the machine has it. */
static void
add_network(const struct parent *parent, const struct launcher *launcher,
    struct spawn *spawn, int fds[])
{
	const struct image *image = &parent->editions[launcher->side].image;

	if (launcher->kind < ONLINE_KINDS ||
	    (image_global(image)->walls & IMAGE_WALL_NAMESPACE) == 0)
		return;
	if (parent->is_root) {
		fds[spawn->fd_count++] = parent->network_fd;
		return;
	}
	spawn->clone_flags = CLONE_NEWUSER | CLONE_NEWNET;
	spawn->prepare = map_ids;
}

static pid_t
spawn_launcher(const struct parent *parent, const struct launcher *launcher,
    int channel_fd, int status_fd)
{
	const char *const argv[] = { "tcpmuxd-launcher", modes[launcher->kind],
		NULL };
	int fds[4] = { channel_fd, parent->editions[launcher->side].image_fd,
		status_fd };
	struct ids ids = { .uid = geteuid(), .gid = getegid() };
	struct spawn spawn = {
		.program_fd = parent->launchers.program_fd,
		.argv = argv,
		.fds = fds,
		.fd_count = 3,
		.stderr_fd = STDERR_FILENO,
		.has_nofile = true,
		.nofile = parent->nofile,
		.context = &ids,
	};

	add_network(parent, launcher, &spawn, fds);
	return spawn_program(&spawn);
}

static void
start(struct parent *parent, uint32_t index)
{
	struct launcher *launcher = &parent->launchers.all[index];
	int channel[2] = { -1, -1 };
	int status[2] = { -1, -1 };
	pid_t pid = -1;

	if (channel_pair(channel) == 0 &&
	    channel_want_sender(channel[0]) == 0 &&
	    pipe2(status, O_CLOEXEC | O_NONBLOCK) == 0)
		pid = spawn_launcher(parent, launcher, channel[1], status[1]);
	/*
	 * Nobody is woken by LAUNCHED, only by the channel's end: whoever wants
	 * to know a pid looks first (launch_receive_all).
	 */
	if (pid < 0 ||
	    loop_add(&parent->loop, channel[0], 0,
		loop_token(TOKEN_LAUNCHER, index)) != 0 ||
	    loop_add(&parent->loop, status[0], 0,
		loop_token(TOKEN_LAUNCHER_START, index)) != 0) {
		log_begin(LOG_LEVEL_ERROR, "launcher-failed");
		log_word("step", "clone");
		log_errno(errno);
		log_end();
		if (pid > 0)
			(void)kill(pid, SIGKILL);
		fd_close(&channel[0]);
		fd_close(&status[0]);
		add_backoff(parent, launcher);
	} else {
		launcher->pid = pid;
		launcher->channel_fd = channel[0];
		launcher->status_fd = status[0];
	}
	fd_close(&channel[1]);
	fd_close(&status[1]);
}

static void
tell_to_leave(struct parent *parent, struct launcher *launcher)
{
	if (launcher->channel_fd >= 0)
		(void)loop_remove(&parent->loop, launcher->channel_fd);
	fd_close(&launcher->channel_fd);
	/* What it has to say of its start is nothing to us any more. */
	if (launcher->status_fd >= 0)
		(void)loop_remove(&parent->loop, launcher->status_fd);
	fd_close(&launcher->status_fd);
	launcher->is_ready = false;
	launcher->was_told = true;
	launcher->leaves_ms = parent->now_ms + LIMIT_RETIRE_MS;
}

/* Once nobody wants it nor waits for it. */
static void
let_leave(struct parent *parent, struct launcher *launcher)
{
	if (launcher->pid == 0)
		return;
	if (!launcher->was_told)
		tell_to_leave(parent, launcher);
	else if (parent->now_ms >= launcher->leaves_ms)
		(void)kill(launcher->pid, SIGKILL);
}

void
launch_tend(struct parent *parent)
{
	for (uint32_t i = 0; i < LAUNCHERS; i++) {
		struct launcher *launcher = &parent->launchers.all[i];
		bool is_needed =
		    launcher->is_wanted || launcher->chosen.count > 0;

		if (is_needed && launcher->pid == 0 &&
		    parent->now_ms >= launcher->spawn_ms)
			start(parent, i);
		if (!is_needed && launcher->open == 0)
			let_leave(parent, launcher);
		/* A launch whose time was up has left room for others. */
		launch_pump(parent, launcher);
	}
}

/*
 * The end of its status pipe. Ready it is only if it says so: of one that died
 * before it could say anything, the pipe is empty.
 */
void
launch_start_settled(struct parent *parent, uint32_t index)
{
	struct launcher *launcher = &parent->launchers.all[index];
	uint8_t bytes[STATUS_BYTES];
	struct status said = { .step = STEP_COUNT };

	if (launcher->status_fd < 0)
		return;
	if (read(launcher->status_fd, bytes, sizeof(bytes)) ==
	    (ssize_t)sizeof(bytes))
		said = status_decode(bytes);
	(void)loop_remove(&parent->loop, launcher->status_fd);
	fd_close(&launcher->status_fd);
	if (said.step == STEP_NONE) {
		launcher->is_ready = launcher->channel_fd >= 0;
		log_begin(LOG_LEVEL_DEBUG, "launcher-ready");
		log_word("mode", modes[launcher->kind]);
		log_number("launcher", (uint64_t)launcher->pid);
		log_end();
		launch_pump(parent, launcher);
		return;
	}
	log_begin(LOG_LEVEL_ERROR, "launcher-failed");
	log_word("mode", modes[launcher->kind]);
	if (said.step != STEP_COUNT) {
		log_word("step", step_name(said.step));
		log_errno((int)said.error);
	}
	log_end();
}

static void
log_exit(const struct launcher *launcher, int status)
{
	log_begin(LOG_LEVEL_WARNING, "launcher-died");
	log_word("mode", modes[launcher->kind]);
	log_number("launcher", (uint64_t)launcher->pid);
	log_number("status", (uint64_t)(unsigned)status);
	log_end();
}

bool
launch_reap(struct parent *parent, pid_t pid, int status)
{
	for (uint32_t i = 0; i < LAUNCHERS; i++) {
		struct launcher *launcher = &parent->launchers.all[i];

		if (launcher->pid != pid)
			continue;
		if (!launcher->was_told)
			log_exit(launcher, status);
		/* What it had not launched ends with its status pipes. */
		launch_start_settled(parent, i);
		/* A child of it either was heard, or cannot be and ends. */
		if (launcher->channel_fd >= 0)
			(void)shutdown(launcher->channel_fd, SHUT_RD);
		launch_receive(parent, i);
		launcher->pid = 0;
		launcher->is_ready = false;
		if (launcher->was_told)
			launcher->spawn_ms = launcher->backoff_ms = 0;
		else
			add_backoff(parent, launcher);
		launcher->was_told = false;
		if (reload_is_coming(parent, launcher->side))
			reload_fail(parent, "launcher", 0);
		if (parent->phase == PHASE_STARTING)
			parent->fatal = "the launcher cannot be started";
		return true;
	}
	return false;
}

void
launch_finish(struct parent *parent)
{
	for (uint32_t i = 0; i < LAUNCHERS; i++) {
		struct launcher *launcher = &parent->launchers.all[i];

		launcher->is_wanted = false;
		if (launcher->channel_fd >= 0)
			(void)loop_remove(&parent->loop, launcher->channel_fd);
		fd_close(&launcher->channel_fd);
	}
}
