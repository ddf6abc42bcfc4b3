#ifndef TESTS_IMAGE_CHANGES_H
#define TESTS_IMAGE_CHANGES_H

/*
 * Sound images with one thing changed: what each is, and what is said of it.
 * A test has the answers to look at; a fuzzer begins with them.
 */
#include "sound_image.h"

/* Changes one thing in a sound image's parts. */
struct change {
	const char *what;
	void (*make)(struct build *build, struct image_service *service);
	enum image_error expected;
};

static void
nothing(struct build *build, struct image_service *service)
{
	(void)build;
	(void)service;
}

#define SERVICE_CHANGE(name, statement) \
	static void name(struct build *build, struct image_service *service) \
	{ \
		(void)build; \
		(void)service; \
		statement; \
	}

SERVICE_CHANGE(no_argv, service->argv.count = 0)
SERVICE_CHANGE(argv_beyond, service->argv.count = 1000)
SERVICE_CHANGE(env_beyond, service->env.first = 1000)
SERVICE_CHANGE(env_without_equals, service->env = service->argv)
SERVICE_CHANGE(relative, service->program = small_text(build, "bin/cat"))
SERVICE_CHANGE(no_program, service->program = small_text(build, ""))
SERVICE_CHANGE(relative_chdir, service->chdir = small_text(build, "srv"))
SERVICE_CHANGE(reply_line, service->reply_text = small_text(build, "a\r\n-b"))
SERVICE_CHANGE(summary_bell, service->summary = small_text(build, "\a"))
SERVICE_CHANGE(summary_delete, service->summary = small_text(build, "\x7f"))
SERVICE_CHANGE(text_beyond, service->summary.offset = 1u << 30)
SERVICE_CHANGE(text_huge, service->summary.length = UINT32_MAX)
SERVICE_CHANGE(text_two, service->program.length += 2)
SERVICE_CHANGE(text_over, service->program.length = IMAGE_TEXT_MAX)
SERVICE_CHANGE(text_part, service->program.length -= 1)
SERVICE_CHANGE(no_line, service->place.line = 0)
SERVICE_CHANGE(no_file, service->place.file = small_text(build, ""))
SERVICE_CHANGE(uid_kept, service->uid = UINT32_MAX)
SERVICE_CHANGE(gid_kept, service->gid = UINT32_MAX)
SERVICE_CHANGE(wide_umask, service->umask = 01000)
SERVICE_CHANGE(odd_flag, service->flags = 0x20)
SERVICE_CHANGE(odd_reply, service->reply = 2)
SERVICE_CHANGE(odd_stderr, service->stderr_to = 3)
SERVICE_CHANGE(odd_leftovers, service->leftovers = 2)
SERVICE_CHANGE(odd_kind_of_service, service->kind = IMAGE_KIND_PASS + 1)
SERVICE_CHANGE(odd_logged, service->logged = 3)
SERVICE_CHANGE(odd_syscalls, service->syscalls = 3)
SERVICE_CHANGE(odd_network, service->network = 2)
SERVICE_CHANGE(stdio, service->syscalls = IMAGE_SYSCALLS_STDIO)
SERVICE_CHANGE(stdio_and_more, service->syscalls = IMAGE_SYSCALLS_STDIO;
	       service->filesystem = 0;
	       service->flags = IMAGE_SERVICE_NEW_PRIVILEGES)
SERVICE_CHANGE(
    no_default_filter, build->global.filters[IMAGE_FILTER_DEFAULT].count = 0)
SERVICE_CHANGE(no_stdio_filter, service->syscalls = IMAGE_SYSCALLS_STDIO;
	       build->global.filters[IMAGE_FILTER_STDIO].count = 0)
SERVICE_CHANGE(no_offline_filter, service->network = IMAGE_NETWORK_NONE;
	       build->global.filters[IMAGE_FILTER_OFFLINE].count = 0)
SERVICE_CHANGE(
    no_filter_needed, build->global.filters[IMAGE_FILTER_OFFLINE].count = 0)
SERVICE_CHANGE(relative_chroot, service->chroot = small_text(build, "srv"))
SERVICE_CHANGE(odd_limit, service->rlimits_set |= 1u << IMAGE_RLIMITS)
SERVICE_CHANGE(limit_not_set, service->rlimits_set = 0)
SERVICE_CHANGE(
    long_limit, service->rlimits[IMAGE_RLIMIT_CPU] = IMAGE_RLIMIT_MAX + 1)
SERVICE_CHANGE(
    longest_limit, service->rlimits[IMAGE_RLIMIT_CPU] = IMAGE_RLIMIT_MAX)
SERVICE_CHANGE(little_memory, service->memory = IMAGE_MEMORY_MIN - 1;
	       build->global.limited = IMAGE_SESSION_LIMITS)
SERVICE_CHANGE(least_memory, service->memory = IMAGE_MEMORY_MIN;
	       build->global.limited = IMAGE_SESSION_MEMORY)
SERVICE_CHANGE(untold_memory, service->memory = IMAGE_MEMORY_MIN;
	       build->global.limited = IMAGE_SESSION_PROCESSES)
SERVICE_CHANGE(untold_processes, service->processes = 1;
	       build->global.limited = IMAGE_SESSION_MEMORY)
SERVICE_CHANGE(most_memory, service->memory = IMAGE_RLIMIT_MAX;
	       build->global.limited = IMAGE_SESSION_LIMITS)
SERVICE_CHANGE(much_memory, service->memory = IMAGE_RLIMIT_MAX + 1;
	       build->global.limited = IMAGE_SESSION_LIMITS)
SERVICE_CHANGE(most_processes, service->processes = IMAGE_PROCESSES_MAX + 1;
	       build->global.limited = IMAGE_SESSION_PROCESSES)
SERVICE_CHANGE(many_processes, service->processes = IMAGE_PROCESSES_MAX + 2;
	       build->global.limited = IMAGE_SESSION_PROCESSES)
SERVICE_CHANGE(kept_with_processes, service->processes = 1;
	       build->global.limited = IMAGE_SESSION_LIMITS;
	       service->leftovers = IMAGE_LEFTOVERS_KEEP)
SERVICE_CHANGE(kept_with_memory, service->memory = IMAGE_MEMORY_MIN;
	       build->global.limited = IMAGE_SESSION_LIMITS;
	       service->leftovers = IMAGE_LEFTOVERS_KEEP)
SERVICE_CHANGE(low_nice, service->nice = -21)
SERVICE_CHANGE(high_nice, service->nice = 20)
SERVICE_CHANGE(nice_not_set, service->has_nice = 0)
SERVICE_CHANGE(odd_isolate, service->isolate = 0x1f)
SERVICE_CHANGE(pid_without_mount, service->isolate = IMAGE_ISOLATE_PID)
SERVICE_CHANGE(no_isolate, service->isolate = 0)
SERVICE_CHANGE(odd_nice, service->has_nice = 2)
SERVICE_CHANGE(no_burst, service->rate = ((struct rate){ 1, 1000, 0 }))
SERVICE_CHANGE(large_burst,
    service->rate = ((struct rate){ 1, 1000, RATE_TOKENS_MAX + 1 }))
