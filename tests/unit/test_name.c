/*
 * Service names, and the table of them that the parser searches.
 */
#include "core/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guarded.h"

#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

static void
test_bytes(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		bool is_upper = byte >= 'A' && byte <= 'Z';

		assert_int_equal(
		    name_is_byte((uint8_t)byte), byte >= 0x21 && byte <= 0x7e);
		assert_int_equal(name_fold((uint8_t)byte),
		    is_upper ? byte - 'A' + 'a' : byte);
	}
}

static void
test_valid(void **state)
{
	uint8_t longest[NAME_MAX_BYTES + 1];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	assert_true(name_is_valid(BYTES("a")));
	assert_true(name_is_valid(BYTES("acme-sync/2")));
	assert_true(name_is_valid(longest, NAME_MAX_BYTES));
	assert_false(name_is_valid(longest, NAME_MAX_BYTES + 1));
	assert_false(name_is_valid(BYTES("")));
	assert_false(name_is_valid(BYTES("a b")));
	assert_false(name_is_valid(BYTES("a\0")));
	assert_false(name_is_valid(BYTES("a\x7f")));
	assert_false(name_is_valid(BYTES("\x80")));
}

static void
test_help(void **state)
{
	(void)state;
	assert_true(name_is_help(BYTES("help")));
	assert_true(name_is_help(BYTES("HELP")));
	assert_true(name_is_help(BYTES("hElP")));
	assert_false(name_is_help(BYTES("hel")));
	assert_false(name_is_help(BYTES("help2")));
	assert_false(name_is_help(BYTES("helq")));
}

static void
test_line(void **state)
{
	static const struct {
		const char *wire;
		size_t length;
		bool is_strict, is_lenient;
	} rows[] = {
		{ "rsync\r\n", 7, true, true },
		{ "RSync\r\n", 7, true, true },
		{ "rsync\n", 6, false, true },
		{ "rsync", 5, false, false },
		{ "rsync\r", 6, false, false },
		{ "rsync\r\r", 7, false, false },
		{ "rsync\n\n", 7, false, false },
		{ "rsynd\r\n", 7, false, false },
		{ "rsync2\r\n", 8, false, false },
		{ "rsyn\r\n", 6, false, false },
		{ "rsync\r\nx", 8, false, false },
		{ "rsync\nxx", 8, false, false },
		{ "rsyn", 4, false, false },
		{ "", 0, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint8_t *wire = guarded(rows[i].wire, rows[i].length);

		assert_int_equal(
		    name_is_line(wire, rows[i].length, BYTES("rsync"), false),
		    rows[i].is_strict);
		assert_int_equal(
		    name_is_line(wire, rows[i].length, BYTES("rsync"), true),
		    rows[i].is_lenient);
	}
}

/* What may still become that line. */
static void
test_begin(void **state)
{
	static const struct {
		const char *wire;
		bool begins;
	} rows[] = {
		{ "", true },
		{ "r", true },
		{ "RSyn", true },
		{ "rsync", true },
		{ "RSYNC\r", true },
		{ "s", false },
		{ "rsyx", false },
		{ "rsynx", false },
		{ "rsyncx", false },
		{ "rsync\n", false },
		{ "rsynx\r", false },
		{ "rsync\r\r", false },
		{ "rsync\r\n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(name_begins_line((const uint8_t *)rows[i].wire,
				     strlen(rows[i].wire), BYTES("rsync")),
		    rows[i].begins);
}

/* A table of these names, in a block of exactly its size. */
static uint32_t *
make_table(const char *const names[], uint32_t count, size_t *size)
{
	uint32_t offset = (uint32_t)(NAMES_HEADER_BYTES + (count + 1) * 4);
	uint32_t *table;

	*size = offset;
	for (uint32_t i = 0; i < count; i++)
		*size += strlen(names[i]);
	table = malloc(*size);
	assert_non_null(table);
	table[0] = NAMES_MAGIC;
	table[1] = count;
	for (uint32_t i = 0; i < count; i++) {
		size_t length = strlen(names[i]);

		table[2 + i] = offset;
		memcpy((uint8_t *)table + offset, names[i], length);
		offset += (uint32_t)length;
	}
	table[2 + count] = offset;
	return table;
}

static const char *const sorted[] = { "9418", "a", "ab", "b", "ssh", "~" };
#define SORTED (sizeof(sorted) / sizeof(sorted[0]))

static void
test_find(void **state)
{
	struct names names;
	size_t size;
	uint32_t *table = make_table(sorted, SORTED, &size);
	uint8_t longer[2 * NAME_MAX_BYTES];

	(void)state;
	memset(longer, 'a', sizeof(longer));
	assert_true(names_init(&names, table, size));
	assert_int_equal(names_find(&names, longer, sizeof(longer)), -1);
	assert_int_equal(names.count, SORTED);
	for (uint32_t i = 0; i < SORTED; i++) {
		size_t length;
		const uint8_t *name = names_get(&names, i, &length);

		assert_int_equal(length, strlen(sorted[i]));
		assert_memory_equal(name, sorted[i], length);
		assert_int_equal(names_find(&names, name, length), i);
	}
	assert_int_equal(names_find(&names, BYTES("SSH")), 4);
	assert_int_equal(names_find(&names, BYTES("")), -1);
	assert_int_equal(names_find(&names, BYTES("!")), -1);
	assert_int_equal(names_find(&names, BYTES("aa")), -1);
	assert_int_equal(names_find(&names, BYTES("abc")), -1);
	assert_int_equal(names_find(&names, BYTES("~~")), -1);
	free(table);
}

static void
test_empty(void **state)
{
	struct names names;
	size_t size;
	uint32_t *table = make_table(NULL, 0, &size);

	(void)state;
	assert_true(names_init(&names, table, size));
	assert_int_equal(names_find(&names, BYTES("a")), -1);
	free(table);
}

static void
test_many(void **state)
{
	enum { MANY = 20000 };
	char(*texts)[8] = calloc(MANY, sizeof(*texts));
	const char **list = calloc(MANY, sizeof(*list));
	struct names names;
	uint32_t *table;
	size_t size;

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		unsigned number = i;

		for (int digit = 5; digit >= 0; digit--, number /= 10)
			texts[i][digit] = (char)('0' + number % 10);
		list[i] = texts[i];
	}
	table = make_table(list, MANY, &size);
	assert_true(names_init(&names, table, size));
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(
		    names_find(&names, (const uint8_t *)texts[i], 6), i);
	free(table);
	free(list);
	free(texts);
}

