/*
 * The language: one row a directive.
 */
#include "core/policy_printer.h"

#include <string.h>

#define SERVICE (BLOCK_SERVICE | BLOCK_DEFAULTS)
#define MANY UINT16_MAX

/* word, blocks, flags, opens, least, most, usage, take, show */
#define ONCE(word, blocks, least, most, usage, take, show) \
	{ \
		word, blocks, 0, 0, least, most, usage, take, show \
	}
#define PROGRAM(word, least, most, usage, take, show) \
	{ \
		word, SERVICE, ROW_PROGRAM, 0, least, most, usage, take, show \
	}
/* Of a program that brings no rights of its own along: not of ours. */
#define FOREIGN(word, least, most, usage, take, show) \
	{ \
		word, SERVICE, ROW_PROGRAM | ROW_FOREIGN, 0, least, most, \
		    usage, take, show \
	}
#define SESSION(word, least, most, usage, take, show) \
	{ \
		word, SERVICE, ROW_SESSION, 0, least, most, usage, take, show \
	}
#define LIST(word, blocks, usage, take, show) \
	{ \
		word, blocks, ROW_REPEATS, 0, 1, MANY, usage, take, show \
	}

static const struct policy_row rows[] = {
	/* service and defaults; most frequent first */
	{ "allow", SERVICE | BLOCK_ADMISSION,
	    ROW_REPEATS | ROW_ALLOW | ROW_RULES, 0, 1, MANY,
	    "allow any|PREFIX|@SET ...", policy_take_allow, policy_show_rules },
	{ "user", SERVICE, ROW_USER | ROW_PROGRAM, 0, 1, 2,
	    "user NAME|UID|self [unsafe]", policy_take_user, policy_show_user },
	{ "exec", BLOCK_SERVICE, ROW_KIND, 0, 1, MANY, "exec PATH [ARG ...]",
	    policy_take_exec, policy_show_exec },
	{ "builtin", BLOCK_SERVICE, ROW_KIND, 0, 1, 1,
	    "builtin echo|discard|daytime|time|chargen", policy_take_builtin,
	    policy_show_builtin },
	{ "deny", SERVICE | BLOCK_ADMISSION, ROW_REPEATS | ROW_RULES, 0, 1,
	    MANY, "deny any|PREFIX|@SET ...", policy_take_deny,
	    policy_show_elsewhere },
	LIST("alias", BLOCK_SERVICE, "alias NAME ...", policy_take_alias,
	    policy_show_aliases),
	{ "argv0", BLOCK_SERVICE, ROW_PROGRAM | ROW_FOREIGN, 0, 1, 1,
	    "argv0 WORD", policy_take_argv0, policy_show_argv0 },
	PROGRAM("group", 1, 1, "group NAME|GID", policy_take_group,
	    policy_show_group),
	PROGRAM("groups", 1, MANY, "groups NAME|GID ... or groups user",
	    policy_take_groups, policy_show_groups),
	SESSION("reply", 1, 2, "reply mux [\"TEXT\"] or reply service",
	    policy_take_reply, policy_show_reply),
	ONCE("summary", BLOCK_SERVICE, 1, 1, "summary \"TEXT\"",
	    policy_take_summary, policy_show_summary),
	ONCE("unlisted", SERVICE, 0, 0, "unlisted", policy_take_unlisted,
	    policy_show_unlisted),
	PROGRAM("chroot", 1, 1, "chroot DIRECTORY", policy_take_chroot,
	    policy_show_chroot),
	PROGRAM("chdir", 1, 1, "chdir DIRECTORY", policy_take_chdir,
	    policy_show_chdir),
	PROGRAM(
	    "umask", 1, 1, "umask 077", policy_take_umask, policy_show_umask),
	PROGRAM("nice", 1, 1, "nice N", policy_take_nice, policy_show_nice),
	{ "isolate", SERVICE, ROW_REPEATS | ROW_PROGRAM, 0, 1, 4,
	    "isolate pid|mount|ipc|uts ...", policy_take_isolate,
	    policy_show_isolate },
	{ "limit", SERVICE, ROW_REPEATS | ROW_PROGRAM, 0, 2, 3,
	    "limit WHAT VALUE [if-available]", policy_take_limit,
	    policy_show_limits },
	{ "env", SERVICE, ROW_REPEATS | ROW_PROGRAM | ROW_FOREIGN, 0, 1, MANY,
	    "env NAME=VALUE ...", policy_take_env, policy_show_env },
	PROGRAM("stderr", 1, 1, "stderr log|null|socket", policy_take_stderr,
	    policy_show_stderr),
	ONCE("sessions", SERVICE, 1, 1, "sessions N", policy_take_sessions,
	    policy_show_sessions),
	ONCE("per-source", SERVICE, 1, 1, "per-source N",
	    policy_take_per_source, policy_show_per_source),
	FOREIGN("capabilities", 1, MANY,
	    "capabilities NAME ... or capabilities all",
	    policy_take_capabilities, policy_show_capabilities),
	FOREIGN("new-privileges", 0, 0, "new-privileges",
	    policy_take_new_privileges, policy_show_new_privileges),
	PROGRAM("leftovers", 1, 1, "leftovers kill|keep", policy_take_leftovers,
	    policy_show_leftovers),
	SESSION("keepalive", 1, 1, "keepalive DURATION|off",
	    policy_take_keepalive, policy_show_keepalive),
	PROGRAM("lifetime", 1, 1, "lifetime DURATION|off", policy_take_lifetime,
	    policy_show_lifetime),
	PROGRAM("idle", 1, 1, "idle DURATION|off", policy_take_idle,
	    policy_show_idle),
	{ "pass", BLOCK_SERVICE, ROW_KIND, 0, 1, 3, "pass PATH [uid NAME|UID]",
	    policy_take_pass, policy_show_pass },
	{ "trap", BLOCK_SERVICE, ROW_KIND, 0, 0, 0, "trap", policy_take_trap,
	    policy_show_trap },
	ONCE("rate", SERVICE, 3, 3, "rate N/s|N/min|N/h burst N",
	    policy_take_rate, policy_show_rate),
	ONCE("source-rate", SERVICE, 3, 3, "source-rate N/s|N/min|N/h burst N",
	    policy_take_source_rate, policy_show_source_rate),
	LIST("on", SERVICE, "on LISTENER ...", policy_take_on, policy_show_on),
	{ "hours", SERVICE, ROW_REPEATS, 0, 2, 2, "hours DAYS HH:MM-HH:MM",
	    policy_take_hours, policy_show_hours },
	SESSION("log", 1, 1, "log all|failures|none", policy_take_log,
	    policy_show_log),
	{ "penalty", SERVICE, ROW_REPEATS | ROW_PROGRAM, 0, 3, MANY,
	    "penalty exit CODE ... DURATION", policy_take_exit_penalty,
	    policy_show_exit_penalties },
	FOREIGN("syscalls", 1, 1, "syscalls default|stdio|any",
	    policy_take_syscalls, policy_show_syscalls),
	{ "filesystem", SERVICE, ROW_REPEATS | ROW_PROGRAM, 0, 1, MANY,
	    "filesystem read|write|exec PATH ... [if-available] or filesystem "
	    "any",
	    policy_take_filesystem, policy_show_filesystem },
	PROGRAM("network", 1, 2, "network any or network none [if-available]",
	    policy_take_network, policy_show_network),

	/* top level */
	ONCE("policy", BLOCK_TOP, 1, 1, "policy 1", policy_take_version,
	    policy_show_version),
	{ "listen", BLOCK_TOP, ROW_REPEATS | ROW_LISTEN, 0, 1, MANY,
	    "listen ADDRESS [OPTION ...]", policy_take_listen,
	    policy_show_listens },
	{ "net", BLOCK_TOP | BLOCK_INCLUDED, ROW_REPEATS, 0, 2, MANY,
	    "net NAME PREFIX|@SET ... or net NAME file PATH", policy_take_net,
	    policy_show_nets },
	{ "defaults", BLOCK_TOP, 0, BLOCK_DEFAULTS, 0, 0, "defaults {", NULL,
	    policy_show_elsewhere },
	{ "parser", BLOCK_TOP, 0, BLOCK_PARSER, 0, 0, "parser {", NULL,
	    policy_show_block },
	{ "admission", BLOCK_TOP, 0, BLOCK_ADMISSION, 0, 0, "admission {", NULL,
	    policy_show_block },
	{ "log", BLOCK_TOP, 0, BLOCK_LOG, 0, 0, "log {", NULL,
	    policy_show_block },
	{ "include", BLOCK_TOP, ROW_REPEATS, 0, 1, 1, "include PATH",
	    policy_take_include, policy_show_elsewhere },
	{ "service", BLOCK_TOP | BLOCK_INCLUDED, ROW_REPEATS, BLOCK_SERVICE, 1,
	    2, "service NAME [disabled] {", policy_take_service,
	    policy_show_services },

	/* parser */
	ONCE("user", BLOCK_PARSER, 1, 1, "user NAME|UID",
	    policy_take_parser_user, policy_show_parser_user),
	ONCE("group", BLOCK_PARSER, 1, 1, "group NAME|GID",
	    policy_take_parser_group, policy_show_parser_group),
	ONCE("timeout", BLOCK_PARSER, 1, 1, "timeout DURATION",
	    policy_take_timeout, policy_show_timeout),
	ONCE("workers", BLOCK_PARSER, 1, 1, "workers N", policy_take_workers,
	    policy_show_workers),
	ONCE("recycle", BLOCK_PARSER, 2, 2, "recycle VERDICTS DURATION",
	    policy_take_recycle, policy_show_recycle),
	ONCE("room", BLOCK_PARSER, 1, 1, "room full|reduced", policy_take_room,
	    policy_show_room),
	ONCE("program", BLOCK_PARSER, 1, 1, "program PATH", policy_take_program,
	    policy_show_program),

	/* admission */
	ONCE("sessions", BLOCK_ADMISSION, 1, 1, "sessions N",
	    policy_take_all_sessions, policy_show_all_sessions),
	ONCE("pending", BLOCK_ADMISSION, 1, 1, "pending N", policy_take_pending,
	    policy_show_pending),
	ONCE("pending-per-source", BLOCK_ADMISSION, 1, 1,
	    "pending-per-source N", policy_take_pending_per_source,
	    policy_show_pending_per_source),
	ONCE("per-source", BLOCK_ADMISSION, 1, 1, "per-source N",
	    policy_take_all_per_source, policy_show_all_per_source),
	LIST("exempt", BLOCK_ADMISSION, "exempt PREFIX|@SET ...",
	    policy_take_exempt, policy_show_exempt),
	ONCE("count-by", BLOCK_ADMISSION, 2, 2, "count-by /32 /64",
	    policy_take_count_by, policy_show_count_by),
	ONCE("rate", BLOCK_ADMISSION, 3, 3, "rate N/s|N/min|N/h burst N",
	    policy_take_all_rate, policy_show_all_rate),
	ONCE("sources", BLOCK_ADMISSION, 1, 1, "sources N", policy_take_sources,
	    policy_show_sources),
	{ "penalty", BLOCK_ADMISSION, ROW_REPEATS, 0, 2, 2,
	    "penalty KIND DURATION", policy_take_penalty,
	    policy_show_penalties },
	ONCE("penalty-threshold", BLOCK_ADMISSION, 1, 1,
	    "penalty-threshold DURATION", policy_take_penalty_threshold,
	    policy_show_penalty_threshold),
	ONCE("penalty-max", BLOCK_ADMISSION, 1, 1, "penalty-max DURATION",
	    policy_take_penalty_max, policy_show_penalty_max),
	ONCE("drop-in-kernel", BLOCK_ADMISSION, 1, 1, "drop-in-kernel off|on",
	    policy_take_drop_in_kernel, policy_show_drop_in_kernel),

	/* log */
	ONCE("to", BLOCK_LOG, 1, 2, "to stderr|journal or to syslog [FACILITY]",
	    policy_take_log_to, policy_show_log_to),
	ONCE("format", BLOCK_LOG, 1, 1, "format logfmt|json",
	    policy_take_log_format, policy_show_log_format),
	ONCE("addresses", BLOCK_LOG, 1, 1, "addresses full|masked|none",
	    policy_take_log_addresses, policy_show_log_addresses),
	ONCE("limit", BLOCK_LOG, 1, 3,
	    "limit N/s|N/min|N/h burst N or limit off", policy_take_log_limit,
	    policy_show_log_limit),
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

_Static_assert(ROWS <= POLICY_ROWS_MAX, "a place for every row");

const struct policy_row *
policy_row_find(struct text word, uint8_t block)
{
	const struct policy_row *elsewhere = NULL;

	for (size_t i = 0; i < ROWS; i++) {
		if (!policy_text_is(word, rows[i].word))
			continue;
		if ((rows[i].blocks & block) != 0)
			return &rows[i];
		if (elsewhere == NULL ||
		    (block == BLOCK_INCLUDED &&
			(rows[i].blocks & BLOCK_TOP) != 0))
			elsewhere = &rows[i];
	}
	return elsewhere;
}

/* One word in two blocks: which is meant is told by the word behind it. */
static const char *const exit_words[] = { "exit", NULL };
static const char *const off_words[] = { "off", NULL };
static const struct {
	const char *word;
	uint8_t blocks;
	const char *const *seconds;
} pairs[] = {
	{ "penalty", SERVICE, exit_words },
	{ "penalty", BLOCK_ADMISSION, policy_penalty_words },
	{ "limit", SERVICE, policy_limit_words },
	{ "limit", BLOCK_LOG, off_words },
	{ "log", SERVICE, policy_logged_words },
};

uint8_t
policy_pair_blocks(struct text word, struct text second)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (!policy_text_is(word, pairs[i].word))
			continue;
		for (size_t j = 0; pairs[i].seconds[j] != NULL; j++)
			if (policy_text_is(second, pairs[i].seconds[j]))
				return pairs[i].blocks;
	}
	return 0;
}