SERVICE_CHANGE(no_period, service->source_rate = ((struct rate){ 1, 0, 1 }))
SERVICE_CHANGE(trap_with_program, service->kind = IMAGE_KIND_TRAP)
SERVICE_CHANGE(no_sessions, service->sessions = 0)
SERVICE_CHANGE(no_per_source, service->per_source = 0)
SERVICE_CHANGE(too_many, service->sessions = IMAGE_LIMIT_MAX + 1)
SERVICE_CHANGE(long_keepalive, service->keepalive_s = 32768)
SERVICE_CHANGE(long_life, service->lifetime_s = IMAGE_LIFETIME_MAX_S + 1)
SERVICE_CHANGE(long_idle, service->idle_s = IMAGE_LIFETIME_MAX_S + 1)
SERVICE_CHANGE(capability_41, service->capabilities = UINT64_C(1) << 41)
SERVICE_CHANGE(all_and_one, service->flags = IMAGE_SERVICE_CAPABILITIES_ALL)
SERVICE_CHANGE(rules_beyond, service->rules.count = 4)
SERVICE_CHANGE(rules_wrap, service->rules.first = UINT32_MAX)
SERVICE_CHANGE(groups_beyond, service->groups.count = 4)
SERVICE_CHANGE(name_huge, service->name.length = UINT32_MAX)
SERVICE_CHANGE(other_name, service->name = small_text(build, "gif"))
SERVICE_CHANGE(alias_name, service->name = small_text(build, "9418"))
SERVICE_CHANGE(upper_name, service->name = small_text(build, "GIT"))
SERVICE_CHANGE(no_name, service->name = small_text(build, ""))
SERVICE_CHANGE(its_name, service->name = small_text(build, "rsync"))

/* All that only root could give it is gone. */
static void
make_self(struct build *build, struct image_service *service)
{
	service->flags = IMAGE_SERVICE_SELF;
	service->chroot = small_text(build, "");
	service->capabilities = 0;
	service->groups.count = 0;
	service->isolate = 0;
	service->filesystem = 0;
}

#define SELF_CHANGE(name, statement) \
	SERVICE_CHANGE(name, make_self(build, service); statement)

SELF_CHANGE(self_with_groups, service->groups.count = 3)
SELF_CHANGE(self_with_chroot, service->chroot = small_text(build, "/srv"))
SELF_CHANGE(self_with_capability, service->capabilities = 1)
SELF_CHANGE(self_with_isolate, service->isolate = IMAGE_ISOLATE_UTS)
SELF_CHANGE(
    self_with_privileges, service->flags |= IMAGE_SERVICE_NEW_PRIVILEGES)
SELF_CHANGE(self_with_all, service->flags |= IMAGE_SERVICE_CAPABILITIES_ALL)

/* All that makes a trap of the first service. */
static void
make_trap(struct build *build, struct image_service *service)
{
	(void)build;
	service->kind = IMAGE_KIND_TRAP;
	service->program = (struct image_text){ 0, 0 };
	service->chdir = (struct image_text){ 0, 0 };
	service->argv.count = 0;
	service->env.count = 0;
	service->groups.count = 0;
	service->exits.count = 0;
	service->capabilities = 0;
	service->filesystem = 0;
	service->uid = 0;
	service->gid = 0;
	service->chroot = (struct image_text){ 0, 0 };
	memset(service->rlimits, 0, sizeof(service->rlimits));
	service->rlimits_set = 0;
	service->has_nice = 0;
	service->nice = 0;
	service->isolate = 0;
}

#define TRAP_CHANGE(name, statement) \
	SERVICE_CHANGE(name, make_trap(build, service); statement)

TRAP_CHANGE(trap_with_chdir, service->chdir = small_text(build, "/"))
TRAP_CHANGE(trap_with_chroot, service->chroot = small_text(build, "/srv"))
TRAP_CHANGE(trap_with_limit, service->rlimits_set = 1)
TRAP_CHANGE(trap_with_memory, service->memory = IMAGE_MEMORY_MIN;
	    build->global.limited = IMAGE_SESSION_LIMITS)
TRAP_CHANGE(trap_with_processes, service->processes = 1;
	    build->global.limited = IMAGE_SESSION_LIMITS)
TRAP_CHANGE(trap_with_isolate, service->isolate = IMAGE_ISOLATE_UTS)
TRAP_CHANGE(trap_with_nice, service->has_nice = 1)
TRAP_CHANGE(trap_with_argv, service->argv.count = 1)
TRAP_CHANGE(trap_with_env, service->env.count = 1)
TRAP_CHANGE(trap_with_exits, service->exits.count = 1)
TRAP_CHANGE(trap_with_groups, service->groups.count = 1)
TRAP_CHANGE(trap_with_capability, service->capabilities = 1)
TRAP_CHANGE(trap_with_files, service->filesystem = 1)
TRAP_CHANGE(trap_with_uid, service->uid = 1)
TRAP_CHANGE(trap_with_gid, service->gid = 1)
TRAP_CHANGE(trap_with_self, service->flags = IMAGE_SERVICE_SELF)
TRAP_CHANGE(trap_with_syscalls, service->syscalls = IMAGE_SYSCALLS_ANY)
TRAP_CHANGE(trap_with_network, service->network = IMAGE_NETWORK_NONE)
TRAP_CHANGE(trap_unlisted, service->flags = IMAGE_SERVICE_UNLISTED)

/* All that makes a builtin of the first service, called so. */
static void
make_builtin(
    struct build *build, struct image_service *service, const char *word)
{
	service->kind = IMAGE_KIND_BUILTIN;
	service->capabilities = 0;
	service->argv =
	    (struct image_range){ build_count(build, IMAGE_WORDS), 2 };
	build_word(build, "tcpmuxd-builtin", 15);
	build_word(build, word, strlen(word));
}

#define BUILTIN_CHANGE(name, word, statement) \
	SERVICE_CHANGE(name, make_builtin(build, service, word); statement)

BUILTIN_CHANGE(a_builtin, "chargen", (void)0)
BUILTIN_CHANGE(builtin_unknown, "qotd", (void)0)
BUILTIN_CHANGE(builtin_alone, "echo", service->argv.count = 1)
BUILTIN_CHANGE(builtin_with_words, "echo", build_word(build, "x", 1);
	       service->argv.count = 3)
BUILTIN_CHANGE(builtin_without_program, "echo",
    service->program = ((struct image_text){ 0, 0 }))
BUILTIN_CHANGE(builtin_with_capability, "echo", service->capabilities = 1)
BUILTIN_CHANGE(builtin_with_any, "echo", service->syscalls = IMAGE_SYSCALLS_ANY)
BUILTIN_CHANGE(
    builtin_with_all, "echo", service->flags = IMAGE_SERVICE_CAPABILITIES_ALL)
BUILTIN_CHANGE(builtin_with_privileges, "echo",
    service->flags = IMAGE_SERVICE_NEW_PRIVILEGES)
/* What is left of a program is its path, now a socket's, and a uid. */
static void
make_pass(struct build *build, struct image_service *service)
{
	make_trap(build, service);
	service->kind = IMAGE_KIND_PASS;
	service->program = small_text(build, "/run/x.sock");
	service->uid = 33;
}

static struct image_text
long_path(struct build *build, size_t length)
{
	char path[IMAGE_SOCKET_MAX + 2];

	memset(path, 'x', length);
	path[0] = '/';
	path[length] = '\0';
	return small_text(build, path);
}

