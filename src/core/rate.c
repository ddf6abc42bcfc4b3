/*
 * Token buckets.
 * Trusts the rate to be a valid one; the clock may stand still or run back.
 * Never rounds but where a bucket comes under another rate: what is spent is
 * counted in parts of a token.
 */
#include "core/rate.h"

/* As many tokens, in parts of another size; no product is a large one. */
static uint64_t
recount(uint64_t parts, uint32_t from_ms, uint32_t to_ms)
{
	return parts / from_ms * to_ms + parts % from_ms * to_ms / from_ms;
}

/* The bucket as it is at now_ms, in parts of this rate's tokens. */
static struct rate_bucket
settled(
    const struct rate_bucket *bucket, const struct rate *rate, int64_t now_ms)
{
	const uint64_t whole = (uint64_t)rate->burst * rate->period_ms;
	struct rate_bucket now = *bucket;
	uint64_t elapsed_ms;

	if (now.period_ms != rate->period_ms && now.spent_parts > 0)
		now.spent_parts =
		    recount(now.spent_parts, now.period_ms, rate->period_ms);
	now.period_ms = rate->period_ms;
	if (now.spent_parts > whole) /* of another, larger rate */
		now.spent_parts = whole;
	if (now_ms <= now.at_ms)
		return now;
	elapsed_ms = (uint64_t)now_ms - (uint64_t)now.at_ms;
	now.at_ms = now_ms;
	if (elapsed_ms > now.spent_parts / rate->tokens)
		now.spent_parts = 0;
	else
		now.spent_parts -= elapsed_ms * rate->tokens;
	return now;
}

static bool
has_token(const struct rate_bucket *bucket, const struct rate *rate)
{
	return bucket->spent_parts + rate->period_ms <=
	    (uint64_t)rate->burst * rate->period_ms;
}

bool
rate_has(
    const struct rate_bucket *bucket, const struct rate *rate, int64_t now_ms)
{
	struct rate_bucket now;

	if (rate->tokens == 0)
		return true;
	now = settled(bucket, rate, now_ms);
	return has_token(&now, rate);
}

bool
rate_take(struct rate_bucket *bucket, const struct rate *rate, int64_t now_ms)
{
	if (rate->tokens == 0)
		return true;
	*bucket = settled(bucket, rate, now_ms);
	if (!has_token(bucket, rate))
		return false;
	bucket->spent_parts += rate->period_ms;
	return true;
}

bool
rate_is_valid(const struct rate *rate)
{
	if (rate->tokens == 0)
		return rate->period_ms == 0 && rate->burst == 0;
	return rate->tokens <= RATE_TOKENS_MAX && rate->period_ms > 0 &&
	    rate->period_ms <= RATE_PERIOD_MAX_MS && rate->burst > 0 &&
	    rate->burst <= RATE_TOKENS_MAX;
}
