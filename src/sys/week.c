/*
 * The minute of the local week, worked out once a second at most.
 * Trusts libc to keep the time zone that it has read (localtime_r(3)).
 * Never opens a file after week_begin.
 */
#include "sys/week.h"

#include <time.h>

static void
work_out(struct week *week, time_t now)
{
	struct tm local;
	/* tm_wday counts from Sunday. */
	const int days[] = { 6, 0, 1, 2, 3, 4, 5 };

	week->second = now;
	if (localtime_r(&now, &local) == NULL)
		return;
	week->minute =
	    (uint32_t)((days[local.tm_wday] * 24 + local.tm_hour) * 60 +
		local.tm_min);
}

void
week_begin(struct week *week)
{
	tzset();
	work_out(week, time(NULL));
}

void
week_update(struct week *week)
{
	time_t now = time(NULL);

	if (now != week->second)
		work_out(week, now);
}
