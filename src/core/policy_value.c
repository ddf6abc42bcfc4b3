/*
 * Values: numbers with their range, durations with their unit, choices,
 * paths, names.
 * Trusts nothing; a value out of range is refused with the range.
 */
#include "core/policy_parser.h"

#include "core/name.h"

#include <string.h>

bool
policy_text_is(struct text text, const char *word)
{
	/* most words already differ in their first letter */
	return text.length > 0 && word[0] == text.bytes[0] &&
	    strlen(word) == text.length &&
	    memcmp(text.bytes, word, text.length) == 0;
}

/*
 * Reads decimal digits without sign or leading zero; returns how many bytes
 * that took, 0 if there is no such number. What is too large for 32 bits
 * becomes the largest, which no range takes.
 */
static size_t
read_digits(struct text text, uint32_t *number)
{
	uint64_t value = 0;
	size_t at = 0;

	while (at < text.length && text.bytes[at] >= '0' &&
	    text.bytes[at] <= '9') {
		value = value * 10 + (uint64_t)(text.bytes[at] - '0');
		if (value > UINT32_MAX)
			value = UINT32_MAX;
		at++;
	}
	if (at > 1 && text.bytes[0] == '0')
		return 0;
	*number = (uint32_t)value;
	return at;
}

bool
policy_number(struct policy_parser *parser, const struct word *word,
    uint32_t least, uint32_t most, uint32_t *number)
{
	uint32_t value = 0;
	size_t length = read_digits(word->text, &value);

	if (length == 0 || length != word->text.length || value < least ||
	    value > most) {
		policy_complain(parser, word->place,
		    "'%.*s' is not a number from %u to %u", SHOWN(word->text),
		    least, most);
		return false;
	}
	*number = value;
	return true;
}

static const struct policy_unit units[] = {
	{ "d", 86400000 },
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
};

enum { UNITS = sizeof(units) / sizeof(units[0]) };

const struct policy_unit *
policy_unit_of(uint32_t ms)
{
	const struct policy_unit *unit = units;

	/* nothing is 0s */
	while (ms % unit->ms != 0 || (ms == 0 && unit->ms > 1000))
		unit++;
	return unit;
}

static bool
read_duration(struct text text, uint64_t *ms)
{
	uint32_t number = 0;
	size_t length = read_digits(text, &number);
	struct text rest = { text.bytes + length, text.length - length };

	if (length == 0)
		return false;
	for (size_t i = 0; i < UNITS; i++) {
		if (policy_text_is(rest, units[i].name)) {
			*ms = (uint64_t)number * units[i].ms;
			return true;
		}
	}
	return false;
}

bool
policy_duration(struct policy_parser *parser, const struct word *word,
    uint32_t least_ms, uint32_t most_ms, uint32_t *ms)
{
	const struct policy_unit *least_unit = policy_unit_of(least_ms);
	const struct policy_unit *most_unit = policy_unit_of(most_ms);
	uint64_t value = 0;
	uint32_t number;

	if (word->text.length > 0 &&
	    read_digits(word->text, &number) == word->text.length) {
		policy_complain(parser, word->place,
		    "'%.*s' has no unit: ms, s, m, h or d, as in %.*ss",
		    SHOWN(word->text), SHOWN(word->text));
		return false;
	}
	if (!read_duration(word->text, &value)) {
		policy_complain(parser, word->place,
		    "'%.*s' is not a duration: a number and ms, s, m, h or d, "
		    "as in 30s",
		    SHOWN(word->text));
		return false;
	}
	if (value < least_ms || value > most_ms) {
		policy_complain(parser, word->place,
		    "'%.*s' is not between %u%s and %u%s", SHOWN(word->text),
		    least_ms / least_unit->ms, least_unit->name,
		    most_ms / most_unit->ms, most_unit->name);
		return false;
	}
	*ms = (uint32_t)value;
	return true;
}

bool
policy_seconds(struct policy_parser *parser, const struct word *word,
    uint32_t least_s, uint32_t most_s, uint32_t *seconds)
{
	uint32_t ms = 0;

	if (!policy_duration(parser, word, least_s * 1000, most_s * 1000, &ms))
		return false;
	if (ms % 1000 != 0) {
		policy_complain(parser, word->place,
		    "'%.*s' is not in whole seconds", SHOWN(word->text));
		return false;
	}
	*seconds = ms / 1000;
	return true;
}

