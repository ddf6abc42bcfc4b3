/*
 * What a service may use of the machine: its resource limits, how it is
 * scheduled, its namespaces; how these are read, and how they are written.
 * Trusts nothing; whether tcpmuxd may give so much the loader finds out.
 */
#include "core/policy_printer.h"

enum unit {
	UNIT_BYTES,
	UNIT_SECONDS,
	UNIT_COUNT,
};

#define KILO(n) (UINT64_C(n) << 10)
#define MEGA(n) (UINT64_C(n) << 20)

/*
 * With less than the least of these no program comes to its own first line:
 * what execve(2) copies has to fit, and the program's loader has to be opened
 * while descriptors of ours are.
 */
static const struct {
	enum unit unit;
	uint64_t least, most;
} kinds[IMAGE_RLIMITS] = {
	[IMAGE_RLIMIT_ADDRESS_SPACE] = { UNIT_BYTES, MEGA(1),
	    IMAGE_RLIMIT_MAX },
	[IMAGE_RLIMIT_USER_PROCESSES] = { UNIT_COUNT, 0, 4194304 },
	[IMAGE_RLIMIT_OPEN_FILES] = { UNIT_COUNT, 8, 1048576 },
	[IMAGE_RLIMIT_CPU] = { UNIT_SECONDS, 1, 30 * 86400 },
	[IMAGE_RLIMIT_FILE_SIZE] = { UNIT_BYTES, 0, IMAGE_RLIMIT_MAX },
	[IMAGE_RLIMIT_CORE] = { UNIT_BYTES, 0, IMAGE_RLIMIT_MAX },
	[IMAGE_RLIMIT_STACK] = { UNIT_BYTES, KILO(256), IMAGE_RLIMIT_MAX },
};

/* Of the language, but not of this version. */
static const char *const later[] = { "memory", "processes" };

static bool
is_later(struct policy_parser *parser, const struct word *word)
{
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		if (!policy_text_is(word->text, later[i]))
			continue;
		policy_complain(parser, word->place,
		    "'limit %s' is not in this version of tcpmuxd", later[i]);
		return true;
	}
	return false;
}

static bool
read_value(struct policy_parser *parser, uint32_t kind, const struct word *word,
    uint64_t *value)
{
	const uint64_t least = kinds[kind].least, most = kinds[kind].most;
	uint32_t number = 0;

	switch (kinds[kind].unit) {
	case UNIT_BYTES:
		return policy_size(parser, word, least, most, value);
	case UNIT_SECONDS:
		if (!policy_seconds(
			parser, word, (uint32_t)least, (uint32_t)most, &number))
			return false;
		break;
	case UNIT_COUNT:
		if (!policy_number(
			parser, word, (uint32_t)least, (uint32_t)most, &number))
			return false;
		break;
	}
	*value = number;
	return true;
}

/* What the service does not say itself stays as it is in defaults. */
void
policy_take_limit(struct policy_parser *parser, const struct policy_line *line)
{
	struct policy_rlimits *limits = &parser->service->rlimits;
	uint32_t kind = 0;
	uint8_t bit;

	if (line->is_first)
		parser->rlimits_seen = 0;
	if (is_later(parser, &line->words[1]) ||
	    !policy_choice(parser, &line->words[1], policy_rlimit_words, &kind))
		return;
	if (line->count > 3)
		policy_complain(parser, line->words[3].place,
		    "'%.*s' does not belong here: write 'limit %s VALUE'",
		    SHOWN(line->words[3].text), policy_rlimit_words[kind]);
	bit = (uint8_t)(1u << kind);
	if ((parser->rlimits_seen & bit) != 0) {
		policy_complain(parser, line->words[1].place,
		    "'limit %s' is given already: line %u",
		    policy_rlimit_words[kind], limits->places[kind].line);
		return;
	}
	parser->rlimits_seen |= bit;
	limits->set |= bit;
	limits->places[kind] = line->words[1].place;
	(void)read_value(parser, kind, &line->words[2], &limits->values[kind]);
}

