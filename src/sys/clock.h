#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC: for deadlines and durations. */
int64_t clock_now_ms(void);

/* Sleeps for so many microseconds, or until a signal. */
void clock_nap_us(long nap_us);

/* Milliseconds since 1970-01-01 UTC: for people to read. */
int64_t clock_wall_ms(void);

#endif
