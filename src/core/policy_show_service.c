/*
 * How each directive of a service is written.
 * Trusts the policy: it was parsed without errors.
 */
#include "core/policy_printer.h"

/* The two last decimal digits of a number. */
#define DIGITS_OF(number) \
	(char)('0' + (number) / 10 % 10), (char)('0' + (number) % 10)

void
policy_show_services(struct policy_printer *printer)
{
	const struct policy *policy = printer->policy;

	for (uint32_t i = 0; i < policy->service_count; i++) {
		printer->service = &policy->services[i];
		printer_begin(printer);
		printer_word(printer, printer->service->name.text);
		if (printer->service->is_disabled)
			printer_plain(printer, "disabled");
		printer_block(printer);
	}
	printer->service = NULL;
}

void
policy_show_exec(struct policy_printer *printer)
{
	printer_words_line(printer, printer->service->exec);
}

void
policy_show_builtin(struct policy_printer *printer)
{
	printer_word_line(printer, &printer->service->builtin);
}

void
policy_show_trap(struct policy_printer *printer)
{
	if (printer->service->kind == IMAGE_KIND_TRAP)
		printer_flag_line(printer);
}

void
policy_show_argv0(struct policy_printer *printer)
{
	printer_word_line(printer, &printer->service->argv0);
}

/* Lines of it add up. */
static void
show_list(struct policy_printer *printer, struct span list)
{
	const struct word *words = printer->policy->words + list.first;

	for (uint32_t i = 0; i < list.count; i++) {
		if (printer_is_at_begin(printer))
			printer_begin(printer);
		printer_word(printer, words[i].text);
		printer_end_full(printer);
	}
	printer_end(printer);
}

void
policy_show_aliases(struct policy_printer *printer)
{
	show_list(printer, printer->service->aliases);
}

void
policy_show_env(struct policy_printer *printer)
{
	show_list(printer, printer->service->env);
}

void
policy_show_user(struct policy_printer *printer)
{
	printer_begin(printer);
	printer_word(printer, printer->service->user.text);
	if (printer->service->is_unsafe)
		printer_plain(printer, "unsafe");
	printer_end(printer);
}

void
policy_show_group(struct policy_printer *printer)
{
	printer_word_line(printer, &printer->service->group);
}

void
policy_show_groups(struct policy_printer *printer)
{
	switch (printer->service->groups_kind) {
	case POLICY_GROUPS_NONE:
		break;
	case POLICY_GROUPS_NAMED:
		printer_words_line(printer, printer->service->groups);
		break;
	case POLICY_GROUPS_USER:
		printer_plain_line(printer, "user");
		break;
	}
}

void
policy_show_reply(struct policy_printer *printer)
{
	const struct policy_service *service = printer->service;

	printer_begin(printer);
	printer_plain(printer, policy_reply_words[service->reply]);
	if (service->reply_text.length > 0)
		printer_word(printer, service->reply_text);
	printer_end(printer);
}

void
policy_show_summary(struct policy_printer *printer)
{
	const struct word summary = { .text = printer->service->summary };

	printer_word_line(printer, &summary);
}

void
policy_show_unlisted(struct policy_printer *printer)
{
	if (printer->service->is_unlisted)
		printer_flag_line(printer);
}

void
policy_show_chroot(struct policy_printer *printer)
{
	printer_word_line(printer, &printer->service->chroot);
}

void
policy_show_chdir(struct policy_printer *printer)
{
	if (printer->service->chdir.text.length == 0)
		printer_plain_line(printer, "/");
	else
		printer_word_line(printer, &printer->service->chdir);
}

void
policy_show_umask(struct policy_printer *printer)
{
	uint32_t mask = printer->service->umask;
	const char digits[] = { (char)('0' + (mask >> 6 & 7)),
		(char)('0' + (mask >> 3 & 7)), (char)('0' + (mask & 7)), '\0' };

	printer_plain_line(printer, digits);
}

void
policy_show_stderr(struct policy_printer *printer)
{
	printer_plain_line(
	    printer, policy_stderr_words[printer->service->stderr_to]);
}

void
policy_show_sessions(struct policy_printer *printer)
{
	printer_number_line(printer, printer->service->sessions);
}

void
policy_show_per_source(struct policy_printer *printer)
{
	printer_number_line(
	    printer, policy_service_per_source(printer->service));
}

void
policy_show_rate(struct policy_printer *printer)
{
	printer_rate_line(printer, &printer->service->rate);
}

void
policy_show_source_rate(struct policy_printer *printer)
{
	printer_rate_line(printer, &printer->service->source_rate);
}

