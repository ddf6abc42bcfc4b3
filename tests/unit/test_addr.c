/*
 * Addresses and prefixes: one way to write each is enough to pass or fail a
 * rule, so every way has to come out the same.
 */
#include "core/addr.h"
#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#define CASES 100000u

static struct addr
parse(const char *text)
{
	struct addr addr;

	assert_true(addr_parse(&addr, text, strlen(text)));
	return addr;
}

static void
test_parse(void **state)
{
	static const struct {
		const char *text, *formatted;
		enum addr_family family;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1", ADDR_V4 },
		{ "0.0.0.0", "0.0.0.0", ADDR_V4 },
		{ "255.255.255.255", "255.255.255.255", ADDR_V4 },
		{ "::ffff:192.0.2.1", "192.0.2.1", ADDR_V4 },
		{ "::FFFF:c000:201", "192.0.2.1", ADDR_V4 },
		{ "0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1", ADDR_V4 },
		{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1", ADDR_V6 },
		{ "::", "::", ADDR_V6 },
		{ "::1", "::1", ADDR_V6 },
		{ "fe80::1", "fe80::1", ADDR_V6 },
		{ "2001:db8:1:1:1:1:1:1", "2001:db8:1:1:1:1:1:1", ADDR_V6 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr addr = parse(rows[i].text);
		char text[ADDR_TEXT_BYTES];

		assert_int_equal(addr.family, rows[i].family);
		assert_int_equal(addr.port, 0);
		assert_int_equal(addr.scope, 0);
		assert_int_equal(
		    addr_format(&addr, text), strlen(rows[i].formatted));
		assert_string_equal(text, rows[i].formatted);
	}
}

static void
test_parse_refused(void **state)
{
	static const char *const wrong[] = { "", " ", "192.0.2", "192.0.2.256",
		"192.0.2.1 ", " 192.0.2.1", "192.0.2.01.", "192.0.2.1.1",
		"0x7f.0.0.1", "1", "localhost", ":", ":::", "::1%lo", "1::2::3",
		"2001:db8:1:1:1:1:1:1:1", "::g", "[::1]", "::1/128",
		"2001:db8:1:1:1:1:1:1111111111111111111111111" };
	struct addr addr;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(addr_parse(&addr, wrong[i], strlen(wrong[i])));
	assert_false(addr_parse(&addr, "192.0.2.1\0x", 11));
	assert_true(addr_parse(&addr, "192.0.2.19", 9));
	assert_int_equal(addr.bytes[3], 1);
}

static void
test_sockaddr(void **state)
{
	static const char *const texts[] = { "192.0.2.1", "2001:db8::5" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct sockaddr_storage storage;
		struct addr addr = parse(texts[i]);
		struct addr back;
		socklen_t length;

		addr.port = 4711;
		length = addr_to_sockaddr(&addr, &storage);
		assert_true(addr_from_sockaddr(
		    &back, (struct sockaddr *)&storage, length));
		assert_memory_equal(&addr.bytes, &back.bytes, 16);
		assert_int_equal(back.port, 4711);
		assert_int_equal(back.family, addr.family);
		assert_false(addr_from_sockaddr(
		    &back, (struct sockaddr *)&storage, length - 1));
	}
}

static void
test_sockaddr_mapped(void **state)
{
	struct sockaddr_in6 in = { .sin6_family = AF_INET6,
		.sin6_port = htons(1),
		.sin6_scope_id = 7 };
	struct sockaddr_storage other = { .ss_family = AF_UNIX };
	struct addr addr;

	(void)state;
	inet_pton(AF_INET6, "::ffff:10.1.2.3", &in.sin6_addr);
	assert_true(
	    addr_from_sockaddr(&addr, (struct sockaddr *)&in, sizeof(in)));
	assert_int_equal(addr.family, ADDR_V4);
	assert_int_equal(addr_v4(&addr), 0x0a010203);
	assert_int_equal(addr.scope, 0);
	assert_false(addr_from_sockaddr(
	    &addr, (struct sockaddr *)&other, sizeof(other)));
}

static void
test_scope(void **state)
{
	struct sockaddr_in6 in = { .sin6_family = AF_INET6,
		.sin6_scope_id = 4294967295u };
	struct addr addr;
	char text[ADDR_TEXT_BYTES];

	(void)state;
	inet_pton(AF_INET6, "fe80::aaaa:bbbb:cccc:dddd", &in.sin6_addr);
	assert_true(
	    addr_from_sockaddr(&addr, (struct sockaddr *)&in, sizeof(in)));
	assert_int_equal(addr_format(&addr, text), 36);
	assert_string_equal(text, "fe80::aaaa:bbbb:cccc:dddd%4294967295");
}

static void
test_mask(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits <= 128; bits++) {
		struct addr addr = { .family = ADDR_V6, .port = 1, .scope = 1 };

		memset(addr.bytes, 0xff, sizeof(addr.bytes));
		addr_mask(&addr, bits);
		for (unsigned i = 0; i < 128; i++)
			assert_int_equal(
			    addr.bytes[i / 8] >> (7 - i % 8) & 1, i < bits);
		assert_int_equal(addr.port, 0);
		assert_int_equal(addr.scope, 0);
	}
}

static void
test_prefix(void **state)
{
	static const struct {
		const char *text;
		enum prefix_error error;
		enum addr_family family;
		unsigned bits;
	} rows[] = {
		{ "192.0.2.0/24", PREFIX_OK, ADDR_V4, 24 },
		{ "192.0.2.1", PREFIX_OK, ADDR_V4, 32 },
		{ "0.0.0.0/0", PREFIX_OK, ADDR_V4, 0 },
		{ "128.0.0.0/1", PREFIX_OK, ADDR_V4, 1 },
		{ "2001:db8::/32", PREFIX_OK, ADDR_V6, 32 },
		{ "::/0", PREFIX_OK, ADDR_V6, 0 },
		{ "::1", PREFIX_OK, ADDR_V6, 128 },
		{ "::ffff:192.0.2.0/120", PREFIX_OK, ADDR_V4, 24 },
		{ "::ffff:0:0/96", PREFIX_OK, ADDR_V4, 0 },
		{ "::ffff:192.0.2.1", PREFIX_OK, ADDR_V4, 32 },
		{ "::ffff:0:0/95", PREFIX_BAD_BITS, 0, 0 },
		{ "192.0.2.1/24", PREFIX_HOST_BITS_SET, 0, 0 },
		{ "2001:db8::1/64", PREFIX_HOST_BITS_SET, 0, 0 },
		{ "192.0.2.0/33", PREFIX_BAD_BITS, 0, 0 },
		{ "::/129", PREFIX_BAD_BITS, 0, 0 },
		{ "192.0.2.0/", PREFIX_BAD_BITS, 0, 0 },
		{ "192.0.2.0/08", PREFIX_BAD_BITS, 0, 0 },
		{ "192.0.2.0/+8", PREFIX_BAD_BITS, 0, 0 },
		{ "192.0.2.0/8 ", PREFIX_BAD_BITS, 0, 0 },
		{ "192.0.2.0/4294967304", PREFIX_BAD_BITS, 0, 0 },
		{ "/24", PREFIX_BAD_ADDRESS, 0, 0 },
		{ "example.org/24", PREFIX_BAD_ADDRESS, 0, 0 },
		{ "", PREFIX_BAD_ADDRESS, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct prefix prefix;

		assert_int_equal(
		    prefix_parse(&prefix, rows[i].text, strlen(rows[i].text)),
		    rows[i].error);
		if (rows[i].error != PREFIX_OK)
			continue;
		assert_int_equal(prefix.addr.family, rows[i].family);
		assert_int_equal(prefix.bits, rows[i].bits);
	}
}

static uint64_t random_state = 0xadd7u;

static uint32_t
draw(uint32_t below)
{
	return (uint32_t)(random_next(&random_state) >> 20) % below;
}

/* Any address, but often one with many zeros or of the mapped prefix. */
static struct addr
draw_addr(void)
{
	struct addr addr = { .family = draw(2) == 0 ? ADDR_V4 : ADDR_V6 };
	unsigned bytes = addr.family == ADDR_V4 ? 4 : 16;
	unsigned sparse = draw(3);

	for (unsigned i = 0; i < bytes; i++)
		if (sparse == 0 || draw(sparse * 2) == 0)
			addr.bytes[i] = (uint8_t)draw(256);
	if (addr.family == ADDR_V6 && addr.bytes[0] == 0 &&
	    addr.bytes[1] == 0 && draw(4) == 0) {
		memset(addr.bytes, 0, 10);
		memset(addr.bytes + 10, 0xff, 2);
	}
	return addr;
}

/* The bit that is this many behind the first. */
static bool
bit_of(const uint8_t bytes[16], unsigned i)
{
	return (bytes[i / 8] >> (7 - i % 8) & 1) != 0;
}

/* Bit by bit: what stays, and what goes. */
static void
masks_same_as_slow(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CASES; i++) {
		struct addr addr = draw_addr();
		struct addr masked = addr;
		unsigned most = addr.family == ADDR_V4 ? 32 : 128;
		unsigned bits = draw(most + 1);

		masked.port = (uint16_t)draw(65536);
		masked.scope = draw(9);
		addr_mask(&masked, bits);
		assert_int_equal(masked.family, addr.family);
		assert_int_equal(masked.port, 0);
		assert_int_equal(masked.scope, 0);
		for (unsigned bit = 0; bit < 128; bit++)
			if (bit_of(masked.bytes, bit) !=
			    (bit < bits && bit_of(addr.bytes, bit)))
				fail_msg(
				    "case %u: bit %u of /%u", i, bit, bits);
	}
}

/* libc reads and writes what we do, but for mapped addresses, which fold. */
static void
texts_same_as_libc(void **state)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	(void)state;
	for (unsigned i = 0; i < CASES; i++) {
		struct addr addr = draw_addr();
		struct addr parsed;
		bool is_v4 = addr.family == ADDR_V4;
		bool folds = !is_v4 && memcmp(addr.bytes, mapped, 12) == 0;
		char libc[INET6_ADDRSTRLEN], ours[ADDR_TEXT_BYTES];

		assert_non_null(inet_ntop(is_v4 ? AF_INET : AF_INET6,
		    addr.bytes, libc, sizeof(libc)));
		if (!addr_parse(&parsed, libc, strlen(libc)))
			fail_msg("case %u: %s is refused", i, libc);
		assert_int_equal(
		    parsed.family, is_v4 || folds ? ADDR_V4 : ADDR_V6);
		assert_memory_equal(parsed.bytes,
		    folds ? addr.bytes + 12 : addr.bytes,
		    is_v4 || folds ? 4 : 16);
		addr_format(&parsed, ours);
		if (strcmp(ours, folds ? libc + 7 : libc) != 0)
			fail_msg("case %u: %s became %s", i, libc, ours);
	}
}

