#ifndef CLIENT_MESSAGE_H
#define CLIENT_MESSAGE_H

#include <stddef.h>

/* Room that the longest escaped form of `length` bytes and a NUL take. */
#define MESSAGE_ESCAPED_BYTES(length) ((length)*4 + 1)

/*
 * Writes "tcpmux: ", the formatted text and a newline to standard error, in
 * one write where that takes it. What does not fit 8 KiB is cut. Uses no
 * system call but write and ppoll, so it works inside the sandbox.
 */
void
message_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Copies bytes[0..length) to escaped, which has MESSAGE_ESCAPED_BYTES(length),
 * as printable ASCII: anything else becomes \xNN and a backslash \\, so that
 * no server can steer the terminal that shows it. NUL-terminated.
 */
void message_escape(char *escaped, const char *bytes, size_t length);

/*
 * Writes all of it, waiting where the descriptor is non-blocking. 0, or -1
 * with errno of write(2).
 */
int message_write(int fd, const char *bytes, size_t length);

#endif
