#ifndef CORE_POLICY_SUGGEST_H
#define CORE_POLICY_SUGGEST_H

#include "core/policy.h"

/* The known word nearest to one that is not known. */
struct suggestion {
	const char *word; /* NULL: none is near enough */
	unsigned distance;
};

/*
 * The number of letters to insert, delete, replace or swap with their
 * neighbour that turns one word into the other, or 3 if that takes more
 * than two.
 */
unsigned suggest_distance(struct text word, const char *known);

/*
 * Takes `known` if it is nearer to the word than what there was, and not
 * farther than two; the first of several equally near ones stays.
 */
void
suggest_consider(struct suggestion *best, struct text word, const char *known);

#endif