#define PASS_CHANGE(name, statement) \
	SERVICE_CHANGE(name, make_pass(build, service); statement)

PASS_CHANGE(pass_relative, service->program = small_text(build, "x.sock"))
PASS_CHANGE(pass_nowhere, service->program = (struct image_text){ .length = 0 })
PASS_CHANGE(
    pass_long, service->program = long_path(build, IMAGE_SOCKET_MAX + 1))
PASS_CHANGE(pass_longest, service->program = long_path(build, IMAGE_SOCKET_MAX))
PASS_CHANGE(pass_with_chdir, service->chdir = small_text(build, "/"))
PASS_CHANGE(pass_with_argv, service->argv.count = 1)
PASS_CHANGE(pass_with_gid, service->gid = 1)
PASS_CHANGE(pass_nobody, service->uid = UINT32_MAX)
PASS_CHANGE(pass_with_self, service->flags = IMAGE_SERVICE_SELF)

#define HOURS(build) \
	((struct image_hours *)(void *)(build)->sections[IMAGE_HOURS].bytes)

SERVICE_CHANGE(hours_beyond, service->hours.count = 3)
SERVICE_CHANGE(hours_none, service->hours.count = 0)
SERVICE_CHANGE(
    hours_nowhere, service->hours_place = ((struct image_place){ .line = 0 }))
SERVICE_CHANGE(hours_half_place, service->hours_place.line = 0)
SERVICE_CHANGE(hours_reversed, HOURS(build)[0].end = HOURS(build)[0].first)
SERVICE_CHANGE(hours_touching, HOURS(build)[1].first = HOURS(build)[0].end)
SERVICE_CHANGE(hours_late, HOURS(build)[1].end = 10081)
SERVICE_CHANGE(hours_last, HOURS(build)[1].end = 10080)
#define EXITS(build) \
	((struct image_exit *)(void *)(build)->sections[IMAGE_EXITS].bytes)

SERVICE_CHANGE(exits_beyond, service->exits.count = 3)
SERVICE_CHANGE(exit_0, EXITS(build)[0].code = 0)
SERVICE_CHANGE(exit_twice, EXITS(build)[0].code = EXITS(build)[1].code)
SERVICE_CHANGE(exit_long, EXITS(build)[0].penalty_ms = IMAGE_PENALTY_MAX_MS + 1)
SERVICE_CHANGE(exit_byte, EXITS(build)[1].unused[2] = 1)
SERVICE_CHANGE(exits_many, build_add(build, IMAGE_EXITS, 7);
	       for (uint8_t i = 0; i < 9; i++) EXITS(build)[i].code = i + 1;
	       service->exits.count = 9)
SERVICE_CHANGE(exits_most, build_add(build, IMAGE_EXITS, 7);
	       for (uint8_t i = 0; i < 9; i++) EXITS(build)[i].code = i + 1;
	       service->exits.count = 8)
SERVICE_CHANGE(on_beyond, service->on.bits[0] = 2)
SERVICE_CHANGE(on_far_beyond, service->on.bits[3] = UINT64_C(1) << 63)
SERVICE_CHANGE(anywhere, service->on.bits[0] = 0;
	       service->on_place = (struct image_place){ .line = 0 })
SERVICE_CHANGE(on_none, service->on.bits[0] = 0)
SERVICE_CHANGE(
    on_nowhere, service->on_place = ((struct image_place){ .line = 0 }))

SERVICE_CHANGE(
    gids_twice, ((uint32_t *)(void *)build->sections[IMAGE_GIDS].bytes)[1] = 4)
SERVICE_CHANGE(gid_minus_one,
    ((uint32_t *)(void *)build->sections[IMAGE_GIDS].bytes)[2] = UINT32_MAX)

#define GLOBAL_CHANGE(name, statement) \
	static void name(struct build *build, struct image_service *service) \
	{ \
		struct image_global *global = &build->global; \
\
		(void)service; \
		statement; \
	}

GLOBAL_CHANGE(parser_root, global->parser_uid = 0)
GLOBAL_CHANGE(parser_kept, global->parser_gid = UINT32_MAX)
GLOBAL_CHANGE(no_workers, global->parser_workers = 0)
GLOBAL_CHANGE(many_workers, global->parser_workers = 65)
GLOBAL_CHANGE(no_timeout, global->parser_timeout_ms = 0)
GLOBAL_CHANGE(no_recycle, global->recycle_verdicts = 0)
GLOBAL_CHANGE(no_pending, global->pending = 0)
GLOBAL_CHANGE(odd_room, global->room = 2)
GLOBAL_CHANGE(odd_sink, global->log_sink = 3)
GLOBAL_CHANGE(odd_format, global->log_format = 2)
GLOBAL_CHANGE(odd_addresses, global->log_addresses = 3)
GLOBAL_CHANGE(odd_log_limit, global->log_limit.period_ms = 1)
GLOBAL_CHANGE(odd_facility, global->syslog_facility = 25)
GLOBAL_CHANGE(odd_drop, global->drops_in_kernel = 2)
GLOBAL_CHANGE(odd_walls, global->walls = 4)
GLOBAL_CHANGE(odd_missing, global->missing = 4)
GLOBAL_CHANGE(odd_limited, global->limited = 4)
GLOBAL_CHANGE(exempt_beyond, global->exempt.first = 9)
GLOBAL_CHANGE(no_sources, global->sources = 0)
GLOBAL_CHANGE(long_v4, global->count_by_v4 = 33)
GLOBAL_CHANGE(no_v4, global->count_by_v4 = 0)
GLOBAL_CHANGE(long_v6, global->count_by_v6 = 129)
GLOBAL_CHANGE(no_v6, global->count_by_v6 = 0)
GLOBAL_CHANGE(odd_rate, global->rate.tokens = 0)
GLOBAL_CHANGE(no_rate, global->rate = ((struct rate){ 0, 0, 0 }))
GLOBAL_CHANGE(burst_alone, global->rate = ((struct rate){ 0, 0, 1 }))
GLOBAL_CHANGE(long_penalty,
    global->penalties_ms[IMAGE_PENALTY_TRAP] = IMAGE_PENALTY_MAX_MS + 1)
GLOBAL_CHANGE(long_maximum, global->penalty_max_ms = IMAGE_PENALTY_MAX_MS + 1)
GLOBAL_CHANGE(
    high_threshold, global->penalty_threshold_ms = global->penalty_max_ms)
GLOBAL_CHANGE(admission_beyond, global->admission.count = 9)
GLOBAL_CHANGE(relative_parser,
    global->parser_program = small_text(build, "tcpmuxd-parser"))
GLOBAL_CHANGE(
    a_parser, global->parser_program = small_text(build, "/bin/parser"))
GLOBAL_CHANGE(no_policy_file, global->file = small_text(build, ""))

#define FIRST(build, type, section) \
	((struct type *)(void *)(build)->sections[section].bytes)

GLOBAL_CHANGE(port_0, (void)global;
	      FIRST(build, image_listen, IMAGE_LISTENS)->addr.port = 0)
GLOBAL_CHANGE(no_backlog, (void)global;
	      FIRST(build, image_listen, IMAGE_LISTENS)->backlog = 0)
