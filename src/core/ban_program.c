/*
 * Ranges of addresses into a classic BPF program, by binary search.
 * Trusts its caller that the ranges are sorted and do not overlap.
 * Never writes a jump that it has not seen the target of.
 */
#include "core/ban_program.h"

#include <assert.h>

/* Offsets in the network headers (RFC 791, RFC 8200). */
enum {
	SOURCE_V4 = 12,
	SOURCE_V6 = 8,
};

#define LET_IN 0u
#define DROP 1u
#define ANSWER(which) (BAN_PROGRAM_MAX + (which)) /* a target, wherever */
#define JUMP_MAX 255u /* jt and jf have eight bits */

/* A return's value is how many bytes of the packet are kept. */
static const uint32_t answer_values[] = { [LET_IN] = UINT32_MAX, [DROP] = 0 };

/*
 * Words of eight bytes that an instruction becomes in the kernel (Linux 6.18,
 * bpf_convert_filter in net/core/filter.c); fewer on no kernel from 6.1 on.
 */
static size_t
kernel_words(const struct sock_filter *instruction)
{
	switch (BPF_CLASS(instruction->code)) {
	case BPF_LD:
		return 8;
	case BPF_RET:
		return 2;
	case BPF_JMP:
		if (BPF_OP(instruction->code) == BPF_JA)
			return 1;
		return 1u + (instruction->k > INT32_MAX) +
		    (instruction->jt > 0 && instruction->jf > 0);
	default:
		return 1;
	}
}

/* Before what is there already; where that is. */
static uint32_t
put(struct ban_program *program, struct sock_filter instruction)
{
	program->kernel_bytes += 8 * kernel_words(&instruction);
	if (program->first == 0) {
		program->is_full = true;
		return 0;
	}
	program->code[--program->first] = instruction;
	return program->first;
}

static uint32_t
put_plain(struct ban_program *program, uint16_t code, uint32_t k)
{
	return put(program, (struct sock_filter){ .code = code, .k = k });
}

/*
 * A place to the same effect as target that a jump can reach, even one that
 * is put `behind` instructions from now.
 */
static uint32_t
reach(struct ban_program *program, uint32_t target, uint32_t behind)
{
	uint32_t which = target - BAN_PROGRAM_MAX;
	bool is_answer = target >= BAN_PROGRAM_MAX;

	if (is_answer)
		target = program->answers[which];
	if (target < BAN_PROGRAM_MAX &&
	    target - program->first + behind <= JUMP_MAX)
		return target;
	if (!is_answer)
		return put_plain(
		    program, BPF_JMP | BPF_JA, target - program->first);
	program->answers[which] =
	    put_plain(program, BPF_RET | BPF_K, answer_values[which]);
	return program->answers[which];
}

/* Compares the accumulator with k; where it goes on if so, and if not. */
static uint32_t
put_jump(struct ban_program *program, uint16_t comparison, uint32_t k,
    uint32_t yes, uint32_t no)
{
	/* To reach `no` may take an instruction in between. */
	uint32_t yes_at = reach(program, yes, 1);
	uint32_t no_at = reach(program, no, 0);

	return put(program,
	    (struct sock_filter){ .code = BPF_JMP | BPF_K | comparison,
		.jt = (uint8_t)(yes_at - program->first),
		.jf = (uint8_t)(no_at - program->first),
		.k = k });
}

/* The lower half, known not to be below the first of these pieces. */
static uint32_t
/* NOLINTNEXTLINE(misc-no-recursion): it halves what it searches */
put_low_search(struct ban_program *program, uint32_t begin, uint32_t end)
{
	const struct ban_piece *pieces = program->pieces;
	uint32_t middle = begin + (end - begin) / 2;
	uint32_t above, below;

	if (end - begin == 1)
		return put_jump(program, BPF_JGT, pieces[begin].low_last,
		    ANSWER(LET_IN), ANSWER(DROP));
	above = put_low_search(program, middle, end);
	below = put_low_search(program, begin, middle);
	return put_jump(
	    program, BPF_JGE, pieces[middle].low_first, above, below);
}

static uint32_t
put_low(struct ban_program *program, uint32_t begin, uint32_t end)
{
	return put_jump(program, BPF_JGE, program->pieces[begin].low_first,
	    put_low_search(program, begin, end), ANSWER(LET_IN));
}

