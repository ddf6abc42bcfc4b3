/*
 * The policy language, version 1 (tcpmuxd.policy(5)): which directive stands
 * where, and what goes on after one that does not.
 * Trusts nothing but the memory it is given; goes on after every mistake.
 * Never looks anything up on the machine.
 */
#include "core/policy_parser.h"

enum { TEXT_BYTES_MAX = 1 << 28 };

static void
skip_block(struct policy_parser *parser)
{
	parser->skipped = 1;
	parser->skipped_place = parser->open_place;
}

static void
leave_block(struct policy_parser *parser)
{
	if ((parser->block & (BLOCK_SERVICE | BLOCK_DEFAULTS)) != 0)
		policy_end_service(parser);
	parser->block = parser->outside;
	parser->service = NULL;
	policy_rows_forget(parser);
	parser->seen = 0;
}

static void
enter_block(struct policy_parser *parser, const struct policy_row *row)
{
	parser->block = row->opens;
	parser->block_word = row->word;
	parser->block_place = parser->open_place;
	if ((row->opens & (BLOCK_SERVICE | BLOCK_DEFAULTS)) != 0)
		policy_begin_service(parser, row->opens, &parser->words[0]);
}

static void
complain_of_unknown(struct policy_parser *parser)
{
	const struct word *word = &parser->words[0];
	struct suggestion nearest = { NULL, 0 };

	policy_row_suggest(&nearest, word->text, parser->block);
	if (nearest.word == NULL)
		policy_row_suggest(&nearest, word->text, 0xff);
	policy_complain_nearest(parser, word->place, &nearest,
	    "unknown directive '%.*s'", SHOWN(word->text));
}

/* `second` is the word behind it, where that tells whose it is, or "". */
static void
complain_of_place(struct policy_parser *parser, const char *word,
    struct text second, uint8_t blocks)
{
	struct place place = parser->words[0].place;
	const char *blank = second.length == 0 ? "" : " ";

	if (parser->block == parser->outside)
		policy_complain(parser, place, "'%s%s%.*s' stands %s, not %s",
		    word, blank, SHOWN(second), policy_block_name(blocks),
		    policy_block_name(parser->block));
	else
		policy_complain(parser, place,
		    "'%s%s%.*s' stands %s, not in %s { } (line %u)", word,
		    blank, SHOWN(second), policy_block_name(blocks),
		    parser->block_word, parser->block_place.line);
}

/*
 * A directive in the wrong block. One that begins a block, met in a block:
 * more likely a `}` is missing than that somebody wanted to nest.
 * Returns whether it can be taken after all.
 */
static bool
complain_of_block(struct policy_parser *parser, const struct policy_row *row)
{
	struct place place = parser->words[0].place;

	if (parser->block == BLOCK_INCLUDED && (row->blocks & BLOCK_TOP) != 0) {
		policy_complain(parser, place,
		    "'%s' stands in the main file: one that is included holds "
		    "only 'net' and 'service'",
		    row->word);
		return false;
	}
	if (parser->block == parser->outside || row->opens == 0 ||
	    !parser->opens) {
		complain_of_place(parser, row->word,
		    (struct text){ .bytes = "" }, row->blocks);
		return false;
	}
	policy_complain(parser, place,
	    "'%s' stands at top level: is the '}' of the '%s' in line %u "
	    "missing?",
	    row->word, parser->block_word, parser->block_place.line);
	leave_block(parser);
	return (row->blocks & parser->block) != 0;
}

/* Such as `penalty trap` in a service, which has penalties of its own. */
static bool
is_of_other_block(struct policy_parser *parser, const struct policy_row *row)
{
	uint8_t blocks;

	if (parser->count < 2)
		return false;
	blocks =
	    policy_pair_blocks(parser->words[0].text, parser->words[1].text);
	if (blocks == 0 || (blocks & parser->block) != 0)
		return false;
	complain_of_place(parser, row->word, parser->words[1].text, blocks);
	return true;
}

/* Whether the line may be given to the row that was found for it. */
static bool
is_in_place(struct policy_parser *parser, const struct policy_row *row)
{
	struct place place = parser->words[0].place;

	if (row == NULL) {
		complain_of_unknown(parser);
		return false;
	}
	if ((row->blocks & parser->block) == 0 &&
	    !complain_of_block(parser, row))
		return false;
	if (is_of_other_block(parser, row))
		return false;
	if (row->opens != 0 && !parser->opens) {
		policy_complain(parser, place,
		    "'%s' begins a block: put a '{' at the end of its line",
		    row->word);
		parser->lacks_block = true;
		return false;
	}
	if (row->opens == 0 && parser->opens) {
		policy_complain(
		    parser, parser->open_place, "'%s' has no block", row->word);
		return false;
	}
	return true;
}

static bool
has_right_count(struct policy_parser *parser, const struct policy_row *row)
{
	uint32_t arguments = parser->count - 1;

	if (arguments < row->least) {
		policy_complain(parser, parser->words[0].place,
		    "'%s' lacks a word: write '%s'", row->word, row->usage);
		return false;
	}
	if (arguments > row->most) {
		policy_complain(parser, parser->words[row->most + 1].place,
		    "one word too many: write '%s'", row->usage);
		return false;
	}
	return true;
}

/* The first directive says which language the rest is in. */
static void
check_version(struct policy_parser *parser)
{
	if (parser->has_line)
		return;
	parser->has_line = true;
	if (parser->count == 0)
		return;
	parser->first_place = parser->words[0].place;
	if (!parser->is_bad && !policy_text_is(parser->words[0].text, "policy"))
		policy_complain(parser, parser->first_place,
		    "the first directive has to be 'policy 1'");
}

