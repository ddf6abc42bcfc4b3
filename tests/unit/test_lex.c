/*
 * The lexer: what it makes of each kind of text, and that it reads nothing
 * outside of it (the text ends at a page that cannot be read).
 */
#include "core/lex.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* A copy of the text whose end is the end of the readable memory. */
struct guarded {
	char *map;
	size_t size;
	struct text text;
};

static struct guarded
guard(const char *bytes, size_t length)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = (length / page + 2) * page;
	struct guarded guarded = { .size = size };

	guarded.map = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(guarded.map != MAP_FAILED);
	assert_int_equal(
	    mprotect(guarded.map + size - page, page, PROT_NONE), 0);

	char *copy = guarded.map + size - page - length;

	memcpy(copy, bytes, length);
	guarded.text = (struct text){ copy, length };
	return guarded;
}

static const char *const names[LEX_ERRORS] = {
	[LEX_NUL] = "nul",
	[LEX_CARRIAGE_RETURN] = "cr",
	[LEX_CONTROL] = "control",
	[LEX_BYTE_ORDER_MARK] = "bom",
	[LEX_NOT_UTF8] = "utf8",
	[LEX_DIRECTION] = "direction",
	[LEX_UNTERMINATED] = "open",
	[LEX_ESCAPE] = "escape",
	[LEX_BEHIND_QUOTE] = "behind",
	[LEX_QUOTE_IN_WORD] = "quote",
	[LEX_BACKSLASH] = "backslash",
	[LEX_BRACE_IN_WORD] = "brace",
	[LEX_COMMENT] = "comment",
};

/*
 * The tokens as a line: words in [], { } for braces, ; for a line's end, the
 * error and its place for what is none, with { if a block may follow.
 */
static void
render(char out[], size_t size, struct text text)
{
	struct lex lex;
	FILE *stream = fmemopen(out, size, "w");

	assert_non_null(stream);
	lex_init(&lex, text, 7);
	for (;;) {
		struct lex_token token = lex_next(&lex);
		char word[64];

		assert_int_equal(token.place.file, 7);
		switch (token.kind) {
		case LEX_WORD:
			assert_true(token.text.length < sizeof(word));
			memcpy(word, token.text.bytes, token.text.length);
			if (token.has_escapes)
				token.text.length =
				    lex_unescape(word, token.text);
			fprintf(stream, "[%.*s]", (int)token.text.length, word);
			break;
		case LEX_OPEN:
			fputs("{", stream);
			break;
		case LEX_CLOSE:
			fputs("}", stream);
			break;
		case LEX_LINE_END:
			fputs(";", stream);
			break;
		case LEX_BAD:
			fprintf(stream, "!%s@%u:%u%s", names[token.error],
			    token.place.line, token.place.column,
			    lex_skip_line(&lex) ? "{" : "");
			break;
		case LEX_END:
			fclose(stream);
			return;
		}
	}
}

struct row {
	const char *text;
	const char *tokens;
};

static void
check_rows(const struct row rows[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct guarded guarded =
		    guard(rows[i].text, strlen(rows[i].text));
		char out[200] = "";

		render(out, sizeof(out), guarded.text);
		assert_string_equal(out, rows[i].tokens);
		munmap(guarded.map, guarded.size);
	}
}

