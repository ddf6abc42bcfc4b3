/*
 * A run from its beginning to its end.
 * Starts the parent as parent/start.c does, without the log of how the machine
 * is and without cgroups; then serve() is all there is.
 */
#include "world.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>

#include "parent/serve.h"
#include "parent/signals.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/memfd.h"
#include "sys/week.h"

#include "calls.h"

#define TURNS_MAX 4000u /* that a script can take */
#define LAST_TURNS_MAX 3000u /* that leaving can take */

struct world world;

/* Whose listener is closed is accepted by nobody. */
static bool
is_listened_to(uint32_t listener)
{
	for (size_t i = 0; i < KERNEL_FILES; i++)
		if (kernel.files[i].kind == FILE_LISTENER &&
		    kernel.files[i].index == listener)
			return true;
	return false;
}

static bool
is_quiet(void)
{
	for (size_t i = 0; i < KERNEL_CONNECTIONS; i++)
		if (kernel.connections[i].is_used &&
		    !kernel.connections[i].was_accepted &&
		    is_listened_to(kernel.connections[i].listener))
			return false;
	for (uint32_t i = 0; i < KERNEL_PROCESSES; i++)
		if (kernel.processes[i].kind == PROCESS_SERVICE)
			return false;
	return world.parent.sessions.free.count ==
	    world.parent.sessions.capacity &&
	    world.parent.phase == PHASE_SERVING &&
	    world.parent.reload.state == RELOAD_IDLE;
}

/* Clients read what there is and leave; services come to their end. */
static void
leave(void)
{
	for (size_t i = 0; i < KERNEL_CONNECTIONS; i++) {
		struct connection *client = &kernel.connections[i];

		client->room = STREAM_BYTES;
		client->has_fin = true;
	}
	kernel.fail_errno = 0;
	kernel.rest_ms = INT_MAX;
	kernel.has_servers = true;
	world.is_hostile = false;
	world.is_prompt = true;
	for (uint32_t i = 0; i < KERNEL_PROCESSES; i++)
		if (kernel.processes[i].kind == PROCESS_SERVICE &&
		    kernel.processes[i].step >= 4)
			process_end(&kernel.processes[i], 0);
	for (uint8_t i = 0; i < 16; i++)
		server_act(0);
}

static void
turn(int timeout_ms)
{
	(void)timeout_ms;
	process_end_killed();
	check_always();
	world.turns++;
	if (world.left > 0 && world.turns < TURNS_MAX) {
		script_play();
	} else {
		leave();
		world.last_turns++;
		kernel_require(
		    world.last_turns < LAST_TURNS_MAX, "it never ends");
		if (!world.was_quiet && is_quiet()) {
			world.was_quiet = true;
			check_quiet();
		}
		if (world.was_quiet)
			kernel_signal(SIGTERM);
	}
	if (world.is_prompt)
		actors_act_all();
}

static bool
prepare_edition(struct parent *parent)
{
	struct edition *edition = &parent->editions[parent->side];
	enum image_error error;

	if (edition_open(edition,
		memfd_seal(
		    "fuzz", world.images[0].bytes, world.images[0].size)) != 0)
		return false;
	(void)edition_check(edition, UINT32_MAX, &error);
	kernel_require(error == IMAGE_OK, "the loader makes an unsound image");
	parent->image = edition->image;
	return true;
}

/* In the order of parent/start.c. */
static bool
prepare(struct parent *parent)
{
	struct edition *edition = &parent->editions[parent->side];

	if (!prepare_edition(parent) || loop_init(&parent->loop) != 0 ||
	    signals_init(parent) != 0 || listen_open(parent) != 0 ||
	    edition_prepare(parent, edition, NULL) != NULL)
		return false;
	parent->services = edition_services(edition);
	if (tables_init(parent) != 0 ||
	    workers_make_room(
		parent, image_global(&parent->image)->parser_workers) != 0 ||
	    noise_init(parent) != 0 || ban_init(parent) != 0)
		return false;
	parent->cgroups.own_fd = -1;
	parent->cgroups.all_fd = -1;
	if (launch_init(parent) != 0)
		return false;
	launch_want(parent, parent->side);
	return true;
}

static void
begin_parent(struct parent *parent)
{
	parent->signal_fd = -1;
	parent->diag_fd = -1;
	parent->network_fd = -1;
	parent->reload.job.channel = -1;
	parent->reload.problems_fd = -1;
	parent->reload.image_fd = -1;
	parent->phase = PHASE_STARTING;
	for (uint32_t i = 0; i < EDITION_SIDES; i++)
		parent->editions[i] = EDITION_NONE;
	parent->is_root = true;
	parent->is_debug = true;
	parent->now_ms = clock_now_ms();
	week_begin(&parent->week);
}

/* The log's own state outlives a run: it shall have no descriptor of it. */
static void
open_log(bool is_ours)
{
	const struct log_options options = { .has_debug = true };

	kernel.fail_errno = is_ours ? 0 : ENOENT;
	(void)log_open(&options);
	kernel.fail_errno = 0;
}

static void
end_parent(struct parent *parent)
{
	log_flush();
	open_log(false);
	for (uint32_t i = 0; i < EDITION_SIDES; i++)
		edition_close(&parent->editions[i]);
	if (parent->reload.image_fd >= 0)
		(void)kernel_close(parent->reload.image_fd);
	if (parent->reload.problems_fd >= 0)
		(void)kernel_close(parent->reload.problems_fd);
	while (kernel.server_count > 0)
		file_drop(kernel.servers[--kernel.server_count]);
	for (uint32_t i = 0; i < KERNEL_PROCESSES; i++)
		if (kernel.processes[i].kind != PROCESS_NONE)
			process_end(&kernel.processes[i], 0);
	kernel_end();
	mappings_end();
}

static bool
tells_all_ends(const struct image *image)
{
	const struct image_global *global = image_global(image);

	if (global->log_limit.tokens != 0 ||
	    global->log_format != IMAGE_LOG_LOGFMT ||
	    global->log_sink != IMAGE_LOG_STDERR)
		return false;
	for (uint32_t i = 0; i < image_count(image, IMAGE_SERVICES); i++)
		if (image_service(image, i)->logged != IMAGE_LOGGED_ALL)
			return false;
	return true;
}

static void
take_images(const void *const images[], const size_t sizes[])
{
	world.are_ends_told = true;
	for (uint32_t i = 0; i < WORLD_IMAGES; i++) {
		if (images[i] == NULL)
			continue;
		world.images[i].bytes = images[i];
		world.images[i].size = sizes[i];
		kernel_require(image_init(&world.images[i].image, images[i],
				   sizes[i]) == IMAGE_OK,
		    "the loader makes an unsound image");
		if (!tells_all_ends(&world.images[i].image))
			world.are_ends_told = false;
	}
}

void
world_run(const void *const images[WORLD_IMAGES],
    const size_t sizes[WORLD_IMAGES], const uint8_t *script, size_t length,
    bool is_hostile)
{
	memset(&world, 0, sizeof(world));
	kernel_begin();
	hostile_begin();
	kernel.turn = turn;
	kernel.log_line = check_log_line;
	take_images(images, sizes);
	world.script = script;
	world.left = length;
	world.is_hostile = is_hostile;
	begin_parent(&world.parent);
	open_log(true);
	if (prepare(&world.parent)) {
		(void)serve(&world.parent);
		check_ended();
	}
	end_parent(&world.parent);
}
