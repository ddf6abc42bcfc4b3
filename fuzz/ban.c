/*
 * Fuzzes whom the kernel is told to drop: a policy's exempt rules, then a
 * script of sources that are shut out, connected, and let in again by time.
 * Whatever it is, an address is in a range of the choice only if its source
 * is shut out for long enough and nobody exempt has it; and the program drops
 * what is in the ranges, and nothing else.
 */
#include "core/ban.h"

#include <stdlib.h>
#include <string.h>

#include "core/acl.h"
#include "world/policy.h"

#define assert_true(claim) \
	do { \
		if (!(claim)) \
			abort(); \
	} while (0)

#include "../tests/unit/ban_run.h"

#define RECORDS 512u
#define LOOKS_MAX 8u /* of one input: each takes its time */
#define MAX_MS 600000u
#define NOW_MS 1000000

/* All that a step of the script can change. */
struct state {
	struct image image;
	struct source_table table;
	int64_t now_ms;
	uint64_t at[2]; /* the last source of each family */
	unsigned looks;
};

static struct bans bans;
static struct ban_choice choice;
static struct ban_program program;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static struct addr
addr_of(enum addr_family family, uint64_t number, uint8_t low)
{
	struct addr addr = { .family = (uint8_t)family };

	for (int i = family == ADDR_V4 ? 3 : 7; i >= 0; i--) {
		addr.bytes[i] = (uint8_t)number;
		number >>= 8;
	}
	if (family == ADDR_V6)
		memset(addr.bytes + 8, low, 8);
	return addr;
}

static struct source_key
key_of(const struct state *state, const struct addr *addr)
{
	const struct image_global *global = image_global(&state->image);

	return source_key(addr, global->count_by_v4, global->count_by_v6, 0);
}

/* Is it right to drop it? */
static bool
is_due(const struct state *state, enum addr_family family, uint64_t number)
{
	const struct image_global *global = image_global(&state->image);
	const uint8_t lows[] = { 0, 0xff };
	bool is_due = true;

	for (size_t i = 0; i < sizeof(lows); i++) {
		const struct addr addr = addr_of(family, number, lows[i]);
		const struct source_key key = key_of(state, &addr);
		uint32_t record = source_find(&state->table, &key);

		is_due = is_due && record != SOURCE_NONE &&
		    source_penalty_left_ms(&state->table, record,
			state->now_ms) > global->penalty_threshold_ms &&
		    acl_decide(&state->image, global->exempt, &addr).rule ==
			ACL_NO_RULE &&
		    !addr_is_link_local(&addr);
	}
	return is_due;
}

static void
check_address(
    const struct state *state, enum addr_family family, uint64_t number)
{
	bool is_in = ban_is_in(choice.ranges, choice.count, number);

	if (family == ADDR_V4 && number > UINT32_MAX)
		return;
	assert_true(!is_in || is_due(state, family, number));
	if (program.first != 0)
		assert_true(ban_run(&program, family, number) != is_in);
}

/* The program, where it may be as long as that in the kernel. */
static void
check_program(enum addr_family family, size_t limit_bytes)
{
	program.first = 0;
	if (choice.count > 0 &&
	    !ban_program_make(
		&program, family, choice.ranges, choice.count, limit_bytes))
		program.first = 0;
}

static void
look(struct state *state, enum addr_family family, uint32_t most,
    size_t limit_bytes)
{
	const struct image_global *global = image_global(&state->image);

	if (state->looks++ >= LOOKS_MAX)
		return;
	bans_tidy(
	    &bans, &state->table, global->penalty_threshold_ms, state->now_ms);
	bans_choose(&bans, &state->table, &state->image, family, most, &choice);
	assert_true(choice.count <= most);
	check_program(family, limit_bytes);
	for (uint32_t i = 0; i < choice.count; i++) {
		const struct ban_range *range = &choice.ranges[i];

		assert_true(range->first <= range->last);
		assert_true(i == 0 || range[-1].last < range->first - 1);
		check_address(state, family, range->first - 1);
		check_address(state, family, range->first);
		check_address(
		    state, family, range->first / 2 + range->last / 2);
		check_address(state, family, range->last);
		check_address(state, family, range->last + 1);
	}
}

/* The next source, as far from the last one as the script says. */
static struct source_key
next_source(struct state *state, const uint8_t step[4])
{
	const enum addr_family family = (step[0] & 1) != 0 ? ADDR_V6 : ADDR_V4;
	uint64_t *at = &state->at[step[0] & 1];
	uint64_t distance = step[1] | (uint64_t)step[2] << 8;
	struct addr addr;

	*at += distance << (step[0] >> 1 & 3) * (family == ADDR_V4 ? 8 : 16);
	if (family == ADDR_V4)
		*at = (uint32_t)*at;
	addr = addr_of(family, *at, 0);
	return key_of(state, &addr);
}

/* None is longer than the table was made for. */
static uint32_t
penalty_of(uint8_t step)
{
	const uint32_t penalty_ms = 5000u * step;

	return penalty_ms < MAX_MS ? penalty_ms : MAX_MS;
}

/* Four bytes: what happens, and to whom or how much. */
static void
play(struct state *state, const uint8_t step[4])
{
	struct source_key key;
	uint32_t record;

	switch (step[0] >> 3 & 3) {
	case 0:
	case 1:
		key = next_source(state, step);
		record = source_take(&state->table, &key, state->now_ms);
		if (record == SOURCE_NONE)
			break;
		source_penalise(&state->table, record,
		    state->now_ms + penalty_of(step[3]), state->now_ms);
		if ((step[0] & 0x20) != 0)
			source_add(&state->table, record, SOURCE_RUNNING);
		(void)bans_add(&bans, &state->table, record);
		break;
	case 2:
		state->now_ms += (int64_t)100 * (step[1] | step[2] << 8);
		break;
	case 3:
		look(state, (step[0] & 1) != 0 ? ADDR_V6 : ADDR_V4,
		    (step[1] | (step[2] & 1U) << 8) % (BAN_RANGES_MAX + 1),
		    128U << step[3] % 16);
		break;
	}
}

static void
begin(struct state *state)
{
	static _Alignas(8) uint8_t memory[1u << 20];
	static const uint8_t hash_key[SOURCE_HASH_KEY_BYTES] = "no secret";

	assert_true(source_table_bytes(RECORDS) <= sizeof(memory));
	source_table_init(&state->table, memory, RECORDS, MAX_MS, hash_key);
	state->now_ms = NOW_MS;
	memset(state->at, 0, sizeof(state->at));
	state->looks = 0;
	memset(&bans, 0, sizeof(bans));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	const uint8_t *end = length == 0 ? NULL : memchr(bytes, '\f', length);
	size_t text = end == NULL ? 0 : (size_t)(end - bytes);
	size_t size = 0;
	void *own = policy_image((const char *)bytes, text, &size);
	const void *image = own != NULL ? own : policy_small(&size);
	struct state state;

	if (image_init(&state.image, image, size) != IMAGE_OK)
		abort();
	begin(&state);
	for (size_t i = end == NULL ? 0 : text + 1; i + 4 <= length; i += 4)
		play(&state, bytes + i);
	look(&state, ADDR_V4, BAN_RANGES_MAX, (size_t)1 << 20);
	look(&state, ADDR_V6, BAN_RANGES_MAX, (size_t)1 << 20);
	free(own);
	return 0;
}