static const struct policy_size_unit size_units[] = {
	{ "T", UINT64_C(1) << 40 }, { "G", UINT64_C(1) << 30 },
	{ "M", UINT64_C(1) << 20 }, { "K", UINT64_C(1) << 10 },
	{ "", 1 }, /* of nothing but 0 */
};

enum { SIZE_UNITS = sizeof(size_units) / sizeof(size_units[0]) };

const struct policy_size_unit *
policy_size_unit_of(uint64_t bytes)
{
	const struct policy_size_unit *unit = size_units;

	while (bytes == 0 ? unit->bytes > 1 : bytes % unit->bytes != 0)
		unit++;
	return unit;
}

/* false if it is not a size; one that is too large is larger than any. */
static bool
read_size(struct text text, uint64_t *bytes)
{
	uint32_t number = 0;
	size_t length = read_digits(text, &number);
	struct text rest = { text.bytes + length, text.length - length };

	*bytes = 0;
	if (length == 0 || rest.length == 0)
		return length > 0 && number == 0;
	for (size_t i = 0; i < SIZE_UNITS; i++) {
		if (policy_text_is(rest, size_units[i].name)) {
			*bytes = number == UINT32_MAX
			    ? UINT64_MAX
			    : number * size_units[i].bytes;
			return true;
		}
	}
	return false;
}

bool
policy_size(struct policy_parser *parser, const struct word *word,
    uint64_t least, uint64_t most, uint64_t *bytes)
{
	const struct policy_size_unit *least_unit = policy_size_unit_of(least);
	const struct policy_size_unit *most_unit = policy_size_unit_of(most);
	uint64_t value;

	if (!read_size(word->text, &value)) {
		policy_complain(parser, word->place,
		    "'%.*s' is not a size: a number and K, M, G or T, as in "
		    "256M",
		    SHOWN(word->text));
		return false;
	}
	if (value < least || value > most) {
		policy_complain(parser, word->place,
		    "'%.*s' is not between %u%s and %u%s", SHOWN(word->text),
		    (unsigned)(least / least_unit->bytes), least_unit->name,
		    (unsigned)(most / most_unit->bytes), most_unit->name);
		return false;
	}
	*bytes = value;
	return true;
}

static const struct policy_unit rate_units[] = {
	{ "/s", 1000 },
	{ "/min", 60000 },
	{ "/h", 3600000 },
};

enum { RATE_UNITS = sizeof(rate_units) / sizeof(rate_units[0]) };

const struct policy_unit *
policy_rate_unit_of(uint32_t period_ms)
{
	const struct policy_unit *unit = rate_units;

	while (unit->ms != period_ms)
		unit++;
	return unit;
}

/* N/UNIT; false if it is not that. A number that is out of range is 0. */
static bool
read_rate(struct text text, uint32_t *tokens, uint32_t *period_ms)
{
	uint32_t number = 0;
	size_t length = read_digits(text, &number);
	struct text rest = { text.bytes + length, text.length - length };

	if (length == 0)
		return false;
	*tokens = number > RATE_TOKENS_MAX ? 0 : number;
	for (size_t i = 0; i < RATE_UNITS; i++) {
		if (policy_text_is(rest, rate_units[i].name)) {
			*period_ms = rate_units[i].ms;
			return true;
		}
	}
	return false;
}

bool
policy_rate(struct policy_parser *parser, const struct policy_line *line,
    struct rate *rate)
{
	const struct word *words = line->words;
	struct rate found = { .tokens = 0 };

	if (!read_rate(words[1].text, &found.tokens, &found.period_ms))
		policy_complain(parser, words[1].place,
		    "'%.*s' is not a rate: a number and /s, /min or /h, as in "
		    "30/min",
		    SHOWN(words[1].text));
	else if (found.tokens == 0)
		policy_complain(parser, words[1].place,
		    "'%.*s' is not a rate of 1 to %u", SHOWN(words[1].text),
		    RATE_TOKENS_MAX);
	if (!policy_text_is(words[2].text, "burst")) {
		policy_complain(parser, words[2].place,
		    "'%.*s' does not belong here: write '%.*s 30/min burst "
		    "10'",
		    SHOWN(words[2].text), SHOWN(words[0].text));
		return false;
	}
	if (!policy_number(
		parser, &words[3], 1, RATE_TOKENS_MAX, &found.burst) ||
	    found.tokens == 0)
		return false;
	*rate = found;
	return true;
}

