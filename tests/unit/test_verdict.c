/*
 * What a parser may answer: every way to lie has its name, and random bytes
 * get nothing through.
 */
#include "core/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/line.h"
#include "random.h"

#define NAMES 10u

static const struct handover batch[2] = { { .slot = 7, .generation = 70 },
	{ .slot = 3, .generation = UINT64_C(0x123456789a) } };

static void
claim(struct verdict *answer, const char *name)
{
	answer->claimed[0] = (uint8_t)strlen(name);
	memcpy(answer->claimed + 1, name, strlen(name));
}

static enum violation
check(const struct verdict answers[], size_t count, size_t asked)
{
	uint8_t bytes[VERDICT_MESSAGE_MAX];
	struct verdict got[BATCH_MAX];
	size_t length = verdict_encode(bytes, answers, count);

	return verdict_check(got, bytes, length, batch, asked, NAMES);
}

/* An answer to batch[0] with this outcome and nothing else wrong. */
static struct verdict
answer_of(unsigned outcome, uint32_t name, uint16_t length, const char *claimed)
{
	struct verdict answer = { .slot = batch[0].slot,
		.generation = batch[0].generation,
		.outcome = (uint8_t)outcome,
		.name = name,
		.length = length };

	claim(&answer, claimed);
	return answer;
}

static void
test_rows(void **state)
{
	static const struct {
		unsigned outcome;
		uint32_t name;
		uint16_t length;
		const char *claimed;
		enum violation expected;
	} rows[] = {
		{ OUTCOME_MORE, VERDICT_NO_NAME, 0, "", VIOLATION_NONE },
		{ OUTCOME_MORE, VERDICT_NO_NAME, 128, "", VIOLATION_NONE },
		{ OUTCOME_MORE, VERDICT_NO_NAME, 129, "", VIOLATION_LINE },
		{ OUTCOME_MORE, 0, 5, "", VIOLATION_NAME },
		{ OUTCOME_MORE, VERDICT_NO_NAME, 5, "x", VIOLATION_CLAIM },
		{ OUTCOME_NAME, 0, 7, "", VIOLATION_NONE },
		{ OUTCOME_NAME, 9, 129, "", VIOLATION_NONE },
		{ OUTCOME_NAME, 10, 7, "", VIOLATION_NAME },
		{ OUTCOME_NAME, VERDICT_NO_NAME, 7, "", VIOLATION_NAME },
		{ OUTCOME_NAME, 0, 1, "", VIOLATION_LINE },
		{ OUTCOME_NAME, 0, 130, "", VIOLATION_LINE },
		{ OUTCOME_NAME, 0, 7, "x", VIOLATION_CLAIM },
		{ OUTCOME_HELP, VERDICT_NO_NAME, 6, "", VIOLATION_NONE },
		{ OUTCOME_HELP, VERDICT_NO_NAME, 5, "", VIOLATION_NONE },
		{ OUTCOME_HELP, VERDICT_NO_NAME, 4, "", VIOLATION_LINE },
		{ OUTCOME_HELP, VERDICT_NO_NAME, 7, "", VIOLATION_LINE },
		{ OUTCOME_HELP, 1, 6, "", VIOLATION_NAME },
		{ OUTCOME_UNKNOWN, VERDICT_NO_NAME, 5, "abc", VIOLATION_NONE },
		{ OUTCOME_UNKNOWN, VERDICT_NO_NAME, 5, "", VIOLATION_CLAIM },
		{ OUTCOME_UNKNOWN, VERDICT_NO_NAME, 5, "a\n", VIOLATION_CLAIM },
		{ OUTCOME_UNKNOWN, VERDICT_NO_NAME, 1, "a", VIOLATION_LINE },
		{ OUTCOME_UNKNOWN, VERDICT_NO_NAME, 130, "a", VIOLATION_LINE },
		{ OUTCOME_UNKNOWN, 2, 5, "abc", VIOLATION_NAME },
		{ OUTCOME_MALFORMED, VERDICT_NO_NAME, 0, "", VIOLATION_NONE },
		{ OUTCOME_MALFORMED, VERDICT_NO_NAME, 1, "", VIOLATION_LINE },
		{ OUTCOME_MALFORMED, 3, 0, "", VIOLATION_NAME },
		{ OUTCOME_CLOSED, VERDICT_NO_NAME, 0, "", VIOLATION_NONE },
		{ OUTCOME_CLOSED, VERDICT_NO_NAME, 0, "x", VIOLATION_CLAIM },
		{ 0, VERDICT_NO_NAME, 0, "", VIOLATION_OUTCOME },
		{ 7, VERDICT_NO_NAME, 0, "", VIOLATION_OUTCOME },
		{ 255, VERDICT_NO_NAME, 0, "", VIOLATION_OUTCOME },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verdict answer = answer_of(rows[i].outcome, rows[i].name,
		    rows[i].length, rows[i].claimed);

		assert_int_equal(check(&answer, 1, 1), rows[i].expected);
	}
}

