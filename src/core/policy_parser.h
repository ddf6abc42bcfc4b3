#ifndef CORE_POLICY_PARSER_H
#define CORE_POLICY_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/complaint.h"
#include "core/lex.h"
#include "core/policy_index.h"
#include "core/policy_parse.h"
#include "core/policy_suggest.h"
#include "core/zone.h"

/* What the files of the parser share; nobody else includes this. */

/* Where a directive may stand. */
#define BLOCK_TOP 0x01u
#define BLOCK_DEFAULTS 0x02u
#define BLOCK_SERVICE 0x04u
#define BLOCK_ADMISSION 0x08u
#define BLOCK_PARSER 0x10u
#define BLOCK_LOG 0x20u
#define BLOCK_INCLUDED 0x40u /* the top level of an included file */

#define POLICY_ROWS_MAX 96
#define POLICY_WORD_MAX 4095 /* bytes of one word: a path's limit */

/* One line that holds a directive. */
struct policy_line {
	const struct word *words; /* words[0] is the directive */
	uint32_t count;
	bool is_first; /* of its directive in this block */
};

struct policy_parser;
struct policy_printer;

#define ROW_REPEATS 0x01u /* may be given again; a list grows */
#define ROW_KIND 0x04u /* what a service is; one of these */
#define ROW_USER 0x08u
#define ROW_ALLOW 0x10u
#define ROW_RULES 0x20u /* allow and deny are one list */
#define ROW_LISTEN 0x40u
#define ROW_PROGRAM 0x80u /* says something of a program that we start */
#define ROW_FOREIGN 0x100u /* the same of one that is not ours */
#define ROW_SESSION 0x200u /* says something of a session: a trap has none */

struct policy_row {
	const char *word;
	uint8_t blocks; /* BLOCK_*, where it may stand */
	uint16_t flags; /* ROW_* */
	uint8_t opens; /* the BLOCK_* it begins, or 0 */
	uint16_t least, most; /* words behind the directive */
	const char *usage;
	void (*take)(
	    struct policy_parser *parser, const struct policy_line *line);
	/* writes its lines in a policy that means the same */
	void (*show)(struct policy_printer *printer);
};

struct policy_problem {
	struct policy_problem *next;
	struct place place;
	bool is_warning;
	const char *message;
};

/* A prefix or set of a net, before the lines of one net are put together. */
struct policy_member {
	uint32_t net;
	struct policy_match match;
};

struct policy_parser {
	struct policy *policy;
	struct arena *arena;
	const struct policy_text *texts;
	uint32_t text_count, next_text; /* the next that may be included */
	bool lacks_text; /* one of those included could not be had */
	struct lex lex;
	bool is_full; /* the arena; all that counts is to get out */
	bool has_error;
	bool has_line; /* one directive was seen */
	struct place first_place; /* of it; the text's begin until then */
	struct policy_problem *problems, *last_problem;

	/* the line being read */
	struct word *words;
	uint32_t count, word_capacity;
	bool opens, closes, is_bad;
	struct place open_place, close_place;

	/* the block it stands in */
	uint8_t outside; /* BLOCK_TOP, or BLOCK_INCLUDED */
	uint8_t block; /* BLOCK_* */
	uint16_t seen; /* ROW_* flags of its directives */
	const char *block_word;
	struct place block_place; /* of its `{` */
	uint32_t skipped; /* depth of blocks whose content is not looked at */
	struct place skipped_place;
	bool lacks_block; /* the line before should have ended with `{` */
	struct place first[POLICY_ROWS_MAX]; /* of each row; line 0: none */
	uint16_t seen_at_top;

