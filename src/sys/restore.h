#ifndef SYS_RESTORE_H
#define SYS_RESTORE_H

#include <stdint.h>

/*
 * Makes a client's socket what a service expects of an accepted one: blocking,
 * with no option of ours but keepalive (0: none), see tcp(7) and socket(7).
 * System calls only: async-signal-safe. 0, or -1 with errno.
 */
int restore_socket(int fd, uint32_t keepalive_s);

#endif