/* Pieces with one upper half; or one with many, and with all lower halves. */
static uint32_t
put_group(struct ban_program *program, uint32_t begin, uint32_t end)
{
	const struct ban_piece *piece = &program->pieces[begin];
	uint32_t inside = ANSWER(DROP);

	if (piece->low_first != 0 || piece->low_last != UINT32_MAX) {
		(void)put_low(program, begin, end);
		inside = put_plain(program, BPF_MISC | BPF_TXA, 0);
	}
	return put_jump(
	    program, BPF_JGT, piece->high_last, ANSWER(LET_IN), inside);
}

/* Where a group begins, as near to the middle as may be; or begin: one group */
static uint32_t
middle_group(const struct ban_piece *pieces, uint32_t begin, uint32_t end)
{
	uint32_t middle = begin + (end - begin) / 2;
	uint32_t first = middle;

	while (first > begin &&
	    pieces[first - 1].high_first == pieces[middle].high_first)
		first--;
	if (first > begin)
		return first;
	while (middle < end &&
	    pieces[middle].high_first == pieces[begin].high_first)
		middle++;
	return middle < end ? middle : begin;
}

static uint32_t
/* NOLINTNEXTLINE(misc-no-recursion): two steps of it halve */
put_high_search(struct ban_program *program, uint32_t begin, uint32_t end)
{
	const struct ban_piece *pieces = program->pieces;
	uint32_t middle = middle_group(pieces, begin, end);
	uint32_t above, below;

	if (middle == begin)
		return put_group(program, begin, end);
	above = put_high_search(program, middle, end);
	below = put_high_search(program, begin, middle);
	return put_jump(
	    program, BPF_JGE, pieces[middle].high_first, above, below);
}

static uint32_t
add_piece(
    struct ban_program *program, uint32_t count, uint64_t first, uint64_t last)
{
	program->pieces[count] = (struct ban_piece){
		.high_first = (uint32_t)(first >> 32),
		.high_last = (uint32_t)(last >> 32),
		.low_first = (uint32_t)first,
		.low_last = (uint32_t)last,
	};
	return count + 1;
}

/* A begun upper half, whole ones, and a begun one: each may be missing. */
static uint32_t
add_pieces(struct ban_program *program, uint32_t count, struct ban_range range)
{
	uint64_t whole = range.last | UINT32_MAX; /* the last of its upper */

	if (range.first >> 32 == range.last >> 32)
		return add_piece(program, count, range.first, range.last);
	if ((uint32_t)range.first != 0) {
		uint64_t end = range.first | UINT32_MAX;

		count = add_piece(program, count, range.first, end);
		range.first = end + 1;
	}
	if (range.last != whole)
		whole = (range.last & ~(uint64_t)UINT32_MAX) - 1;
	if (range.first <= whole)
		count = add_piece(program, count, range.first, whole);
	if (range.last > whole)
		count = add_piece(program, count, whole + 1, range.last);
	return count;
}

static void
put_load(struct ban_program *program, uint32_t offset)
{
	put_plain(
	    program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + offset);
}

bool
ban_program_make(struct ban_program *program, enum addr_family family,
    const struct ban_range *ranges, uint32_t count, size_t limit_bytes)
{
	uint32_t pieces = 0;
	uint32_t search;

	assert(count > 0 && count <= BAN_RANGES_MAX);
	program->first = BAN_PROGRAM_MAX;
	program->answers[LET_IN] = program->answers[DROP] = BAN_PROGRAM_MAX;
	program->kernel_bytes = 256; /* its head, and how it begins */
	program->is_full = false;
	for (uint32_t i = 0; i < count; i++)
		pieces = add_pieces(program, pieces, ranges[i]);
	if (family == ADDR_V4) {
		(void)put_low(program, 0, pieces);
		put_load(program, SOURCE_V4);
	} else {
		search = put_high_search(program, 0, pieces);
		(void)put_jump(program, BPF_JGE, program->pieces[0].high_first,
		    search, ANSWER(LET_IN));
		put_load(program, SOURCE_V6);
		put_plain(program, BPF_MISC | BPF_TAX, 0);
		put_load(program, SOURCE_V6 + 4);
	}
	return !program->is_full && program->kernel_bytes <= limit_bytes;
}

const struct sock_filter *
ban_program_code(const struct ban_program *program, uint32_t *count)
{
	*count = BAN_PROGRAM_MAX - program->first;
	return &program->code[program->first];
}
