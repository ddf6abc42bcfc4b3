#ifndef SYS_SOCK_DIAG_H
#define SYS_SOCK_DIAG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"

/*
 * What the kernel knows of a TCP connection whose socket is somebody else's
 * (sock_diag(7)). Needs no capability in a network namespace of one's own. The
 * kernel answers within the send, so nothing here waits.
 */

/* How to find a connection again without its socket. */
struct sock_diag_key {
	struct addr local, peer;
	uint64_t cookie; /* the socket's own, never used twice */
	uint32_t interface; /* that it is bound to; 0: none */
};

enum sock_diag_result {
	SOCK_DIAG_FOUND,
	SOCK_DIAG_GONE, /* there is no such socket any more */
	SOCK_DIAG_UNKNOWN, /* no answer this time; errno */
};

/* A socket to ask by, which never blocks; -1 with errno. */
int sock_diag_open(void);

/* Whether the kernel can answer for TCP at all. 0, or -1 with errno. */
int sock_diag_check(int diag_fd);

/* The key of a connected TCP socket; peer is accept4's. 0, or -1. */
int sock_diag_key(
    struct sock_diag_key *key, int socket_fd, const struct addr *peer);

/* For how long no data has come or gone on it: milliseconds, if found. */
enum sock_diag_result
sock_diag_ask(int diag_fd, const struct sock_diag_key *key, uint32_t *quiet_ms);

#endif