GLOBAL_CHANGE(odd_listen_flag, (void)global;
	      FIRST(build, image_listen, IMAGE_LISTENS)->flags = 4)
GLOBAL_CHANGE(odd_listen_byte, (void)global;
	      FIRST(build, image_listen, IMAGE_LISTENS)->unused = 1)
GLOBAL_CHANGE(long_interface, (void)global;
	      FIRST(build, image_listen, IMAGE_LISTENS)->interface = small_text(
		  build, "abcdefghijklmnop"))
GLOBAL_CHANGE(longest_interface, (void)global;
	      FIRST(build, image_listen, IMAGE_LISTENS)->interface = small_text(
		  build, "abcdefghijklmno"))
GLOBAL_CHANGE(
    long_listener, (void)global;
    FIRST(build, image_listen, IMAGE_LISTENS)->name = small_text(build,
	"n23456789-n23456789-n23456789-n23456789-n23456789-"
	"n23456789-n234"))
GLOBAL_CHANGE(no_family, (void)global;
	      FIRST(build, image_listen, IMAGE_LISTENS)->addr.family = 0)
GLOBAL_CHANGE(v4_tail, (void)global;
	      FIRST(build, image_listen, IMAGE_LISTENS)->addr.bytes[9] = 1)
GLOBAL_CHANGE(odd_kind, (void)global;
	      FIRST(build, image_rule, IMAGE_RULES)->kind = 2)
GLOBAL_CHANGE(odd_allow, (void)global;
	      FIRST(build, image_rule, IMAGE_RULES)->is_allow = 2)
GLOBAL_CHANGE(set_beyond, (void)global;
	      FIRST(build, image_rule, IMAGE_RULES)->set = 2)
GLOBAL_CHANGE(any_with_set, (void)global;
	      FIRST(build, image_rule, IMAGE_RULES)[2].set = 1)
GLOBAL_CHANGE(set_shared, (void)global;
	      FIRST(build, image_set, IMAGE_SETS)[1].v4.first = 0)
GLOBAL_CHANGE(set_leftover, (void)global;
	      FIRST(build, image_set, IMAGE_SETS)[1].v4.count = 0)
GLOBAL_CHANGE(v4_reversed, (void)global;
	      FIRST(build, image_v4, IMAGE_V4)->last = 1)
GLOBAL_CHANGE(v4_touching, (void)global;
	      FIRST(build, image_v4, IMAGE_V4)->last = 0xc0000200)
GLOBAL_CHANGE(v4_overlapping, (void)global;
	      FIRST(build, image_v4, IMAGE_V4)->last = 0xc0000201)
GLOBAL_CHANGE(v6_reversed, (void)global;
	      FIRST(build, image_v6, IMAGE_V6)->first[0] = 0xff)
GLOBAL_CHANGE(v6_overlapping, (void)global;
	      FIRST(build, image_v6, IMAGE_V6)->last[0] = 0xff)
GLOBAL_CHANGE(v6_touching, (void)global;
	      FIRST(build, image_v6, IMAGE_V6)->last[3] = 0xb9)

#define SCOPED(build) FIRST(build, image_scoped, IMAGE_SCOPED)

GLOBAL_CHANGE(scoped_reversed, (void)global; SCOPED(build)[0].v6.first[15] = 6)
GLOBAL_CHANGE(scoped_touching, (void)global; SCOPED(build)[1].v6.first[15] = 6)
GLOBAL_CHANGE(scoped_order, (void)global; SCOPED(build)[0].scope = 4)
GLOBAL_CHANGE(scoped_nowhere, (void)global; SCOPED(build)[0].scope = 0)
GLOBAL_CHANGE(filter_beyond, global->filters[0].count = 7)
GLOBAL_CHANGE(filter_long, build_add(build, IMAGE_FILTERS, IMAGE_FILTER_MAX);
	      global->filters[0].count = IMAGE_FILTER_MAX + 1)
GLOBAL_CHANGE(scoped_apart, (void)global; SCOPED(build)[0].scope = 1)
GLOBAL_CHANGE(scoped_leftover, (void)global; build_add(build, IMAGE_SCOPED, 1))
GLOBAL_CHANGE(scoped_shared, (void)global;
	      FIRST(build, image_set, IMAGE_SETS)[1].scoped.first = 0)
GLOBAL_CHANGE(scoped_beyond, (void)global;
	      FIRST(build, image_set, IMAGE_SETS)[1].scoped.count = 1)

#define PATHS(build) FIRST(build, image_path, IMAGE_PATHS)
#define RULESETS(build) FIRST(build, image_ruleset, IMAGE_RULESETS)

SERVICE_CHANGE(files_beyond, service->filesystem = 3)
SERVICE_CHANGE(files_none, service->filesystem = 0)
SERVICE_CHANGE(
    files_and_privileges, service->flags = IMAGE_SERVICE_NEW_PRIVILEGES)
SERVICE_CHANGE(no_paths, RULESETS(build)[0].paths.count = 0)
SERVICE_CHANGE(paths_beyond, RULESETS(build)[0].paths.first = 2)
SERVICE_CHANGE(many_paths, build_add(build, IMAGE_PATHS, 256);
	       for (int i = 2; i < 258; i++) PATHS(build)[i] = PATHS(build)[1];
	       RULESETS(build)[0].paths.count = 258)
SERVICE_CHANGE(most_paths, build_add(build, IMAGE_PATHS, 256);
	       for (int i = 2; i < 258; i++) PATHS(build)[i] = PATHS(build)[1];
	       RULESETS(build)[0].paths.count = 257)
SERVICE_CHANGE(relative_path, PATHS(build)[1].path = small_text(build, "srv"))
SERVICE_CHANGE(path_for_nothing, PATHS(build)[1].access = 0)
SERVICE_CHANGE(path_for_more, PATHS(build)[1].access = 8)
SERVICE_CHANGE(odd_path_flag, PATHS(build)[1].flags = 2)
SERVICE_CHANGE(odd_path_byte, PATHS(build)[1].unused[1] = 1)

/* As many words as that, all the same. */
static struct image_range
many_words(struct build *build, const char *word, size_t count)
{
	const struct image_range range = { build_count(build, IMAGE_WORDS),
		(uint32_t)count };

	for (size_t i = 0; i < count; i++)
		build_word(build, word, strlen(word));
	return range;
}

/* A word of that length, and its NUL. */
static struct image_range
long_words(struct build *build, size_t length, size_t count)
{
	char word[IMAGE_TEXT_MAX + 1];

	memset(word, 'x', length);
	word[length] = '\0';
	return many_words(build, word, count);
}

SERVICE_CHANGE(
    many_argv, service->argv = many_words(build, "x", IMAGE_ARGV_MAX + 1))
SERVICE_CHANGE(
    most_argv, service->argv = many_words(build, "x", IMAGE_ARGV_MAX))
SERVICE_CHANGE(
    many_env, service->env = many_words(build, "A=", IMAGE_ENV_MAX + 1))
SERVICE_CHANGE(most_env, service->env = many_words(build, "A=", IMAGE_ENV_MAX))
SERVICE_CHANGE(
    long_exec, service->env = many_words(build, "A=23456789012345", 1);
    service->argv = long_words(build, 4094, 16))