bool
policy_octal(
    struct policy_parser *parser, const struct word *word, uint32_t *mask)
{
	uint32_t value = 0;
	bool is_octal = word->text.length == 3 ||
	    (word->text.length == 4 && word->text.bytes[0] == '0');

	for (size_t i = 0; i < word->text.length && is_octal; i++) {
		char digit = word->text.bytes[i];

		is_octal = digit >= '0' && digit <= '7';
		value = value << 3 | (uint32_t)(digit - '0');
	}
	if (!is_octal) {
		policy_complain(parser, word->place,
		    "'%.*s' is not three octal digits from 000 to 777, as in "
		    "077",
		    SHOWN(word->text));
		return false;
	}
	*mask = value;
	return true;
}

/* "log, null or socket" */
static void
list_choices(char list[], size_t size, const char *const choices[])
{
	size_t used = 0;

	for (size_t i = 0; choices[i] != NULL; i++) {
		const char *joint = i == 0   ? ""
		    : choices[i + 1] == NULL ? " or "
					     : ", ";
		size_t joint_length = strlen(joint);
		size_t length = strlen(choices[i]);

		if (used + joint_length + length >= size)
			break;
		memcpy(list + used, joint, joint_length);
		memcpy(list + used + joint_length, choices[i], length);
		used += joint_length + length;
	}
	list[used] = '\0';
}

bool
policy_choice(struct policy_parser *parser, const struct word *word,
    const char *const choices[], uint32_t *choice)
{
	struct suggestion nearest = { NULL, 0 };
	char list[200];

	for (uint32_t i = 0; choices[i] != NULL; i++) {
		if (policy_text_is(word->text, choices[i])) {
			*choice = i;
			return true;
		}
		suggest_consider(&nearest, word->text, choices[i]);
	}
	list_choices(list, sizeof(list), choices);
	policy_complain_nearest(parser, word->place, &nearest,
	    "'%.*s' is not %s", SHOWN(word->text), list);
	return false;
}

bool
policy_path(struct policy_parser *parser, const struct word *word)
{
	if (word->text.length > 0 && word->text.bytes[0] == '/')
		return true;
	policy_complain(parser, word->place,
	    "'%.*s' is not an absolute path: it has to begin with /",
	    SHOWN(word->text));
	return false;
}

bool
policy_is_label(struct text text)
{
	for (size_t i = 0; i < text.length; i++) {
		char c = text.bytes[i];
		bool is_letter = (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!is_letter && c != '-' && c != '_' && c != '.')
			return false;
	}
	return text.length > 0 && text.length <= POLICY_LABEL_MAX;
}

static bool
is_all_digits(struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		if (text.bytes[i] < '0' || text.bytes[i] > '9')
			return false;
	return true;
}

bool
policy_account(struct policy_parser *parser, const struct word *word)
{
	uint32_t id;

	if (word->text.length == 0) {
		policy_complain(parser, word->place,
		    "empty word where a name or number is needed");
		return false;
	}
	/* the highest number means "leave it as it is" to the kernel */
	return !is_all_digits(word->text) ||
	    policy_number(parser, word, 0, UINT32_MAX - 1, &id);
}

struct text
policy_fold(struct policy_parser *parser, struct text text)
{
	size_t at = 0;
	char *copy;

	while (at < text.length &&
	    name_fold((uint8_t)text.bytes[at]) == (uint8_t)text.bytes[at])
		at++;
	if (at == text.length)
		return text;
	copy = policy_take(parser, text.length, 1);
	if (copy == NULL)
		return text;
	for (size_t i = 0; i < text.length; i++)
		copy[i] = (char)name_fold((uint8_t)text.bytes[i]);
	return (struct text){ copy, text.length };
}

bool
policy_service_name(
    struct policy_parser *parser, const struct word *word, struct word *folded)
{
	const uint8_t *bytes = (const uint8_t *)word->text.bytes;

	if (!name_is_valid(bytes, word->text.length)) {
		policy_complain(parser, word->place,
		    "'%.*s' is not a service name: 1 to %u printable ASCII "
		    "characters without blanks",
		    SHOWN(word->text), (unsigned)NAME_MAX_BYTES);
		return false;
	}
	if (name_is_help(bytes, word->text.length)) {
		policy_complain(parser, word->place,
		    "'%.*s' is reserved: it asks for the list of services "
		    "(RFC 1078)",
		    SHOWN(word->text));
		return false;
	}
	folded->place = word->place;
	folded->text = policy_fold(parser, word->text);
	return true;
}