	struct policy_service defaults;
	struct policy_service *service; /* or &defaults */
	struct policy_index names; /* services and aliases: the service */
	struct policy_index nets;
	struct text *rule_nets; /* name of each rule's net, until it is known */
	struct policy_rule *exempts; /* until all nets are known */
	struct text *exempt_nets;
	uint32_t exempt_count, exempt_capacity;
	struct place penalties[IMAGE_PENALTIES]; /* where; line 0: nowhere */
	uint16_t limits_seen; /* in this block: bit of each that is given */
	uint8_t isolate_seen; /* the same, of namespaces */
	struct place penalty_bounds; /* the first of threshold and maximum */
	uint32_t guesses; /* at nets that are not declared */
	struct policy_member *members;
	uint32_t member_count;
	uint32_t stored_capacity, rule_capacity, member_capacity;
	uint32_t service_capacity, net_capacity, listen_capacity;
	uint32_t hours_capacity;
	uint32_t exit_capacity;
	uint32_t grant_capacity;
	struct word *ons; /* every listener that an `on` names */
	uint32_t on_count, on_capacity;
};

/* policy_report.c: a printf of %s, %.*s, %u and %% alone */
void policy_complain(struct policy_parser *parser, struct place place,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
void policy_warn(struct policy_parser *parser, struct place place,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Adds "; did you mean 'X'?" if there is something to suggest. */
void policy_complain_nearest(struct policy_parser *parser, struct place place,
    const struct suggestion *nearest, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* "line 7", or "FILE:7" for who reads `from`, if that is another file. */
const char *policy_where(
    struct policy_parser *parser, struct place place, struct place from);
/* Hands all problems out in the order of the texts. */
void policy_report_all(
    const struct policy_parser *parser, const struct policy_report *report);

/* policy_table.c */
/* The row of a word in this block, else in any block, else NULL. */
const struct policy_row *policy_row_find(struct text word, uint8_t block);
/* The blocks that these two, known together, are of; 0: not known so. */
uint8_t policy_pair_blocks(struct text word, struct text second);
size_t policy_row_index(const struct policy_row *row);
/* Number `index`, or NULL behind the last. */
const struct policy_row *policy_row_at(size_t index);
void
policy_row_suggest(struct suggestion *best, struct text word, uint8_t block);
/* The ROW_* of directives that have no meaning in a service of this kind. */
uint16_t policy_rows_without_meaning(enum image_kind kind);
/* Whether directives of a program mean something in it. */
bool policy_starts_program(const struct policy_service *service);
/* Complains of what cannot stand together in the service that ends. */
void policy_rows_check_kind(struct policy_parser *parser);
/* Forgets what the block that ends or begins has seen. */
void policy_rows_forget(struct policy_parser *parser);
const char *policy_block_name(uint8_t block);

/* policy_words.c: the words of enums, in their order; NULL is behind them */
extern const char *const policy_room_words[];
extern const char *const policy_sink_words[];
extern const char *const policy_format_words[];
extern const char *const policy_addresses_words[];
extern const char *const policy_penalty_words[];
extern const char *const policy_reply_words[];
extern const char *const policy_stderr_words[];
extern const char *const policy_leftovers_words[];
extern const char *const policy_syscalls_words[];
extern const char *const policy_network_words[];
extern const char *const policy_logged_words[];
extern const char *const policy_limit_words[];
extern const char *const policy_access_words[]; /* and `any` */
extern const char *const policy_isolate_words[]; /* in order of their bits */

/* policy_value.c: each returns false after it complained */
bool policy_text_is(struct text text, const char *word);
bool policy_number(struct policy_parser *parser, const struct word *word,
    uint32_t least, uint32_t most, uint32_t *number);
bool policy_duration(struct policy_parser *parser, const struct word *word,
    uint32_t least_ms, uint32_t most_ms, uint32_t *ms);
/* The same in whole seconds. */
bool policy_seconds(struct policy_parser *parser, const struct word *word,
    uint32_t least_s, uint32_t most_s, uint32_t *seconds);
/* Bytes: a number and K, M, G or T, or 0. */
bool policy_size(struct policy_parser *parser, const struct word *word,
    uint64_t least, uint64_t most, uint64_t *bytes);
struct policy_unit {
	const char *name;
	uint32_t ms;
};
struct policy_size_unit {
	const char *name;
	uint64_t bytes;
};
/* The largest unit of which bytes are a multiple. */
const struct policy_size_unit *policy_size_unit_of(uint64_t bytes);
/* The largest unit of which ms is a multiple. */
const struct policy_unit *policy_unit_of(uint32_t ms);
/* The unit of a rate that was parsed. */
const struct policy_unit *policy_rate_unit_of(uint32_t period_ms);
/* The words `R burst B` behind a directive: 30/min, 5/s, 1000/h. */
bool policy_rate(struct policy_parser *parser, const struct policy_line *line,
    struct rate *rate);
bool policy_octal(
    struct policy_parser *parser, const struct word *word, uint32_t *mask);
/* choices ends with NULL; *choice gets the index. */
bool policy_choice(struct policy_parser *parser, const struct word *word,
    const char *const choices[], uint32_t *choice);
bool policy_path(struct policy_parser *parser, const struct word *word);
/* A user or group: a name, or a number that can be an id. */
bool policy_account(struct policy_parser *parser, const struct word *word);
/* A service name in lower case, in the arena if it has to be changed. */
bool policy_service_name(
    struct policy_parser *parser, const struct word *word, struct word *folded);
/* The text with A-Z in lower case; text itself, if it has none. */
struct text policy_fold(struct policy_parser *parser, struct text text);

/* A name of our own: 1 to POLICY_LABEL_MAX letters, digits, '-', '_', '.'. */
#define POLICY_LABEL_MAX 63
bool policy_is_label(struct text text);

/* policy_parse.c */
/* Reads one of the texts from its begin to its end. */
void policy_read_text(struct policy_parser *parser, uint32_t index);

/* policy_include.c */
void policy_take_include(
    struct policy_parser *parser, const struct policy_line *line);

/* policy_lines.c */
/*
 * Reads one line, empty ones too, into the parser; false at the end of the
 * text, or if there is no more room.
 */
bool policy_read_line(struct policy_parser *parser);

/* policy_memory.c */
/* Makes every array as large as the texts could need it. */
void policy_make_arrays(struct policy_parser *parser);
/* From the arena; NULL and is_full if there is no room. */
void *policy_take(struct policy_parser *parser, size_t count, size_t size);
/*
 * Appends words to a list that begins anew if the directive is the first of
 * its kind in this block; false and a complaint if it gets longer than most.
 */
bool policy_store_words(struct policy_parser *parser, struct span *list,
    const struct policy_line *line, uint32_t most);

/* Keeps one word; *index gets its place among the policy's. */
bool policy_store_word(
    struct policy_parser *parser, const struct word *word, uint32_t *index);

/* policy_net.c */
void
policy_take_net(struct policy_parser *parser, const struct policy_line *line);
void
policy_take_allow(struct policy_parser *parser, const struct policy_line *line);
void
policy_take_deny(struct policy_parser *parser, const struct policy_line *line);
void policy_take_exempt(
    struct policy_parser *parser, const struct policy_line *line);
/* Once all nets are known: puts them together and resolves the rules. */
void policy_finish_nets(struct policy_parser *parser);
/* policy_shadow.c: warns of rules that can never match. */
void policy_find_shadows(struct policy_parser *parser);

/* policy_global.c */
void policy_set_globals(struct policy *policy);
void policy_take_version(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_parser_user(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_parser_group(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_timeout(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_workers(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_recycle(
    struct policy_parser *parser, const struct policy_line *line);
void
policy_take_room(struct policy_parser *parser, const struct policy_line *line);
void policy_take_program(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_all_sessions(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_pending(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_pending_per_source(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_all_per_source(
    struct policy_parser *parser, const struct policy_line *line);

/* policy_log.c: of log { }, and a service's own */
void policy_set_log(struct policy *policy);
void policy_take_log_to(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_log_format(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_log_addresses(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_log_limit(
    struct policy_parser *parser, const struct policy_line *line);
void
policy_take_log(struct policy_parser *parser, const struct policy_line *line);

/* policy_admission.c: rates, penalties and whom they are counted for */
void policy_set_admission(struct policy *policy);
void policy_take_count_by(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_all_rate(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_sources(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_penalty(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_exit_penalty(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_penalty_threshold(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_penalty_max(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_drop_in_kernel(
    struct policy_parser *parser, const struct policy_line *line);
/* Complains of bounds under which nobody would be shut out. */
void policy_finish_admission(struct policy_parser *parser);

/* policy_service.c */
void policy_set_defaults(struct policy_service *defaults);
/* Begins a service (or the defaults) that inherits; NULL name: not given. */
void policy_begin_service(
    struct policy_parser *parser, uint8_t block, const struct word *directive);
/* Complains of what the service that ends here lacks. */
void policy_end_service(struct policy_parser *parser);
void policy_take_service(
    struct policy_parser *parser, const struct policy_line *line);
void
policy_take_alias(struct policy_parser *parser, const struct policy_line *line);
void
policy_take_reply(struct policy_parser *parser, const struct policy_line *line);
void policy_take_summary(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_unlisted(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_sessions(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_per_source(
    struct policy_parser *parser, const struct policy_line *line);
void
policy_take_rate(struct policy_parser *parser, const struct policy_line *line);
void policy_take_source_rate(
    struct policy_parser *parser, const struct policy_line *line);
void
policy_take_trap(struct policy_parser *parser, const struct policy_line *line);
void policy_take_keepalive(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_lifetime(
    struct policy_parser *parser, const struct policy_line *line);
void
policy_take_idle(struct policy_parser *parser, const struct policy_line *line);
void policy_take_leftovers(
    struct policy_parser *parser, const struct policy_line *line);

/* policy_listen.c: listeners, and which services are on them */
void policy_take_listen(
    struct policy_parser *parser, const struct policy_line *line);
void
policy_take_on(struct policy_parser *parser, const struct policy_line *line);
/* Complains of listeners that no `listen` names. */
void policy_finish_listeners(struct policy_parser *parser);

/* policy_hours.c */
void
policy_take_hours(struct policy_parser *parser, const struct policy_line *line);

/* policy_limits.c: what it may use of the machine, and how it is served */
void
policy_take_nice(struct policy_parser *parser, const struct policy_line *line);
void
policy_take_limit(struct policy_parser *parser, const struct policy_line *line);
/* Complains if the service that ends has no cgroup, but limits of one. */
void policy_check_limits(struct policy_parser *parser);
/* Complains if the service that ends has what cannot be isolated. */
void policy_check_isolate(struct policy_parser *parser);
void policy_take_isolate(
    struct policy_parser *parser, const struct policy_line *line);

/* policy_filesystem.c */
#define POLICY_IF_AVAILABLE "if-available"
void policy_take_filesystem(
    struct policy_parser *parser, const struct policy_line *line);
/* Complains of a service that ends here and cannot have grants. */
void policy_check_filesystem(struct policy_parser *parser);
/* policy_pass.c: a service of a server that runs already */
void
policy_take_pass(struct policy_parser *parser, const struct policy_line *line);

/* policy_program.c: what the service's program is and runs as */
void
policy_take_exec(struct policy_parser *parser, const struct policy_line *line);
/* Takes from a builtin what it may have inherited for nothing. */
void policy_strip_builtin(struct policy_service *service);
void policy_take_builtin(
    struct policy_parser *parser, const struct policy_line *line);
void
policy_take_argv0(struct policy_parser *parser, const struct policy_line *line);
void
policy_take_user(struct policy_parser *parser, const struct policy_line *line);
void
policy_take_group(struct policy_parser *parser, const struct policy_line *line);
void policy_take_groups(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_chroot(
    struct policy_parser *parser, const struct policy_line *line);
void
policy_take_chdir(struct policy_parser *parser, const struct policy_line *line);
void
policy_take_umask(struct policy_parser *parser, const struct policy_line *line);
void
policy_take_env(struct policy_parser *parser, const struct policy_line *line);
void policy_take_stderr(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_capabilities(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_new_privileges(
    struct policy_parser *parser, const struct policy_line *line);

/* policy_confine.c */
/* Of what a service says together, at its end. */
void policy_check_confinement(struct policy_parser *parser);
void policy_take_syscalls(
    struct policy_parser *parser, const struct policy_line *line);
void policy_take_network(
    struct policy_parser *parser, const struct policy_line *line);

#endif
