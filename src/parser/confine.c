/*
 * The steps by which the parser builds its room around itself, as a table.
 * Trusts its parent, which started it, and what the kernel says when asked.
 * Never goes on after a step that failed.
 */
#include "parser/confine.h"

#include "core/message.h"
#include "parser/allowed.h"
#include "sys/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Which kinds of room a step belongs to. */
#define FULL (1U << ROOM_FULL)
#define USER (1U << ROOM_USER)
#define REDUCED (1U << ROOM_REDUCED)
/* ROOM_REDUCED, started by root: there is something to give up. */
#define REDUCED_ROOT (REDUCED << 1)
#define ALL (FULL | USER | REDUCED | REDUCED_ROOT)

#ifdef TCPMUXD_SANITIZE
/* Standard error stays, for the report. */
#define FIRST_CLOSED_FD 0
#define LAST_CLOSED_FD 1
#define OPEN_FILES (BATCH_MAX + 4)
#else
#define FIRST_CLOSED_FD 0
#define LAST_CLOSED_FD 2
/* The channel and one batch: whoever keeps a socket cannot take the next. */
#define OPEN_FILES (BATCH_MAX + 1)
#endif

static const struct limit {
	int resource;
	rlim_t value;
} limits[] = {
	{ RLIMIT_NPROC, 0 },
	{ RLIMIT_FSIZE, 0 },
	{ RLIMIT_CORE, 0 },
	{ RLIMIT_MEMLOCK, 0 },
	{ RLIMIT_CPU, ROOM_CPU_SECONDS },
	{ RLIMIT_NOFILE, OPEN_FILES },
};

#define LIMITS (sizeof(limits) / sizeof(limits[0]))

static int
give_up(int error)
{
	errno = error;
	return -1;
}

/* The channel is what it should be, and the others are there at all. */
static int
check_descriptors(struct parser *parser)
{
	int type = 0;
	socklen_t length = sizeof(type);

	if (getsockopt(ROOM_CHANNEL_FD, SOL_SOCKET, SO_TYPE, &type, &length) !=
	    0)
		return -1;
	if (type != SOCK_SEQPACKET)
		return give_up(EPROTOTYPE);
	parser->serve.channel_fd = ROOM_CHANNEL_FD;
	return fcntl(ROOM_NAMES_FD, F_GETFD) < 0 ? -1 : 0;
}

/*
 * Read-only, all at once, and sealed: a table that could still change or
 * shrink would have been checked for nothing.
 */
static int
map_names(struct parser *parser)
{
	const int wanted = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	int seals = fcntl(ROOM_NAMES_FD, F_GET_SEALS);
	struct stat table;
	void *base;

	if (seals < 0 || fstat(ROOM_NAMES_FD, &table) != 0)
		return -1;
	if ((seals & wanted) != wanted)
		return give_up(EPERM);
	if (table.st_size == 0)
		return give_up(EBADMSG);
	base = mmap(NULL, (size_t)table.st_size, PROT_READ,
	    MAP_PRIVATE | MAP_POPULATE, ROOM_NAMES_FD, 0);
	if (base == MAP_FAILED)
		return -1;
	if (!names_init(&parser->serve.names, base, (size_t)table.st_size))
		return give_up(EBADMSG);
	return close(ROOM_NAMES_FD);
}

/* Listeners are given SO_PEEK_OFF exactly where TCP knows it: Linux 6.9. */
static int
probe_peek(struct parser *parser)
{
	int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int offset;
	socklen_t length = sizeof(offset);

	if (probe < 0)
		probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (probe < 0)
		return -1;
	parser->serve.can_peek_on =
	    getsockopt(probe, SOL_SOCKET, SO_PEEK_OFF, &offset, &length) == 0;
	return close(probe);
}

static int
join_namespaces(struct parser *parser)
{
	(void)parser;
	return room_join();
}

static int
empty_root(struct parser *parser)
{
	(void)parser;
	return room_empty_root();
}

static int
verify_root(struct parser *parser)
{
	(void)parser;
	return room_verify_root();
}

static int
set_limits(struct parser *parser)
{
	(void)parser;
	for (size_t i = 0; i < LIMITS; i++) {
		const struct rlimit limit = { limits[i].value,
			limits[i].value };

		if (setrlimit(
			(__rlimit_resource_t)limits[i].resource, &limit) != 0)
			return -1;
	}
	return 0;
}

static int
drop_groups(struct parser *parser)
{
	parser->identity.has_no_groups = true;
	return identity_drop_groups();
}

