/*
 * Penalties, and who said what they are for.
 * Trusts records to be of the table; a claim's may be another source's by now.
 * Never takes back more than was claimed.
 */
#include "core/claim.h"

/* How much of the amount the source really got: its end is capped. */
static uint32_t
lengthen(struct source_table *table, uint32_t record, uint32_t amount_ms,
    uint32_t max_ms, int64_t now_ms)
{
	uint32_t left_ms = source_penalty_left_ms(table, record, now_ms);

	if (left_ms >= max_ms)
		return 0;
	if (amount_ms > max_ms - left_ms)
		amount_ms = max_ms - left_ms;
	if (amount_ms > 0)
		source_penalise(
		    table, record, now_ms + left_ms + amount_ms, now_ms);
	return amount_ms;
}

void
claims_begin(struct claims *claims, uint32_t id)
{
	claims->id = id;
	claims->begun = 0;
}

void
claim_add_sure(struct source_table *table, uint32_t record, uint32_t amount_ms,
    uint32_t max_ms, int64_t now_ms)
{
	(void)lengthen(table, record, amount_ms, max_ms, now_ms);
}

/* What it gave and time has not yet worn off, the earliest end first. */
static uint32_t
left_of(const struct claim *claim, int64_t now_ms)
{
	int64_t left_ms = claim->until_ms - now_ms;

	if (left_ms <= 0)
		return 0;
	return left_ms < claim->amount_ms ? (uint32_t)left_ms
					  : claim->amount_ms;
}

/* The entry of this source, or one that is free; NULL if none is. */
static struct claim *
entry_for(struct claims *claims, struct source *source, uint32_t record,
    int64_t now_ms)
{
	struct claim *claim;

	if (source->claims == claims->id) {
		claim = &claims->all[source->claim];
		if (claim->record == record && claim->round == source->round)
			return claim;
	}
	claim = &claims->all[claims->begun % CLAIMS_MAX];
	if (claims->begun >= CLAIMS_MAX && left_of(claim, now_ms) > 0)
		return NULL;
	source->claims = claims->id;
	source->claim = claims->begun % CLAIMS_MAX;
	claims->begun++;
	*claim = (struct claim){ .record = record, .round = source->round };
	/* Once around, it is only whether there was a round that counts. */
	if (claims->begun == 2 * CLAIMS_MAX)
		claims->begun = CLAIMS_MAX;
	return claim;
}

bool
claim_add(struct claims *claims, struct source_table *table, uint32_t record,
    uint32_t amount_ms, uint32_t max_ms, int64_t now_ms)
{
	struct source *source = &table->records[record];
	struct claim *claim;

	if (amount_ms == 0)
		return true;
	claim = entry_for(claims, source, record, now_ms);
	if (claim == NULL)
		return false;
	claim->amount_ms = left_of(claim, now_ms) +
	    lengthen(table, record, amount_ms, max_ms, now_ms);
	claim->until_ms = source->penalty_ms;
	return true;
}

uint32_t
claims_wipe(struct claims *claims, struct source_table *table, int64_t now_ms)
{
	uint32_t count =
	    claims->begun < CLAIMS_MAX ? claims->begun : CLAIMS_MAX;
	uint32_t wiped = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct claim *claim = &claims->all[i];
		const struct source *source = &table->records[claim->record];
		uint32_t left_ms = left_of(claim, now_ms);

		if (source->round != claim->round || left_ms == 0)
			continue;
		source_penalise(
		    table, claim->record, source->penalty_ms - left_ms, now_ms);
		wiped++;
	}
	claims->begun = 0;
	return wiped;
}

/* Where the entry's source is now; SOURCE_NONE: nowhere, or it is another. */
static uint32_t
carried(const struct claim *claim, const struct source_table *to,
    const struct source_table *from, struct source_bits to_bits,
    struct source_bits from_bits)
{
	const struct source *source = &from->records[claim->record];
	struct source_key key = source->key;

	if (source->round != claim->round ||
	    !source_key_carry(&key, to_bits, from_bits))
		return SOURCE_NONE;
	return source_find(to, &key);
}

void
claims_carry(struct claims *claims, const struct source_table *to,
    const struct source_table *from, struct source_bits to_bits,
    struct source_bits from_bits)
{
	uint32_t count =
	    claims->begun < CLAIMS_MAX ? claims->begun : CLAIMS_MAX;

	for (uint32_t i = 0; i < count; i++) {
		struct claim *claim = &claims->all[i];
		uint32_t record = carried(claim, to, from, to_bits, from_bits);

		if (record == SOURCE_NONE) {
			*claim = (struct claim){ .until_ms = 0 };
			continue;
		}
		claim->record = record;
		claim->round = to->records[record].round;
	}
}
