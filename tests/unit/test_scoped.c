/*
 * Link-local prefixes with their links: as text, and in sets against a slow
 * one that asks each prefix as it was written, 100,000 times.
 */
#include "core/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "random.h"
#include "small_image.h"

static struct text
text_of(const char *text)
{
	return (struct text){ text, strlen(text) };
}

static void
test_interfaces(void **state)
{
	static const char *const good[] = { "e", "eth0", "br-lan.12", "wl_0",
		"abcdefghijklmno", "...", "7", "@#$!~" };
	static const char *const bad[] = { "", ".", "..", "a/b", "a:1", "a b",
		"a%b", "abcdefghijklmnop", "\x7f", "\xc3\xa4", "a{b", "a\"" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(zone_is_interface(text_of(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(zone_is_interface(text_of(bad[i])));
}

static void
test_numbers(void **state)
{
	(void)state;
	assert_int_equal(zone_number(text_of("1")), 1);
	assert_int_equal(zone_number(text_of("2147483647")), INT32_MAX);
	assert_int_equal(zone_number(text_of("2147483648")), 0);
	assert_int_equal(zone_number(text_of("99999999999")), 0);
	assert_int_equal(zone_number(text_of("0")), 0);
	assert_int_equal(zone_number(text_of("01")), 0);
	assert_int_equal(zone_number(text_of("")), 0);
	assert_int_equal(zone_number(text_of("1a")), 0);
	assert_int_equal(zone_number(text_of("eth0")), 0);
}

static void
assert_prefix(const char *word, enum prefix_error error, const char *address,
    uint8_t bits, const char *zone)
{
	char formatted[ADDR_TEXT_BYTES];
	struct prefix prefix;
	struct text found;

	assert_int_equal(
	    zone_prefix_parse(&prefix, &found, text_of(word)), error);
	if (error != PREFIX_OK)
		return;
	addr_format(&prefix.addr, formatted);
	assert_string_equal(formatted, address);
	assert_int_equal(prefix.bits, bits);
	assert_int_equal(found.length, strlen(zone));
	assert_memory_equal(found.bytes, zone, found.length);
}

static void
test_prefixes(void **state)
{
	(void)state;
	assert_prefix("fe80::1%eth0", PREFIX_OK, "fe80::1", 128, "eth0");
	assert_prefix("FE80::%3/64", PREFIX_OK, "fe80::", 64, "3");
	assert_prefix("febf::%a/16", PREFIX_OK, "febf::", 16, "a");
	assert_prefix("fe80::/10", PREFIX_OK, "fe80::", 10, "");
	assert_prefix("192.0.2.0/24", PREFIX_OK, "192.0.2.0", 24, "");
	assert_prefix("fe80::%/64", PREFIX_BAD_ZONE, NULL, 0, NULL);
	assert_prefix("fe80::1%", PREFIX_BAD_ZONE, NULL, 0, NULL);
	assert_prefix("fe80::1%a%b", PREFIX_BAD_ZONE, NULL, 0, NULL);
	assert_prefix("fe80::/64%eth0", PREFIX_ZONE_BEHIND, NULL, 0, NULL);
	assert_prefix("fe80::/64%", PREFIX_ZONE_BEHIND, NULL, 0, NULL);
	assert_prefix("fec0::1%eth0", PREFIX_ZONE_OF_ALL, NULL, 0, NULL);
	assert_prefix("::1%lo", PREFIX_ZONE_OF_ALL, NULL, 0, NULL);
	assert_prefix("192.0.2.1%eth0", PREFIX_ZONE_OF_ALL, NULL, 0, NULL);
	assert_prefix("::ffff:1.2.3.4%a", PREFIX_ZONE_OF_ALL, NULL, 0, NULL);
	assert_prefix("%eth0", PREFIX_BAD_ADDRESS, NULL, 0, NULL);
	assert_prefix("%eth0/64", PREFIX_BAD_ADDRESS, NULL, 0, NULL);
	assert_prefix("", PREFIX_BAD_ADDRESS, NULL, 0, NULL);
	assert_prefix("fe80::1%a/129", PREFIX_BAD_BITS, NULL, 0, NULL);
	assert_prefix("fe80::1%a/64", PREFIX_HOST_BITS_SET, NULL, 0, NULL);
	assert_prefix("fe80:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:"
		      "0000:0000%a/64",
	    PREFIX_BAD_ADDRESS, NULL, 0, NULL);
}

/* The same numbers in every run. */
static uint32_t
draw(uint32_t below)
{
	static uint64_t state = 88172645463325252;

	return (uint32_t)(random_next(&state) >> 32) % below;
}

/* fe80::HOST, of one link or (0) of each. */
struct member {
	uint8_t host, rest; /* bits of the host that may be anything */
	uint32_t scope;
};

#define MEMBERS 12u

struct slow {
	struct member members[2 * MEMBERS];
	uint32_t count;
};

static struct addr
address_of(uint8_t host, uint32_t scope)
{
	return (struct addr){ .family = ADDR_V6,
		.bytes = { 0xfe, 0x80, [15] = host },
		.scope = scope };
}

static bool
slow_has(const struct slow *slow, uint8_t host, uint32_t scope)
{
	for (uint32_t i = 0; i < slow->count; i++) {
		const struct member *member = &slow->members[i];

		if ((member->scope == 0 || member->scope == scope) &&
		    host >> member->rest == member->host >> member->rest)
			return true;
	}
	return false;
}

static void
draw_set(struct build *build, struct slow *slow)
{
	for (uint32_t i = draw(MEMBERS); i > 0; i--) {
		struct member member = { .rest = (uint8_t)draw(5),
			.scope = draw(2) == 0 ? 0 : 1 + draw(4) };
		struct prefix prefix = { .bits = (uint8_t)(128 - member.rest) };

		member.host = (uint8_t)(draw(64) >> member.rest << member.rest);
		prefix.addr = address_of(member.host, member.scope);
		sets_add_prefix(build, &prefix);
		slow->members[slow->count++] = member;
	}
}

/* A set, and one that has it and more. */
static void
check_sets(void)
{
	struct slow slow[2] = { { .count = 0 } };
	struct build build;
	struct image image;
	size_t size;
	void *block;

	build_init(&build);
	small_global(&build);
	draw_set(&build, &slow[0]);
	sets_end(&build);
	slow[1] = slow[0];
	sets_add_set(&build, 0);
	draw_set(&build, &slow[1]);
	sets_end(&build);
	small_names(&build, NULL, NULL, 0);
	block = build_block(&build, &size);
	build_finish(&build);
	/* This finds what is out of order, or touches. */
	assert_int_equal(image_init(&image, block, size), IMAGE_OK);
	for (uint32_t i = 0; i < 100; i++) {
		uint32_t set = draw(2);
		uint32_t scope = draw(6);
		uint8_t host = (uint8_t)draw(70);
		struct addr addr = address_of(host, scope);

		assert_int_equal(image_set_has(&image, set, &addr),
		    slow_has(&slow[set], host, scope));
	}
	free(block);
}

static void
test_random(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++)
		check_sets();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
