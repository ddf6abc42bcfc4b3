/*
 * How each directive of the whole policy is written: listeners, nets, the
 * parser's room, admission, the log.
 * Trusts the policy: it was parsed without errors.
 */
#include "core/policy_printer.h"

#include <string.h>

void
policy_show_version(struct policy_printer *printer)
{
	printer_number_line(printer, 1);
}

static void
put_listen(struct policy_printer *printer, const struct policy_listen *listen)
{
	char address[ADDR_TEXT_BYTES];

	addr_format(&listen->addr, address);
	if (strcmp(address, "0.0.0.0") == 0)
		memcpy(address, "*", sizeof("*"));
	printer_begin(printer);
	printer_zoned(printer, address, listen->zone.text);
	printer_plain(printer, "port");
	printer_number(printer, listen->addr.port);
	if (listen->name.length > 0) {
		printer_plain(printer, "name");
		printer_word(printer, listen->name);
	}
	if (listen->interface.length > 0) {
		printer_plain(printer, "interface");
		printer_word(printer, listen->interface);
	}
	if (listen->is_freebind)
		printer_plain(printer, "freebind");
	printer_plain(printer, "backlog");
	printer_number(printer, listen->backlog);
	if (listen->is_lenient_lf)
		printer_plain(printer, "lenient-lf");
	printer_end(printer);
}

void
policy_show_listens(struct policy_printer *printer)
{
	for (uint32_t i = 0; i < printer->policy->listen_count; i++)
		put_listen(printer, &printer->policy->listens[i]);
}

/* What a net's name may have in it needs no quotes. */
static void
put_match(struct policy_printer *printer, const struct policy_match *match)
{
	switch (match->kind) {
	case POLICY_MATCH_ANY:
		printer_plain(printer, "any");
		break;
	case POLICY_MATCH_PREFIX:
		printer_prefix(printer, match);
		break;
	case POLICY_MATCH_NET:
		printer_marked(
		    printer, "@", printer->policy->nets[match->net].name.text);
		break;
	case POLICY_MATCH_FILE:
		printer_plain(printer, "file");
		printer_word(printer, printer->policy->words[match->path].text);
		break;
	}
}

/* A set is written below those it contains: it was declared so. */
void
policy_show_nets(struct policy_printer *printer)
{
	const struct policy *policy = printer->policy;

	for (uint32_t i = 0; i < policy->net_count; i++) {
		const struct policy_net *net = &policy->nets[i];

		for (uint32_t j = 0; j < net->members.count; j++) {
			const struct policy_match *match =
			    &policy->matches[net->members.first + j];
			bool is_file = match->kind == POLICY_MATCH_FILE;

			/* a file has a line of its own */
			if (is_file)
				printer_end(printer);
			if (printer_is_at_begin(printer)) {
				printer_begin(printer);
				printer_word(printer, net->name.text);
			}
			put_match(printer, match);
			if (is_file)
				printer_end(printer);
			printer_end_full(printer);
		}
		printer_end(printer);
	}
}

static void
show_rules(struct policy_printer *printer, struct span list)
{
	const struct policy_rule *rules = printer->policy->rules + list.first;

	for (uint32_t i = 0; i < list.count; i++) {
		if (i > 0 && rules[i].is_allow != rules[i - 1].is_allow)
			printer_end(printer);
		if (printer_is_at_begin(printer))
			printer_begin_with(
			    printer, rules[i].is_allow ? "allow" : "deny");
		put_match(printer, &rules[i].match);
		printer_end_full(printer);
	}
	printer_end(printer);
}

void
policy_show_rules(struct policy_printer *printer)
{
	show_rules(printer,
	    printer->service != NULL ? printer->service->rules
				     : printer->policy->admission);
}

void
policy_show_exempt(struct policy_printer *printer)
{
	struct span list = printer->policy->exempt;

	for (uint32_t i = 0; i < list.count; i++) {
		if (printer_is_at_begin(printer))
			printer_begin(printer);
		put_match(
		    printer, &printer->policy->rules[list.first + i].match);
		printer_end_full(printer);
	}
	printer_end(printer);
}

