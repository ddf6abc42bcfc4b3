/*
 * The file of a net: what is taken, what is refused and where, whatever
 * bytes it has. Texts end at their last byte, for ASan to see.
 */
#include "core/net_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct outcome {
	char said[8192];
	size_t length;
};

static void
note_prefix(void *context, const struct prefix *prefix, struct text zone,
    struct place place)
{
	struct outcome *outcome = context;
	char text[ADDR_TEXT_BYTES];

	assert_int_equal(place.file, 7);
	assert_true(place.line > 0 && place.column > 0);
	addr_format(&prefix->addr, text);
	outcome->length += (size_t)snprintf(outcome->said + outcome->length,
	    sizeof(outcome->said) - outcome->length, "%s%s%.*s/%u\n", text,
	    zone.length > 0 ? "%" : "", (int)zone.length, zone.bytes,
	    prefix->bits);
}

static void
note_problem(void *context, struct place place, const char *message)
{
	struct outcome *outcome = context;

	assert_int_equal(place.file, 7);
	for (const char *at = message; *at != '\0'; at++)
		assert_true(*at >= ' ' && *at < 0x7f);
	outcome->length += (size_t)snprintf(outcome->said + outcome->length,
	    sizeof(outcome->said) - outcome->length, "%u:%u: %s\n", place.line,
	    place.column, message);
}

static void
expect(const char *bytes, size_t length, const char *expected)
{
	struct outcome outcome = { .length = 0 };
	const struct net_file_reader reader = { note_prefix, note_problem,
		&outcome };
	char *copy = malloc(length == 0 ? 1 : length);

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	net_file_read((struct text){ copy, length }, 7, &reader);
	free(copy);
	assert_string_equal(outcome.said, expected);
}

#define EXPECT(text, expected) expect(text, sizeof(text) - 1, expected)

static void
test_taken(void **state)
{
	(void)state;
	EXPECT("", "");
	EXPECT("\n\n \t\n", "");
	EXPECT("192.0.2.1", "192.0.2.1/32\n");
	EXPECT("192.0.2.0/24\n2001:db8::/32\n0.0.0.0/0\n::/0\n",
	    "192.0.2.0/24\n2001:db8::/32\n0.0.0.0/0\n::/0\n");
	EXPECT("::ffff:192.0.2.0/120\n", "192.0.2.0/24\n");
	EXPECT("  192.0.2.1 \t\n\t::1", "192.0.2.1/32\n::1/128\n");
	EXPECT("# a list\n#\n ; of another kind\n;\n", "");
	EXPECT("# \x00\x1b\xff\r\n192.0.2.1\n", "192.0.2.1/32\n");
	EXPECT("192.0.2.0/24 ; SBL1\n192.0.2.1\t#why\n192.0.2.2 #\n",
	    "192.0.2.0/24\n192.0.2.1/32\n192.0.2.2/32\n");
	EXPECT("192.0.2.1\r\n\r\n# x\r\n192.0.2.2 # y\r\n192.0.2.3 \r\n",
	    "192.0.2.1/32\n192.0.2.2/32\n192.0.2.3/32\n");
	EXPECT("fe80::1%eth0\nfe80::%7/64 # y\nfe80::/10\n",
	    "fe80::1%eth0/128\nfe80::%7/64\nfe80::/10\n");
	/* twice, and in any order: sets merge them */
	EXPECT("10.0.0.2\n10.0.0.1\n10.0.0.2\n",
	    "10.0.0.2/32\n10.0.0.1/32\n10.0.0.2/32\n");
}

#define NONE(word) \
	"'" word "' is not an address or prefix (names of hosts are not " \
	"looked up)\n"
#define MORE(word) \
	"a line holds one prefix: '" word "' is one word too many (a comment " \
	"begins with '#')\n"
#define BITS(word) \
	"'" word "' has a wrong prefix length: 0 to 32 for IPv4, 0 to 128 " \
	"for IPv6, at least 96 for ::ffff:0:0\n"

static void
test_refused(void **state)
{
	(void)state;
	EXPECT("host.example\n192.0.2.1\n  any\n@set",
	    "1:1: " NONE("host.example") "192.0.2.1/32\n3:3: " NONE(
		"any") "4:1: " NONE("@set"));
	EXPECT("192.0.2.1/24",
	    "1:1: '192.0.2.1/24' has bits set behind its length: write "
	    "192.0.2.0/24 for the network or leave the length out for the "
	    "host\n");
	EXPECT("::ffff:192.0.2.1/120",
	    "1:1: '::ffff:192.0.2.1/120' has bits set behind its length: write "
	    "192.0.2.0/24 for the network or leave the length out for the "
	    "host\n");
	EXPECT("192.0.2.0/33\n::/129\n",
	    "1:1: " BITS("192.0.2.0/33") "2:1: " BITS("::/129"));
	EXPECT("192.0.2.1 192.0.2.2\n10.0.0.1 -\n",
	    "1:11: " MORE("192.0.2.2") "2:10: " MORE("-"));
	EXPECT("192.0.2.1,192.0.2.2\n", "1:1: " NONE("192.0.2.1,192.0.2.2"));
	EXPECT("192.0.2.1#x\n", "1:1: " NONE("192.0.2.1#x"));
	EXPECT("192.0.2.1;\n", "1:1: " NONE("192.0.2.1;"));
	EXPECT("192.0.2.1\rx\n", "1:1: " NONE("192.0.2.1?x"));
	EXPECT("192.0.2.1\r\r\n", "1:1: " NONE("192.0.2.1?"));
	EXPECT("192.0.2.1\x00\n", "1:1: " NONE("192.0.2.1?"));
	EXPECT("\xef\xbb\xbf"
	       "192.0.2.1\n",
	    "1:1: " NONE("???192.0.2.1"));
	EXPECT("fe80::1\x00%eth0\n", "1:1: " NONE("fe80::1?%eth0"));
	EXPECT("fe80::1%\x1b\n",
	    "1:1: 'fe80::1%?' has no zone behind its %: the name of an "
	    "interface, or its number\n");
	EXPECT("fe80::/64%eth0\n",
	    "1:1: 'fe80::/64%eth0' has its zone behind its length: write it "
	    "before, as in fe80::%eth0/64\n");
	EXPECT("10.0.0.1%eth0\n",
	    "1:1: '10.0.0.1%eth0' has a zone, but only addresses of fe80::/10 "
	    "have one\n");
	EXPECT("fe80::1%eth0/64\n",
	    "1:1: 'fe80::1%eth0/64' has bits set behind its length: write "
	    "fe80::%eth0/64 for the network or leave the length out for the "
	    "host\n");
	EXPECT("10.0.0.1 \x1b[31m\n", "1:10: " MORE("?[31m"));
	/* a long word is cut, also inside of UTF-8 */
	EXPECT("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3"
	       "\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	       "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3"
	       "\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	       "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3"
	       "\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4",
	    "1:1: " NONE("????????????????????????????????????????????????????"
			 "????????????"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
