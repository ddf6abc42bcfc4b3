#ifndef CORE_IMAGE_H
#define CORE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/image_parts.h"
#include "core/name.h"
#include "core/rate.h"

/*
 * The policy as the running processes see it: one flat, sealed, read-only
 * block. The loader writes it; the parent and the launcher map it. It holds
 * no pointer, only offsets, and image_init checks every one of them once, so
 * that whoever reads it afterwards needs no check of its own: an image that
 * was taken cannot be read out of bounds, whatever wrote it. It never leaves
 * the machine, so its numbers are in the machine's own order and layout.
 */
#define IMAGE_MAGIC 0x31696d74u
#define IMAGE_VERSION 3u

/*
 * Bounds that image_init enforces, so that readers can use fixed arrays. The
 * bytes of one service's argv and env, their NULs included, stay far below
 * what execve takes whatever the stack limit is (128 KiB, execve(2)).
 */
#define IMAGE_TEXT_MAX 4095u /* bytes of any string: a path, an argument */
#define IMAGE_LINE_TEXT_MAX 255u /* bytes of a reply text or a summary */
#define IMAGE_ARGV_MAX 256u /* words */
#define IMAGE_ENV_MAX 264u /* words, without the peer's own */
#define IMAGE_EXEC_BYTES_MAX 65536u
#define IMAGE_GROUPS_MAX 4096u
#define IMAGE_LISTENS_MAX 256u
#define IMAGE_SOCKET_MAX 107u /* bytes of a socket's path, unix(7) */
#define IMAGE_LABEL_MAX 63u /* bytes of a listener's name */
#define IMAGE_INTERFACE_MAX 15u /* IFNAMSIZ, its NUL left out */
#define IMAGE_HOURS_MAX 256u /* intervals of a service's week */
#define IMAGE_FILTER_MAX 4096u /* instructions: the kernel takes no more */
#define IMAGE_GRANTS_MAX 256u /* paths that a service may use */
#define IMAGE_EXITS_MAX 8u /* codes of a service: each session keeps them */
#define IMAGE_LIMIT_MAX 1000000u /* of any count of sessions or pending */
#define IMAGE_WORKERS_MAX 64u
#define IMAGE_TIMEOUT_MAX_MS 3600000u
#define IMAGE_PENALTY_MAX_MS 86400000u
#define IMAGE_KEEPALIVE_MAX_S 32767u /* TCP_KEEPIDLE, tcp(7) */
#define IMAGE_LIFETIME_MAX_S 2592000u /* of idle, too */
#define IMAGE_RLIMIT_MAX (UINT64_C(1) << 50) /* far from RLIM_INFINITY */
#define IMAGE_MEMORY_MIN (UINT64_C(1) << 20) /* bytes of a session */
#define IMAGE_PROCESSES_MAX 4194304u /* of a session: pid_max's own */
#define IMAGE_NICE_MIN (-20)
#define IMAGE_NICE_MAX 19
#define IMAGE_CAPABILITIES ((UINT64_C(1) << 41) - 1) /* capabilities(7) */

/* Some of the listeners: bit n % 64 of bits[n / 64] is listener n. */
struct image_listeners {
	uint64_t bits[IMAGE_LISTENS_MAX / 64];
};

enum image_reply {
	IMAGE_REPLY_MUX, /* `+` TEXT CRLF from us, right before exec */
	IMAGE_REPLY_SERVICE, /* the service says the first word */
};

enum image_stderr {
	IMAGE_STDERR_LOG,
	IMAGE_STDERR_NULL,
	IMAGE_STDERR_SOCKET,
};

enum image_leftovers {
	IMAGE_LEFTOVERS_KILL,
	IMAGE_LEFTOVERS_KEEP,
};

/* Which sessions of a service are logged. */
enum image_logged {
	IMAGE_LOGGED_ALL,
	IMAGE_LOGGED_FAILURES, /* the end of those that failed */
	IMAGE_LOGGED_NONE,
};

/*
 * Programs that judge system calls, made once a policy: a service has those of
 * its profile, and one more without a network. Each is there if a service
 * needs it.
 */
enum image_filter {
	IMAGE_FILTER_OFFLINE, /* refuses sockets that lead out of the machine */
	IMAGE_FILTER_DEFAULT, /* refuses what no service needs, but clone3 */
	IMAGE_FILTER_STDIO, /* refuses all but what reads and writes */
	IMAGE_FILTERS_COUNT,
};

