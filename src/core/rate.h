#ifndef CORE_RATE_H
#define CORE_RATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How often something may happen: `tokens` in every period_ms on average, and
 * up to `burst` of them at once. All zero: as often as anybody likes.
 */
#define RATE_TOKENS_MAX 1000000u
#define RATE_PERIOD_MAX_MS 3600000u

struct rate {
	uint32_t tokens; /* 0: no limit */
	uint32_t period_ms;
	uint32_t burst;
};

/*
 * A token bucket. All zero is a full one. What is spent is counted in parts of
 * a token, period_ms of them to one, so that nothing is ever rounded: every
 * millisecond gives back `tokens` parts. A policy may come to hold it to
 * another rate: whatever that is, the tokens that were spent stay spent.
 */
struct rate_bucket {
	uint64_t spent_parts;
	int64_t at_ms; /* when that was so */
	uint32_t period_ms; /* parts that a token had then */
};

/* Whether there is a token; takes none. Time that runs back stands still. */
bool rate_has(
    const struct rate_bucket *bucket, const struct rate *rate, int64_t now_ms);

/* Takes a token if there is one; false, and nothing taken, if there is none. */
bool
rate_take(struct rate_bucket *bucket, const struct rate *rate, int64_t now_ms);

/* Whether it can be a rate at all: every number within its bounds, or none. */
bool rate_is_valid(const struct rate *rate);

#endif
