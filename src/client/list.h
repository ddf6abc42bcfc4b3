#ifndef CLIENT_LIST_H
#define CLIENT_LIST_H

#include <stdint.h>

#include "client/status.h"

/*
 * Prints the answer to HELP (RFC 1078: names, one a line, then end of file)
 * on standard output, line ends as LF and unprintable bytes escaped. fd is
 * the non-blocking socket that HELP was sent on. Says on standard error why
 * it did not end well.
 */
enum status list_print(int fd, int64_t deadline_ms);

#endif
