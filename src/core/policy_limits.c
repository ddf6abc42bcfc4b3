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
 * while descriptors of ours are. A session's memory has all of that in it.
 */
static const struct {
	enum unit unit;
	uint64_t least, most;
} kinds[POLICY_LIMITS] = {
	[IMAGE_RLIMIT_ADDRESS_SPACE] = { UNIT_BYTES, MEGA(1),
	    IMAGE_RLIMIT_MAX },
	[IMAGE_RLIMIT_USER_PROCESSES] = { UNIT_COUNT, 0, 4194304 },
	[IMAGE_RLIMIT_OPEN_FILES] = { UNIT_COUNT, 8, 1048576 },
	[IMAGE_RLIMIT_CPU] = { UNIT_SECONDS, 1, UINT64_C(30) * 86400 },
	[IMAGE_RLIMIT_FILE_SIZE] = { UNIT_BYTES, 0, IMAGE_RLIMIT_MAX },
	[IMAGE_RLIMIT_CORE] = { UNIT_BYTES, 0, IMAGE_RLIMIT_MAX },
	[IMAGE_RLIMIT_STACK] = { UNIT_BYTES, KILO(256), IMAGE_RLIMIT_MAX },
	[POLICY_LIMIT_MEMORY] = { UNIT_BYTES, IMAGE_MEMORY_MIN,
	    IMAGE_RLIMIT_MAX },
	[POLICY_LIMIT_PROCESSES] = { UNIT_COUNT, 1, IMAGE_PROCESSES_MAX },
};

/* What an inherited one is taken back with; the others cannot be. */
#define ANY "any"

static bool
is_of_cgroup(uint32_t kind)
{
	return kind == POLICY_LIMIT_MEMORY || kind == POLICY_LIMIT_PROCESSES;
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

/* Whether the line ends in `if-available`; complains of any other end. */
static bool
is_if_available(
    struct policy_parser *parser, const struct policy_line *line, uint32_t kind)
{
	if (line->count <= 3)
		return false;
	if (is_of_cgroup(kind) &&
	    policy_text_is(line->words[3].text, POLICY_IF_AVAILABLE))
		return true;
	policy_complain(parser, line->words[3].place,
	    "'%.*s' does not belong here: write 'limit %s VALUE%s'",
	    SHOWN(line->words[3].text), policy_limit_words[kind],
	    is_of_cgroup(kind) ? " [" POLICY_IF_AVAILABLE "]" : "");
	return false;
}

static void
set_limit(
    struct policy_parser *parser, const struct policy_line *line, uint32_t kind)
{
	struct policy_limits *limits = &parser->service->limits;
	const uint16_t bit = (uint16_t)(1u << kind);

	limits->places[kind] = line->words[1].place;
	limits->if_available &= (uint16_t)~bit;
	if (is_if_available(parser, line, kind))
		limits->if_available |= bit;
	if (is_of_cgroup(kind) && policy_text_is(line->words[2].text, ANY)) {
		limits->set &= (uint16_t)~bit;
		if ((limits->if_available & bit) != 0)
			policy_complain(parser, line->words[3].place,
			    "'limit %s any' takes nothing away: it is always "
			    "available",
			    policy_limit_words[kind]);
		return;
	}
	limits->set |= bit;
	(void)read_value(parser, kind, &line->words[2], &limits->values[kind]);
}

/* What the service does not say itself stays as it is in defaults. */
void
policy_take_limit(struct policy_parser *parser, const struct policy_line *line)
{
	uint32_t kind = 0;
	uint16_t bit;

	if (line->is_first)
		parser->limits_seen = 0;
	if (!policy_choice(parser, &line->words[1], policy_limit_words, &kind))
		return;
	bit = (uint16_t)(1u << kind);
	if ((parser->limits_seen & bit) != 0) {
		policy_complain(parser, line->words[1].place,
		    "'limit %s' is given already: line %u",
		    policy_limit_words[kind],
		    parser->service->limits.places[kind].line);
		return;
	}
	parser->limits_seen |= bit;
	set_limit(parser, line, kind);
}

void
policy_check_limits(struct policy_parser *parser)
{
	const struct policy_service *service = parser->service;
	const struct policy_limits *limits = &service->limits;

	if (!policy_starts_program(service) ||
	    service->leftovers != IMAGE_LEFTOVERS_KEEP)
		return;
	for (uint32_t i = 0; i < POLICY_LIMITS; i++)
		if (is_of_cgroup(i) && (limits->set >> i & 1) != 0)
			policy_complain(parser, limits->places[i],
			    "'limit %s' is of a cgroup that ends with its "
			    "session: with 'leftovers keep' there is none; "
			    "write 'limit %s any'",
			    policy_limit_words[i], policy_limit_words[i]);
}

void
policy_show_limits(struct policy_printer *printer)
{
	const struct policy_limits *limits = &printer->service->limits;

	for (uint32_t i = 0; i < POLICY_LIMITS; i++) {
		if ((limits->set >> i & 1) == 0)
			continue;
		printer_begin(printer);
		printer_plain(printer, policy_limit_words[i]);
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
		if ((limits->if_available >> i & 1) != 0)
			printer_plain(printer, POLICY_IF_AVAILABLE);
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
