/*
 * From nothing to serving: policy, log, sockets, tables, rooms, in an order
 * in which each step needs only the ones before.
 * Trusts the image only once core/image has checked it.
 * Never serves with less than what the policy asks for.
 */
#include "parent/start.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "loader/loader.h"
#include "parent/ban.h"
#include "parent/limits.h"
#include "parent/parent.h"
#include "parent/report.h"
#include "parent/serve.h"
#include "parent/signals.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/slice.h"

static int
failed(const char *what)
{
	int error = errno;

	log_begin(LOG_LEVEL_ERROR, "start-failed");
	log_word("step", what);
	log_errno(error);
	log_end();
	log_flush();
	return -1;
}

static int
load_image(struct parent *parent)
{
	struct edition *edition = &parent->editions[parent->side];
	enum image_error error;
	int image_fd =
	    loader_run(&parent->loading, STDERR_FILENO, LIMIT_LOADER_MS);

	if (image_fd < 0)
		return errno == EINVAL ? -1 : failed("load");
	if (edition_open(edition, image_fd) != 0)
		return failed("map-image");
	(void)edition_check(edition, UINT32_MAX, &error);
	parent->image = edition->image;
	if (error == IMAGE_OK)
		return 0;
	log_begin(LOG_LEVEL_ERROR, "start-failed");
	log_word("step", "check-image");
	log_text("text", image_error_text(error));
	log_end();
	log_flush();
	return -1;
}

/* As many descriptors as we may have; what we launch gets back its own. */
static void
raise_descriptors(struct parent *parent)
{
	struct rlimit raised;

	(void)getrlimit(RLIMIT_NOFILE, &parent->nofile);
	raised = parent->nofile;
	raised.rlim_cur = raised.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &raised);
}

int
start_open_log(const struct parent *parent)
{
	const struct image_global *global = image_global(&parent->image);
	const struct log_options options = {
		.sink = (enum image_log_sink)global->log_sink,
		.format = (enum image_log_format)global->log_format,
		.addresses = (enum image_addresses)global->log_addresses,
		.syslog_facility = global->syslog_facility,
		.has_debug = parent->is_debug,
	};

	return log_open(&options);
}

/* All that comes of the policy before anybody is started or served. */
static int
make_edition(struct parent *parent)
{
	struct edition *edition = &parent->editions[parent->side];
	const char *step = edition_prepare(parent, edition, NULL);
	uint32_t seats = image_global(&parent->image)->parser_workers;

	if (step != NULL)
		return failed(step);
	parent->services = edition_services(edition);
	if (tables_init(parent) != 0 || workers_make_room(parent, seats) != 0 ||
	    noise_init(parent) != 0 || ban_init(parent) != 0)
		return failed("tables");
	/* Services of `user self` are our own user: they shall not look in. */
	if (prctl(PR_SET_DUMPABLE, 0) != 0)
		return failed("dumpable");
	return 0;
}

static int
prepare(struct parent *parent)
{
	if (loop_init(&parent->loop) != 0 || signals_init(parent) != 0)
		return failed("signals");
	if (listen_open(parent) != 0 || make_edition(parent) != 0)
		return -1;
	/* The root of all cgroups is writable for who may write anything. */
	cgroups_init(parent);
	parent->loading.group_fd = parent->cgroups.own_fd;
	if (cgroups_limit(parent, &parent->image) != 0) {
		(void)failed("cgroup");
		cgroups_finish(parent);
		return -1;
	}
	if (report_reduce_capabilities(parent) != 0)
		return failed("capabilities");
	report_start(parent);
	slice_shorten();
	if (launch_init(parent) != 0)
		return -1;
	launch_want(parent, parent->side);
	return 0;
}

uint64_t
start_kept_capabilities(void)
{
	return report_kept_capabilities();
}

enum exit_status
start(const char *policy_path, bool is_verbose, bool is_debug)
{
	static struct parent parent = { .signal_fd = -1,
		.diag_fd = -1,
		.network_fd = -1,
		.reload = { .job.channel = -1,
		    .problems_fd = -1,
		    .image_fd = -1 },
		.phase = PHASE_STARTING };

	for (uint32_t i = 0; i < EDITION_SIDES; i++)
		parent.editions[i] = EDITION_NONE;
	parent.is_root = geteuid() == 0;
	parent.now_ms = clock_now_ms();
	week_begin(&parent.week);
	raise_descriptors(&parent);
	/* Until the policy says where else. */
	(void)log_open(&(struct log_options){ .has_debug = is_debug });
	parent.loading = (struct loader_options){ .policy_path = policy_path,
		.is_verbose = is_verbose,
		.is_to_serve = true,
		.keeps = start_kept_capabilities(),
		.group_fd = -1 };
	parent.is_debug = is_debug;
	if (load_image(&parent) != 0)
		return EXIT_STATUS_POLICY;
	/* Better on stderr than nowhere. */
	if (start_open_log(&parent) != 0)
		(void)failed("log");
	if (prepare(&parent) != 0) {
		log_flush();
		return EXIT_STATUS_ROOM;
	}
	return serve(&parent) == 0 ? EXIT_STATUS_OK : EXIT_STATUS_ROOM;
}