SERVICE_CHANGE(
    longest_exec, service->env = many_words(build, "A=2345678901234", 1);
    service->argv = long_words(build, 4094, 16))
SERVICE_CHANGE(env_nameless, service->env = many_words(build, "=x", 1))
SERVICE_CHANGE(
    word_huge, FIRST(build, image_text, IMAGE_WORDS)->length = UINT32_MAX)
TRAP_CHANGE(trap_with_lifetime, service->lifetime_s = 1)
TRAP_CHANGE(trap_with_idle, service->idle_s = 1)

static void
many_groups(struct build *build, struct image_service *service)
{
	uint32_t *gids = build_add(build, IMAGE_GIDS, IMAGE_GROUPS_MAX + 1);

	for (uint32_t i = 0; i <= IMAGE_GROUPS_MAX; i++)
		gids[i] = i;
	service->groups = (struct image_range){ 3, IMAGE_GROUPS_MAX + 1 };
}

static void
most_groups(struct build *build, struct image_service *service)
{
	many_groups(build, service);
	service->groups.count = IMAGE_GROUPS_MAX;
}

static void
many_hours(struct build *build, struct image_service *service)
{
	struct image_hours *hours =
	    build_add(build, IMAGE_HOURS, IMAGE_HOURS_MAX + 1);

	for (uint16_t i = 0; i <= IMAGE_HOURS_MAX; i++)
		hours[i] = (struct image_hours){ (uint16_t)(2 * i),
			(uint16_t)(2 * i + 1) };
	service->hours = (struct image_range){ 2, IMAGE_HOURS_MAX + 1 };
}

static void
most_hours(struct build *build, struct image_service *service)
{
	many_hours(build, service);
	service->hours.count = IMAGE_HOURS_MAX;
}

static void
more_listens(struct build *build, size_t more)
{
	struct image_listen *listens;

	(void)build_add(build, IMAGE_LISTENS, more);
	listens = FIRST(build, image_listen, IMAGE_LISTENS);
	for (size_t i = 1; i <= more; i++)
		listens[i] = listens[0];
}

SERVICE_CHANGE(many_listens, more_listens(build, IMAGE_LISTENS_MAX))
SERVICE_CHANGE(some_listens, more_listens(build, 64))

SERVICE_CHANGE(
    place_elsewhere, service->hours.count = 0;
    service->hours_place = ((struct image_place){ .file = { .offset = 1 } }))
SERVICE_CHANGE(
    place_of_text, service->hours.count = 0;
    service->hours_place = ((struct image_place){ .file = { .length = 1 } }))
SERVICE_CHANGE(
    on_half_place, service->on_place = ((struct image_place){ .line = 12 }))
SERVICE_CHANGE(exit_first_byte, EXITS(build)[1].unused[0] = 1)
SERVICE_CHANGE(exit_second_byte, EXITS(build)[1].unused[1] = 1)
SERVICE_CHANGE(odd_first_path_byte, PATHS(build)[1].unused[0] = 1)

GLOBAL_CHANGE(parser_huge, global->parser_program.length = UINT32_MAX)
GLOBAL_CHANGE(no_global_sessions, global->sessions = 0)
GLOBAL_CHANGE(no_pending_per_source, global->pending_per_source = 0)
GLOBAL_CHANGE(no_global_per_source, global->per_source = 0)
GLOBAL_CHANGE(parser_nobody, global->parser_uid = UINT32_MAX)
GLOBAL_CHANGE(
    long_timeout, global->parser_timeout_ms = IMAGE_TIMEOUT_MAX_MS + 1)
GLOBAL_CHANGE(no_recycle_age, global->recycle_age_s = 0)
GLOBAL_CHANGE(high_facility, global->syslog_facility = 24 * 8)
GLOBAL_CHANGE(filter_elsewhere, global->filters[0].first = UINT32_MAX)

#define LISTEN(build) FIRST(build, image_listen, IMAGE_LISTENS)
#define RULES(build) FIRST(build, image_rule, IMAGE_RULES)
#define SETS(build) FIRST(build, image_set, IMAGE_SETS)

SERVICE_CHANGE(v4_scope, LISTEN(build)->addr.scope = 1)
SERVICE_CHANGE(v6_mapped,
    LISTEN(build)->addr = ((struct addr){ .family = ADDR_V6,
	.bytes = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 },
	.port = 1 }))
SERVICE_CHANGE(listen_nowhere, LISTEN(build)->place.line = 0)
SERVICE_CHANGE(rule_nowhere, RULES(build)->place.line = 0)
SERVICE_CHANGE(odd_rule_byte, RULES(build)->unused[0] = 1)
SERVICE_CHANGE(odd_other_rule_byte, RULES(build)->unused[1] = 1)
SERVICE_CHANGE(v4_beyond, SETS(build)[0].v4.count = 1000)
SERVICE_CHANGE(v6_beyond, SETS(build)[0].v6.count = 1000)
SERVICE_CHANGE(scoped_far_beyond, SETS(build)[0].scoped.count = 1000)
SERVICE_CHANGE(v6_shared, SETS(build)[1].v6.first = 0)
SERVICE_CHANGE(v6_leftover, build_add(build, IMAGE_V6, 1))
SERVICE_CHANGE(v4_from_0, FIRST(build, image_v4, IMAGE_V4)[1].first = 0)
SERVICE_CHANGE(
    v6_to_the_end, memset(FIRST(build, image_v6, IMAGE_V6)->last, 0xff, 16))

