#ifndef CLIENT_RELAY_H
#define CLIENT_RELAY_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "client/status.h"

/* Every call of the relay uses these, so that the sandbox can pin them. */
#define RELAY_SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
#define RELAY_SPLICE_FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK)

#define RELAY_BUFFER_BYTES ((size_t)256 * 1024)

/* What standard input or output is, and so how it is used without blocking. */
enum relay_kind {
	RELAY_PIPE, /* spliced */
	RELAY_SOCKET, /* recv and send with MSG_DONTWAIT */
	RELAY_FILE, /* read and written: it never keeps anybody waiting */
	RELAY_TERMINAL, /* written in small pieces, when it has room */
};

struct relay {
	int socket_fd; /* not owned; non-blocking */
	enum relay_kind input;
	enum relay_kind output;
	uint8_t *buffers; /* 2 * RELAY_BUFFER_BYTES, not owned */
};

/* What fd is; asked before the sandbox, which has no fstat. */
enum relay_kind relay_kind_of(int fd);

/*
 * Copies standard input to the socket and the socket to standard output
 * until the server closes. End of standard input becomes a half-close; a
 * server that stops reading only ends that direction. Leaves the file status
 * flags of standard input and output alone, since others share them, and
 * never blocks in one direction while the other could go on. SIGPIPE must be
 * ignored. Says on standard error why the status is not STATUS_OK.
 */
enum status relay_run(const struct relay *relay);

#endif
