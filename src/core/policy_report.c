/*
 * Problems: their words, and their order.
 * Trusts the lexer for words fit to be shown: no control bytes are left.
 * Never reports while parsing: a parse that runs out of memory has said
 * nothing, and can be begun again.
 */
#include "core/policy_parser.h"

#include <stdarg.h>
#include <string.h>

#include "core/complaint.h"

static void
add_problem(struct policy_parser *parser, struct place place, bool is_warning,
    const struct complaint *message)
{
	struct policy_problem *problem =
	    policy_take(parser, 1, sizeof(*problem));
	char *copy = policy_take(parser, message->length + 1, 1);

	if (problem == NULL || copy == NULL)
		return;
	memcpy(copy, message->text, message->length);
	*problem = (struct policy_problem){
		.place = place, .is_warning = is_warning, .message = copy
	};
	if (parser->last_problem == NULL)
		parser->problems = problem;
	else
		parser->last_problem->next = problem;
	parser->last_problem = problem;
	if (!is_warning)
		parser->has_error = true;
}

void
policy_complain(
    struct policy_parser *parser, struct place place, const char *format, ...)
{
	struct complaint message = { .length = 0 };
	va_list arguments;

	va_start(arguments, format);
	complaint_add_list(&message, format, arguments);
	va_end(arguments);
	add_problem(parser, place, false, &message);
}

void
policy_warn(
    struct policy_parser *parser, struct place place, const char *format, ...)
{
	struct complaint message = { .length = 0 };
	va_list arguments;

	va_start(arguments, format);
	complaint_add_list(&message, format, arguments);
	va_end(arguments);
	add_problem(parser, place, true, &message);
}

void
policy_complain_nearest(struct policy_parser *parser, struct place place,
    const struct suggestion *nearest, const char *format, ...)
{
	struct complaint message = { .length = 0 };
	va_list arguments;

	va_start(arguments, format);
	complaint_add_list(&message, format, arguments);
	va_end(arguments);
	if (nearest->word != NULL)
		complaint_add(&message, "; did you mean '%s'?", nearest->word);
	add_problem(parser, place, false, &message);
}

const char *
policy_where(
    struct policy_parser *parser, struct place place, struct place from)
{
	struct complaint where = { .length = 0 };
	char *text;

	if (place.file == from.file)
		complaint_add(&where, "line %u", place.line);
	else
		complaint_add(&where, "%s:%u", parser->texts[place.file].name,
		    place.line);
	text = policy_take(parser, where.length + 1, 1);
	if (text == NULL)
		return "";
	memcpy(text, where.text, where.length);
	return text;
}

static bool
is_behind(const struct place *a, const struct place *b)
{
	if (a->file != b->file)
		return a->file > b->file;
	if (a->line != b->line)
		return a->line > b->line;
	return a->column > b->column;
}

static struct policy_problem *
merge(struct policy_problem *a, struct policy_problem *b)
{
	struct policy_problem *merged = NULL, **end = &merged;

	while (a != NULL && b != NULL) {
		struct policy_problem **nearer =
		    is_behind(&a->place, &b->place) ? &b : &a;

		*end = *nearer;
		end = &(*nearer)->next;
		*nearer = *end;
	}
	*end = a != NULL ? a : b;
	return merged;
}

/* Merge sort, stable, of runs kept like the digits of a binary number. */
static struct policy_problem *
sort(struct policy_problem *problems)
{
	struct policy_problem *runs[32] = { NULL };
	struct policy_problem *sorted = NULL;

	while (problems != NULL) {
		struct policy_problem *run = problems;
		size_t i = 0;

		problems = problems->next;
		run->next = NULL;
		for (; runs[i] != NULL; i++) {
			run = merge(runs[i], run);
			runs[i] = NULL;
		}
		runs[i] = run;
	}
	for (size_t i = 0; i < 32; i++)
		sorted = merge(runs[i], sorted);
	return sorted;
}

void
policy_report_all(
    const struct policy_parser *parser, const struct policy_report *report)
{
	for (const struct policy_problem *problem = sort(parser->problems);
	     problem != NULL; problem = problem->next)
		report->problem(report->context, problem->place,
		    problem->is_warning, problem->message);
}
