/*
 * The request line: each row of the protocol's table, fed at every length,
 * against a page that may not be read.
 */
#include "core/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static uint8_t *guard; /* begins where nothing may be read */

static int
make_guard(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	if (pages == MAP_FAILED || mprotect(pages + page, page, PROT_NONE) != 0)
		return -1;
	guard = pages + page;
	return 0;
}

/* Reads the bytes from right in front of the guard page. */
static struct line
read_line(const void *bytes, size_t count, bool lenient_lf)
{
	memcpy(guard - count, bytes, count);
	return line_read(guard - count, count, lenient_lf);
}

struct row {
	const char *bytes;
	size_t count;
	size_t decided_at; /* bytes needed, strict; 0: never */
	enum line_state state;
	uint16_t name_length, length;
};

#define ROW(literal, at, state, name, length) \
	{ \
		literal, sizeof(literal) - 1, at, state, name, length \
	}

static const struct row rows[] = {
	ROW("rsync\r\n", 7, LINE_COMPLETE, 5, 7),
	ROW("rsync\r\nDATA\r\n", 7, LINE_COMPLETE, 5, 7),
	ROW("a\r\n", 3, LINE_COMPLETE, 1, 3),
	ROW("HELP\r\n", 6, LINE_COMPLETE, 4, 6),
	ROW("~!\r\n", 4, LINE_COMPLETE, 2, 4),
	ROW("rsync\n", 6, LINE_MALFORMED, 0, 0),
	ROW("rsync\rX", 7, LINE_MALFORMED, 0, 0),
	ROW("rsync\r\r\n", 7, LINE_MALFORMED, 0, 0),
	ROW("\r\n", 1, LINE_MALFORMED, 0, 0),
	ROW("\n", 1, LINE_MALFORMED, 0, 0),
	ROW(" rsync\r\n", 1, LINE_MALFORMED, 0, 0),
	ROW("rs ync\r\n", 3, LINE_MALFORMED, 0, 0),
	ROW("rsync\0\r\n", 6, LINE_MALFORMED, 0, 0),
	ROW("rs\tync\r\n", 3, LINE_MALFORMED, 0, 0),
	ROW("rs\x7fync\r\n", 3, LINE_MALFORMED, 0, 0),
	ROW("rs\xc3\xa4\r\n", 3, LINE_MALFORMED, 0, 0),
	ROW("\xff", 1, LINE_MALFORMED, 0, 0),
	ROW("", 0, LINE_MORE, 0, 0),
	ROW("rsync", 0, LINE_MORE, 0, 0),
	ROW("rsync\r", 0, LINE_MORE, 0, 0),
};

static void
check_row(const struct row *row)
{
	for (size_t count = 0; count <= row->count; count++) {
		struct line line = read_line(row->bytes, count, false);

		if (row->decided_at == 0 || count < row->decided_at) {
			assert_int_equal(line.state, LINE_MORE);
			continue;
		}
		assert_int_equal(line.state, row->state);
		assert_int_equal(line.name_length, row->name_length);
		assert_int_equal(line.length, row->length);
	}
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i]);
}

static void
test_longest(void **state)
{
	uint8_t bytes[LINE_MAX_BYTES + 1];
	struct line line;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(
	    read_line(bytes, NAME_MAX_BYTES, false).state, LINE_MORE);
	assert_int_equal(
	    read_line(bytes, NAME_MAX_BYTES + 1, false).state, LINE_MALFORMED);
	memcpy(bytes + NAME_MAX_BYTES, "\r\n", 2);
	line = read_line(bytes, sizeof(bytes), false);
	assert_int_equal(line.state, LINE_COMPLETE);
	assert_int_equal(line.name_length, NAME_MAX_BYTES);
	assert_int_equal(line.length, LINE_MAX_BYTES);
	memcpy(bytes + NAME_MAX_BYTES, "x\r\n", 3);
	for (size_t count = NAME_MAX_BYTES + 1; count <= sizeof(bytes); count++)
		assert_int_equal(
		    read_line(bytes, count, false).state, LINE_MALFORMED);
}

static void
test_lenient(void **state)
{
	struct line line = read_line("rsync\nDATA", 10, true);

	(void)state;
	assert_int_equal(line.state, LINE_COMPLETE);
	assert_int_equal(line.name_length, 5);
	assert_int_equal(line.length, 6);
	line = read_line("rsync\r\n", 7, true);
	assert_int_equal(line.state, LINE_COMPLETE);
	assert_int_equal(line.length, 7);
	assert_int_equal(read_line("\n", 1, true).state, LINE_MALFORMED);
	assert_int_equal(read_line("a\rb", 3, true).state, LINE_MALFORMED);
	assert_int_equal(read_line("a\r", 2, true).state, LINE_MORE);
}

/* The only byte that may follow a name and not decide is CR. */
static void
test_every_byte(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		uint8_t bytes[2] = { 'a', (uint8_t)byte };
		enum line_state expected = LINE_MALFORMED;

		if (name_is_byte((uint8_t)byte) || byte == '\r')
			expected = LINE_MORE;
		assert_int_equal(read_line(bytes, 2, false).state, expected);
		if (byte == '\n')
			expected = LINE_COMPLETE;
		assert_int_equal(read_line(bytes, 2, true).state, expected);
	}
}

/* Once decided, whatever follows changes nothing. */
static void
test_random_prefixes(void **state)
{
	static const char letters[] = "ab\r\n Z~\x80";
	uint32_t random = 12345;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint8_t bytes[12];
		bool is_lenient = (round & 1) != 0;
		struct line before = { .state = LINE_MORE };

		for (size_t i = 0; i < sizeof(bytes); i++) {
			random = random * 1103515245u + 12345u;
			bytes[i] = (uint8_t)letters[random >> 16 & 7];
		}
		for (size_t count = 0; count <= sizeof(bytes); count++) {
			struct line line = read_line(bytes, count, is_lenient);

			if (before.state != LINE_MORE)
				assert_memory_equal(
				    &line, &before, sizeof(line));
			before = line;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_lenient),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_random_prefixes),
	};

	return cmocka_run_group_tests(tests, make_guard, NULL);
}
