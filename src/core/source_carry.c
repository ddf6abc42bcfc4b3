/*
 * What one table of sources remembers, taken over by another.
 * Trusts the widths it is told: a key does not know its own.
 * Never carries a count: who counts knows what is counted.
 */
#include <string.h>

#include "core/source.h"

bool
source_key_carry(struct source_key *key, struct source_bits to_bits,
    struct source_bits from_bits)
{
	struct addr addr = { .family = key->family };
	bool is_v4 = key->family == ADDR_V4;

	if (is_v4 ? to_bits.v4 > from_bits.v4 : to_bits.v6 > from_bits.v6)
		return false;
	memcpy(addr.bytes, key->bytes, sizeof(addr.bytes));
	addr.scope = source_key_link(key);
	*key = source_key(&addr, to_bits.v4, to_bits.v6, key->scope);
	return true;
}

/* Two that become one share the worst; what is left of it, in either. */
static void
join(struct source_table *to, uint32_t record, const struct source *source,
    uint32_t penalty_max_ms, int64_t now_ms)
{
	struct source *joined = &to->records[record];
	int64_t until_ms = source->penalty_ms;

	if (source->rate.spent_parts > joined->rate.spent_parts)
		joined->rate = source->rate;
	if (until_ms > now_ms + penalty_max_ms)
		until_ms = now_ms + penalty_max_ms;
	if (until_ms <= joined->penalty_ms)
		return;
	joined->claims = source->claims;
	joined->claim = source->claim;
	source_penalise(to, record, until_ms, now_ms);
}

struct carry {
	struct source_table *to;
	const struct source_table *from;
	struct source_bits to_bits, from_bits;
	uint32_t penalty_max_ms;
	int64_t now_ms;
};

static void
carry_one(const struct carry *carry, uint32_t index)
{
	const struct source *source = &carry->from->records[index];
	struct source_key key = source->key;
	uint32_t record;

	/* Of whom nothing is known, nothing has to be kept. */
	if (source->penalty_ms <= carry->now_ms &&
	    source->rate.spent_parts == 0)
		return;
	if (!source_key_carry(&key, carry->to_bits, carry->from_bits))
		return;
	record = source_take(carry->to, &key, carry->now_ms);
	if (record != SOURCE_NONE)
		join(carry->to, record, source, carry->penalty_max_ms,
		    carry->now_ms);
}

/* The stalest first, so that it is the first to make room again. */
static void
carry_list(const struct carry *carry, const struct source_list *list)
{
	for (uint32_t i = list->oldest; i != SOURCE_NONE;
	     i = carry->from->records[i].newer)
		carry_one(carry, i);
}

static bool
is_counted_on(const struct source *source)
{
	for (int i = 0; i < SOURCE_COUNTS; i++)
		if (source->counts[i] > 0)
			return true;
	return false;
}

void
source_table_carry(struct source_table *to, const struct source_table *from,
    struct source_bits to_bits, struct source_bits from_bits,
    uint32_t penalty_max_ms, int64_t now_ms)
{
	const struct carry carry = { .to = to,
		.from = from,
		.to_bits = to_bits,
		.from_bits = from_bits,
		.penalty_max_ms = penalty_max_ms,
		.now_ms = now_ms };

	carry_list(&carry, &from->innocent);
	for (uint32_t i = 0; i < SOURCE_TERMS; i++)
		carry_list(&carry, &from->penalised[i]);
	for (uint32_t i = 0; i < from->used; i++)
		if (is_counted_on(&from->records[i]))
			carry_one(&carry, i);
}
