/*
 * The crowd at the door against a slow one: every answer is found by looking
 * at every member.
 */
#include "core/crowd.h"
#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SLOTS 96u
#define HOODS 40u
#define OPERATIONS 100000u

static const uint8_t hash_key[SOURCE_HASH_KEY_BYTES] = "another 16 bytes";

struct slow_member {
	bool is_in;
	uint32_t hood;
	uint64_t joined;
};

struct both {
	struct crowd crowd;
	struct slow_member slow[SLOTS];
	uint64_t weighed[HOODS]; /* when its weight last changed */
	uint32_t count, most;
	uint64_t clock;
	void *memory;
	uint64_t random;
};

static uint32_t
draw(struct both *both, uint32_t below)
{
	return (uint32_t)(random_next(&both->random) >> 20) % below;
}

static void
both_init(struct both *both, uint32_t most, uint64_t seed)
{
	*both = (struct both){ .most = most,
		.memory = malloc(crowd_bytes(SLOTS, most)),
		.random = seed };
	assert_non_null(both->memory);
	crowd_init(&both->crowd, both->memory, SLOTS, most, hash_key);
}

/* Some address of the neighbourhood: they differ in what is cut off. */
static struct addr
addr_in(struct both *both, uint32_t hood)
{
	struct addr addr = { .family = hood % 2 == 0 ? ADDR_V4 : ADDR_V6,
		.port = (uint16_t)draw(both, 65536) };

	addr.bytes[1] = (uint8_t)(hood + 1);
	if (addr.family == ADDR_V4)
		addr.bytes[3] = (uint8_t)draw(both, 256);
	else
		addr.bytes[6 + draw(both, 10)] = (uint8_t)draw(both, 256);
	return addr;
}

static uint32_t
slow_weight(const struct both *both, uint32_t hood)
{
	uint32_t weight = 0;

	for (uint32_t i = 0; i < SLOTS; i++)
		weight += both->slow[i].is_in && both->slow[i].hood == hood;
	return weight;
}

/* The heaviest; among equals the one that has been so the longest. */
static uint32_t
slow_heaviest(const struct both *both)
{
	uint32_t heaviest = HOODS;
	uint32_t most = 0;

	for (uint32_t hood = 0; hood < HOODS; hood++) {
		uint32_t weight = slow_weight(both, hood);

		if (weight > most ||
		    (heaviest != HOODS && weight == most &&
			both->weighed[hood] < both->weighed[heaviest])) {
			most = weight;
			heaviest = hood;
		}
	}
	return heaviest;
}

static uint32_t
slow_heaviest_eldest(const struct both *both)
{
	uint32_t hood = slow_heaviest(both);
	uint32_t eldest = CROWD_NONE;

	for (uint32_t i = 0; i < SLOTS; i++) {
		const struct slow_member *member = &both->slow[i];

		if (!member->is_in || member->hood != hood)
			continue;
		if (eldest == CROWD_NONE ||
		    member->joined < both->slow[eldest].joined)
			eldest = i;
	}
	return eldest;
}

static void
leave(struct both *both, uint32_t slot)
{
	struct slow_member *member = &both->slow[slot];

	crowd_leave(&both->crowd, slot);
	member->is_in = false;
	both->weighed[member->hood] = ++both->clock;
	both->count--;
}

/* A full house makes room as the daemon does. */
static void
join(struct both *both, uint32_t slot, uint32_t hood)
{
	struct addr addr = addr_in(both, hood);

	if (both->count == both->most) {
		uint32_t evicted = crowd_heaviest_eldest(&both->crowd);

		assert_int_equal(evicted, slow_heaviest_eldest(both));
		leave(both, evicted);
	}
	crowd_join(&both->crowd, slot, &addr);
	both->slow[slot] = (struct slow_member){
		.is_in = true, .hood = hood, .joined = ++both->clock
	};
	both->weighed[hood] = ++both->clock;
	both->count++;
}

static void
assert_same(const struct both *both)
{
	assert_int_equal(both->crowd.count, both->count);
	assert_int_equal(
	    crowd_heaviest_eldest(&both->crowd), slow_heaviest_eldest(both));
}

/* Now a few neighbourhoods crowd, now all are about equally many. */
static void
step(struct both *both, uint32_t operation)
{
	bool is_rising = operation / 700 % 2 == 0;
	uint32_t hoods = operation / 3000 % 2 == 0 ? HOODS : 3;
	uint32_t slot = draw(both, SLOTS);

	if (both->slow[slot].is_in) {
		if (draw(both, 4) < (is_rising ? 1u : 3u))
			leave(both, slot);
	} else if (draw(both, 4) < (is_rising ? 3u : 1u)) {
		join(both, slot, draw(both, hoods));
	}
	assert_same(both);
}

static void
compare_run(uint32_t most, uint64_t seed)
{
	struct both both;

	both_init(&both, most, seed);
	assert_same(&both);
	for (uint32_t i = 0; i < OPERATIONS; i++)
		step(&both, i);
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		if (both.slow[slot].is_in) {
			leave(&both, slot);
			assert_same(&both);
		}
	assert_int_equal(both.count, 0);
	free(both.memory);
}

static void
same_as_slow(void **state)
{
	(void)state;
	compare_run(32, 0x1234567u);
}

static void
same_as_slow_when_never_full(void **state)
{
	(void)state;
	compare_run(SLOTS, 0x89abcdefu);
}

static void
same_as_slow_with_room_for_one(void **state)
{
	(void)state;
	compare_run(1, 0x13579bdu);
}

static struct addr
parsed(const char *text)
{
	struct addr addr;

	assert_true(addr_parse(&addr, text, strlen(text)));
	return addr;
}

/* Twelve of one /24 and one each of others: the eldest of the twelve goes. */
static void
a_neighbourhood_pays_for_itself(void **state)
{
	static const char *const texts[] = { "198.51.100.1", "192.0.2.1",
		"192.0.2.77", "203.0.113.9", "192.0.2.254", "2001:db8::1" };
	struct both both;

	(void)state;
	both_init(&both, 6, 1);
	for (uint32_t i = 0; i < 6; i++) {
		struct addr addr = parsed(texts[i]);

		crowd_join(&both.crowd, i, &addr);
	}
	assert_int_equal(crowd_heaviest_eldest(&both.crowd), 1);
	crowd_leave(&both.crowd, 1);
	assert_int_equal(crowd_heaviest_eldest(&both.crowd), 2);
	crowd_leave(&both.crowd, 2);
	/* All weigh one now: whoever has weighed that the longest. */
	assert_int_equal(crowd_heaviest_eldest(&both.crowd), 0);
	free(both.memory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_as_slow),
		cmocka_unit_test(same_as_slow_when_never_full),
		cmocka_unit_test(same_as_slow_with_room_for_one),
		cmocka_unit_test(a_neighbourhood_pays_for_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