size_t
policy_row_index(const struct policy_row *row)
{
	return (size_t)(row - rows);
}

const struct policy_row *
policy_row_at(size_t index)
{
	return index < ROWS ? &rows[index] : NULL;
}

void
policy_row_suggest(struct suggestion *best, struct text word, uint8_t block)
{
	for (size_t i = 0; i < ROWS; i++)
		if ((rows[i].blocks & block) != 0)
			suggest_consider(best, word, rows[i].word);
}

/* What each kind has no use for, also where it is inherited, and why. */
static const struct {
	uint16_t without_meaning; /* ROW_* */
	const char *reason;
} kinds[] = {
	[IMAGE_KIND_EXEC] = { 0, NULL },
	[IMAGE_KIND_TRAP] = { ROW_PROGRAM | ROW_SESSION,
	    "a trap runs nothing" },
	[IMAGE_KIND_BUILTIN] = { ROW_FOREIGN, "a builtin has no use for it" },
	[IMAGE_KIND_PASS] = { ROW_PROGRAM, "'pass' starts no program" },
};

uint16_t
policy_rows_without_meaning(enum image_kind kind)
{
	return kinds[kind].without_meaning;
}

bool
policy_starts_program(const struct policy_service *service)
{
	return (kinds[service->kind].without_meaning & ROW_PROGRAM) == 0;
}