/* The parser takes a `cap_` away: with it, no name is read as another. */
void
policy_show_capabilities(struct policy_printer *printer)
{
	const struct policy_service *service = printer->service;
	const struct word *names =
	    printer->policy->words + service->capabilities.first;

	if (service->has_all_capabilities) {
		printer_plain_line(printer, "all");
		return;
	}
	if (service->capabilities.count == 0)
		return;
	printer_begin(printer);
	for (uint32_t i = 0; i < service->capabilities.count; i++)
		printer_marked(printer, "cap_", names[i].text);
	printer_end(printer);
}

void
policy_show_new_privileges(struct policy_printer *printer)
{
	if (printer->service->has_new_privileges)
		printer_flag_line(printer);
}

void
policy_show_leftovers(struct policy_printer *printer)
{
	printer_plain_line(
	    printer, policy_leftovers_words[printer->service->leftovers]);
}

static void
show_seconds(struct policy_printer *printer, uint32_t seconds)
{
	if (seconds == 0)
		printer_plain_line(printer, "off");
	else
		printer_duration_line(printer, seconds * 1000);
}

void
policy_show_keepalive(struct policy_printer *printer)
{
	show_seconds(printer, printer->service->keepalive_s);
}

void
policy_show_lifetime(struct policy_printer *printer)
{
	show_seconds(printer, printer->service->lifetime_s);
}

void
policy_show_idle(struct policy_printer *printer)
{
	show_seconds(printer, printer->service->idle_s);
}

/* mon-wed,sun */
static void
put_days(struct policy_printer *printer, uint8_t days)
{
	const char *joint = " ";

	for (uint32_t first = 0; hours_day_words[first] != NULL; first++) {
		uint32_t last = first;

		if ((days >> first & 1) == 0)
			continue;
		while ((days >> (last + 1) & 1) != 0)
			last++;
		printer_put(printer, joint);
		printer_put(printer, hours_day_words[first]);
		if (last > first) {
			printer_put(printer, "-");
			printer_put(printer, hours_day_words[last]);
		}
		joint = ",";
		first = last;
	}
}

void
policy_show_exit_penalties(struct policy_printer *printer)
{
	struct span list = printer->service->exits;

	for (uint32_t i = 0; i < list.count; i++) {
		const struct policy_exit *costs =
		    &printer->policy->exits[list.first + i];

		printer_begin(printer);
		printer_plain(printer, "exit");
		printer_number(printer, costs->code);
		printer_duration(printer, costs->penalty_ms);
		printer_end(printer);
	}
}

void
policy_show_on(struct policy_printer *printer)
{
	printer_words_line(printer, printer->service->on);
}

void
policy_show_hours(struct policy_printer *printer)
{
	struct span list = printer->service->hours;

	for (uint32_t i = 0; i < list.count; i++) {
		const struct hours_line *line =
		    &printer->policy->hours[list.first + i].line;
		const char times[] = { DIGITS_OF(line->from / 60), ':',
			DIGITS_OF(line->from % 60), '-',
			DIGITS_OF(line->to / 60), ':', DIGITS_OF(line->to % 60),
			'\0' };

		printer_begin(printer);
		put_days(printer, line->days);
		printer_plain(printer, times);
		printer_end(printer);
	}
}

void
policy_show_log(struct policy_printer *printer)
{
	printer_plain_line(
	    printer, policy_logged_words[printer->service->logged]);
}

void
policy_show_syscalls(struct policy_printer *printer)
{
	printer_plain_line(
	    printer, policy_syscalls_words[printer->service->syscalls]);
}

/* A line for each: the end of one is all that says `if-available`. */
void
policy_show_filesystem(struct policy_printer *printer)
{
	const struct policy_service *service = printer->service;

	if (!service->has_filesystem)
		printer_plain_line(
		    printer, policy_access_words[IMAGE_ACCESSES]);
	for (uint32_t i = 0;
	     service->has_filesystem && i < service->grants.count; i++) {
		const struct policy_grant *grant =
		    &printer->policy->grants[service->grants.first + i];

		printer_begin(printer);
		printer_plain(printer, policy_access_words[grant->access]);
		printer_word(printer, grant->path.text);
		if (grant->is_optional)
			printer_plain(printer, POLICY_IF_AVAILABLE);
		printer_end(printer);
	}
}

void
policy_show_network(struct policy_printer *printer)
{
	const struct policy_service *service = printer->service;

	printer_begin(printer);
	printer_plain(printer, policy_network_words[service->network]);
	if (service->is_network_if_available)
		printer_plain(printer, POLICY_IF_AVAILABLE);
	printer_end(printer);
}