static void
words_and_braces(void **state)
{
	static const struct row rows[] = {
		{ "", "" },
		{ "\n\n", ";;" },
		{ "a", "[a]" },
		{ " \ta\t b  \n", "[a][b];" },
		{ "a {\n}\n", "[a]{;};" },
		{ "{", "{" },
		{ "} }", "}}" },
		{ "# a \"{\n#\nb #", ";;[b]!comment@3:3" },
		{ "\t# indented\na", ";[a]" },
		{ "caf\xc3\xa9 \xf0\x9f\x98\x80",
		    "[caf\xc3\xa9][\xf0\x9f"
		    "\x98\x80]" },
		{ "a\xc2\xa0"
		  "b",
		    "[a\xc2\xa0"
		    "b]" },
		{ "k=v,;:!?*@/[]()<>|&$%^~`", "[k=v,;:!?*@/[]()<>|&$%^~`]" },
		{ "a#b", "[a#b]" },
	};

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void
quotes(void **state)
{
	static const struct row rows[] = {
		{ "\"a b\" 'c d'", "[a b][c d]" },
		{ "\"\" ''", "[][]" },
		{ "\"#\" '{' \"}\"", "[#][{][}]" },
		{ "\"a\\\"b\\\\c\\'\"", "[a\"b\\c']" },
		{ "'a\\b\"c'", "[a\\b\"c]" },
		{ "\"tab\tin it\"", "[tab\tin it]" },
		{ "\"a", "!open@1:1" },
		{ "b 'a\nc", "[b]!open@1:3;[c]" },
		{ "\"a\\", "!escape@1:3" },
		{ "\"a\\\"", "!open@1:1" },
		{ "\"a\\n\"", "!escape@1:3" },
		{ "\"a\"b", "!behind@1:4" },
		{ "'a''b'", "!behind@1:4" },
		{ "\"a\"{ {", "!behind@1:4{" },
	};

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void
mistakes(void **state)
{
	static const struct row rows[] = {
		{ "a\"b\" {", "!quote@1:2{" },
		{ "x'", "!quote@1:2" },
		{ "a \\\n b", "[a]!backslash@1:3;[b]" },
		{ "a{\nb", "!brace@1:2{;[b]" },
		{ "{a}", "!brace@1:1" },
		{ "a}b", "!brace@1:2" },
		{ "}}", "!brace@1:1" },
		{ "a\r\nb", "!cr@1:2;[b]" },
		{ "a {\r\nb", "[a]!brace@1:3{;[b]" },
		{ "\x01", "!control@1:1" },
		{ "\x7f", "!control@1:1" },
		{ "\xc2\x85", "!control@1:1" },
		{ "# \x1b {\na", "!control@1:3;[a]" },
		{ "\xef\xbb\xbf"
		  "a",
		    "!bom@1:1" },
		{ "\x80", "!utf8@1:1" },
		{ "\xc1\x81", "!utf8@1:1" },
		{ "\xe0\x80\x80", "!utf8@1:1" },
		{ "\xf4\x90\x80\x80", "!utf8@1:1" },
		{ "\xf5\x80\x80\x80", "!utf8@1:1" },
		{ "\xed\xa0\x80", "!utf8@1:1" },
		{ "\"\xe2\x82\"", "!utf8@1:2" },
		{ "\xe2\x82", "!utf8@1:1" },
		{ "\xf0\x9f\x98", "!utf8@1:1" },
		{ "\xe2\x80\xae", "!direction@1:1" },
		{ "'\xe2\x81\xa6'", "!direction@1:2" },
	};

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void
nul_byte(void **state)
{
	static const char text[] = { 'a', ' ', '\0', '\n', 'b' };
	struct guarded guarded = guard(text, sizeof(text));
	char out[100] = "";

	(void)state;
	render(out, sizeof(out), guarded.text);
	assert_string_equal(out, "[a]!nul@1:3;[b]");
	munmap(guarded.map, guarded.size);
}

/* The end comes again for ever, and every error has words of its own. */
static void
ends_and_texts(void **state)
{
	struct lex lex;

	(void)state;
	lex_init(&lex, (struct text){ "a", 1 }, 0);
	assert_int_equal(lex_next(&lex).kind, LEX_WORD);
	assert_int_equal(lex_next(&lex).kind, LEX_END);
	assert_int_equal(lex_next(&lex).kind, LEX_END);
	for (unsigned i = 0; i < LEX_ERRORS; i++) {
		assert_non_null(lex_error_text((enum lex_error)i));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(
			    lex_error_text((enum lex_error)i),
			    lex_error_text((enum lex_error)j));
	}
}

/* Any two bytes: never more tokens than bytes, and always an end. */
static void
every_pair_of_bytes(void **state)
{
	struct guarded guarded = guard("ab", 2);
	char *bytes =
	    guarded.map + guarded.size - (size_t)sysconf(_SC_PAGESIZE) - 2;

	(void)state;
	for (unsigned pair = 0; pair < 0x10000; pair++) {
		struct lex lex;
		enum lex_kind kind = LEX_OPEN;
		unsigned count = 0;

		bytes[0] = (char)(pair >> 8);
		bytes[1] = (char)pair;
		lex_init(&lex, guarded.text, 0);
		while (kind != LEX_END) {
			kind = lex_next(&lex).kind;
			if (kind == LEX_BAD)
				lex_skip_line(&lex);
			assert_true(++count <= 3);
		}
	}
	munmap(guarded.map, guarded.size);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_and_braces),
		cmocka_unit_test(quotes),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(nul_byte),
		cmocka_unit_test(ends_and_texts),
		cmocka_unit_test(every_pair_of_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