static void
refuse_without_meaning(struct policy_parser *parser, enum image_kind kind)
{
	for (size_t i = 0; i < ROWS; i++)
		if (parser->first[i].line != 0 &&
		    (rows[i].flags & kinds[kind].without_meaning) != 0)
			policy_complain(parser, parser->first[i],
			    "%s: '%s' has no meaning here", kinds[kind].reason,
			    rows[i].word);
}

void
policy_rows_check_kind(struct policy_parser *parser)
{
	const struct policy_row *kind = NULL;
	bool is_one = true;

	for (size_t i = 0; i < ROWS; i++) {
		const struct place *place = &parser->first[i];

		if (place->line == 0 || (rows[i].flags & ROW_KIND) == 0)
			continue;
		if (kind == NULL) {
			kind = &rows[i];
			continue;
		}
		is_one = false;
		policy_complain(parser, *place,
		    "a service is one thing: '%s' is in line %u "
		    "already",
		    kind->word, parser->first[policy_row_index(kind)].line);
	}
	if (is_one)
		refuse_without_meaning(parser, parser->service->kind);
}

void
policy_rows_forget(struct policy_parser *parser)
{
	for (size_t i = 0; i < ROWS; i++)
		if ((rows[i].blocks & BLOCK_TOP) == 0)
			parser->first[i].line = 0;
}

const char *
policy_block_name(uint8_t block)
{
	if (block == BLOCK_INCLUDED)
		return "at the top level of an included file";
	/* of several, the first is where the word is looked for first */
	if ((block & BLOCK_TOP) != 0)
		return "at top level";
	if ((block & BLOCK_SERVICE) != 0)
		return "in service { }";
	if ((block & BLOCK_DEFAULTS) != 0)
		return "in defaults { }";
	if ((block & BLOCK_ADMISSION) != 0)
		return "in admission { }";
	if ((block & BLOCK_PARSER) != 0)
		return "in parser { }";
	return "in log { }";
}
