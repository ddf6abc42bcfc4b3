#ifndef CORE_LEX_H
#define CORE_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/policy.h"

/*
 * Cuts a text into the tokens of a strict subset of scfg: words separated by
 * blanks, one directive a line, `{` last in its line, `}` alone in its line,
 * "..." with backslash escapes and '...' without, comment lines that begin
 * with #. Whatever scfg leaves open or surprises with is an error here.
 * Copies and allocates nothing: tokens point into the text.
 */
enum lex_kind {
	LEX_WORD,
	LEX_OPEN, /* { */
	LEX_CLOSE, /* } */
	LEX_LINE_END,
	LEX_END, /* of the text; comes again for ever */
	LEX_BAD, /* see error; go on with lex_skip_line */
};

enum lex_error {
	LEX_OK,
	LEX_NUL,
	LEX_CARRIAGE_RETURN,
	LEX_CONTROL, /* C0, DEL, C1 */
	LEX_BYTE_ORDER_MARK,
	LEX_NOT_UTF8,
	LEX_DIRECTION, /* bidirectional control: text that shows another order
			*/
	LEX_UNTERMINATED,
	LEX_ESCAPE,
	LEX_BEHIND_QUOTE,
	LEX_QUOTE_IN_WORD,
	LEX_BACKSLASH,
	LEX_BRACE_IN_WORD,
	LEX_COMMENT,
	LEX_ERRORS,
};

struct lex_token {
	enum lex_kind kind;
	enum lex_error error; /* LEX_BAD only */
	struct place place;
	struct text text; /* of a word, without its quotes */
	bool has_escapes; /* to be passed through lex_unescape */
};

struct lex {
	struct text text; /* borrowed */
	size_t at; /* bytes read */
	size_t line_at; /* where this line begins */
	uint32_t file, line;
	bool has_token; /* this line has one already */
};

/* text outlives lex and the tokens; file is put in every place. */
void lex_init(struct lex *lex, struct text text, uint32_t file);

struct lex_token lex_next(struct lex *lex);

/*
 * Goes to the end of the line, so that the next token is LEX_LINE_END or
 * LEX_END. Returns whether the line ends with `{`, however broken it is: what
 * follows is then most likely a block.
 */
bool lex_skip_line(struct lex *lex);

/* Writes at most text.length bytes to `to`; returns how many. */
size_t lex_unescape(char *to, struct text text);

/* What is wrong and what would be right. */
const char *lex_error_text(enum lex_error error);

#endif
