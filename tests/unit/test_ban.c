/*
 * Whom the kernel may drop: random sources, penalties and exempt sets against
 * a look at each address; who is remembered, who is worst, and until when.
 */
#include "core/ban.h"

#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/acl.h"
#include "random.h"
#include "small_image.h"

#define RECORDS 10000u
#define MAX_MS 600000u
#define THRESHOLD_MS 15000u
#define NOW_MS 1000000

struct fixture {
	struct build build;
	struct image image;
	void *block;
	struct source_table table;
	void *memory;
	struct bans *bans;
	struct ban_choice choice;
};

static void
fixture_init(struct fixture *f, unsigned v4_bits, unsigned v6_bits)
{
	static const uint8_t hash_key[SOURCE_HASH_KEY_BYTES] = "a third secret";

	memset(f, 0, sizeof(*f));
	build_init(&f->build);
	small_global(&f->build);
	f->build.global.count_by_v4 = (uint8_t)v4_bits;
	f->build.global.count_by_v6 = (uint8_t)v6_bits;
	f->memory = malloc(source_table_bytes(RECORDS));
	f->bans = calloc(1, sizeof(*f->bans));
	assert_non_null(f->memory);
	assert_non_null(f->bans);
	source_table_init(&f->table, f->memory, RECORDS, MAX_MS, hash_key);
}

/* What was added to its sets since the last is exempt. */
static void
fixture_exempt(struct fixture *f)
{
	sets_end(&f->build);
	small_rule(&f->build, true, f->build.global.exempt.count);
	f->build.global.exempt.count++;
}

static void
fixture_ready(struct fixture *f)
{
	size_t size;

	small_names(&f->build, NULL, NULL, 0);
	f->block = build_block(&f->build, &size);
	assert_int_equal(image_init(&f->image, f->block, size), IMAGE_OK);
}

static void
fixture_finish(struct fixture *f)
{
	build_finish(&f->build);
	free(f->block);
	free(f->memory);
	free(f->bans);
}

static uint32_t
take(struct fixture *f, const struct addr *addr)
{
	struct source_key key = source_key(
	    addr, f->build.global.count_by_v4, f->build.global.count_by_v6, 0);

	return source_take(&f->table, &key, NOW_MS);
}

/* Shuts the address's source out for so long, and notes that it came. */
static uint32_t
ban_addr(struct fixture *f, const struct addr *addr, uint32_t for_ms)
{
	uint32_t record = take(f, addr);

	source_penalise(
	    &f->table, record, NOW_MS + THRESHOLD_MS + for_ms, NOW_MS);
	(void)bans_add(f->bans, &f->table, record);
	return record;
}

static uint32_t
ban(struct fixture *f, const char *text, uint32_t for_ms)
{
	struct addr addr = small_addr(text);

	return ban_addr(f, &addr, for_ms);
}

static void
choose_at(
    struct fixture *f, enum addr_family family, uint32_t most, int64_t now_ms)
{
	bans_tidy(f->bans, &f->table, THRESHOLD_MS, now_ms);
	bans_choose(f->bans, &f->table, &f->image, family, most, &f->choice);
}

static void
choose(struct fixture *f, enum addr_family family, uint32_t most)
{
	choose_at(f, family, most, NOW_MS);
}

static uint64_t
number_of(const struct addr *addr)
{
	uint64_t number = 0;

	if (addr->family == ADDR_V4)
		return addr_v4(addr);
	for (int i = 0; i < 8; i++)
		number = number << 8 | addr->bytes[i];
	return number;
}

static bool
is_dropped_addr(const struct fixture *f, const struct addr *addr)
{
	uint64_t number = number_of(addr);

	for (uint32_t i = 0; i < f->choice.count; i++)
		if (f->choice.ranges[i].first <= number &&
		    number <= f->choice.ranges[i].last)
			return true;
	return false;
}