/* A prefix is taken if, and only if, nothing stands behind its length. */
static void
prefixes_same_as_slow(void **state)
{
	unsigned taken = 0;

	(void)state;
	for (unsigned i = 0; i < CASES; i++) {
		struct addr addr = draw_addr();
		unsigned most = addr.family == ADDR_V4 ? 32 : 128;
		unsigned bits = draw(4) == 0 ? most : draw(most + 3);
		char text[ADDR_TEXT_BYTES + 4];
		size_t length = addr_format(&addr, text);
		enum prefix_error expected = PREFIX_OK;
		struct prefix prefix;

		/* Mapped ones are in test_prefix. */
		if (strchr(text, '.') != NULL && addr.family == ADDR_V6)
			continue;
		for (unsigned bit = bits; bit < most; bit++)
			if (bit_of(addr.bytes, bit))
				expected = PREFIX_HOST_BITS_SET;
		if (bits > most)
			expected = PREFIX_BAD_BITS;
		length += (size_t)snprintf(
		    text + length, sizeof(text) - length, "/%u", bits);
		if (prefix_parse(&prefix, text, length) != expected)
			fail_msg("case %u: %s", i, text);
		if (expected != PREFIX_OK)
			continue;
		assert_int_equal(prefix.bits, bits);
		assert_memory_equal(prefix.addr.bytes, addr.bytes, 16);
		taken++;
	}
	assert_true(taken > CASES / 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refused),
		cmocka_unit_test(test_sockaddr),
		cmocka_unit_test(test_sockaddr_mapped),
		cmocka_unit_test(test_scope),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(masks_same_as_slow),
		cmocka_unit_test(texts_same_as_libc),
		cmocka_unit_test(prefixes_same_as_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