void
policy_show_limits(struct policy_printer *printer)
{
	const struct policy_rlimits *limits = &printer->service->rlimits;

	for (uint32_t i = 0; i < IMAGE_RLIMITS; i++) {
		if ((limits->set >> i & 1) == 0)
			continue;
		printer_begin(printer);
		printer_plain(printer, policy_rlimit_words[i]);
		switch (kinds[i].unit) {
		case UNIT_BYTES:
			printer_size(printer, limits->values[i]);
			break;
		case UNIT_SECONDS:
			printer_duration(
			    printer, (uint32_t)limits->values[i] * 1000);
			break;
		case UNIT_COUNT:
			printer_number(printer, (uint32_t)limits->values[i]);
			break;
		}
		printer_end(printer);
	}
}

/* -20 to 19, as nice(1) has it. */
void
policy_take_nice(struct policy_parser *parser, const struct policy_line *line)
{
	const struct word *word = &line->words[1];
	struct text digits = word->text;
	const bool is_negative = digits.length > 1 && digits.bytes[0] == '-';
	int32_t value = 0;

	if (is_negative)
		digits = (struct text){ digits.bytes + 1, digits.length - 1 };
	for (size_t i = 0; i < digits.length && i < 3; i++) {
		const char digit = digits.bytes[i];

		value = value * 10 + (digit - '0');
		if (digit < '0' || digit > '9')
			value = 1000;
	}
	if (digits.length == 0 || digits.length > 2 ||
	    (digits.length == 2 && digits.bytes[0] == '0') ||
	    value > (is_negative ? -IMAGE_NICE_MIN : IMAGE_NICE_MAX)) {
		policy_complain(parser, word->place,
		    "'%.*s' is not a number from -20 to 19", SHOWN(word->text));
		return;
	}
	parser->service->has_nice = true;
	parser->service->nice_place = word->place;
	parser->service->nice = is_negative ? -value : value;
}

void
policy_show_nice(struct policy_printer *printer)
{
	const int32_t nice = printer->service->nice;
	const uint32_t number = (uint32_t)(nice < 0 ? -nice : nice);

	if (!printer->service->has_nice)
		return;
	printer_begin(printer);
	printer_plain(printer, nice < 0 ? "-" : "");
	printer_digits(printer, number);
	printer_end(printer);
}

void
policy_take_isolate(
    struct policy_parser *parser, const struct policy_line *line)
{
	struct policy_service *service = parser->service;

	if (line->is_first) {
		parser->isolate_seen = 0;
		service->isolate = 0;
		service->isolate_place = line->words[1].place;
	}
	for (uint32_t i = 1; i < line->count; i++) {
		const struct word *word = &line->words[i];
		uint32_t which = 0;

		if (!policy_choice(parser, word, policy_isolate_words, &which))
			continue;
		if ((parser->isolate_seen >> which & 1) != 0)
			policy_complain(parser, word->place,
			    "'isolate %s' is given already",
			    policy_isolate_words[which]);
		parser->isolate_seen |= (uint8_t)(1u << which);
		service->isolate |= (uint8_t)(1u << which);
		if ((1u << which) != IMAGE_ISOLATE_PID)
			continue;
		service->isolate |= IMAGE_ISOLATE_MOUNT;
		service->isolate_place = word->place;
	}
}

void
policy_check_isolate(struct policy_parser *parser)
{
	const struct policy_service *service = parser->service;

	if (policy_starts_program(service) &&
	    service->leftovers == IMAGE_LEFTOVERS_KEEP &&
	    (service->isolate & IMAGE_ISOLATE_PID) != 0)
		policy_complain(parser, service->isolate_place,
		    "'isolate pid' ends all processes with the service: "
		    "'leftovers keep' has no meaning beside it");
}

void
policy_show_isolate(struct policy_printer *printer)
{
	const uint8_t isolate = printer->service->isolate;

	if (isolate == 0)
		return;
	printer_begin(printer);
	for (uint32_t i = 0; policy_isolate_words[i] != NULL; i++)
		if ((isolate >> i & 1) != 0)
			printer_plain(printer, policy_isolate_words[i]);
	printer_end(printer);
}
