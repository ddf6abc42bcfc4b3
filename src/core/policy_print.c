/*
 * A policy as text: lines, words and blocks, by the parser's own table.
 * Trusts the policy: it was parsed without errors.
 * Never writes a word that the lexer would read as another one.
 */
#include "core/policy_printer.h"

#include <string.h>

enum {
	LIST_BYTES = 64, /* of a line; a list goes on in the next */
	DIGITS = 10, /* of 32 bits */
};

static void
put(struct policy_printer *printer, const char *bytes, size_t length)
{
	printer->sink->write(printer->sink->context, bytes, length);
	printer->column += (uint32_t)length;
}

void
printer_put(struct policy_printer *printer, const char *string)
{
	put(printer, string, strlen(string));
}

/* Its digits from text[0] on; how many. */
static size_t
format_number(uint32_t number, char text[DIGITS])
{
	uint32_t power = 1;
	size_t length = 0;

	while (number / power >= 10)
		power *= 10;
	for (; power > 0; power /= 10)
		text[length++] = (char)('0' + number / power % 10);
	return length;
}

void
printer_digits(struct policy_printer *printer, uint32_t number)
{
	char digits[DIGITS];

	put(printer, digits, format_number(number, digits));
}

void
printer_begin_with(struct policy_printer *printer, const char *directive)
{
	if (printer->block != BLOCK_TOP)
		printer_put(printer, "\t");
	else if (printer->row->opens != 0)
		printer_put(printer, "\n");
	printer_put(printer, directive);
}

void
printer_begin(struct policy_printer *printer)
{
	printer_begin_with(printer, printer->row->word);
}

bool
printer_is_at_begin(const struct policy_printer *printer)
{
	return printer->column == 0;
}

void
printer_end(struct policy_printer *printer)
{
	if (printer_is_at_begin(printer))
		return;
	printer_put(printer, "\n");
	printer->column = 0;
}

void
printer_end_full(struct policy_printer *printer)
{
	if (printer->column >= LIST_BYTES)
		printer_end(printer);
}

/* Whether the lexer reads it as one word as it is. */
static bool
is_bare(struct text word)
{
	for (size_t i = 0; i < word.length; i++)
		if (strchr(" \t\"'\\{}", word.bytes[i]) != NULL)
			return false;
	return word.length > 0 && word.bytes[0] != '#';
}

void
printer_word(struct policy_printer *printer, struct text word)
{
	printer_put(printer, " ");
	if (is_bare(word)) {
		put(printer, word.bytes, word.length);
		return;
	}
	printer_put(printer, "\"");
	for (size_t i = 0; i < word.length; i++) {
		if (word.bytes[i] == '"' || word.bytes[i] == '\\')
			printer_put(printer, "\\");
		put(printer, &word.bytes[i], 1);
	}
	printer_put(printer, "\"");
}

void
printer_marked(
    struct policy_printer *printer, const char *mark, struct text text)
{
	printer_put(printer, " ");
	printer_put(printer, mark);
	put(printer, text.bytes, text.length);
}

void
printer_plain(struct policy_printer *printer, const char *word)
{
	printer_put(printer, " ");
	printer_put(printer, word);
}

void
printer_number(struct policy_printer *printer, uint32_t number)
{
	printer_put(printer, " ");
	printer_digits(printer, number);
}

void
printer_bits(struct policy_printer *printer, uint32_t bits)
{
	printer_put(printer, " /");
	printer_digits(printer, bits);
}

void
printer_duration(struct policy_printer *printer, uint32_t ms)
{
	const struct policy_unit *unit = policy_unit_of(ms);

	printer_number(printer, ms / unit->ms);
	printer_put(printer, unit->name);
}

void
printer_size(struct policy_printer *printer, uint64_t bytes)
{
	const struct policy_size_unit *unit = policy_size_unit_of(bytes);

	/* no more than was written: it fits */
	printer_number(printer, (uint32_t)(bytes / unit->bytes));
	printer_put(printer, unit->name);
}