/* Who has sent its FIN cannot be waited for: nothing will wake it. */
static void
test_no_more_behind_the_end(void **state)
{
	const struct handover final = { .slot = batch[0].slot,
		.generation = batch[0].generation,
		.flags = HANDOVER_FINAL };

	(void)state;
	for (unsigned outcome = OUTCOME_MORE; outcome <= OUTCOME_CLOSED;
	     outcome++) {
		const bool is_name = outcome == OUTCOME_NAME;
		const bool has_line = is_name || outcome == OUTCOME_HELP ||
		    outcome == OUTCOME_UNKNOWN;
		const struct verdict answer = answer_of(outcome,
		    is_name ? 0 : VERDICT_NO_NAME, has_line ? 6 : 0,
		    outcome == OUTCOME_UNKNOWN ? "abc" : "");
		uint8_t bytes[VERDICT_MESSAGE_MAX];
		struct verdict got[BATCH_MAX];

		assert_int_equal(check(&answer, 1, 1), VIOLATION_NONE);
		verdict_encode(bytes, &answer, 1);
		assert_int_equal(
		    verdict_check(got, bytes, VERDICT_BYTES, &final, 1, NAMES),
		    outcome == OUTCOME_MORE ? VIOLATION_OUTCOME
					    : VIOLATION_NONE);
	}
}

static void
test_claimed_length(void **state)
{
	struct verdict answer =
	    answer_of(OUTCOME_UNKNOWN, VERDICT_NO_NAME, 129, "");

	(void)state;
	memset(answer.claimed, 'x', sizeof(answer.claimed));
	for (unsigned length = 0; length < 256; length++) {
		answer.claimed[0] = (uint8_t)length;
		assert_int_equal(check(&answer, 1, 1),
		    length >= 1 && length <= NAME_MAX_BYTES ? VIOLATION_NONE
							    : VIOLATION_CLAIM);
	}
}

static void
test_batch(void **state)
{
	struct verdict answers[3];
	struct verdict good;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		answers[i] = answer_of(OUTCOME_CLOSED, VERDICT_NO_NAME, 0, "");
	answers[1].slot = batch[1].slot;
	answers[1].generation = batch[1].generation;
	assert_int_equal(check(answers, 2, 2), VIOLATION_NONE);
	assert_int_equal(check(answers, 1, 2), VIOLATION_LENGTH);
	assert_int_equal(check(answers, 3, 2), VIOLATION_LENGTH);
	assert_int_equal(check(answers, 2, 0), VIOLATION_UNASKED);
	good = answers[1];
	answers[1].slot++;
	assert_int_equal(check(answers, 2, 2), VIOLATION_SLOT);
	answers[1] = good;
	answers[1].generation--;
	assert_int_equal(check(answers, 2, 2), VIOLATION_GENERATION);
	answers[1] = answers[0];
	answers[0] = good;
	assert_int_equal(check(answers, 2, 2), VIOLATION_SLOT);
}

static void
test_lengths(void **state)
{
	uint8_t bytes[2 * VERDICT_BYTES + 1] = { 0 };
	struct verdict got[BATCH_MAX];

	(void)state;
	for (size_t length = 0; length <= sizeof(bytes); length++)
		assert_int_equal(
		    verdict_check(got, bytes, length, batch, 2, NAMES),
		    length == 2 * VERDICT_BYTES ? VIOLATION_SLOT
						: VIOLATION_LENGTH);
}

/* Whatever gets through is what was asked for and nothing impossible. */
static void
test_random(void **state)
{
	uint64_t random = 88172645463325252u;
	unsigned accepted = 0;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		struct verdict answer = answer_of(OUTCOME_NAME, 3, 7, "");
		uint8_t bytes[VERDICT_MESSAGE_MAX];
		struct verdict got[BATCH_MAX];

		verdict_encode(bytes, &answer, 1);
		for (int change = 0; change < 3; change++) {
			(void)random_next(&random);
			bytes[random % VERDICT_BYTES] = (uint8_t)(random >> 32);
		}
		if (verdict_check(got, bytes, VERDICT_BYTES, batch, 1, NAMES) !=
		    VIOLATION_NONE)
			continue;
		accepted++;
		assert_int_equal(got[0].slot, batch[0].slot);
		assert_true(got[0].generation == batch[0].generation);
		assert_true(got[0].length <= LINE_MAX_BYTES);
		assert_true(got[0].name < NAMES ||
		    (got[0].name == VERDICT_NO_NAME &&
			got[0].outcome != OUTCOME_NAME));
		assert_true(got[0].claimed[0] == 0 ||
		    got[0].outcome == OUTCOME_UNKNOWN);
	}
	assert_true(accepted > 0);
}

static void
test_names(void **state)
{
	(void)state;
	for (int i = 0; i < VIOLATION_COUNT; i++) {
		assert_non_null(violation_name((enum violation)i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
			    violation_name((enum violation)i),
			    violation_name((enum violation)j));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_no_more_behind_the_end),
		cmocka_unit_test(test_claimed_length),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
