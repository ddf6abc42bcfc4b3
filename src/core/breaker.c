/*
 * When to stop trying what fails, and when to try again.
 * Trusts its caller's clock not to go backwards.
 */
#include "core/breaker.h"

bool
breaker_is_open(const struct breaker *breaker)
{
	return breaker->failures >= BREAKER_FAILURES;
}

bool
breaker_lets(const struct breaker *breaker, uint32_t unknown, int64_t now_ms)
{
	if (!breaker_is_open(breaker))
		return true;
	return unknown == 0 && now_ms >= breaker->retry_ms;
}

bool
breaker_fail(struct breaker *breaker, int64_t now_ms)
{
	bool was_open = breaker_is_open(breaker);

	if (!was_open) {
		breaker->failures++;
		breaker->backoff_ms = BREAKER_MIN_MS;
	} else if (now_ms >= breaker->retry_ms) {
		breaker->backoff_ms *= 2;
		if (breaker->backoff_ms > BREAKER_MAX_MS)
			breaker->backoff_ms = BREAKER_MAX_MS;
	}
	if (!was_open || now_ms >= breaker->retry_ms)
		breaker->retry_ms = now_ms + breaker->backoff_ms;
	return !was_open && breaker_is_open(breaker);
}

bool
breaker_succeed(struct breaker *breaker, int64_t now_ms)
{
	bool was_open = breaker_is_open(breaker);

	*breaker = (struct breaker){ .good_ms = now_ms };
	return was_open;
}