static bool
is_dropped(const struct fixture *f, const char *text)
{
	struct addr addr = small_addr(text);

	return is_dropped_addr(f, &addr);
}

static void
neighbours_share_a_range(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 24, 64);
	fixture_ready(&f);
	ban(&f, "192.0.2.1", 5000);
	ban(&f, "192.0.4.1", 3000);
	ban(&f, "192.0.3.1", 4000);
	ban(&f, "192.0.6.1", 6000);
	ban(&f, "2001:db8::1", 1000);
	choose(&f, ADDR_V4, BAN_RANGES_MAX);
	assert_int_equal(f.choice.count, 2);
	assert_int_equal(f.choice.sources, 4);
	assert_int_equal(f.choice.end_ms, NOW_MS + 3000);
	assert_int_equal(f.choice.ranges[0].first, 0xc0000200);
	assert_int_equal(f.choice.ranges[0].last, 0xc00004ff);
	assert_int_equal(f.choice.ranges[1].first, 0xc0000600);
	assert_int_equal(f.choice.ranges[1].last, 0xc00006ff);
	choose(&f, ADDR_V6, BAN_RANGES_MAX);
	assert_int_equal(f.choice.count, 1);
	assert_true(f.choice.ranges[0].first == UINT64_C(0x20010db800000000));
	assert_true(f.choice.ranges[0].last == f.choice.ranges[0].first);
	fixture_finish(&f);
}

/* 8,000 /64s of one /48, in an order of their own. */
static void
a_whole_48_is_one_range(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 32, 64);
	fixture_ready(&f);
	for (uint32_t i = 0; i < 8000; i++) {
		struct addr addr = small_addr("2001:db8:7::1");
		uint32_t number = i * 4999 % 8000;

		addr.bytes[6] = (uint8_t)(number >> 8);
		addr.bytes[7] = (uint8_t)number;
		ban_addr(&f, &addr, 1000 + number);
	}
	choose(&f, ADDR_V6, 1);
	assert_int_equal(f.choice.count, 1);
	assert_int_equal(f.choice.sources, 8000);
	assert_int_equal(f.choice.end_ms, NOW_MS + 1000);
	assert_true(is_dropped(&f, "2001:db8:7:1f3f::"));
	assert_false(is_dropped(&f, "2001:db8:7:1f40::"));
	fixture_finish(&f);
}

/* If not all have room, who is shut out for longest is dropped. */
static void
the_worst_come_first(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 32, 64);
	fixture_ready(&f);
	for (uint32_t i = 0; i < 1000; i++) {
		struct addr addr = small_addr("10.0.0.0");

		addr.bytes[2] = (uint8_t)(i * 2 >> 8);
		addr.bytes[3] = (uint8_t)(i * 2);
		ban_addr(&f, &addr, 1 + i * 7919 % 1000);
	}
	choose(&f, ADDR_V4, 123);
	assert_int_equal(f.choice.count, 123);
	assert_int_equal(f.choice.sources, 123);
	assert_int_equal(f.choice.end_ms, NOW_MS + 1000 - 123 + 1);
	choose(&f, ADDR_V4, BAN_RANGES_MAX);
	assert_int_equal(f.choice.count, BAN_RANGES_MAX);
	choose(&f, ADDR_V4, 0);
	assert_int_equal(f.choice.count, 0);
	fixture_finish(&f);
}

/* Many that end at the same time: as many as fit, not none of them. */
static void
equals_do_not_keep_each_other_out(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 32, 64);
	fixture_ready(&f);
	for (uint32_t i = 0; i < 1000; i++) {
		struct addr addr = small_addr("10.0.0.0");

		addr.bytes[2] = (uint8_t)(i * 2 >> 8);
		addr.bytes[3] = (uint8_t)(i * 2);
		ban_addr(&f, &addr, 5000);
	}
	choose(&f, ADDR_V4, 200);
	assert_int_equal(f.choice.count, 200);
	fixture_finish(&f);
}