void
printer_zoned(
    struct policy_printer *printer, const char *address, struct text zone)
{
	printer_plain(printer, address);
	if (zone.length == 0)
		return;
	printer_put(printer, "%");
	put(printer, zone.bytes, zone.length);
}

void
printer_prefix(struct policy_printer *printer, const struct policy_match *match)
{
	const struct prefix *prefix = &match->prefix;
	unsigned whole = prefix->addr.family == ADDR_V4 ? 32 : 128;
	char address[ADDR_TEXT_BYTES];

	addr_format(&prefix->addr, address);
	printer_zoned(printer, address, match->zone);
	if (prefix->bits == whole)
		return;
	printer_put(printer, "/");
	printer_digits(printer, prefix->bits);
}

void
printer_number_line(struct policy_printer *printer, uint32_t number)
{
	printer_begin(printer);
	printer_number(printer, number);
	printer_end(printer);
}

void
printer_duration_line(struct policy_printer *printer, uint32_t ms)
{
	printer_begin(printer);
	printer_duration(printer, ms);
	printer_end(printer);
}

void
printer_plain_line(struct policy_printer *printer, const char *word)
{
	printer_begin(printer);
	printer_plain(printer, word);
	printer_end(printer);
}

void
printer_flag_line(struct policy_printer *printer)
{
	printer_begin(printer);
	printer_end(printer);
}

void
printer_word_line(struct policy_printer *printer, const struct word *word)
{
	if (word->text.length == 0)
		return;
	printer_begin(printer);
	printer_word(printer, word->text);
	printer_end(printer);
}

void
printer_words_line(struct policy_printer *printer, struct span words)
{
	if (words.count == 0)
		return;
	printer_begin(printer);
	for (uint32_t i = 0; i < words.count; i++)
		printer_word(
		    printer, printer->policy->words[words.first + i].text);
	printer_end(printer);
}

void
policy_rate_text(const struct rate *rate, char text[POLICY_RATE_BYTES])
{
	static const char burst[] = " burst ", none[] = "none";
	const char *unit;
	size_t length;

	if (rate->tokens == 0) {
		memcpy(text, none, sizeof(none));
		return;
	}
	unit = policy_rate_unit_of(rate->period_ms)->name;
	length = format_number(rate->tokens, text);
	memcpy(text + length, unit, strlen(unit));
	length += strlen(unit);
	memcpy(text + length, burst, sizeof(burst) - 1);
	length += sizeof(burst) - 1;
	length += format_number(rate->burst, text + length);
	text[length] = '\0';
}

void
printer_rate_line(struct policy_printer *printer, const struct rate *rate)
{
	char text[POLICY_RATE_BYTES];

	if (rate->tokens == 0)
		return;
	policy_rate_text(rate, text);
	printer_plain_line(printer, text);
}

/* All directives of a block, but what has no meaning in such a service. */
static void
show_rows(struct policy_printer *printer, uint8_t block)
{
	const struct policy_row *opening = printer->row;
	uint16_t left_out = printer->service == NULL
	    ? 0
	    : policy_rows_without_meaning(printer->service->kind);

	printer->block = block;
	for (size_t i = 0; policy_row_at(i) != NULL; i++) {
		const struct policy_row *row = policy_row_at(i);

		if ((row->blocks & block) == 0 || row->show == NULL ||
		    (row->flags & left_out) != 0)
			continue;
		printer->row = row;
		row->show(printer);
	}
	printer->row = opening;
	printer->block = BLOCK_TOP;
}

void
printer_block(struct policy_printer *printer)
{
	printer_put(printer, " {");
	printer_end(printer);
	show_rows(printer, printer->row->opens);
	printer_put(printer, "}");
	printer_end(printer);
}

void
policy_show_elsewhere(struct policy_printer *printer)
{
	(void)printer;
}

void
policy_print(const struct policy *policy, const struct policy_sink *sink)
{
	struct policy_printer printer = { .policy = policy, .sink = sink };

	show_rows(&printer, BLOCK_TOP);
}
