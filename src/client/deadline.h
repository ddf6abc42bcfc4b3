#ifndef CLIENT_DEADLINE_H
#define CLIENT_DEADLINE_H

#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC; deadlines are points of this clock. */
int64_t deadline_now_ms(void);

/*
 * Waits until fd has one of the poll(2) events, an error or a hang-up: 1; or
 * until the deadline: 0; or -1 with errno of ppoll(2).
 */
int deadline_wait(int fd, short events, int64_t deadline_ms);

#endif
