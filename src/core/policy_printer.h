#ifndef CORE_POLICY_PRINTER_H
#define CORE_POLICY_PRINTER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/policy_parser.h"
#include "core/policy_print.h"

/* What the files of the printer share; nobody else includes this. */

struct policy_printer {
	const struct policy *policy;
	const struct policy_sink *sink;
	const struct policy_row *row; /* whose directive is written */
	const struct policy_service *service; /* that is, if one is */
	uint8_t block; /* BLOCK_* */
	uint32_t column; /* bytes in this line */
};

/*
 * policy_print.c: a line begins with its directive, and has an end. Nothing is
 * ended that has not begun.
 */
void printer_begin(struct policy_printer *printer);
/* With another directive than the row's. */
void printer_begin_with(struct policy_printer *printer, const char *directive);
void printer_end(struct policy_printer *printer);
/* Ends it if it is long enough for people: a list goes on in the next. */
void printer_end_full(struct policy_printer *printer);
bool printer_is_at_begin(const struct policy_printer *printer);
/* Without a blank in front. */
void printer_put(struct policy_printer *printer, const char *string);
/* A blank and a word, in quotes if it needs them. */
void printer_word(struct policy_printer *printer, struct text word);
/* The same of a text that is known to need none, behind a mark. */
void printer_marked(
    struct policy_printer *printer, const char *mark, struct text text);
void printer_plain(struct policy_printer *printer, const char *word);
void printer_number(struct policy_printer *printer, uint32_t number);
/* The same without a blank in front. */
void printer_digits(struct policy_printer *printer, uint32_t number);
/* /BITS */
void printer_bits(struct policy_printer *printer, uint32_t bits);
void printer_duration(struct policy_printer *printer, uint32_t ms);
void printer_size(struct policy_printer *printer, uint64_t bytes);
/* An address, and the zone that it has, if it has one. */
void printer_zoned(
    struct policy_printer *printer, const char *address, struct text zone);
void printer_prefix(
    struct policy_printer *printer, const struct policy_match *match);
/* The block that the row opens, behind what was written of its line. */
void printer_block(struct policy_printer *printer);

/* Whole lines of one value: the row's directive and it. */
void printer_number_line(struct policy_printer *printer, uint32_t number);
void printer_duration_line(struct policy_printer *printer, uint32_t ms);
void printer_flag_line(struct policy_printer *printer);
void printer_plain_line(struct policy_printer *printer, const char *word);
/* None if there are no words, or no rate. */
void printer_words_line(struct policy_printer *printer, struct span words);
void printer_rate_line(struct policy_printer *printer, const struct rate *rate);
void printer_word_line(struct policy_printer *printer, const struct word *word);

/* The functions of the table, each of the row that bears its name. */

/* Said with another row: `deny` with `allow`, `defaults` by every service. */
void policy_show_elsewhere(struct policy_printer *printer);

/* policy_show.c */
void policy_show_version(struct policy_printer *printer);
void policy_show_listens(struct policy_printer *printer);
void policy_show_nets(struct policy_printer *printer);
void policy_show_block(struct policy_printer *printer);
void policy_show_parser_user(struct policy_printer *printer);
void policy_show_parser_group(struct policy_printer *printer);
void policy_show_timeout(struct policy_printer *printer);
void policy_show_workers(struct policy_printer *printer);
void policy_show_recycle(struct policy_printer *printer);
void policy_show_room(struct policy_printer *printer);
void policy_show_program(struct policy_printer *printer);
void policy_show_all_sessions(struct policy_printer *printer);
void policy_show_pending(struct policy_printer *printer);
void policy_show_pending_per_source(struct policy_printer *printer);
void policy_show_all_per_source(struct policy_printer *printer);
void policy_show_rules(struct policy_printer *printer);
void policy_show_exempt(struct policy_printer *printer);
void policy_show_count_by(struct policy_printer *printer);
void policy_show_all_rate(struct policy_printer *printer);
void policy_show_sources(struct policy_printer *printer);
void policy_show_penalties(struct policy_printer *printer);
void policy_show_penalty_threshold(struct policy_printer *printer);
void policy_show_penalty_max(struct policy_printer *printer);
void policy_show_drop_in_kernel(struct policy_printer *printer);
void policy_show_log_to(struct policy_printer *printer);
void policy_show_log_format(struct policy_printer *printer);
void policy_show_log_addresses(struct policy_printer *printer);
void policy_show_log_limit(struct policy_printer *printer);

/* policy_show_service.c */
void policy_show_services(struct policy_printer *printer);
void policy_show_user(struct policy_printer *printer);
void policy_show_exec(struct policy_printer *printer);
void policy_show_builtin(struct policy_printer *printer);
void policy_show_aliases(struct policy_printer *printer);
void policy_show_argv0(struct policy_printer *printer);
void policy_show_group(struct policy_printer *printer);
void policy_show_groups(struct policy_printer *printer);
void policy_show_reply(struct policy_printer *printer);
void policy_show_summary(struct policy_printer *printer);
void policy_show_unlisted(struct policy_printer *printer);
void policy_show_chroot(struct policy_printer *printer);
void policy_show_chdir(struct policy_printer *printer);
void policy_show_nice(struct policy_printer *printer);
void policy_show_limits(struct policy_printer *printer);
void policy_show_isolate(struct policy_printer *printer);
void policy_show_umask(struct policy_printer *printer);
void policy_show_env(struct policy_printer *printer);
void policy_show_stderr(struct policy_printer *printer);
void policy_show_sessions(struct policy_printer *printer);
void policy_show_per_source(struct policy_printer *printer);
void policy_show_capabilities(struct policy_printer *printer);
void policy_show_new_privileges(struct policy_printer *printer);
void policy_show_leftovers(struct policy_printer *printer);
void policy_show_keepalive(struct policy_printer *printer);
void policy_show_lifetime(struct policy_printer *printer);
void policy_show_idle(struct policy_printer *printer);
void policy_show_trap(struct policy_printer *printer);
void policy_show_rate(struct policy_printer *printer);
void policy_show_source_rate(struct policy_printer *printer);
void policy_show_exit_penalties(struct policy_printer *printer);
void policy_show_on(struct policy_printer *printer);
void policy_show_hours(struct policy_printer *printer);
void policy_show_filesystem(struct policy_printer *printer);
void policy_show_log(struct policy_printer *printer);
void policy_show_syscalls(struct policy_printer *printer);
void policy_show_network(struct policy_printer *printer);

/* policy_pass.c */
void policy_show_pass(struct policy_printer *printer);

#endif
