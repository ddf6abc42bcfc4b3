#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/hours.h"
#include "core/image.h"

/*
 * A policy as written: parsed, but with no name of a user, group, path or
 * capability looked up yet (the loader does that, and writes the image). All
 * text points into the source or into the arena that the parser was given.
 */
struct text {
	const char *bytes; /* not terminated, not owned */
	size_t length;
};

struct place {
	uint32_t file; /* index of the text, or as its reader was told */
	uint32_t line; /* from 1 */
	uint32_t column; /* from 1, in bytes */
};

struct word {
	struct text text; /* unquoted */
	struct place place;
};

/* Elements of one of the arrays in struct policy. */
struct span {
	uint32_t first;
	uint32_t count;
};

enum policy_match_kind {
	POLICY_MATCH_ANY,
	POLICY_MATCH_PREFIX,
	POLICY_MATCH_NET,
	POLICY_MATCH_FILE, /* in a net only */
};

/* What a rule or a net names: everybody, a prefix, another net, a file. */
struct policy_match {
	enum policy_match_kind kind;
	struct prefix prefix;
	struct text zone; /* of a link-local prefix; empty: on every link */
	uint32_t net; /* index of the net; of none, if a text is lacking */
	uint32_t path; /* index of the word that is the file's */
	struct place place;
};

struct policy_rule {
	bool is_allow;
	struct policy_match match; /* `allow A B` makes two rules */
};

struct policy_net {
	struct word name;
	struct span members; /* of matches */
};

struct policy_listen {
	struct addr addr; /* port included; no scope yet */
	struct place place;
	struct text name; /* empty: none; several may share one */
	struct word zone; /* of a link-local address: an interface or its
			   * number; length 0: none */
	struct text interface; /* empty: any */
	uint32_t backlog;
	bool is_freebind, is_lenient_lf;
};

struct policy_hours {
	struct hours_line line;
	struct place place;
};

struct policy_exit {
	uint8_t code; /* 1 to 255 */
	uint32_t penalty_ms;
	struct place place;
};

/* All that `limit` knows: enum image_rlimit's, of a process, come first. */
enum policy_limit {
	POLICY_LIMIT_MEMORY = IMAGE_RLIMITS, /* bytes of a session */
	POLICY_LIMIT_PROCESSES, /* of a session */
	POLICY_LIMITS,
};

/* Limits of one service: bit n of `set` is that values[n] is one. */
struct policy_limits {
	uint16_t set;
	uint16_t if_available; /* bit n: without it, if it cannot be had */
	uint64_t values[POLICY_LIMITS];
	struct place places[POLICY_LIMITS]; /* line 0: a default of ours */
};

/* A path that a service may use, and what for. */
struct policy_grant {
	struct word path; /* absolute */
	uint8_t access; /* enum image_access */
	bool is_optional; /* `if-available` */
};

enum policy_groups {
	POLICY_GROUPS_NONE,
	POLICY_GROUPS_NAMED,
	POLICY_GROUPS_USER, /* as in the group database */
};

/* Bits of policy_service.given: directives that this service wrote itself or
 * inherited from defaults; which is which decides about duplicates. */
struct policy_service {
	struct word name; /* folded to lower case by the parser */
	struct place place;
	uint64_t given; /* bit of each directive in the parser's table */
	enum image_kind kind; /* of two, which are an error, not exec */
	bool is_disabled, is_unlisted;
	struct span exec; /* words: path and arguments; empty: not given */
	struct word builtin; /* which; length 0: not given */
	struct word pass; /* path of a server's socket; length 0: not given */
	struct word pass_user; /* its server's; length 0: tcpmuxd's own */
	struct word argv0; /* length 0: not given */
	struct word user; /* name, number, or `self` */
	bool is_self, is_unsafe;
	struct word group; /* length 0: the user's */
	enum policy_groups groups_kind;
	struct span groups; /* words */
	struct span rules;
	enum image_reply reply;
	struct text reply_text, summary;
	struct span aliases; /* words, folded */
	struct word chroot; /* length 0: none */
	struct word chdir; /* length 0: / */
	uint32_t umask;
	bool has_umask;
	struct span env; /* words, KEY=VALUE */
	enum image_stderr stderr_to;
	uint32_t sessions;
	uint32_t per_source; /* 0: an eighth of sessions, at least 1 */
	struct rate rate, source_rate; /* no tokens: none */
	struct span hours; /* lines; none: always */
	struct span exits; /* what exit codes cost; no code twice */
	struct span on; /* words: names of listeners; none: all of them */
	bool has_filesystem; /* all is closed but its grants */
	struct span grants; /* no path twice with the same access */
	struct span capabilities; /* words: names without cap_ or CAP_ */
	bool has_all_capabilities, has_new_privileges;
	struct place new_privileges_place;
	bool has_nice;
	struct place nice_place;
	int32_t nice;
	struct policy_limits limits;
	uint8_t isolate; /* IMAGE_ISOLATE_*; pid has mount with it */
	struct place isolate_place; /* of the first word; of pid, if given */
	enum image_leftovers leftovers;
	enum image_logged logged;
	enum image_syscalls syscalls;
	struct place syscalls_place;
	enum image_network network;
	bool is_network_if_available;
	struct place network_place;
	uint32_t keepalive_s; /* 0: off */
	uint32_t lifetime_s, idle_s; /* 0: off */
	struct place idle_place;
};

struct policy {
	struct policy_listen *listens;
	struct policy_net *nets;
	struct policy_match *matches;
	struct policy_rule *rules;
	struct policy_service *services; /* in the order written */
	struct policy_hours *hours;
	struct policy_exit *exits;
	struct policy_grant *grants;
	struct word *words;
	uint32_t listen_count, net_count, match_count, rule_count;
	uint32_t service_count, hours_count, exit_count, grant_count;
	uint32_t word_count;

	struct span admission; /* rules; none written: nobody */
	struct span exempt; /* rules, all of them allow */
	uint32_t sessions, pending, pending_per_source, per_source;
	uint32_t count_by_v4, count_by_v6; /* bits */
	struct rate rate;
	uint32_t sources;
	uint32_t penalties_ms[IMAGE_PENALTIES];
	uint32_t penalty_threshold_ms, penalty_max_ms;
	bool drops_in_kernel;

	struct word parser_user, parser_group, parser_program;
	uint32_t parser_timeout_ms, parser_workers;
	uint32_t recycle_verdicts, recycle_age_s;
	enum image_room room;

	enum image_log_sink log_sink;
	enum image_log_format log_format;
	enum image_addresses log_addresses;
	struct rate log_limit; /* no tokens: none */
	struct word log_facility; /* length 0: daemon */
};

/* What per_source comes to. */
uint32_t policy_service_per_source(const struct policy_service *service);

#endif