static const struct change changes[] = {
	{ "nothing", nothing, IMAGE_OK },
	{ "no argv", no_argv, IMAGE_BAD_VALUE },
	{ "argv beyond", argv_beyond, IMAGE_BAD_RANGE },
	{ "env beyond", env_beyond, IMAGE_BAD_RANGE },
	{ "env without =", env_without_equals, IMAGE_BAD_VALUE },
	{ "relative", relative, IMAGE_BAD_TEXT },
	{ "no program", no_program, IMAGE_BAD_TEXT },
	{ "relative chdir", relative_chdir, IMAGE_BAD_TEXT },
	{ "line in reply", reply_line, IMAGE_BAD_TEXT },
	{ "bell in summary", summary_bell, IMAGE_BAD_TEXT },
	{ "delete in summary", summary_delete, IMAGE_BAD_TEXT },
	{ "text beyond", text_beyond, IMAGE_BAD_TEXT },
	{ "text huge", text_huge, IMAGE_BAD_TEXT },
	{ "two texts", text_two, IMAGE_BAD_TEXT },
	{ "text over the end", text_over, IMAGE_BAD_TEXT },
	{ "text without end", text_part, IMAGE_BAD_TEXT },
	{ "no line", no_line, IMAGE_BAD_TEXT },
	{ "no file", no_file, IMAGE_BAD_TEXT },
	{ "uid -1", uid_kept, IMAGE_BAD_VALUE },
	{ "gid -1", gid_kept, IMAGE_BAD_VALUE },
	{ "umask", wide_umask, IMAGE_BAD_VALUE },
	{ "flag", odd_flag, IMAGE_BAD_VALUE },
	{ "reply", odd_reply, IMAGE_BAD_VALUE },
	{ "stderr", odd_stderr, IMAGE_BAD_VALUE },
	{ "leftovers", odd_leftovers, IMAGE_BAD_VALUE },
	{ "kind of service", odd_kind_of_service, IMAGE_BAD_VALUE },
	{ "logged sessions", odd_logged, IMAGE_BAD_VALUE },
	{ "syscalls", odd_syscalls, IMAGE_BAD_VALUE },
	{ "network", odd_network, IMAGE_BAD_VALUE },
	{ "stdio", stdio, IMAGE_OK },
	{ "stdio and new privileges", stdio_and_more, IMAGE_BAD_VALUE },
	{ "no program for default", no_default_filter, IMAGE_BAD_VALUE },
	{ "no program for stdio", no_stdio_filter, IMAGE_BAD_VALUE },
	{ "no program for none", no_offline_filter, IMAGE_BAD_VALUE },
	{ "a program nobody needs", no_filter_needed, IMAGE_OK },
	{ "filter beyond", filter_beyond, IMAGE_BAD_RANGE },
	{ "filter too long", filter_long, IMAGE_BAD_RANGE },
	{ "relative chroot", relative_chroot, IMAGE_BAD_TEXT },
	{ "odd limit", odd_limit, IMAGE_BAD_VALUE },
	{ "limit that is not set", limit_not_set, IMAGE_BAD_VALUE },
	{ "limit too long", long_limit, IMAGE_BAD_VALUE },
	{ "longest limit", longest_limit, IMAGE_OK },
	{ "little memory", little_memory, IMAGE_BAD_VALUE },
	{ "least memory", least_memory, IMAGE_OK },
	{ "memory nobody is told of", untold_memory, IMAGE_BAD_VALUE },
	{ "processes, too", untold_processes, IMAGE_BAD_VALUE },
	{ "most memory", most_memory, IMAGE_OK },
	{ "too much memory", much_memory, IMAGE_BAD_VALUE },
	{ "most processes", most_processes, IMAGE_OK },
	{ "too many processes", many_processes, IMAGE_BAD_VALUE },
	{ "kept, with processes", kept_with_processes, IMAGE_BAD_VALUE },
	{ "kept, with memory", kept_with_memory, IMAGE_BAD_VALUE },
	{ "nice -21", low_nice, IMAGE_BAD_VALUE },
	{ "nice 20", high_nice, IMAGE_BAD_VALUE },
	{ "nice that is not set", nice_not_set, IMAGE_BAD_VALUE },
	{ "odd isolate", odd_isolate, IMAGE_BAD_VALUE },
	{ "pid without mount", pid_without_mount, IMAGE_BAD_VALUE },
	{ "no isolate", no_isolate, IMAGE_OK },
	{ "odd nice", odd_nice, IMAGE_BAD_VALUE },
	{ "hours beyond", hours_beyond, IMAGE_BAD_VALUE },
	{ "no hours", hours_none, IMAGE_BAD_VALUE },
	{ "hours nowhere", hours_nowhere, IMAGE_BAD_VALUE },
	{ "hours at line 0", hours_half_place, IMAGE_BAD_VALUE },
	{ "hours reversed", hours_reversed, IMAGE_BAD_VALUE },
	{ "hours touching", hours_touching, IMAGE_BAD_VALUE },
	{ "late hours", hours_late, IMAGE_BAD_VALUE },
	{ "last hours", hours_last, IMAGE_OK },
	{ "exits beyond", exits_beyond, IMAGE_BAD_VALUE },
	{ "exit 0", exit_0, IMAGE_BAD_VALUE },
	{ "an exit twice", exit_twice, IMAGE_BAD_VALUE },
	{ "long exit", exit_long, IMAGE_BAD_VALUE },
	{ "unused of exit", exit_byte, IMAGE_BAD_VALUE },
	{ "nine exits", exits_many, IMAGE_BAD_VALUE },
	{ "eight exits", exits_most, IMAGE_OK },
	{ "on beyond", on_beyond, IMAGE_BAD_VALUE },
	{ "on far beyond", on_far_beyond, IMAGE_BAD_VALUE },
	{ "anywhere", anywhere, IMAGE_OK },
	{ "65 listeners", some_listens, IMAGE_OK },
	{ "on none", on_none, IMAGE_BAD_VALUE },
	{ "on nowhere", on_nowhere, IMAGE_BAD_VALUE },
	{ "large burst", large_burst, IMAGE_BAD_VALUE },
	{ "no burst", no_burst, IMAGE_BAD_VALUE },
	{ "no period", no_period, IMAGE_BAD_VALUE },
	{ "trap", make_trap, IMAGE_OK },
	{ "unlisted trap", trap_unlisted, IMAGE_OK },
	{ "trap, program", trap_with_program, IMAGE_BAD_TEXT },
	{ "trap, chdir", trap_with_chdir, IMAGE_BAD_TEXT },
	{ "trap, chroot", trap_with_chroot, IMAGE_BAD_TEXT },
	{ "trap, limit", trap_with_limit, IMAGE_BAD_VALUE },
	{ "trap, memory", trap_with_memory, IMAGE_BAD_VALUE },
	{ "trap, processes", trap_with_processes, IMAGE_BAD_VALUE },
	{ "trap, isolate", trap_with_isolate, IMAGE_BAD_VALUE },
	{ "trap, nice", trap_with_nice, IMAGE_BAD_VALUE },
	{ "trap, argv", trap_with_argv, IMAGE_BAD_VALUE },
	{ "trap, env", trap_with_env, IMAGE_BAD_VALUE },
	{ "trap, exits", trap_with_exits, IMAGE_BAD_VALUE },
	{ "trap, groups", trap_with_groups, IMAGE_BAD_VALUE },
	{ "trap, capability", trap_with_capability, IMAGE_BAD_VALUE },
	{ "trap, files", trap_with_files, IMAGE_BAD_VALUE },
	{ "trap, uid", trap_with_uid, IMAGE_BAD_VALUE },
	{ "trap, gid", trap_with_gid, IMAGE_BAD_VALUE },
	{ "trap, syscalls", trap_with_syscalls, IMAGE_BAD_VALUE },
	{ "trap, network", trap_with_network, IMAGE_BAD_VALUE },
	{ "trap, self", trap_with_self, IMAGE_BAD_VALUE },
	{ "pass", make_pass, IMAGE_OK },
	{ "pass, relative", pass_relative, IMAGE_BAD_TEXT },
	{ "pass, nowhere", pass_nowhere, IMAGE_BAD_TEXT },
	{ "pass, long", pass_long, IMAGE_BAD_TEXT },
	{ "pass, longest", pass_longest, IMAGE_OK },
	{ "pass, chdir", pass_with_chdir, IMAGE_BAD_TEXT },
	{ "pass, argv", pass_with_argv, IMAGE_BAD_VALUE },
	{ "pass, gid", pass_with_gid, IMAGE_BAD_VALUE },
	{ "pass, nobody", pass_nobody, IMAGE_BAD_VALUE },
	{ "pass, self", pass_with_self, IMAGE_BAD_VALUE },
	{ "files beyond", files_beyond, IMAGE_BAD_VALUE },
	{ "all files", files_none, IMAGE_OK },
	{ "files, new privileges", files_and_privileges, IMAGE_BAD_VALUE },
	{ "no paths", no_paths, IMAGE_BAD_RANGE },
	{ "paths beyond", paths_beyond, IMAGE_BAD_RANGE },
	{ "258 paths", many_paths, IMAGE_BAD_RANGE },
	{ "257 paths", most_paths, IMAGE_OK },
	{ "relative path", relative_path, IMAGE_BAD_TEXT },
	{ "path for nothing", path_for_nothing, IMAGE_BAD_VALUE },
	{ "path for more", path_for_more, IMAGE_BAD_VALUE },
	{ "odd path flag", odd_path_flag, IMAGE_BAD_VALUE },
	{ "odd path byte", odd_path_byte, IMAGE_BAD_VALUE },
	{ "builtin", a_builtin, IMAGE_OK },
	{ "builtin, unknown", builtin_unknown, IMAGE_BAD_VALUE },
	{ "builtin, one word", builtin_alone, IMAGE_BAD_VALUE },
	{ "builtin, three words", builtin_with_words, IMAGE_BAD_VALUE },
	{ "builtin, no program", builtin_without_program, IMAGE_BAD_TEXT },
	{ "builtin, capability", builtin_with_capability, IMAGE_BAD_VALUE },
	{ "builtin, any call", builtin_with_any, IMAGE_BAD_VALUE },
	{ "builtin, all capabilities", builtin_with_all, IMAGE_BAD_VALUE },
	{ "builtin, new privileges", builtin_with_privileges, IMAGE_BAD_VALUE },
	{ "no sessions", no_sessions, IMAGE_BAD_VALUE },
	{ "no per-source", no_per_source, IMAGE_BAD_VALUE },
	{ "too many sessions", too_many, IMAGE_BAD_VALUE },
	{ "keepalive", long_keepalive, IMAGE_BAD_VALUE },
	{ "lifetime", long_life, IMAGE_BAD_VALUE },
	{ "idle", long_idle, IMAGE_BAD_VALUE },
	{ "capability 41", capability_41, IMAGE_BAD_VALUE },
	{ "all capabilities and one", all_and_one, IMAGE_BAD_VALUE },
	{ "rules beyond", rules_beyond, IMAGE_BAD_RANGE },
	{ "rules wrap", rules_wrap, IMAGE_BAD_RANGE },
	{ "groups beyond", groups_beyond, IMAGE_BAD_RANGE },
	{ "unknown name", other_name, IMAGE_BAD_NAMES },
	{ "an alias as name", alias_name, IMAGE_OK },
	{ "upper case", upper_name, IMAGE_BAD_NAMES },
	{ "no name", no_name, IMAGE_BAD_NAMES },
	{ "the other's name", its_name, IMAGE_BAD_NAMES },
	{ "self", make_self, IMAGE_OK },
	{ "self, all capabilities", self_with_all, IMAGE_BAD_VALUE },
	{ "self, groups", self_with_groups, IMAGE_BAD_VALUE },
	{ "self, isolate", self_with_isolate, IMAGE_BAD_VALUE },
	{ "self, chroot", self_with_chroot, IMAGE_BAD_VALUE },
	{ "self, capability", self_with_capability, IMAGE_BAD_VALUE },
	{ "self, privileges", self_with_privileges, IMAGE_BAD_VALUE },
	{ "a gid twice", gids_twice, IMAGE_BAD_ORDER },
	{ "group -1", gid_minus_one, IMAGE_BAD_VALUE },
	{ "parser is root", parser_root, IMAGE_BAD_VALUE },
	{ "parser's gid -1", parser_kept, IMAGE_BAD_VALUE },
	{ "no workers", no_workers, IMAGE_BAD_VALUE },
	{ "65 workers", many_workers, IMAGE_BAD_VALUE },
	{ "no timeout", no_timeout, IMAGE_BAD_VALUE },
	{ "no recycling", no_recycle, IMAGE_BAD_VALUE },
	{ "no pending", no_pending, IMAGE_BAD_VALUE },
	{ "room", odd_room, IMAGE_BAD_VALUE },
	{ "log sink", odd_sink, IMAGE_BAD_VALUE },
	{ "log format", odd_format, IMAGE_BAD_VALUE },
	{ "logged addresses", odd_addresses, IMAGE_BAD_VALUE },
	{ "log limit", odd_log_limit, IMAGE_BAD_VALUE },
	{ "facility", odd_facility, IMAGE_BAD_VALUE },
	{ "drop-in-kernel", odd_drop, IMAGE_BAD_VALUE },
	{ "walls", odd_walls, IMAGE_BAD_VALUE },
	{ "missing", odd_missing, IMAGE_BAD_VALUE },
	{ "limited", odd_limited, IMAGE_BAD_VALUE },
	{ "exempt beyond", exempt_beyond, IMAGE_BAD_RANGE },
	{ "no sources", no_sources, IMAGE_BAD_VALUE },
	{ "long v4", long_v4, IMAGE_BAD_VALUE },
	{ "no v4", no_v4, IMAGE_BAD_VALUE },
	{ "long v6", long_v6, IMAGE_BAD_VALUE },
	{ "no v6", no_v6, IMAGE_BAD_VALUE },
	{ "odd rate", odd_rate, IMAGE_BAD_VALUE },
	{ "no rate", no_rate, IMAGE_OK },
	{ "burst alone", burst_alone, IMAGE_BAD_VALUE },
	{ "long penalty", long_penalty, IMAGE_BAD_VALUE },
	{ "long maximum", long_maximum, IMAGE_BAD_VALUE },
	{ "high threshold", high_threshold, IMAGE_BAD_VALUE },
	{ "admission beyond", admission_beyond, IMAGE_BAD_RANGE },
	{ "relative parser", relative_parser, IMAGE_BAD_VALUE },
	{ "a parser", a_parser, IMAGE_OK },
	{ "no policy file", no_policy_file, IMAGE_BAD_TEXT },
	{ "port 0", port_0, IMAGE_BAD_VALUE },
	{ "no backlog", no_backlog, IMAGE_BAD_VALUE },
	{ "listen flag", odd_listen_flag, IMAGE_BAD_VALUE },
	{ "unused of listen", odd_listen_byte, IMAGE_BAD_VALUE },
	{ "long interface", long_interface, IMAGE_BAD_TEXT },
	{ "longest interface", longest_interface, IMAGE_OK },
	{ "long listener", long_listener, IMAGE_BAD_TEXT },
	{ "no family", no_family, IMAGE_BAD_VALUE },
	{ "v4 tail", v4_tail, IMAGE_BAD_VALUE },
	{ "rule kind", odd_kind, IMAGE_BAD_VALUE },
	{ "rule allow", odd_allow, IMAGE_BAD_VALUE },
	{ "set beyond", set_beyond, IMAGE_BAD_RANGE },
	{ "any with a set", any_with_set, IMAGE_BAD_RANGE },
	{ "shared intervals", set_shared, IMAGE_BAD_RANGE },
	{ "interval of no set", set_leftover, IMAGE_BAD_RANGE },
	{ "v4 reversed", v4_reversed, IMAGE_BAD_ORDER },
	{ "v4 touching", v4_touching, IMAGE_BAD_ORDER },
	{ "v4 overlapping", v4_overlapping, IMAGE_BAD_ORDER },
	{ "v6 reversed", v6_reversed, IMAGE_BAD_ORDER },
	{ "v6 overlapping", v6_overlapping, IMAGE_BAD_ORDER },
	{ "v6 touching", v6_touching, IMAGE_BAD_ORDER },
	{ "scoped reversed", scoped_reversed, IMAGE_BAD_ORDER },
	{ "scoped touching", scoped_touching, IMAGE_BAD_ORDER },
	{ "scoped out of order", scoped_order, IMAGE_BAD_ORDER },
	{ "scoped to no link", scoped_nowhere, IMAGE_BAD_ORDER },
	{ "scoped to another link", scoped_apart, IMAGE_OK },
	{ "scoped of no set", scoped_leftover, IMAGE_BAD_RANGE },
	{ "scoped shared", scoped_shared, IMAGE_BAD_RANGE },
	{ "scoped beyond", scoped_beyond, IMAGE_BAD_RANGE },
	{ "name without end", name_huge, IMAGE_BAD_TEXT },
	{ "257 words", many_argv, IMAGE_BAD_VALUE },
	{ "256 words", most_argv, IMAGE_OK },
	{ "265 variables", many_env, IMAGE_BAD_VALUE },
	{ "264 variables", most_env, IMAGE_OK },
	{ "too long to be executed", long_exec, IMAGE_BAD_VALUE },
	{ "as long as can be", longest_exec, IMAGE_OK },
	{ "variable without a name", env_nameless, IMAGE_BAD_VALUE },
	{ "word without end", word_huge, IMAGE_BAD_TEXT },
	{ "trap, lifetime", trap_with_lifetime, IMAGE_BAD_VALUE },
	{ "trap, idle", trap_with_idle, IMAGE_BAD_VALUE },
	{ "4097 groups", many_groups, IMAGE_BAD_VALUE },
	{ "4096 groups", most_groups, IMAGE_OK },
	{ "257 hours", many_hours, IMAGE_BAD_VALUE },
	{ "256 hours", most_hours, IMAGE_OK },
	{ "257 listeners", many_listens, IMAGE_BAD_RANGE },
	{ "no place, elsewhere", place_elsewhere, IMAGE_BAD_VALUE },
	{ "no place, of a text", place_of_text, IMAGE_BAD_VALUE },
	{ "on in no file", on_half_place, IMAGE_BAD_VALUE },
	{ "first unused of exit", exit_first_byte, IMAGE_BAD_VALUE },
	{ "second unused of exit", exit_second_byte, IMAGE_BAD_VALUE },
	{ "odd first path byte", odd_first_path_byte, IMAGE_BAD_VALUE },
	{ "parser without end", parser_huge, IMAGE_BAD_TEXT },
	{ "no sessions at all", no_global_sessions, IMAGE_BAD_VALUE },
	{ "none pending of one", no_pending_per_source, IMAGE_BAD_VALUE },
	{ "no session of one", no_global_per_source, IMAGE_BAD_VALUE },
	{ "parser's uid -1", parser_nobody, IMAGE_BAD_VALUE },
	{ "long timeout", long_timeout, IMAGE_BAD_VALUE },
	{ "no recycling by age", no_recycle_age, IMAGE_BAD_VALUE },
	{ "high facility", high_facility, IMAGE_BAD_VALUE },
	{ "filter elsewhere", filter_elsewhere, IMAGE_BAD_RANGE },
	{ "v4 to a link", v4_scope, IMAGE_BAD_VALUE },
	{ "v4 as v6", v6_mapped, IMAGE_BAD_VALUE },
	{ "listener nowhere", listen_nowhere, IMAGE_BAD_TEXT },
	{ "rule nowhere", rule_nowhere, IMAGE_BAD_TEXT },
	{ "unused of rule", odd_rule_byte, IMAGE_BAD_VALUE },
	{ "other unused of rule", odd_other_rule_byte, IMAGE_BAD_VALUE },
	{ "v4 beyond", v4_beyond, IMAGE_BAD_RANGE },
	{ "v6 beyond", v6_beyond, IMAGE_BAD_RANGE },
	{ "scoped far beyond", scoped_far_beyond, IMAGE_BAD_RANGE },
	{ "v6 shared", v6_shared, IMAGE_BAD_RANGE },
	{ "v6 of no set", v6_leftover, IMAGE_BAD_RANGE },
	{ "v4 begins anew", v4_from_0, IMAGE_BAD_ORDER },
	{ "v6 to the end", v6_to_the_end, IMAGE_BAD_ORDER },
};

