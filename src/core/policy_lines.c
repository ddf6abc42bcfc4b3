/*
 * The lines of a policy: their words, unescaped, and their braces.
 * A line that is no line at all is reported once, at its first fault.
 */
#include "core/policy_parser.h"

static void
add_word(struct policy_parser *parser, const struct lex_token *token)
{
	struct text text = token->text;

	if (parser->count == parser->word_capacity) {
		parser->is_full = true;
		return;
	}
	if (token->has_escapes) {
		char *copy = policy_take(parser, text.length, 1);

		if (copy == NULL)
			return;
		text = (struct text){ copy, lex_unescape(copy, text) };
	}
	if (text.length > POLICY_WORD_MAX) {
		policy_complain(parser, token->place,
		    "this word is longer than %u bytes",
		    (unsigned)POLICY_WORD_MAX);
		parser->is_bad = true;
	}
	parser->words[parser->count++] =
	    (struct word){ .text = text, .place = token->place };
}

static void
add_brace(struct policy_parser *parser, const struct lex_token *token)
{
	if (token->kind == LEX_OPEN) {
		parser->opens = true;
		parser->open_place = token->place;
		return;
	}
	parser->closes = true;
	parser->close_place = token->place;
	if (parser->count > 0 && !parser->opens && !parser->is_bad) {
		policy_complain(
		    parser, token->place, "'}' stands alone in its line");
		parser->is_bad = true;
	}
}

/* A word or brace behind a brace. */
static void
check_last(struct policy_parser *parser, const struct lex_token *token)
{
	if (parser->is_bad)
		return;
	if (parser->opens)
		policy_complain(parser, token->place,
		    "'{' is the last of its line: what follows belongs in the "
		    "next");
	else
		policy_complain(
		    parser, token->place, "'}' stands alone in its line");
	parser->is_bad = true;
}

bool
policy_read_line(struct policy_parser *parser)
{
	parser->count = 0;
	parser->opens = parser->closes = parser->is_bad = false;
	for (;;) {
		struct lex_token token = lex_next(&parser->lex);

		switch (token.kind) {
		case LEX_END:
			return parser->count > 0 || parser->opens ||
			    parser->closes || parser->is_bad;
		case LEX_LINE_END:
			return true;
		case LEX_BAD:
			policy_complain(parser, token.place, "%s",
			    lex_error_text(token.error));
			parser->is_bad = true;
			parser->open_place = token.place;
			if (lex_skip_line(&parser->lex))
				parser->opens = true;
			break;
		case LEX_WORD:
			if (parser->opens || parser->closes)
				check_last(parser, &token);
			add_word(parser, &token);
			break;
		case LEX_OPEN:
		case LEX_CLOSE:
			if (parser->opens || parser->closes)
				check_last(parser, &token);
			add_brace(parser, &token);
			break;
		}
		if (parser->is_full)
			return false;
	}
}