void
policy_show_block(struct policy_printer *printer)
{
	printer_begin(printer);
	printer_block(printer);
}

void
policy_show_parser_user(struct policy_printer *printer)
{
	printer_word_line(printer, &printer->policy->parser_user);
}

void
policy_show_parser_group(struct policy_printer *printer)
{
	printer_word_line(printer, &printer->policy->parser_group);
}

void
policy_show_timeout(struct policy_printer *printer)
{
	printer_duration_line(printer, printer->policy->parser_timeout_ms);
}

void
policy_show_workers(struct policy_printer *printer)
{
	printer_number_line(printer, printer->policy->parser_workers);
}

void
policy_show_recycle(struct policy_printer *printer)
{
	printer_begin(printer);
	printer_number(printer, printer->policy->recycle_verdicts);
	printer_duration(printer, printer->policy->recycle_age_s * 1000);
	printer_end(printer);
}

void
policy_show_room(struct policy_printer *printer)
{
	printer_plain_line(printer, policy_room_words[printer->policy->room]);
}

void
policy_show_program(struct policy_printer *printer)
{
	printer_word_line(printer, &printer->policy->parser_program);
}

void
policy_show_all_sessions(struct policy_printer *printer)
{
	printer_number_line(printer, printer->policy->sessions);
}

void
policy_show_pending(struct policy_printer *printer)
{
	printer_number_line(printer, printer->policy->pending);
}

void
policy_show_pending_per_source(struct policy_printer *printer)
{
	printer_number_line(printer, printer->policy->pending_per_source);
}

void
policy_show_all_per_source(struct policy_printer *printer)
{
	printer_number_line(printer, printer->policy->per_source);
}

void
policy_show_count_by(struct policy_printer *printer)
{
	printer_begin(printer);
	printer_bits(printer, printer->policy->count_by_v4);
	printer_bits(printer, printer->policy->count_by_v6);
	printer_end(printer);
}

void
policy_show_all_rate(struct policy_printer *printer)
{
	printer_rate_line(printer, &printer->policy->rate);
}

void
policy_show_sources(struct policy_printer *printer)
{
	printer_number_line(printer, printer->policy->sources);
}

void
policy_show_penalties(struct policy_printer *printer)
{
	for (int kind = 0; kind < IMAGE_PENALTIES; kind++) {
		printer_begin(printer);
		printer_plain(printer, policy_penalty_words[kind]);
		printer_duration(printer, printer->policy->penalties_ms[kind]);
		printer_end(printer);
	}
}

void
policy_show_penalty_threshold(struct policy_printer *printer)
{
	printer_duration_line(printer, printer->policy->penalty_threshold_ms);
}

void
policy_show_penalty_max(struct policy_printer *printer)
{
	printer_duration_line(printer, printer->policy->penalty_max_ms);
}

void
policy_show_drop_in_kernel(struct policy_printer *printer)
{
	printer_begin(printer);
	printer_plain(printer, printer->policy->drops_in_kernel ? "on" : "off");
	printer_end(printer);
}

/* No facility is `daemon`, and only syslog has one. */
void
policy_show_log_to(struct policy_printer *printer)
{
	const struct policy *policy = printer->policy;

	printer_begin(printer);
	printer_plain(printer, policy_sink_words[policy->log_sink]);
	if (policy->log_facility.text.length > 0)
		printer_word(printer, policy->log_facility.text);
	else if (policy->log_sink == IMAGE_LOG_SYSLOG)
		printer_plain(printer, "daemon");
	printer_end(printer);
}

void
policy_show_log_format(struct policy_printer *printer)
{
	printer_plain_line(
	    printer, policy_format_words[printer->policy->log_format]);
}

void
policy_show_log_addresses(struct policy_printer *printer)
{
	printer_plain_line(
	    printer, policy_addresses_words[printer->policy->log_addresses]);
}

void
policy_show_log_limit(struct policy_printer *printer)
{
	if (printer->policy->log_limit.tokens == 0)
		printer_plain_line(printer, "off");
	else
		printer_rate_line(printer, &printer->policy->log_limit);
}
