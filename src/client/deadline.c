/*
 * Waiting for a descriptor with an end in sight. Trusts the monotonic clock
 * alone: setting the date neither shortens nor lengthens a wait.
 */
#include "client/deadline.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

int64_t
deadline_now_ms(void)
{
	struct timespec now;

	/* Fails only for a clock that does not exist or a bad address. */
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int
deadline_wait(int fd, short events, int64_t deadline_ms)
{
	struct pollfd wanted = { .fd = fd, .events = events };

	for (;;) {
		int64_t left_ms = deadline_ms - deadline_now_ms();

		if (left_ms < 0)
			left_ms = 0;

		struct timespec timeout = { .tv_sec = left_ms / 1000,
			.tv_nsec = left_ms % 1000 * 1000000 };
		int ready = ppoll(&wanted, 1, &timeout, NULL);

		if (ready > 0)
			return 1;
		if (ready == 0 && left_ms == 0)
			return 0;
		if (ready == -1 && errno != EINTR)
			return -1;
	}
}