static void
read_directive(struct policy_parser *parser)
{
	const struct policy_row *row =
	    policy_row_find(parser->words[0].text, parser->block);

	if (!is_in_place(parser, row)) {
		if (parser->opens)
			skip_block(parser);
		return;
	}

	struct place *first = &parser->first[policy_row_index(row)];
	struct policy_line line = { .words = parser->words,
		.count = parser->count,
		.is_first = first->line == 0 };
	bool is_twice = !line.is_first && (row->flags & ROW_REPEATS) == 0;

	if (is_twice)
		policy_complain(parser, parser->words[0].place,
		    "'%s' is given twice: the first is in line %u", row->word,
		    first->line);
	else if (line.is_first)
		*first = parser->words[0].place;
	if (row->opens != 0)
		enter_block(parser, row);
	else if (parser->service != NULL)
		parser->service->given |= UINT64_C(1) << policy_row_index(row);
	if (!parser->is_full && !is_twice && has_right_count(parser, row) &&
	    row->take != NULL)
		row->take(parser, &line);
	if (parser->block == parser->outside)
		parser->seen_at_top |= row->flags;
	else if (row->opens == 0)
		parser->seen |= row->flags;
}

static void
close_block(struct policy_parser *parser)
{
	if (parser->block == parser->outside)
		policy_complain(parser, parser->close_place,
		    "'}' closes nothing: no block is open here");
	else
		leave_block(parser);
}

/* Only braces count in what is skipped. */
static void
skip_line(struct policy_parser *parser)
{
	if (parser->opens)
		parser->skipped++;
	if (parser->closes)
		parser->skipped--;
}

/*
 * A line that could not be read: what it was about counts as said, or it
 * would be missed as well.
 */
static void
note_bad_line(struct policy_parser *parser)
{
	const struct policy_row *row = NULL;

	if (parser->count > 0)
		row = policy_row_find(parser->words[0].text, parser->block);
	if (row != NULL && parser->block == parser->outside)
		parser->seen_at_top |= row->flags;
	else if (row != NULL && (row->blocks & parser->block) != 0)
		parser->seen |= row->flags;
}

static void
take_line(struct policy_parser *parser)
{
	bool lacked_block = parser->lacks_block;

	if (parser->count > 0 || parser->opens || parser->closes)
		parser->lacks_block = false;
	if (parser->skipped > 0) {
		skip_line(parser);
		return;
	}
	if (parser->count > 0 || parser->is_bad)
		check_version(parser);
	if (parser->is_bad)
		note_bad_line(parser);
	if (parser->closes && !parser->opens) {
		close_block(parser);
	} else if (parser->is_bad) {
		if (parser->opens && !parser->closes)
			skip_block(parser);
	} else if (parser->count > 0) {
		read_directive(parser);
	} else if (parser->opens) {
		if (!lacked_block)
			policy_complain(parser, parser->open_place,
			    "'{' stands at the end of its directive's line");
		skip_block(parser);
	}
}

/* Nothing of a text goes on in the next. */
static void
finish_text(struct policy_parser *parser)
{
	if (parser->skipped > 0)
		policy_complain(parser, parser->skipped_place,
		    "this block is never closed: its '}' is missing");
	else if (parser->block != parser->outside)
		policy_complain(parser, parser->block_place,
		    "the block of '%s' is never closed: its '}' is missing",
		    parser->block_word);
	parser->skipped = 0;
	parser->lacks_block = false;
	parser->block = parser->outside;
	parser->service = NULL;
	policy_rows_forget(parser);
	parser->seen = 0;
}

void
policy_read_text(struct policy_parser *parser, uint32_t index)
{
	lex_init(&parser->lex, parser->texts[index].text, index);
	while (!parser->is_full && policy_read_line(parser))
		take_line(parser);
	if (!parser->is_full)
		finish_text(parser);
}

/* What can only be known at the end. */
static void
finish(struct policy_parser *parser)
{
	if (!parser->has_line)
		policy_complain(parser, parser->first_place,
		    "the policy is empty: it has to begin with 'policy 1'");
	else if ((parser->seen_at_top & ROW_LISTEN) == 0)
		policy_complain(parser, parser->first_place,
		    "nothing to listen on: write 'listen ADDRESS [port N]'");
	policy_finish_listeners(parser);
	policy_finish_admission(parser);
	policy_finish_nets(parser);
	policy_find_shadows(parser);
}

static bool
is_too_long(const struct policy_parser *parser)
{
	size_t bytes = 0;

	for (uint32_t i = 0; i < parser->text_count; i++) {
		if (parser->texts[i].text.length > TEXT_BYTES_MAX - bytes)
			return true;
		bytes += parser->texts[i].text.length;
	}
	return false;
}

static void
parse(struct policy_parser *parser)
{
	if (is_too_long(parser)) {
		policy_complain(parser, parser->first_place,
		    "a policy of more than %u bytes", (unsigned)TEXT_BYTES_MAX);
		return;
	}
	policy_make_arrays(parser);
	policy_read_text(parser, 0);
	if (!parser->is_full)
		finish(parser);
}

enum policy_result
policy_parse(struct policy *policy, const struct policy_text texts[],
    uint32_t count, struct arena *arena, const struct policy_report *report)
{
	struct policy_parser parser = { .policy = policy,
		.arena = arena,
		.texts = texts,
		.text_count = count,
		.next_text = 1,
		.outside = BLOCK_TOP,
		.block = BLOCK_TOP,
		.first_place = { .file = 0, .line = 1, .column = 1 } };

	*policy = (struct policy){ .listens = NULL };
	policy_set_globals(policy);
	policy_set_defaults(&parser.defaults);
	parse(&parser);
	if (parser.is_full)
		return POLICY_ARENA_FULL;
	policy_report_all(&parser, report);
	return parser.has_error ? POLICY_BAD : POLICY_OK;
}
