/*
 * The tokens of a policy: words, braces, line ends.
 * Trusts nothing; every byte is checked, those of comments too, so that no
 * word can smuggle a control sequence into a terminal or a log.
 * Never copies, allocates or reads behind the end.
 */
#include "core/lex.h"

#include <string.h>

static const char *const error_texts[LEX_ERRORS] = {
	[LEX_OK] = "no error",
	[LEX_NUL] = "NUL byte: a policy is text",
	[LEX_CARRIAGE_RETURN] = "carriage return: lines end with LF alone",
	[LEX_CONTROL] = "control byte: only blanks, tabs and line ends may "
			"separate words",
	[LEX_BYTE_ORDER_MARK] = "byte order mark: save the file without it",
	[LEX_NOT_UTF8] = "not UTF-8: save the file in that encoding",
	[LEX_DIRECTION] = "invisible character that changes the direction of "
			  "writing: remove it",
	[LEX_UNTERMINATED] = "this quote is not closed in its line",
	[LEX_ESCAPE] = "only punctuation can be escaped by a backslash: \\\" "
		       "or \\\\",
	[LEX_BEHIND_QUOTE] = "a blank is missing behind the closing quote",
	[LEX_QUOTE_IN_WORD] = "quote inside a word: put the whole word in "
			      "quotes",
	[LEX_BACKSLASH] = "backslash outside quotes: put the word in '...'; "
			  "lines cannot be continued",
	[LEX_BRACE_IN_WORD] = "brace inside a word: put a blank before it, or "
			      "the word in quotes",
	[LEX_COMMENT] = "a comment has a line of its own; put the word in "
			"quotes if it begins with #",
};

const char *
lex_error_text(enum lex_error error)
{
	return error_texts[error];
}

void
lex_init(struct lex *lex, struct text text, uint32_t file)
{
	*lex = (struct lex){ .text = text, .file = file, .line = 1 };
}

/* The byte at offset `at`, or -1 behind the end. */
static int
byte_at(const struct lex *lex, size_t at)
{
	if (at >= lex->text.length)
		return -1;
	return (unsigned char)lex->text.bytes[at];
}

static bool
ends_word(int byte)
{
	return byte == -1 || byte == ' ' || byte == '\t' || byte == '\n';
}

static bool
is_direction_control(uint32_t character)
{
	return (character >= 0x202a && character <= 0x202e) ||
	    (character >= 0x2066 && character <= 0x2069);
}

/* Judges the character of more than one byte at `at`; *length gets its. */
static enum lex_error
check_wide(const struct lex *lex, size_t at, size_t *length)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	int lead = byte_at(lex, at);
	size_t count = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	uint32_t character = (uint32_t)lead & (0xffu >> (count + 1));

	if (lead < 0xc2 || lead > 0xf4)
		return LEX_NOT_UTF8;
	for (size_t i = 1; i < count; i++) {
		int byte = byte_at(lex, at + i);

		if (byte < 0x80 || byte > 0xbf)
			return LEX_NOT_UTF8;
		character = character << 6 | ((uint32_t)byte & 0x3f);
	}
	if (character < least[count] || character > 0x10ffff ||
	    (character >= 0xd800 && character <= 0xdfff))
		return LEX_NOT_UTF8;
	if (character < 0xa0)
		return LEX_CONTROL;
	if (character == 0xfeff)
		return LEX_BYTE_ORDER_MARK;
	if (is_direction_control(character))
		return LEX_DIRECTION;
	*length = count;
	return LEX_OK;
}

/* Judges the character at `at`, which exists; *length gets its bytes. */
static enum lex_error
check_character(const struct lex *lex, size_t at, size_t *length)
{
	int byte = byte_at(lex, at);

	*length = 1;
	if (byte >= 0x80)
		return check_wide(lex, at, length);
	if (byte == '\0')
		return LEX_NUL;
	if (byte == '\r')
		return LEX_CARRIAGE_RETURN;
	if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
		return LEX_CONTROL;
	return LEX_OK;
}

static struct place
place_at(const struct lex *lex, size_t at)
{
	return (struct place){ .file = lex->file,
		.line = lex->line,
		.column = (uint32_t)(at - lex->line_at) + 1 };
}

static struct lex_token
bad(const struct lex *lex, size_t at, enum lex_error error)
{
	return (struct lex_token){
		.kind = LEX_BAD, .error = error, .place = place_at(lex, at)
	};
}

/* A word from first to end; reading goes on at next. */
static struct lex_token
word(struct lex *lex, size_t first, size_t end, size_t next)
{
	struct lex_token token = { .kind = LEX_WORD,
		.place = place_at(lex, lex->at),
		.text = { lex->text.bytes + first, end - first } };

	lex->at = next;
	return token;
}

static enum lex_error
check_bare(const struct lex *lex, size_t at, size_t *length)
{
	switch (byte_at(lex, at)) {
	case '"':
	case '\'':
		return LEX_QUOTE_IN_WORD;
	case '\\':
		return LEX_BACKSLASH;
	case '{':
	case '}':
		return LEX_BRACE_IN_WORD;
	}
	return check_character(lex, at, length);
}

