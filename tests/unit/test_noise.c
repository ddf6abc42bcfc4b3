/*
 * Who had how many lines of the log lately: each source its share of the
 * limit, nobody more than that, and what is left out is counted. Time is the
 * test's own.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "small_image.h"

#include "parent/noise.c"

#define LONG_MS 1000000

static struct parent parent;
static struct build build;

/* A parent of which the log's limit is all that matters. */
static void
start(struct rate limit)
{
	static struct image_header header;

	small_global(&build);
	header.global = build.global;
	header.global.log_limit = limit;
	parent = (struct parent){ .now_ms = LONG_MS };
	parent.image.header = &header;
	assert_int_equal(noise_init(&parent), 0);
}

static void
finish(void)
{
	(void)munmap(
	    parent.noise.sources.records, source_table_bytes(NOISE_SOURCES));
}

/* 10.0.0.0 and so many on. */
static struct addr
peer_of(uint32_t number)
{
	struct addr addr = small_addr("10.0.0.0");

	addr.bytes[1] = (uint8_t)(number >> 16);
	addr.bytes[2] = (uint8_t)(number >> 8);
	addr.bytes[3] = (uint8_t)number;
	return addr;
}

/* How many of so many lines of this source are not left out. */
static uint64_t
lines_of(uint32_t source, uint64_t count)
{
	const struct addr peer = peer_of(source);
	uint64_t before = parent.counters.log_suppressed;

	for (uint64_t i = 0; i < count; i++) {
		noise_begin(&parent, &peer, "refuse");
		log_end();
	}
	return count - (parent.counters.log_suppressed - before);
}

static void
off_is_no_limit(void **state)
{
	(void)state;
	start((struct rate){ .tokens = 0 });
	assert_int_equal(lines_of(1, 100000), 100000);
	assert_int_equal(parent.noise.untold, 0);
	finish();
}

static void
a_source_has_an_eighth(void **state)
{
	(void)state;
	start((struct rate){ 200, 1000, 1000 });
	assert_int_equal(lines_of(1, 5000), 125);
	assert_int_equal(lines_of(2, 5000), 125);
	/* An eighth of 200 a second: one in 40 ms. */
	parent.now_ms += 39;
	assert_int_equal(lines_of(1, 10), 0);
	parent.now_ms += 1;
	assert_int_equal(lines_of(1, 10), 1);
	parent.now_ms += 2000;
	assert_int_equal(lines_of(1, 5000), 50);
	parent.now_ms += LONG_MS;
	assert_int_equal(lines_of(1, 5000), 125);
	finish();
}

/* Small limits leave everybody one line; an eighth is not rounded. */
static void
a_small_limit(void **state)
{
	(void)state;
	start((struct rate){ 1, 1000, 3 });
	for (uint32_t source = 0; source < 3; source++)
		assert_int_equal(lines_of(source, 10), 1);
	assert_int_equal(lines_of(3, 10), 0);
	parent.now_ms += 7999;
	assert_int_equal(lines_of(0, 10), 0);
	parent.now_ms += 1;
	assert_int_equal(lines_of(0, 10), 1);
	finish();
}

/* Whoever floods the log makes the parent find no memory for it. */
static void
all_of_it_is_there(void **state)
{
	const size_t bytes = source_table_bytes(NOISE_SOURCES);
	unsigned char pages[1024];

	(void)state;
	start((struct rate){ 1, 1000, 8 });
	assert_true(bytes / 4096 < sizeof(pages));
	assert_int_equal(
	    mincore(parent.noise.sources.records, bytes, pages), 0);
	for (size_t page = 0; page * 4096 < bytes; page++)
		assert_int_equal(pages[page] & 1, 1);
	finish();
}

static void
all_have_the_limit(void **state)
{
	uint64_t lines = 0;

	(void)state;
	start((struct rate){ 200, 1000, 1000 });
	for (uint32_t source = 0; source < 5000; source++)
		lines += lines_of(source, 3);
	assert_int_equal(lines, 1000);
	parent.now_ms += 1000;
	for (uint32_t source = 0; source < 5000; source++)
		lines += lines_of(source, 3);
	assert_int_equal(lines, 1200);
	/* What all together had no room for, nobody has spent of his share. */
	parent.now_ms += 625;
	assert_int_equal(lines_of(4999, 5000), 125);
	finish();
}

/*
 * More sources than are remembered: who floods is still known, and who has a
 * line now and then still has it.
 */
static void
who_floods_stays_known(void **state)
{
	uint64_t flood = 0, others = 0;

	(void)state;
	start((struct rate){ 10000, 1000, 100000 });
	for (uint32_t source = 1; source <= 50000; source++) {
		flood += lines_of(0, 3);
		others += lines_of(source, 1);
	}
	assert_int_equal(flood, 100000 / NOISE_SHARE);
	assert_int_equal(others, 50000);
	finish();
}

/* Told of at once, then once a second, and at the end; and all of it. */
static void
what_is_left_out_is_told(void **state)
{
	(void)state;
	start((struct rate){ 1, 3600000, 8 });
	noise_tend(&parent);
	assert_int_equal(lines_of(1, 11), 1);
	assert_int_equal(parent.noise.untold, 10);
	noise_tend(&parent);
	assert_int_equal(parent.noise.untold, 0);
	assert_int_equal(lines_of(1, 5), 0);
	parent.now_ms += 999;
	noise_tend(&parent);
	assert_int_equal(parent.noise.untold, 5);
	parent.now_ms += 1;
	noise_tend(&parent);
	assert_int_equal(parent.noise.untold, 0);
	assert_int_equal(lines_of(1, 7), 0);
	noise_finish(&parent);
	assert_int_equal(parent.noise.untold, 0);
	assert_int_equal(parent.counters.log_suppressed, 22);
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(off_is_no_limit),
		cmocka_unit_test(a_source_has_an_eighth),
		cmocka_unit_test(a_small_limit),
		cmocka_unit_test(all_of_it_is_there),
		cmocka_unit_test(all_have_the_limit),
		cmocka_unit_test(who_floods_stays_known),
		cmocka_unit_test(what_is_left_out_is_told),
	};
	int log = dup(STDERR_FILENO);

	/* The lines themselves are test_log.c's. */
	if (freopen("/dev/null", "w", stderr) == NULL ||
	    log_open(&(struct log_options){ .sink = IMAGE_LOG_STDERR }) != 0 ||
	    dup2(log, STDERR_FILENO) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
