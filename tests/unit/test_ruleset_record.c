/* When a record of what a ruleset was made of may be relied on. */
#include "launcher/ruleset_record.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct ruleset_record record;

static struct identity
look_at(const char *path, bool is_dated)
{
	struct statx status;

	assert_int_equal(statx(AT_FDCWD, path, 0, IDENTITY_WANTED, &status), 0);
	return identify(&status, is_dated);
}

static struct identity
changed_ms_ago(int64_t ms)
{
	struct timespec now;
	struct identity identity = { .inode = 1 };

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
	identity.changed_s = now.tv_sec - ms / MS_A_S;
	identity.changed_ns = (uint32_t)now.tv_nsec;
	return identity;
}

static void
what_changed_just_now_is_not_relied_on(void **state)
{
	static const struct {
		int64_t ms;
		bool is_dated;
		enum record_state state;
	} rows[] = {
		{ 0, true, RECORD_YOUNG },
		{ -3600000, true, RECORD_YOUNG }, /* clocks are set */
		{ 1000, true, RECORD_WHOLE },
		{ 1000000, true, RECORD_WHOLE },
		{ 0, false, RECORD_WHOLE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct identity identity = changed_ms_ago(rows[i].ms);

		record_begin(&record);
		record_note(&record, "/", false, &identity, rows[i].is_dated);
		assert_int_equal(record.state, rows[i].state);
	}
	record_note(NULL, "/", false, &(struct identity){ .inode = 1 }, true);
}

static void
it_holds_while_paths_lead_where_they_led(void **state)
{
	const struct identity nothing = { .inode = 0 };
	const struct identity root = look_at("/", false);
	struct identity other;

	(void)state;
	record_begin(&record);
	assert_true(record_holds(&record));
	record_note(&record, "/", false, &root, false);
	record_note(&record, "/none/such", true, &nothing, false);
	assert_true(record_holds(&record));
	for (int i = 0; i < 7; i++) {
		other = root;
		switch (i) {
		case 0:
			other.inode++;
			break;
		case 1:
			other.mount++;
			break;
		case 2:
			other.major++;
			break;
		case 3:
			other.minor++;
			break;
		case 4:
			other.changed_s++;
			break;
		case 5:
			other.changed_ns++;
			break;
		case 6:
			other = nothing;
			break;
		}
		record_begin(&record);
		record_note(&record, "/", false, &other, false);
		assert_false(record_holds(&record));
	}
	record_begin(&record);
	record_note(&record, "/none/such", false, &root, false);
	assert_false(record_holds(&record));
}

/* What two grants name is looked at once, if it was the same to both. */
static void
it_is_noted_once(void **state)
{
	const struct identity root = look_at("/", false);
	const struct identity dated = look_at("/", true);
	struct identity other = root;

	(void)state;
	record_begin(&record);
	record_note(&record, "/", false, &root, false);
	record_note(&record, "/", true, &root, false);
	assert_int_equal(record.count, 1);
	record_note(&record, "/.", false, &root, false);
	record_note(&record, "/", false, &dated, true);
	assert_int_equal(record.count, 3);
	assert_true(record_holds(&record));
	other.inode++;
	record_note(&record, "/", false, &other, false);
	assert_int_equal(record.count, 4);
	assert_false(record_holds(&record));
}

/* Nor is one that lacks a path, or was given up on. */
static void
what_is_not_whole_never_holds(void **state)
{
	const struct identity root = look_at("/", false);
	static char path[RECORD_TEXT_BYTES + 1];

	(void)state;
	memset(path, '/', RECORD_TEXT_BYTES);
	record_begin(&record);
	for (uint32_t i = 0; i < RECORD_PATHS_MAX; i++)
		record_note(&record, path + i, false, &root, false);
	assert_true(record_holds(&record));
	record_note(&record, path + RECORD_PATHS_MAX, false, &root, false);
	assert_int_equal(record.state, RECORD_LARGE);
	assert_false(record_holds(&record));

	record_begin(&record);
	record_note(&record, path, true, &root, false);
	assert_int_equal(record.state, RECORD_LARGE);
	path[RECORD_TEXT_BYTES - 1] = '\0';
	record_begin(&record);
	record_note(&record, path, true, &root, false);
	assert_int_equal(record.state, RECORD_WHOLE);
	assert_true(record_holds(&record));
	record.state = RECORD_YOUNG;
	assert_false(record_holds(&record));
	record.state = RECORD_VOID;
	assert_false(record_holds(&record));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_changed_just_now_is_not_relied_on),
		cmocka_unit_test(it_holds_while_paths_lead_where_they_led),
		cmocka_unit_test(it_is_noted_once),
		cmocka_unit_test(what_is_not_whole_never_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