enum { CHANGES = sizeof(changes) / sizeof(changes[0]) };

/* The image, of exactly its size; to be freed. */
static inline void *
changed_block(const struct change *change, size_t *size)
{
	struct build build;
	struct image_service service;
	void *block;

	build_init(&build);
	small_global(&build);
	put_rest(&build);
	service = first_service(&build);
	change->make(&build, &service);
	put_all(&build, &service);
	block = build_block(&build, size);
	build_finish(&build);
	return block;
}

/* Two services, and what names they have, with more entries than names. */
static const struct naming {
	const char *what;
	const char *services[2];
	const char *names[3];
	uint32_t owners[3];
	size_t more;
	enum image_error expected;
} namings[] = {
	{ "nothing", { "git", "rsync" }, { "9418", "git", "rsync" },
	    { 0, 0, 1 }, 0, IMAGE_OK },
	{ "help", { "git", "rsync" }, { "git", "help", "rsync" }, { 0, 0, 1 },
	    0, IMAGE_BAD_NAMES },
	{ "not sorted", { "rsync", "git" }, { "9418", "git", "rsync" },
	    { 0, 1, 0 }, 0, IMAGE_BAD_ORDER },
	{ "owner beyond", { "git", "rsync" }, { "9418", "git", "rsync" },
	    { 2, 0, 1 }, 0, IMAGE_BAD_NAMES },
	{ "more owners", { "git", "rsync" }, { "9418", "git", "rsync" },
	    { 0, 0, 1 }, 1, IMAGE_BAD_NAMES },
};