/* Over the bytes that most words are made of alone. */
static size_t
skip_plain(const struct lex *lex, size_t at)
{
	const char *bytes = lex->text.bytes;

	while (at < lex->text.length &&
	    ((bytes[at] >= 'a' && bytes[at] <= 'z') ||
		(bytes[at] >= '-' && bytes[at] <= '9')))
		at++;
	return at;
}

static struct lex_token
bare_word(struct lex *lex)
{
	size_t at = skip_plain(lex, lex->at);

	while (!ends_word(byte_at(lex, at))) {
		size_t length = 0;
		enum lex_error error = check_bare(lex, at, &length);

		if (error != LEX_OK)
			return bad(lex, at, error);
		at = skip_plain(lex, at + length);
	}
	return word(lex, lex->at, at, at);
}

/* What may follow a backslash: a letter would only look like \n or \t. */
static bool
is_punctuation(int byte)
{
	return (byte >= 0x21 && byte <= 0x2f) ||
	    (byte >= 0x3a && byte <= 0x40) || (byte >= 0x5b && byte <= 0x60) ||
	    (byte >= 0x7b && byte <= 0x7e);
}

static struct lex_token
quoted_word(struct lex *lex)
{
	int quote = byte_at(lex, lex->at);
	size_t first = lex->at + 1, at = skip_plain(lex, first);
	bool has_escapes = false;

	while (byte_at(lex, at) != quote) {
		size_t length = 0;

		if (byte_at(lex, at) == -1 || byte_at(lex, at) == '\n')
			return bad(lex, lex->at, LEX_UNTERMINATED);
		if (quote == '"' && byte_at(lex, at) == '\\') {
			if (!is_punctuation(byte_at(lex, at + 1)))
				return bad(lex, at, LEX_ESCAPE);
			has_escapes = true;
			at += 2;
			continue;
		}

		enum lex_error error = check_character(lex, at, &length);

		if (error != LEX_OK)
			return bad(lex, at, error);
		at = skip_plain(lex, at + length);
	}
	if (!ends_word(byte_at(lex, at + 1)))
		return bad(lex, at + 1, LEX_BEHIND_QUOTE);

	struct lex_token token = word(lex, first, at, at + 1);

	token.has_escapes = has_escapes;
	return token;
}

static struct lex_token
brace(struct lex *lex, enum lex_kind kind)
{
	if (!ends_word(byte_at(lex, lex->at + 1)))
		return bad(lex, lex->at, LEX_BRACE_IN_WORD);

	struct lex_token token = { .kind = kind,
		.place = place_at(lex, lex->at) };

	lex->at++;
	return token;
}

/* Goes to the line's end; stops at the first byte that may not be there. */
static enum lex_error
skip_comment(struct lex *lex)
{
	while (byte_at(lex, lex->at) != -1 && byte_at(lex, lex->at) != '\n') {
		size_t length = 0;
		enum lex_error error = check_character(lex, lex->at, &length);

		if (error != LEX_OK)
			return error;
		lex->at += length;
	}
	return LEX_OK;
}

static struct lex_token
line_end(struct lex *lex)
{
	struct lex_token token = { .kind = LEX_LINE_END,
		.place = place_at(lex, lex->at) };

	lex->at++;
	lex->line++;
	lex->line_at = lex->at;
	lex->has_token = false;
	return token;
}

struct lex_token
lex_next(struct lex *lex)
{
	bool is_first = !lex->has_token;

	while (byte_at(lex, lex->at) == ' ' || byte_at(lex, lex->at) == '\t')
		lex->at++;
	if (is_first && byte_at(lex, lex->at) == '#') {
		enum lex_error error = skip_comment(lex);

		if (error != LEX_OK)
			return bad(lex, lex->at, error);
	}
	switch (byte_at(lex, lex->at)) {
	case -1:
		return (struct lex_token){ .kind = LEX_END,
			.place = place_at(lex, lex->at) };
	case '\n':
		return line_end(lex);
	}
	lex->has_token = true;
	switch (byte_at(lex, lex->at)) {
	case '#':
		return bad(lex, lex->at, LEX_COMMENT);
	case '"':
	case '\'':
		return quoted_word(lex);
	case '{':
		return brace(lex, LEX_OPEN);
	case '}':
		return brace(lex, LEX_CLOSE);
	}
	return bare_word(lex);
}

bool
lex_skip_line(struct lex *lex)
{
	int last = -1;

	while (byte_at(lex, lex->at) != -1 && byte_at(lex, lex->at) != '\n') {
		int byte = byte_at(lex, lex->at++);

		if (!ends_word(byte) && byte != '\r')
			last = byte;
	}
	/* has_token is not set by a comment */
	return last == '{' && lex->has_token;
}

size_t
lex_unescape(char *to, struct text text)
{
	size_t length = 0;

	for (size_t i = 0; i < text.length; i++) {
		if (text.bytes[i] == '\\')
			i++;
		to[length++] = text.bytes[i];
	}
	return length;
}
