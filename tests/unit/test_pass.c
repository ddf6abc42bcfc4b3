/*
 * The message with which a session is passed on: every byte of it, and that
 * the longest fits.
 */
#include "core/pass.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct addr
address(const char *text, uint16_t port)
{
	struct addr addr;

	assert_true(addr_parse(&addr, text, strlen(text)));
	addr.port = port;
	return addr;
}

static void
assert_message(const struct pass *pass, const char *expected)
{
	uint8_t bytes[PASS_BYTES_MAX + 1];
	size_t length;

	memset(bytes, 'x', sizeof(bytes));
	length = pass_encode(bytes, pass);
	assert_int_equal(length, strlen(expected));
	assert_memory_equal(bytes, expected, length);
	assert_int_equal(bytes[length], 'x');
}

static void
each_line(void **state)
{
	const struct pass v4 = { .service = "acme-sync/2",
		.peer = address("192.0.2.7", 40000),
		.local = address("192.0.2.10", 1),
		.session = 2097153 };
	struct pass v6 = { .service = "x",
		.peer = address("fe80::1", 1),
		.local = address("2001:db8::10", 65535) };

	(void)state;
	v6.peer.scope = 3;
	assert_message(&v4,
	    "service=acme-sync/2\naddr=192.0.2.7\nport=40000\n"
	    "local=192.0.2.10\nsession=2097153\n\n");
	assert_message(&v6,
	    "service=x\naddr=fe80::1%3\nport=1\nlocal=2001:db8::10\n"
	    "session=0\n\n");
}

static void
the_longest(void **state)
{
	char name[NAME_MAX_BYTES + 1];
	char expected[1024] = "service=";
	struct pass pass = { .service = name,
		.peer =
		    address("1111:2222:3333:4444:5555:6666:7777:8888", 65535),
		.local =
		    address("1111:2222:3333:4444:5555:6666:7777:8888", 65535),
		.session = UINT64_MAX };

	(void)state;
	memset(name, '~', NAME_MAX_BYTES);
	name[NAME_MAX_BYTES] = '\0';
	pass.peer.scope = UINT32_MAX;
	pass.local.scope = UINT32_MAX;
	strncat(expected, name, sizeof(expected) - 9);
	strncat(expected,
	    "\naddr=1111:2222:3333:4444:5555:6666:7777:8888%4294967295\n"
	    "port=65535\n"
	    "local=1111:2222:3333:4444:5555:6666:7777:8888%4294967295\n"
	    "session=18446744073709551615\n\n",
	    sizeof(expected) - 9 - NAME_MAX_BYTES);
	assert_in_range(strlen(expected), 1, PASS_BYTES_MAX);
	assert_message(&pass, expected);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line),
		cmocka_unit_test(the_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
