/*
 * Programs of random ranges, run by a small interpreter of their language,
 * against a look at each range; the longest there are; and whether the kernel
 * takes them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/socket_filter.h"
#include "ban_run.h"
#include "random.h"

#define ROUNDS 1500
#define ASKED 100 /* in each round, for each family */
#define ROOMY ((size_t)1 << 20)

static struct ban_program program; /* too large for a stack */

static uint64_t
next_random(void)
{
	static uint64_t random = 88172645463325252u;

	return random_next(&random) * UINT64_C(0x2545f4914f6cdd1d);
}

/* A number to go on from: near, far, at the bounds of the halves. */
static uint64_t
step(enum addr_family family)
{
	uint64_t random = next_random();

	switch (next_random() % 5) {
	case 0:
		return random % 3;
	case 1:
		return random % 300;
	case 2:
		return family == ADDR_V4 ? random % (UINT32_MAX / 64)
					 : random % (UINT64_MAX / 64);
	case 3:
		return family == ADDR_V4 ? 65536 : UINT64_C(1) << 32;
	default:
		return random % (family == ADDR_V4 ? 70000 : UINT64_C(3) << 32);
	}
}

/* Sorted, with gaps of at least one address, up to the end of all. */
static uint32_t
random_ranges(enum addr_family family, struct ban_range *ranges, uint32_t most)
{
	uint64_t last = family == ADDR_V4 ? UINT32_MAX : UINT64_MAX;
	uint64_t at = next_random() % 4 == 0 ? 0 : next_random() % last;
	uint32_t count = 0;

	while (count < most) {
		uint64_t length = step(family);
		uint64_t gap = step(family) + 2;

		if (next_random() % 100 == 0)
			length = last / 2 - at % 2; /* up to the very end */
		if (length > last - at)
			length = last - at;
		ranges[count].first = at;
		ranges[count++].last = at + length;
		if (gap > last - at - length)
			break;
		at += length + gap;
	}
	return count;
}

static uint64_t
asked_source(
    enum addr_family family, const struct ban_range *ranges, uint32_t count)
{
	const struct ban_range *near = &ranges[next_random() % count];
	uint64_t source = next_random();

	switch (next_random() % 4) {
	case 0:
		source = near->first - next_random() % 2;
		break;
	case 1:
		source = near->last + next_random() % 2;
		break;
	case 2:
		source = near->first + source % (near->last - near->first + 1);
		break;
	default:
		break;
	}
	return family == ADDR_V4 ? (uint32_t)source : source;
}

/* What the kernel checks before it takes a program: jumps, ends, length. */
static void
assert_taken(enum addr_family family)
{
	int fd = socket(family == ADDR_V4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
	uint32_t count;
	const struct sock_filter *code = ban_program_code(&program, &count);

	/* No such family here, no privilege, or an old kernel's small bound. */
	if (fd < 0 || !socket_filter_works() ||
	    program.kernel_bytes >= socket_filter_room()) {
		close(fd);
		return;
	}
	assert_int_equal(socket_filter_attach(fd, code, count), 0);
	close(fd);
}

static void
check_round(enum addr_family family, uint32_t most)
{
	struct ban_range ranges[BAN_RANGES_MAX];
	uint32_t count = random_ranges(family, ranges, most);

	assert_true(ban_program_make(&program, family, ranges, count, ROOMY));
	for (int i = 0; i < ASKED; i++) {
		uint64_t source = asked_source(family, ranges, count);

		if (ban_run(&program, family, source) ==
		    ban_is_in(ranges, count, source))
			fail_msg("IPv%d %llx of %u ranges is %s", family,
			    (unsigned long long)source, count,
			    ban_is_in(ranges, count, source) ? "let in"
							     : "dropped");
	}
}

static void
random_ranges_are_dropped_and_nothing_else(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t most = i % 10 == 0 ? 300 : 1 + (uint32_t)i % 20;

		check_round(ADDR_V4, most);
		check_round(ADDR_V6, most);
		if (i % 100 == 0) {
			assert_taken(ADDR_V6);
			check_round(ADDR_V4, most);
			assert_taken(ADDR_V4);
		}
	}
}

/* All of them, each as far from the others as can be. */
static void
check_full(enum addr_family family, uint64_t first, uint64_t distance)
{
	struct ban_range ranges[BAN_RANGES_MAX];
	uint32_t count;

	for (uint32_t i = 0; i < BAN_RANGES_MAX; i++)
		ranges[i].first = ranges[i].last = first + i * distance;
	assert_true(
	    ban_program_make(&program, family, ranges, BAN_RANGES_MAX, ROOMY));
	(void)ban_program_code(&program, &count);
	assert_true(count <= BAN_PROGRAM_MAX);
	for (uint32_t i = 0; i < BAN_RANGES_MAX; i++) {
		assert_false(ban_run(&program, family, ranges[i].first));
		assert_true(ban_run(&program, family, ranges[i].first - 1));
		assert_true(ban_run(&program, family, ranges[i].last + 1));
	}
	assert_taken(family);
}

static void
as_many_as_there_may_be(void **state)
{
	(void)state;
	check_full(ADDR_V4, 0x0a000001, 2);
	check_full(ADDR_V4, 0xc0000201, 1u << 20);
	check_full(ADDR_V6, UINT64_C(0x20010db800000001), 2);
	check_full(ADDR_V6, UINT64_C(0x20010db8ffff0001), 1 << 16);
	check_full(ADDR_V6, UINT64_C(0x20010db8ffff0001), UINT64_C(1) << 32);
}

static void
too_long_is_said(void **state)
{
	struct ban_range ranges[BAN_RANGES_MAX];
	uint32_t count;

	(void)state;
	/* Each with two begun upper halves and whole ones in between. */
	for (uint32_t i = 0; i < BAN_RANGES_MAX; i++) {
		ranges[i].first = ((uint64_t)i << 40) + 5;
		ranges[i].last = ((uint64_t)i << 40) + (UINT64_C(9) << 32);
	}
	assert_false(
	    ban_program_make(&program, ADDR_V6, ranges, BAN_RANGES_MAX, ROOMY));
	assert_true(ban_program_make(
	    &program, ADDR_V6, ranges, BAN_RANGES_MAX / 2, ROOMY));
	assert_taken(ADDR_V6);
	(void)ban_program_code(&program, &count);
	/* No instruction takes less than eight bytes in the kernel. */
	assert_false(ban_program_make(
	    &program, ADDR_V6, ranges, BAN_RANGES_MAX / 2, 8 * (size_t)count));
	assert_false(ban_program_make(&program, ADDR_V4, ranges, 1, 8));
}

/* No smaller program for the same: no test of an end that is there anyway. */
static void
a_range_costs_little(void **state)
{
	struct ban_range ranges[BAN_RANGES_MAX];
	uint32_t count;

	(void)state;
	for (uint32_t i = 0; i < BAN_RANGES_MAX; i++)
		ranges[i].first = ranges[i].last = 0xc0000200 + 4 * i;
	assert_true(ban_program_make(
	    &program, ADDR_V4, ranges, BAN_RANGES_MAX, 24 * 1024));
	(void)ban_program_code(&program, &count);
	assert_true(count < 1050);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_ranges_are_dropped_and_nothing_else),
		cmocka_unit_test(as_many_as_there_may_be),
		cmocka_unit_test(too_long_is_said),
		cmocka_unit_test(a_range_costs_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
