#ifndef CORE_BREAKER_H
#define CORE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A circuit breaker: what has failed so often in a row is not tried again for
 * a while that doubles with every failure, and then by one at a time, until it
 * succeeds. All zero is a closed one. Milliseconds, of any one clock.
 */
#define BREAKER_FAILURES 3u /* in a row, that open it */
#define BREAKER_MIN_MS 10
#define BREAKER_MAX_MS 1000

struct breaker {
	int64_t retry_ms; /* not before then, once it is open */
	int64_t good_ms; /* when it last succeeded */
	uint32_t failures; /* in a row; BREAKER_FAILURES: it is open */
	uint32_t backoff_ms;
};

bool breaker_is_open(const struct breaker *breaker);

/* Whether to try, with so many of which it is not known yet. */
bool
breaker_lets(const struct breaker *breaker, uint32_t unknown, int64_t now_ms);

/* One failed; true if that opened it. */
bool breaker_fail(struct breaker *breaker, int64_t now_ms);

/* One succeeded; true if that closed it. */
bool breaker_succeed(struct breaker *breaker, int64_t now_ms);

#endif