static void
test_refused_tables(void **state)
{
	static const char *const wrong[][2] = { { "b", "a" }, { "a", "a" },
		{ "ab", "a" }, { "A", "b" }, { "a", "b c" }, { "", "a" } };
	struct names names;
	size_t size;
	uint32_t *table;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		table = make_table(wrong[i], 2, &size);
		assert_false(names_init(&names, table, size));
		free(table);
	}
}

/* Reads whatever a table that was taken lets one read. */
/* Too short for its own head, or with something between that and its names. */
static void
test_no_tables(void **state)
{
	static const char *const one[] = { "ab" };
	static const uint32_t head[] = { NAMES_MAGIC, 0, 12 };
	static const uint32_t many[] = { NAMES_MAGIC, 1, 16 };
	static const uint32_t other[] = { NAMES_MAGIC + 1, 0, 12 };
	struct names names;
	size_t size;
	uint32_t *table = make_table(one, 1, &size);

	(void)state;
	assert_true(names_init(&names, guarded(head, 12), 12));
	for (size_t shorter = 0; shorter < 12; shorter += 4)
		assert_false(
		    names_init(&names, guarded(head, shorter), shorter));
	assert_false(names_init(&names, guarded(many, 12), 12));
	assert_false(names_init(&names, guarded(other, 12), 12));
	assert_true(names_init(&names, table, size));
	table[2]++;
	assert_false(names_init(&names, table, size));
	free(table);
}

static void
walk(const void *table, size_t size)
{
	struct names names;
	unsigned sum = 0;

	if (!names_init(&names, table, size))
		return;
	for (uint32_t i = 0; i < names.count; i++) {
		size_t length;
		const uint8_t *name = names_get(&names, i, &length);

		assert_true(name_is_valid(name, length));
		for (size_t j = 0; j < length; j++)
			sum += name[j];
		assert_int_equal(names_find(&names, name, length), i);
	}
	assert_true(sum > 0 || names.count == 0);
}

static void
test_damaged(void **state)
{
	size_t size;
	uint32_t *table = make_table(sorted, SORTED, &size);

	(void)state;
	for (size_t shorter = 0; shorter < size; shorter++) {
		uint8_t *cut = malloc(shorter > 0 ? shorter : 1);

		memcpy(cut, table, shorter);
		walk(cut, shorter);
		free(cut);
	}
	for (size_t i = 0; i < size; i++)
		for (unsigned bits = 1; bits < 256; bits++) {
			((uint8_t *)table)[i] ^= (uint8_t)bits;
			walk(table, size);
			((uint8_t *)table)[i] ^= (uint8_t)bits;
		}
	free(table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_begin),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_refused_tables),
		cmocka_unit_test(test_no_tables),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