enum { NAMINGS = sizeof(namings) / sizeof(namings[0]) };

static inline void *
named_block(const struct naming *naming, size_t *size)
{
	struct build build;
	void *block;

	build_init(&build);
	small_global(&build);
	for (size_t i = 0; i < 2; i++) {
		const struct image_service service =
		    small_service(&build, naming->services[i]);

		small_put_service(&build, &service);
	}
	small_names(&build, naming->names, naming->owners, 3);
	(void)build_add(&build, IMAGE_NAMES, naming->more);
	block = build_block(&build, size);
	build_finish(&build);
	return block;
}

/* What no part of it is, but the block: *size may become less. */
static const struct damage {
	const char *what;
	size_t cut;
	bool
	    is_padded; /* between the strings and what begins where 8 divides */
} damages[] = {
	{ "an end too early", 8, false },
	{ "a byte between sections", 0, true },
};

enum { DAMAGES = sizeof(damages) / sizeof(damages[0]) };

/* All of them are said to have a bad section. */
static inline void *
damaged_block(const struct damage *damage, size_t *size)
{
	uint8_t *block = make(size);
	struct image_header *header = (void *)block;
	const uint32_t count = header->sections[IMAGE_STRINGS].count;

	*size -= damage->cut;
	header->size = *size;
	assert_true(count % 8 != 0);
	if (damage->is_padded)
		block[header->sections[IMAGE_STRINGS].offset + count] = 1;
	return block;
}

#endif
