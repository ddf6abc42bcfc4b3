#ifndef SYS_SERVER_H
#define SYS_SERVER_H

#include <stdbool.h>

#include <sys/types.h>

/* A server that runs already, and its Unix socket (unix(7)). */

/*
 * Connects to it (SOCK_STREAM), looking the path up with the rights that `uid`
 * has to files, if as_uid: CAP_SETUID. Never waits: EAGAIN says that as many
 * wait for the server as may. Returns the descriptor, the caller's, or -1 with
 * errno.
 */
int server_connect(const char *path, uid_t uid, bool as_uid);

/* Whether it was `uid` who listened there. */
bool server_is(int fd, uid_t uid);

enum server_state {
	SERVER_WAITING, /* it has not read the message yet */
	SERVER_HAS_READ,
	SERVER_GONE, /* it closed, or ended, without reading it */
};

/* What became of what was sent to it. */
enum server_state server_state(int fd);

#endif
