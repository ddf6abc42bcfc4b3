#ifndef SYS_WEEK_H
#define SYS_WEEK_H

#include <stdint.h>

/*
 * Where in the local week we are. The time zone is that of the environment's
 * TZ, else of /etc/localtime, as they were when week_begin read them:
 * tzset(3). A wall clock is what decides, summer time included.
 */
struct week {
	int64_t second; /* of the wall clock, for which `minute` holds */
	uint32_t minute; /* since Monday, 00:00 */
};

/* Reads the time zone, and the clock for the first time. */
void week_begin(struct week *week);

/* Reads the clock again; works it out only if it shows another second. */
void week_update(struct week *week);

#endif
