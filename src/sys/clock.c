/*
 * The two clocks, read here and nowhere else, and a nap.
 * Trusts the kernel. Never waits longer than it is told.
 */
#include "sys/clock.h"

#include <time.h>

static int64_t
read_ms(clockid_t id)
{
	struct timespec now = { 0 };

	(void)clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
clock_now_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

int64_t
clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

void
clock_nap_us(long nap_us)
{
	const struct timespec nap = { .tv_nsec = nap_us * 1000 };

	(void)nanosleep(&nap, NULL);
}