/* Of a classic BPF program: the kernel's struct sock_filter, seccomp(2). */
struct image_instruction {
	uint16_t code;
	uint8_t on_true, on_false;
	uint32_t operand;
};

enum image_syscalls {
	IMAGE_SYSCALLS_DEFAULT,
	IMAGE_SYSCALLS_STDIO,
	IMAGE_SYSCALLS_ANY,
};

enum image_network {
	IMAGE_NETWORK_ANY,
	IMAGE_NETWORK_NONE,
};

/* The resource limits that a policy can set, getrlimit(2). */
enum image_rlimit {
	IMAGE_RLIMIT_ADDRESS_SPACE, /* bytes */
	IMAGE_RLIMIT_USER_PROCESSES,
	IMAGE_RLIMIT_OPEN_FILES,
	IMAGE_RLIMIT_CPU, /* seconds */
	IMAGE_RLIMIT_FILE_SIZE, /* bytes */
	IMAGE_RLIMIT_CORE, /* bytes */
	IMAGE_RLIMIT_STACK, /* bytes */
	IMAGE_RLIMITS,
};

/* Namespaces of a session's own. */
#define IMAGE_ISOLATE_PID 0x01u /* with the next one */
#define IMAGE_ISOLATE_MOUNT 0x02u
#define IMAGE_ISOLATE_IPC 0x04u
#define IMAGE_ISOLATE_UTS 0x08u
#define IMAGE_ISOLATE_ALL 0x0fu

#define IMAGE_SERVICE_DISABLED 0x01u
#define IMAGE_SERVICE_UNLISTED 0x02u
#define IMAGE_SERVICE_NEW_PRIVILEGES 0x04u
#define IMAGE_SERVICE_SELF 0x08u /* `user self`: ids stay as they are */
#define IMAGE_SERVICE_CAPABILITIES_ALL 0x10u
#define IMAGE_SERVICE_FLAGS 0x1fu

enum image_kind {
	IMAGE_KIND_EXEC, /* a program */
	IMAGE_KIND_TRAP, /* nothing: whoever asks for it is penalised */
	IMAGE_KIND_BUILTIN, /* a program of ours; argv[1] says which service */
	IMAGE_KIND_PASS, /* a server that runs already */
};

/*
 * Services are sorted by name, so HELP walks them in its order. A trap has no
 * program, words, groups, ids, privileges or limits: they are empty, or 0. Nor
 * has what is passed on, but for the socket in place of the program, and its
 * server's uid.
 */
struct image_service {
	struct image_text name; /* folded */
	struct image_place place;
	struct image_range rules;
	struct image_range argv; /* words; argv[0] first, at least one */
	struct image_range env; /* words, KEY=VALUE: all but the peer's own */
	struct image_range groups; /* of the gids section, sorted */
	struct image_text program; /* absolute path to exec, or of a socket */
	struct image_text chroot; /* absolute; empty: none */
	struct image_text chdir; /* absolute, inside chroot */
	struct image_text reply_text; /* between `+` and CRLF */
	struct image_text summary;
	struct image_place hours_place, on_place; /* line 0: not given */
	struct image_range hours; /* sorted, apart; none: always */
	struct image_listeners on; /* none: all of them */
	struct image_range exits; /* no code twice */
	uint64_t capabilities; /* bit n: capability n is kept; 0 with _ALL */
	uint64_t rlimits[IMAGE_RLIMITS]; /* soft and hard; 0 if not set */
	uint64_t memory; /* bytes of each session, in its cgroup; 0: any */
	uint32_t uid, gid; /* that it runs as, or its server's uid */
	uint32_t sessions, per_source;
	struct rate rate; /* of its starts, whoever asks */
	struct rate source_rate; /* of one source's */
	uint32_t keepalive_s; /* 0: off */
	uint32_t lifetime_s; /* that a session may last; 0: any time */
	uint32_t idle_s; /* that nothing may come or go; 0: any time */
	uint32_t umask;
	uint32_t processes; /* of each session, in its cgroup; 0: any */
	uint32_t filesystem; /* its ruleset + 1; 0: all is open */
	uint8_t flags; /* IMAGE_SERVICE_* */
	uint8_t reply; /* enum image_reply */
	uint8_t stderr_to; /* enum image_stderr */
	uint8_t leftovers; /* enum image_leftovers */
	uint8_t kind; /* enum image_kind */
	uint8_t logged; /* enum image_logged */
	uint8_t syscalls; /* enum image_syscalls */
	uint8_t network; /* enum image_network */
	uint8_t rlimits_set; /* bit n: rlimits[n] is; else as tcpmuxd's */
	uint8_t has_nice; /* 0: as tcpmuxd's */
	int8_t nice; /* IMAGE_NICE_MIN to IMAGE_NICE_MAX */
	uint8_t isolate; /* IMAGE_ISOLATE_* */
};

