#ifndef CORE_CLAIM_H
#define CORE_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "core/source.h"

/*
 * Penalties. They sum: each moves the end of what its source has by its
 * duration, at most to max_ms from now. Time alone wears them off.
 *
 * Some are given for what a parser's worker merely claims. Those are written
 * down, so that they can be taken back when that worker is found to lie. What
 * cannot be written down is not given.
 */
#define CLAIMS_MAX 4096u /* sources that one worker has penalties on */

struct claim {
	uint32_t record, round; /* whose; the record may be another's by now */
	int64_t until_ms; /* where its penalty came to end by this */
	uint32_t amount_ms; /* and how much of that this was */
};

/* What was given on one worker's word since it started. */
struct claims {
	struct claim *all; /* not owned; CLAIMS_MAX of them */
	uint32_t id; /* of this worker, never 0 and never used twice */
	uint32_t begun; /* entries that were ever begun */
};

/* Forgets what was claimed; `all` stays. */
void claims_begin(struct claims *claims, uint32_t id);

/* Adds a penalty for what we saw ourselves. */
void claim_add_sure(struct source_table *table, uint32_t record,
    uint32_t amount_ms, uint32_t max_ms, int64_t now_ms);

/* Adds one for what the worker claims; false if that is not possible now. */
bool claim_add(struct claims *claims, struct source_table *table,
    uint32_t record, uint32_t amount_ms, uint32_t max_ms, int64_t now_ms);

/* Takes back all that is left of what was claimed; from how many sources. */
uint32_t
claims_wipe(struct claims *claims, struct source_table *table, int64_t now_ms);

/*
 * The records are those of another table now, which has carried what `from`
 * remembered (source_table_carry): finds them there. Whose are not there are
 * forgotten.
 */
void claims_carry(struct claims *claims, const struct source_table *to,
    const struct source_table *from, struct source_bits to_bits,
    struct source_bits from_bits);

#endif
