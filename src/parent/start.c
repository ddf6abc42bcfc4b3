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
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "loader/loader.h"
#include "parent/limits.h"
#include "parent/parent.h"
#include "parent/report.h"
#include "parent/serve.h"
#include "parent/signals.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/memfd.h"

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
load_image(struct parent *parent, const char *policy_path, bool is_verbose)
{
	const struct loader_options options = { .policy_path = policy_path,
		.is_verbose = is_verbose };
	size_t size;
	const void *bytes;
	enum image_error error;

	parent->image_fd = loader_run(&options, STDERR_FILENO, LIMIT_LOADER_MS);
	if (parent->image_fd < 0)
		return errno == EINVAL ? -1 : failed("load");
	bytes = memfd_map(parent->image_fd, &size);
	if (bytes == NULL)
		return failed("map-image");
	error = image_init(&parent->image, bytes, size);
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

static void
open_log(struct parent *parent, bool is_debug)
{
	const struct image_global *global = image_global(&parent->image);
	const struct log_options options = {
		.sink = (enum image_log_sink)global->log_sink,
		.format = (enum image_log_format)global->log_format,
		.addresses = (enum image_addresses)global->log_addresses,
		.syslog_facility = global->syslog_facility,
		.has_debug = is_debug,
	};

	if (log_open(&options) == 0)
		return;
	/* Better on stderr than nowhere. */
	(void)failed("log");
}

static void *
map_table(size_t bytes)
{
	void *table = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return table == MAP_FAILED ? NULL : table;
}

static int
make_pid_index(struct parent *parent, uint32_t slots)
{
	uint32_t buckets = 1024;

	while (buckets < slots)
		buckets *= 2;
	parent->pids.buckets = map_table(buckets * sizeof(uint32_t));
	if (parent->pids.buckets == NULL)
		return -1;
	parent->pids.mask = buckets - 1;
	for (uint32_t i = 0; i < buckets; i++)
		parent->pids.buckets[i] = SESSION_NONE;
	return 0;
}

/* Sources that can be connected, at least; and how many are remembered. */
static uint32_t
count_sources(const struct image_global *global, uint32_t slots)
{
	return global->sources > slots ? global->sources : slots;
}

/* What sources have of services: remembered only where a rate needs it. */
static uint32_t
count_shares(const struct parent *parent)
{
	const struct image_global *global = image_global(&parent->image);

	for (uint32_t i = 0; i < image_count(&parent->image, IMAGE_SERVICES);
	     i++)
		if (image_service(&parent->image, i)->source_rate.tokens > 0)
			return count_sources(global, global->sessions + 1);
	return global->sessions + 1;
}

/* Everything that grows with connections, once and for all. */
static int
make_tables(struct parent *parent)
{
	const struct image_global *global = image_global(&parent->image);
	uint32_t services = image_count(&parent->image, IMAGE_SERVICES);
	uint32_t slots =
	    global->pending + global->sessions + LIMIT_LINGER_SLOTS;
	uint8_t key[SOURCE_HASH_KEY_BYTES];
	/* One for the newcomer, who comes in before another has to go. */
	uint32_t source_count = count_sources(global, slots + 1);
	uint32_t share_count = count_shares(parent);
	void *sources = map_table(source_table_bytes(source_count));
	void *shares = map_table(source_table_bytes(share_count));
	void *crowd = map_table(crowd_bytes(slots, global->pending));

	parent->service_sessions = map_table((services + 1) * sizeof(uint32_t));
	parent->service_rates =
	    map_table((services + 1) * sizeof(struct rate_bucket));
	if (sources == NULL || shares == NULL || crowd == NULL ||
	    parent->service_sessions == NULL || parent->service_rates == NULL ||
	    getentropy(key, sizeof(key)) != 0 ||
	    make_pid_index(parent, slots) != 0)
		return failed("tables");
	source_table_init(&parent->sources, sources, source_count,
	    global->penalty_max_ms, key);
	source_table_init(&parent->shares, shares, share_count, 0, key);
	crowd_init(&parent->crowd, crowd, slots, global->pending, key);
	if (sessions_init(parent, slots) != 0 || noise_init(parent) != 0)
		return failed("tables");
	return 0;
}

static int
make_rooms(struct parent *parent)
{
	const struct image_global *global = image_global(&parent->image);
	enum room_kind kind = parent->is_root ? ROOM_FULL : ROOM_USER;
	size_t size;
	const void *names = image_names_bytes(&parent->image, &size);

	if (global->room == IMAGE_ROOM_REDUCED)
		kind = ROOM_REDUCED;
	parent->names_fd = memfd_seal("tcpmuxd-names", names, size);
	if (parent->names_fd < 0)
		return failed("names");
	if (room_prepare(&parent->room, kind) != 0)
		return failed("room");
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
	if (listen_open(parent) != 0 || make_tables(parent) != 0 ||
	    make_rooms(parent) != 0)
		return -1;
	if (report_reduce_capabilities(parent) != 0)
		return failed("capabilities");
	report_start(parent);
	return workers_init(parent) != 0 || launch_init(parent) != 0 ? -1 : 0;
}

enum exit_status
start(const char *policy_path, bool is_verbose, bool is_debug)
{
	static struct parent parent = { .image_fd = -1,
		.names_fd = -1,
		.signal_fd = -1,
		.phase = PHASE_STARTING };

	parent.is_root = geteuid() == 0;
	parent.now_ms = clock_now_ms();
	week_begin(&parent.week);
	raise_descriptors(&parent);
	if (load_image(&parent, policy_path, is_verbose) != 0)
		return EXIT_STATUS_POLICY;
	open_log(&parent, is_debug);
	if (prepare(&parent) != 0) {
		log_flush();
		return EXIT_STATUS_ROOM;
	}
	return serve(&parent) == 0 ? EXIT_STATUS_OK : EXIT_STATUS_ROOM;
}