/* Whether a launcher starts something for it. */
static inline bool
image_is_launched(const struct image_service *service)
{
	return service->kind == IMAGE_KIND_EXEC ||
	    service->kind == IMAGE_KIND_BUILTIN;
}

/* Whether its sessions have limits that are of their cgroups. */
static inline bool
image_limits_sessions(const struct image_service *service)
{
	return service->memory != 0 || service->processes != 0;
}

/* Entry i of the names table belongs to names[i]; aliases have their own. */
struct image_name {
	uint32_t service;
};

enum image_room {
	IMAGE_ROOM_FULL,
	IMAGE_ROOM_REDUCED,
};

enum image_log_sink {
	IMAGE_LOG_STDERR,
	IMAGE_LOG_SYSLOG,
	IMAGE_LOG_JOURNAL,
};

enum image_log_format {
	IMAGE_LOG_LOGFMT,
	IMAGE_LOG_JSON,
};

/* How clients' addresses are logged. */
enum image_addresses {
	IMAGE_ADDRESSES_FULL,
	IMAGE_ADDRESSES_MASKED, /* the network's part, and no port */
	IMAGE_ADDRESSES_NONE,
};

/* What a source is penalised for. */
enum image_penalty {
	IMAGE_PENALTY_MALFORMED, /* a parser claims: not a line */
	IMAGE_PENALTY_UNKNOWN, /* a parser claims: no such name */
	IMAGE_PENALTY_DENIED,
	IMAGE_PENALTY_TIMEOUT,
	IMAGE_PENALTY_CRASH, /* a parser died of it */
	IMAGE_PENALTY_TRAP,
	IMAGE_PENALTIES,
};

/* What the machine has for `network none`, beside the filter. */
#define IMAGE_WALL_NAMESPACE 0x01u /* an empty one */
#define IMAGE_WALL_LANDLOCK 0x02u /* no TCP */
#define IMAGE_WALLS 0x03u

/* Limits of sessions, by their cgroups. */
#define IMAGE_SESSION_MEMORY 0x01u
#define IMAGE_SESSION_PROCESSES 0x02u
#define IMAGE_SESSION_LIMITS 0x03u

/* What the policy says once. */
struct image_global {
	struct image_text file; /* the policy's main file */
	struct image_text parser_program; /* empty: the installed one */
	struct image_range admission; /* rules */
	struct image_range exempt; /* rules; all of them allow */
	/* Instructions of each program; none: no service needs it. */
	struct image_range filters[IMAGE_FILTERS_COUNT];
	uint32_t sessions, pending, pending_per_source, per_source;
	struct rate rate; /* of one source's connections */
	uint32_t sources; /* that are remembered */
	uint32_t penalties_ms[IMAGE_PENALTIES]; /* 0: none */
	uint32_t penalty_threshold_ms, penalty_max_ms;
	uint32_t parser_uid, parser_gid;
	uint32_t parser_timeout_ms;
	uint32_t parser_workers; /* 1 to 64 */
	uint32_t recycle_verdicts, recycle_age_s;
	struct rate log_limit; /* of lines that clients cause */
	uint32_t syslog_facility; /* as in syslog(3), already shifted */
	uint8_t room; /* enum image_room */
	uint8_t log_sink; /* enum image_log_sink */
	uint8_t log_format; /* enum image_log_format */
	uint8_t count_by_v4, count_by_v6; /* bits that tell sources apart */
	uint8_t log_addresses; /* enum image_addresses */
	uint8_t drops_in_kernel;
	uint8_t walls; /* IMAGE_WALL_*: all that `network none` has */
	uint8_t limited; /* IMAGE_SESSION_*: all that any service has */
	uint8_t missing; /* the same: what some do without, if-available */
};