static int
set_gid(struct parser *parser)
{
	return identity_set_gid(parser->identity.gid);
}

static int
drop_bounding_set(struct parser *parser)
{
	parser->identity.is_sealed = true;
	return identity_drop_bounding_set();
}

static int
lock_securebits(struct parser *parser)
{
	(void)parser;
	return identity_lock_securebits();
}

static int
set_uid(struct parser *parser)
{
	return identity_set_uid(parser->identity.uid);
}

static int
drop_capabilities(struct parser *parser)
{
	(void)parser;
	return identity_drop_capabilities();
}

static int
set_no_new_privs(struct parser *parser)
{
	(void)parser;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* A second wall: see sys/room.h for a kernel that has none. */
static int
enter_landlock(struct parser *parser)
{
	(void)parser;
	return landlock_abi() == 0 ? 0 : landlock_deny_all();
}

/*
 * A change of credentials takes both away, so they come after the last. The
 * parent may have died in between: then the channel has its end, which is
 * the first thing to be read.
 */
static int
close_to_others(struct parser *parser)
{
	(void)parser;
	if (prctl(PR_SET_DUMPABLE, 0) != 0)
		return -1;
	return prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static int
verify(struct parser *parser)
{
	int death_signal = 0;

	if (identity_verify(&parser->identity) != 0)
		return -1;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ||
	    prctl(PR_GET_DUMPABLE) != 0 ||
	    prctl(PR_GET_PDEATHSIG, &death_signal) != 0 ||
	    death_signal != SIGKILL)
		return give_up(EPERM);
	for (size_t i = 0; i < LIMITS; i++) {
		struct rlimit limit;

		if (getrlimit(
			(__rlimit_resource_t)limits[i].resource, &limit) != 0)
			return -1;
		if (limit.rlim_cur != limits[i].value ||
		    limit.rlim_max != limits[i].value)
			return give_up(EPERM);
	}
	return 0;
}

/* All but the channel and, until the filter is loaded, the status pipe. */
static int
close_descriptors(struct parser *parser)
{
	(void)parser;
	if (close_range(FIRST_CLOSED_FD, LAST_CLOSED_FD, 0) != 0)
		return -1;
	return close_range(ROOM_STATUS_FD + 1, ~0U, 0);
}

static int
load_filter(struct parser *parser)
{
	(void)parser;
	return allowed_load();
}

/* The room, in the order in which it is built. */
static const struct room_step {
	enum step step;
	unsigned kinds;
	int (*take)(struct parser *parser);
} room_steps[] = {
	{ STEP_DESCRIPTORS, ALL, check_descriptors },
	{ STEP_DUMPABLE, ALL, close_to_others },
	{ STEP_NAMES, ALL, map_names },
	{ STEP_DESCRIPTORS, ALL, probe_peek },
	{ STEP_NAMESPACES, FULL, join_namespaces },
	{ STEP_ROOT, USER, empty_root },
	{ STEP_ROOT, FULL | USER, verify_root },
	{ STEP_RLIMITS, ALL, set_limits },
	{ STEP_GROUPS, FULL | REDUCED_ROOT, drop_groups },
	{ STEP_GID, ALL, set_gid },
	{ STEP_BOUNDING_SET, FULL | USER | REDUCED_ROOT, drop_bounding_set },
	{ STEP_SECUREBITS, FULL | USER | REDUCED_ROOT, lock_securebits },
	{ STEP_UID, ALL, set_uid },
	{ STEP_CAPABILITIES, ALL, drop_capabilities },
	{ STEP_NO_NEW_PRIVS, ALL, set_no_new_privs },
	{ STEP_LANDLOCK, ALL, enter_landlock },
	{ STEP_DUMPABLE, ALL, close_to_others },
	{ STEP_VERIFY, ALL, verify },
	{ STEP_DESCRIPTORS, ALL, close_descriptors },
	{ STEP_FILTER, ALL, load_filter },
};

#define ROOM_STEPS (sizeof(room_steps) / sizeof(room_steps[0]))

static unsigned
kind_bit(enum room_kind kind)
{
	if (kind == ROOM_REDUCED && geteuid() == 0)
		return REDUCED_ROOT;
	return 1U << kind;
}

enum step
parser_confine(struct parser *parser)
{
	unsigned kind = kind_bit(parser->kind);

	for (size_t i = 0; i < ROOM_STEPS; i++)
		if ((room_steps[i].kinds & kind) != 0 &&
		    room_steps[i].take(parser) != 0)
			return room_steps[i].step;
	return STEP_NONE;
}
