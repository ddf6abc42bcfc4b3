/*
 * The nearest known word, for "did you mean".
 * Compares short words only; a long one is simply not near to anything.
 */
#include "core/policy_suggest.h"

#include <string.h>

enum {
	WORD_MAX = 32,
	TOO_FAR = 3,
};

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/*
 * One row of the table of distances between the beginnings of word and known
 * (optimal string alignment): `two` and `one` are the rows before.
 */
static void
fill_row(unsigned row[WORD_MAX + 1], const unsigned one[WORD_MAX + 1],
    const unsigned two[WORD_MAX + 1], struct text word, size_t at,
    const char *known)
{
	row[0] = (unsigned)at + 1;
	for (size_t j = 0; known[j] != '\0'; j++) {
		unsigned cost = word.bytes[at] == known[j] ? 0 : 1;

		row[j + 1] =
		    least(least(one[j + 1] + 1, row[j] + 1), one[j] + cost);
		if (at > 0 && j > 0 && word.bytes[at] == known[j - 1] &&
		    word.bytes[at - 1] == known[j])
			row[j + 1] = least(row[j + 1], two[j - 1] + 1);
	}
}

unsigned
suggest_distance(struct text word, const char *known)
{
	unsigned rows[3][WORD_MAX + 1] = { 0 };
	size_t known_length = strlen(known);

	if (word.length > WORD_MAX || known_length > WORD_MAX)
		return TOO_FAR;
	for (unsigned j = 0; j <= known_length; j++)
		rows[0][j] = j;
	for (size_t i = 0; i < word.length; i++)
		fill_row(rows[(i + 1) % 3], rows[i % 3], rows[(i + 2) % 3],
		    word, i, known);
	return least(rows[word.length % 3][known_length], TOO_FAR);
}

void
suggest_consider(struct suggestion *best, struct text word, const char *known)
{
	unsigned distance = suggest_distance(word, known);

	/* any two letters are two changes away from any other two */
	if (distance >= TOO_FAR || distance >= word.length ||
	    distance >= strlen(known))
		return;
	if (best->word != NULL && best->distance <= distance)
		return;
	best->word = known;
	best->distance = distance;
}