static void
who_may_come_again_is_forgotten(void **state)
{
	struct fixture f;
	uint32_t first, second;

	(void)state;
	fixture_init(&f, 32, 64);
	fixture_ready(&f);
	first = ban(&f, "192.0.2.1", 1000);
	second = ban(&f, "192.0.2.3", 2000);
	assert_false(bans_add(f.bans, &f.table, first));
	assert_false(bans_add(f.bans, &f.table, second));
	choose_at(&f, ADDR_V4, BAN_RANGES_MAX, NOW_MS + 999);
	assert_int_equal(f.choice.sources, 2);
	choose_at(&f, ADDR_V4, BAN_RANGES_MAX, NOW_MS + 1000);
	assert_int_equal(f.choice.sources, 1);
	assert_false(is_dropped(&f, "192.0.2.1"));
	assert_true(is_dropped(&f, "192.0.2.3"));
	assert_false(bans_add(f.bans, &f.table, second));
	assert_true(bans_add(f.bans, &f.table, first));
	/* What was taken back counts at once. */
	source_penalise(&f.table, second, NOW_MS + THRESHOLD_MS, NOW_MS);
	choose(&f, ADDR_V4, BAN_RANGES_MAX);
	assert_int_equal(f.choice.sources, 1);
	assert_true(is_dropped(&f, "192.0.2.1"));
	bans_clear(f.bans);
	choose(&f, ADDR_V4, BAN_RANGES_MAX);
	assert_int_equal(f.choice.count, 0);
	fixture_finish(&f);
}

/* Its record was given to another source, which did nothing. */
static void
a_record_of_another_is_not_taken_for_it(void **state)
{
	struct fixture f;
	uint32_t record;

	(void)state;
	fixture_init(&f, 32, 64);
	fixture_ready(&f);
	record = ban(&f, "192.0.2.1", 1000);
	f.table.records[record].round++;
	choose(&f, ADDR_V4, BAN_RANGES_MAX);
	assert_int_equal(f.choice.count, 0);
	fixture_finish(&f);
}

/* Who came last is remembered, and nobody twice. */
static void
too_many_to_remember(void **state)
{
	struct fixture f;
	uint32_t all = BANS_MAX + 1000;

	(void)state;
	fixture_init(&f, 32, 64);
	fixture_ready(&f);
	/* All but one with a session: a table keeps few that have none. */
	for (uint32_t round = 0; round < 3; round++)
		for (uint32_t i = 0; i < all; i++) {
			struct addr addr = small_addr("10.0.0.0");

			addr.bytes[2] = (uint8_t)(i >> 8);
			addr.bytes[3] = (uint8_t)i;
			uint32_t record = ban_addr(&f, &addr, 5000);

			if (round == 0)
				source_add(&f.table, record, SOURCE_RUNNING);
		}
	choose(&f, ADDR_V4, BAN_RANGES_MAX);
	assert_int_equal(f.choice.sources, BANS_MAX);
	assert_true(is_dropped(&f, "10.0.35.231")); /* the last, 9191 */
	fixture_finish(&f);
}

