/*
 * The files that a policy includes: which lines ask for them, and what is
 * read where such a line stands.
 * Trusts its caller to have opened what the lines name.
 * Never opens anything; an included text includes nothing.
 */
#include "core/policy_parser.h"

/* A line with its words counted, as far as they matter. */
struct include_line {
	uint32_t count;
	bool is_include, is_bad;
	struct lex_token path;
};

static void
note_token(struct include_line *line, const struct lex_token *token)
{
	if (token->kind != LEX_WORD) {
		line->is_bad = true;
		return;
	}
	if (line->count == 0)
		line->is_include = policy_text_is(token->text, "include");
	else if (line->count == 1)
		line->path = *token;
	line->count++;
}

static void
tell(const struct include_line *line,
    void (*found)(void *context, const struct word *path), void *context)
{
	char unescaped[POLICY_WORD_MAX];
	struct word path = { .text = line->path.text,
		.place = line->path.place };

	if (!line->is_include || line->is_bad || line->count != 2 ||
	    path.text.length > sizeof(unescaped))
		return;
	if (line->path.has_escapes) {
		path.text.bytes = unescaped;
		path.text.length = lex_unescape(unescaped, line->path.text);
	}
	if (path.text.length > 0 && path.text.bytes[0] == '/')
		found(context, &path);
}

void
policy_find_includes(struct text text,
    void (*found)(void *context, const struct word *path), void *context)
{
	struct include_line line = { .count = 0 };
	struct lex lex;

	lex_init(&lex, text, 0);
	for (;;) {
		struct lex_token token = lex_next(&lex);

		if (token.kind == LEX_LINE_END || token.kind == LEX_END) {
			tell(&line, found, context);
			line = (struct include_line){ .count = 0 };
		} else {
			note_token(&line, &token);
		}
		if (token.kind == LEX_BAD)
			lex_skip_line(&lex);
		if (token.kind == LEX_END)
			return;
	}
}

static void
read_included(struct policy_parser *parser, uint32_t index)
{
	const struct lex lex = parser->lex;

	if (parser->texts[index].text.bytes == NULL) {
		parser->lacks_text = true;
		return;
	}
	parser->outside = parser->block = BLOCK_INCLUDED;
	policy_read_text(parser, index);
	parser->outside = parser->block = BLOCK_TOP;
	parser->lex = lex;
}

void
policy_take_include(
    struct policy_parser *parser, const struct policy_line *line)
{
	const struct word path = line->words[1];

	if (!policy_path(parser, &path))
		return;
	/* Texts of lines above are left over where those were misplaced. */
	for (; parser->next_text < parser->text_count; parser->next_text++) {
		uint32_t here = parser->texts[parser->next_text].include.line;

		if (here > path.place.line || parser->is_full)
			break;
		if (here == path.place.line)
			read_included(parser, parser->next_text);
	}
}
