/*
 * "Did you mean": distances of words, and which word is offered.
 */
#include "core/policy_suggest.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct text
text_of(const char *word)
{
	return (struct text){ word, strlen(word) };
}

static void
distances(void **state)
{
	static const struct {
		const char *word, *known;
		unsigned distance;
	} rows[] = {
		{ "", "", 0 },
		{ "", "a", 1 },
		{ "abc", "abc", 0 },
		{ "abc", "abd", 1 },
		{ "abc", "ab", 1 },
		{ "abc", "abcd", 1 },
		{ "abc", "bac", 1 },
		{ "abc", "acb", 1 },
		{ "listne", "listen", 1 },
		{ "alow", "allow", 1 },
		{ "sevrices", "service", 2 },
		{ "ca", "abc", 3 },
		{ "abc", "xyz", 3 },
		{ "abcdef", "", 3 },
		{ "per_source", "per-source", 1 },
		{ "an-unknown-word-that-is-very-much-too-long", "user", 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		    suggest_distance(text_of(rows[i].word), rows[i].known),
		    rows[i].distance);
}

/* Swapping the words changes nothing. */
static void
symmetry(void **state)
{
	static const char *const words[] = { "allow", "alias", "deny", "env",
		"exec", "user", "users", "suer", "log", "to" };
	const size_t count = sizeof(words) / sizeof(words[0]);

	(void)state;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++)
			assert_int_equal(
			    suggest_distance(text_of(words[i]), words[j]),
			    suggest_distance(text_of(words[j]), words[i]));
}

static void
nearest(void **state)
{
	static const char *const known[] = { "user", "users", "group", "to" };
	static const struct {
		const char *word, *offered;
	} rows[] = {
		{ "usr", "user" },
		{ "userss", "users" },
		{ "gruop", "group" },
		{ "xx", NULL },
		{ "t", NULL },
		{ "too", "to" },
		{ "frobnicate", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct suggestion best = { NULL, 0 };

		for (size_t j = 0; j < sizeof(known) / sizeof(known[0]); j++)
			suggest_consider(
			    &best, text_of(rows[i].word), known[j]);
		if (rows[i].offered == NULL)
			assert_null(best.word);
		else
			assert_string_equal(best.word, rows[i].offered);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distances),
		cmocka_unit_test(symmetry),
		cmocka_unit_test(nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