enum image_section {
	IMAGE_STRINGS, /* bytes */
	IMAGE_LISTENS,
	IMAGE_SERVICES,
	IMAGE_NAMES, /* struct image_name, parallel to the names table */
	IMAGE_NAMES_TABLE, /* bytes, see core/name.h: the parser gets a copy */
	IMAGE_RULES,
	IMAGE_SETS,
	IMAGE_V4,
	IMAGE_V6,
	IMAGE_SCOPED,
	IMAGE_WORDS, /* struct image_text */
	IMAGE_GIDS, /* uint32_t */
	IMAGE_HOURS,
	IMAGE_EXITS,
	IMAGE_FILTERS, /* struct image_instruction */
	IMAGE_PATHS,
	IMAGE_RULESETS,
	IMAGE_SECTIONS,
};

struct image_header {
	uint32_t magic, version;
	uint64_t size; /* of the whole image, bytes */
	struct {
		uint32_t offset; /* from the start, 8-aligned */
		uint32_t count; /* elements */
	} sections[IMAGE_SECTIONS];
	struct image_global global;
};

/* A checked image. Copyable; borrows the mapping it was made from. */
struct image {
	const struct image_header *header;
	const uint8_t *base;
	size_t size;
	struct names names;
};

enum image_error {
	IMAGE_OK,
	IMAGE_BAD_HEADER,
	IMAGE_BAD_SECTION,
	IMAGE_BAD_TEXT,
	IMAGE_BAD_RANGE,
	IMAGE_BAD_VALUE,
	IMAGE_BAD_ORDER,
	IMAGE_BAD_NAMES,
};

const char *image_error_text(enum image_error error);

/* The bytes one element of a section takes. */
size_t image_element_bytes(enum image_section section);

/*
 * Takes the block at base (8-aligned, of `size` bytes, unchanging) if every
 * offset, range, enum, order and bound in it holds; image is set only then.
 */
enum image_error image_init(struct image *image, const void *base, size_t size);

/*
 * The same, some elements of it at a time, for who has no time for all of them
 * at once. Once image_inspect_some says true it is decided; `image` may be used
 * if *error is IMAGE_OK then.
 */
struct image_inspection {
	struct image image;
	uint32_t stage, next; /* the next check and its element */
	int64_t name_before; /* of the service before, in the names table */
};

void image_inspect_begin(
    struct image_inspection *inspection, const void *base, size_t size);
bool image_inspect_some(struct image_inspection *inspection, uint32_t most,
    enum image_error *error);

/* Elements; index must be below the section's count. */
const struct image_global *image_global(const struct image *image);
uint32_t image_count(const struct image *image, enum image_section section);
const struct image_service *
image_service(const struct image *image, uint32_t index);
const struct image_listen *
image_listen(const struct image *image, uint32_t index);
const struct image_rule *image_rule(const struct image *image, uint32_t index);
const struct image_set *image_set(const struct image *image, uint32_t index);
const struct image_v4 *image_v4(const struct image *image, uint32_t index);
const struct image_v6 *image_v6(const struct image *image, uint32_t index);
const struct image_scoped *
image_scoped(const struct image *image, uint32_t index);
/* The service that entry `index` of the names table belongs to. */
uint32_t image_name_service(const struct image *image, uint32_t index);
uint32_t image_gid(const struct image *image, uint32_t index);
/* A service's groups, range.count of them; as setgroups(2) takes them. */
const uint32_t *image_gids(const struct image *image, struct image_range range);
const struct image_hours *
image_hours(const struct image *image, uint32_t index);
/* A service's exit codes, range.count of them. */
const struct image_exit *
image_exits(const struct image *image, struct image_range range);
/* Its program, image_global's range.count instructions of it. */
const struct image_instruction *
image_filter(const struct image *image, enum image_filter filter);
/* The programs that a service has: bit n is enum image_filter's n. */
unsigned image_service_filters(const struct image_service *service);
const struct image_path *image_path(const struct image *image, uint32_t index);
const struct image_ruleset *
image_ruleset(const struct image *image, uint32_t index);
/* A NUL-terminated string of the image; never NULL. */
const char *image_text(const struct image *image, struct image_text text);
/* The word (argv, env) of a range's element. */
struct image_text image_word(const struct image *image, uint32_t index);
/* The names table's bytes, to be copied for a parser. */
const void *image_names_bytes(const struct image *image, size_t *size);

/* Whether addr is in the set, by binary search. */
bool
image_set_has(const struct image *image, uint32_t set, const struct addr *addr);

#endif
