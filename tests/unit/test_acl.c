/*
 * Who may: first match wins, no match denies; and 200,000 random rules and
 * addresses decided as a reader of the policy would.
 */
#include "core/acl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "random.h"
#include "small_image.h"

/* The block that an image is made of, checked. */
static void *
finish(struct build *build, struct image *image)
{
	size_t size;
	void *block;

	small_names(build, NULL, NULL, 0);
	block = build_block(build, &size);
	assert_int_equal(image_init(image, block, size), IMAGE_OK);
	build_finish(build);
	return block;
}

static struct acl_verdict
decide(
    const struct image *image, uint32_t first, uint32_t count, const char *peer)
{
	struct addr addr = small_addr(peer);

	return acl_decide(image, (struct image_range){ first, count }, &addr);
}

static void
test_order(void **state)
{
	struct build build;
	struct image image;
	struct acl_verdict verdict;
	void *block;

	(void)state;
	build_init(&build);
	small_global(&build);
	small_add(&build, "192.0.2.0/24");
	small_add(&build, "2001:db8::/32");
	sets_end(&build);
	small_add(&build, "192.0.2.7");
	sets_end(&build);
	small_rule(&build, false, 1); /* deny 192.0.2.7 */
	small_rule(&build, true, 0); /* allow both nets */
	small_rule(&build, true, 1); /* comes too late */
	small_rule(&build, false, UINT32_MAX); /* deny any */
	small_rule(&build, true, UINT32_MAX); /* allow any */
	block = finish(&build, &image);

	verdict = decide(&image, 0, 3, "192.0.2.7");
	assert_false(verdict.is_allowed);
	assert_int_equal(verdict.rule, 0);
	verdict = decide(&image, 0, 3, "192.0.2.8");
	assert_true(verdict.is_allowed);
	assert_int_equal(verdict.rule, 1);
	verdict = decide(&image, 1, 2, "192.0.2.7");
	assert_true(verdict.is_allowed);
	assert_int_equal(verdict.rule, 1);
	assert_true(decide(&image, 0, 3, "2001:db8::1").is_allowed);
	assert_true(decide(&image, 0, 3, "::ffff:192.0.2.8").is_allowed);
	assert_false(decide(&image, 0, 3, "::ffff:192.0.2.7").is_allowed);
	verdict = decide(&image, 0, 3, "192.0.3.0");
	assert_false(verdict.is_allowed);
	assert_int_equal(verdict.rule, ACL_NO_RULE);
	verdict = decide(&image, 0, 0, "192.0.2.8");
	assert_false(verdict.is_allowed);
	assert_int_equal(verdict.rule, ACL_NO_RULE);
	assert_int_equal(decide(&image, 3, 2, "::1").rule, 3);
	assert_true(decide(&image, 4, 1, "::1").is_allowed);
	assert_true(decide(&image, 4, 1, "10.0.0.1").is_allowed);
	free(block);
}

/* An address without family is in no set, though it is among any. */
static void
test_no_family(void **state)
{
	struct build build;
	struct image image;
	struct addr nobody = { .family = ADDR_NONE };
	void *block;

	(void)state;
	build_init(&build);
	small_global(&build);
	sets_add_all(&build);
	sets_end(&build);
	small_rule(&build, true, 0);
	block = finish(&build, &image);
	assert_false(acl_decide(&image, (struct image_range){ 0, 1 }, &nobody)
			 .is_allowed);
	assert_true(decide(&image, 0, 1, "0.0.0.0").is_allowed);
	assert_true(decide(&image, 0, 1, "255.255.255.255").is_allowed);
	assert_true(decide(&image, 0, 1, "::").is_allowed);
	free(block);
}

static uint32_t
next_random(void)
{
	static uint64_t random = 88172645463325252u;

	return (uint32_t)(random_next(&random) >> 16);
}

/* Few bits vary, so that prefixes meet, nest and touch. */
static struct addr
random_addr(void)
{
	struct addr addr = { .family = next_random() % 2 ? ADDR_V4 : ADDR_V6 };
	unsigned last = addr.family == ADDR_V4 ? 3 : 15;

	addr.bytes[0] = (uint8_t)(next_random() % 3 * 127 + 1);
	addr.bytes[1] = (uint8_t)(next_random() % 2 * 255);
	addr.bytes[last] = (uint8_t)next_random();
	return addr;
}

static struct prefix
random_prefix(void)
{
	struct prefix prefix = { .addr = random_addr() };
	unsigned most = prefix.addr.family == ADDR_V4 ? 32 : 128;

	switch (next_random() % 4) {
	case 0:
		prefix.bits = (uint8_t)(next_random() % (most + 1));
		break;
	case 1:
		prefix.bits = (uint8_t)(next_random() % 17);
		break;
	default:
		prefix.bits = (uint8_t)(most - next_random() % 9);
		break;
	}
	addr_mask(&prefix.addr, prefix.bits);
	return prefix;
}

static bool
is_in(const struct prefix *prefix, struct addr addr)
{
	if (addr.family != prefix->addr.family)
		return false;
	addr_mask(&addr, prefix->bits);
	return memcmp(addr.bytes, prefix->addr.bytes, 16) == 0;
}

enum { RULES = 12, MEMBERS = 8, ROUNDS = 400, ASKED = 500 };

struct plain_rule {
	bool is_allow, is_any;
	uint32_t count;
	struct prefix members[MEMBERS];
};

/* As one reads it: line by line, prefix by prefix. */
static struct acl_verdict
decide_plainly(const struct plain_rule rules[], const struct addr *addr)
{
	for (uint32_t i = 0; i < RULES; i++) {
		bool matches = rules[i].is_any;

		for (uint32_t j = 0; j < rules[i].count; j++)
			matches |= is_in(&rules[i].members[j], *addr);
		if (matches)
			return (struct acl_verdict){ rules[i].is_allow, i };
	}
	return (struct acl_verdict){ false, ACL_NO_RULE };
}

static void
fill(struct plain_rule rules[], struct build *build)
{
	for (uint32_t i = 0; i < RULES; i++) {
		rules[i].is_allow = next_random() % 2 == 0;
		rules[i].is_any = next_random() % 40 == 0;
		rules[i].count =
		    rules[i].is_any ? 0 : next_random() % (MEMBERS + 1);
		for (uint32_t j = 0; j < rules[i].count; j++) {
			rules[i].members[j] = random_prefix();
			sets_add_prefix(build, &rules[i].members[j]);
		}
		small_rule(build, rules[i].is_allow,
		    rules[i].is_any ? UINT32_MAX : sets_end(build));
	}
}

static void
test_random(void **state)
{
	struct plain_rule rules[RULES];
	unsigned allowed = 0, unmatched = 0;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct build build;
		struct image image;
		void *block;

		build_init(&build);
		small_global(&build);
		fill(rules, &build);
		block = finish(&build, &image);
		for (int asked = 0; asked < ASKED; asked++) {
			struct addr addr = random_addr();
			struct acl_verdict plain = decide_plainly(rules, &addr);
			struct acl_verdict verdict = acl_decide(
			    &image, (struct image_range){ 0, RULES }, &addr);

			assert_int_equal(verdict.is_allowed, plain.is_allowed);
			assert_int_equal(verdict.rule, plain.rule);
			allowed += plain.is_allowed;
			unmatched += plain.rule == ACL_NO_RULE;
		}
		free(block);
	}
	assert_true(allowed > 10000);
	assert_true(unmatched > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_no_family),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