static void
the_exempt_are_cut_out(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 24, 48);
	small_add(&f.build, "192.0.2.5");
	small_add(&f.build, "2001:db8:0:7::1");
	fixture_exempt(&f);
	small_add(&f.build, "192.0.2.6");
	small_add(&f.build, "192.0.2.255");
	small_add(&f.build, "192.0.4.0/23");
	small_add(&f.build, "2001:db8:0:ffff::/64");
	fixture_exempt(&f);
	fixture_ready(&f);
	ban(&f, "192.0.2.1", 1000);
	choose(&f, ADDR_V4, BAN_RANGES_MAX);
	assert_int_equal(f.choice.count, 2);
	assert_true(is_dropped(&f, "192.0.2.0"));
	assert_true(is_dropped(&f, "192.0.2.4"));
	assert_false(is_dropped(&f, "192.0.2.5"));
	assert_false(is_dropped(&f, "192.0.2.6"));
	assert_true(is_dropped(&f, "192.0.2.7"));
	assert_true(is_dropped(&f, "192.0.2.254"));
	assert_false(is_dropped(&f, "192.0.2.255"));
	/* What has no room is let in, not the other way round. */
	choose(&f, ADDR_V4, 1);
	assert_int_equal(f.choice.count, 1);
	assert_false(is_dropped(&f, "192.0.2.7"));
	bans_clear(f.bans);
	ban(&f, "192.0.4.1", 1000);
	choose(&f, ADDR_V4, BAN_RANGES_MAX);
	assert_int_equal(f.choice.count, 0);
	assert_int_equal(f.choice.sources, 0);
	ban(&f, "2001:db8::1", 1000);
	choose(&f, ADDR_V6, BAN_RANGES_MAX);
	assert_int_equal(f.choice.count, 2);
	assert_true(is_dropped(&f, "2001:db8:0:6:ffff::"));
	assert_false(is_dropped(&f, "2001:db8:0:7::"));
	assert_true(is_dropped(&f, "2001:db8:0:8::"));
	assert_false(is_dropped(&f, "2001:db8:0:ffff::"));
	fixture_finish(&f);
}

static void
everybody_exempt(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 32, 64);
	small_rule(&f.build, true, UINT32_MAX);
	f.build.global.exempt.count = 1;
	fixture_ready(&f);
	ban(&f, "192.0.2.1", 1000);
	choose(&f, ADDR_V4, BAN_RANGES_MAX);
	assert_int_equal(f.choice.count, 0);
	fixture_finish(&f);
}

/* Their address is another's on another link, or not told from others'. */
static void
who_cannot_be_dropped_alone(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 32, 64);
	fixture_ready(&f);
	ban(&f, "fe80::1", 1000);
	ban(&f, "febf:ffff:ffff:ffff::1", 1000);
	choose(&f, ADDR_V6, BAN_RANGES_MAX);
	assert_int_equal(f.choice.count, 0);
	ban(&f, "fe7f:ffff:ffff:ffff::1", 1000);
	ban(&f, "fec0::1", 1000);
	choose(&f, ADDR_V6, BAN_RANGES_MAX);
	assert_int_equal(f.choice.count, 2);
	fixture_finish(&f);
	fixture_init(&f, 32, 128);
	fixture_ready(&f);
	ban(&f, "fec0::1", 1000);
	choose(&f, ADDR_V6, BAN_RANGES_MAX);
	assert_int_equal(f.choice.count, 0);
	fixture_finish(&f);
}

static uint32_t
next_random(void)
{
	static uint64_t random = 88172645463325252u;

	return (uint32_t)(random_next(&random) >> 16);
}

/* Few bits vary, so that sources meet and touch. */
static struct addr
random_addr(enum addr_family family)
{
	struct addr addr = { .family = (uint8_t)family };
	unsigned last = family == ADDR_V4 ? 3 : 7;

	addr.bytes[0] = next_random() % 2 ? 0 : 255;
	addr.bytes[last - 1] = (uint8_t)(next_random() % 4);
	addr.bytes[last] = (uint8_t)next_random();
	if (family == ADDR_V6)
		addr.bytes[15] = (uint8_t)(next_random() % 2);
	return addr;
}

static void
add_random_exempts(struct fixture *f, enum addr_family family)
{
	for (uint32_t rules = next_random() % 4; rules > 0; rules--) {
		for (uint32_t i = next_random() % 20; i > 0; i--) {
			struct prefix prefix = { .addr = random_addr(family) };
			uint32_t most = family == ADDR_V4 ? 32 : 128;
			uint32_t back = next_random() % 70;

			if (family == ADDR_V4 || next_random() % 4 == 0)
				back %= 9;
			prefix.bits = (uint8_t)(most - back);
			addr_mask(&prefix.addr, prefix.bits);
			sets_add_prefix(&f->build, &prefix);
		}
		fixture_exempt(f);
	}
}

