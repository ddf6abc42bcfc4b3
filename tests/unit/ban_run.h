#ifndef TESTS_BAN_RUN_H
#define TESTS_BAN_RUN_H

/*
 * Programs of core/ban_program, run by a small interpreter of their language.
 * Tests and fuzz/ban.c include it; assert_true is cmocka's, or theirs.
 */
#include "core/ban_program.h"

/* The network header as the program finds it: big-endian, this source. */
static inline uint32_t
ban_load(enum addr_family family, uint64_t source, uint32_t offset)
{
	uint32_t at = offset - (uint32_t)SKF_NET_OFF;

	if (family == ADDR_V4 && at == 12)
		return (uint32_t)source;
	if (family == ADDR_V6 && at == 8)
		return (uint32_t)(source >> 32);
	assert_true(family == ADDR_V6 && at == 12);
	return (uint32_t)source;
}

static inline bool
ban_holds(uint16_t code, uint32_t accumulator, uint32_t k)
{
	if (BPF_OP(code) == BPF_JGE)
		return accumulator >= k;
	assert_true(BPF_OP(code) == BPF_JGT);
	return accumulator > k;
}

/* Whether a packet of this source is let through, whole. */
static inline bool
ban_run(
    const struct ban_program *program, enum addr_family family, uint64_t source)
{
	uint32_t count, accumulator = 0, index = 0;
	const struct sock_filter *code = ban_program_code(program, &count);

	for (uint32_t at = 0;; at++) {
		const struct sock_filter *here = &code[at];

		assert_true(at < count);

		switch (here->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			accumulator = ban_load(family, source, here->k);
			break;
		case BPF_MISC | BPF_TAX:
			index = accumulator;
			break;
		case BPF_MISC | BPF_TXA:
			accumulator = index;
			break;
		case BPF_RET | BPF_K:
			assert_true(here->k == 0 || here->k == UINT32_MAX);
			return here->k != 0;
		case BPF_JMP | BPF_JA:
			at += here->k;
			break;
		default:
			assert_true(BPF_CLASS(here->code) == BPF_JMP &&
			    BPF_SRC(here->code) == BPF_K);
			at += ban_holds(here->code, accumulator, here->k)
			    ? here->jt
			    : here->jf;
			break;
		}
	}
}

static inline bool
ban_is_in(const struct ban_range *ranges, uint32_t count, uint64_t source)
{
	for (uint32_t i = 0; i < count; i++)
		if (ranges[i].first <= source && source <= ranges[i].last)
			return true;
	return false;
}

#endif