/* Whether anybody of the /64, or of IPv4 this one, is exempt. */
static bool
is_near_exempt(const struct fixture *f, struct addr addr)
{
	struct image_range exempt = image_global(&f->image)->exempt;

	/* Of a /64 the random exempt have these two, or larger parts. */
	for (uint8_t last = 0; last < 2; last++) {
		if (addr.family == ADDR_V6)
			addr.bytes[15] = last;
		if (acl_decide(&f->image, exempt, &addr).is_allowed)
			return true;
	}
	return false;
}

static void
ask_round(struct fixture *f, enum addr_family family)
{
	uint32_t all = 1 + next_random() % 600;

	for (uint32_t i = 0; i < all; i++) {
		struct addr addr = random_addr(family);

		/* Some of them are penalised, but not shut out. */
		if (next_random() % 4 == 0)
			source_penalise(&f->table, take(f, &addr),
			    NOW_MS + THRESHOLD_MS, NOW_MS);
		else
			ban_addr(f, &addr, 1 + next_random() % 1000);
	}
	choose(f, family, BAN_RANGES_MAX);
	for (uint32_t i = 1; i < f->choice.count; i++)
		assert_true(
		    f->choice.ranges[i].first > f->choice.ranges[i - 1].last);
	for (uint32_t i = 0; i < 250; i++) {
		struct addr addr = random_addr(family);
		bool is_banned = source_penalty_left_ms(&f->table,
				     take(f, &addr), NOW_MS) > THRESHOLD_MS;

		/* Full is another test's subject. */
		if (f->choice.count < BAN_RANGES_MAX || !is_banned)
			assert_int_equal(is_dropped_addr(f, &addr),
			    is_banned && !is_near_exempt(f, addr));
	}
}

static void
random_sources_against_a_plain_look(void **state)
{
	static const unsigned v4_bits[] = { 32, 31, 28, 24 };
	static const unsigned v6_bits[] = { 64, 63, 60, 48 };

	(void)state;
	for (uint32_t i = 0; i < 400; i++) {
		enum addr_family family = i % 2 ? ADDR_V4 : ADDR_V6;
		struct fixture f;

		fixture_init(&f, v4_bits[i / 2 % 4], v6_bits[i / 2 % 4]);
		add_random_exempts(&f, family);
		fixture_ready(&f);
		ask_round(&f, family);
		fixture_finish(&f);
	}
}

static void
more_ranges_than_there_are_end_the_program(void **state)
{
	struct fixture f;
	int status = 0;
	pid_t child;

	(void)state;
	fixture_init(&f, 24, 64);
	fixture_ready(&f);
	child = fork();
	if (child == 0) {
		(void)signal(SIGABRT, SIG_DFL);
		(void)close(STDERR_FILENO);
		choose(&f, ADDR_V4, BAN_RANGES_MAX + 1);
		_exit(0);
	}
	assert_true(child > 0 && waitpid(child, &status, 0) == child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	fixture_finish(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neighbours_share_a_range),
		cmocka_unit_test(a_whole_48_is_one_range),
		cmocka_unit_test(the_worst_come_first),
		cmocka_unit_test(equals_do_not_keep_each_other_out),
		cmocka_unit_test(who_may_come_again_is_forgotten),
		cmocka_unit_test(a_record_of_another_is_not_taken_for_it),
		cmocka_unit_test(too_many_to_remember),
		cmocka_unit_test(the_exempt_are_cut_out),
		cmocka_unit_test(everybody_exempt),
		cmocka_unit_test(who_cannot_be_dropped_alone),
		cmocka_unit_test(random_sources_against_a_plain_look),
		cmocka_unit_test(more_ranges_than_there_are_end_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
