#ifndef LAUNCHER_RECEIVE_H
#define LAUNCHER_RECEIVE_H

#include "core/message.h"

enum receive_result {
	RECEIVE_LAUNCH,
	RECEIVE_CLOSED, /* the parent is gone */
	RECEIVE_BAD, /* whatever came, it is no LAUNCH */
};

/* One LAUNCH and its descriptors. */
struct received {
	struct launch launch;
	int socket_fd; /* owned, like the others */
	int status_fd;
	int stderr_fd; /* -1 without LAUNCH_STDERR */
	int cgroup_fd; /* -1 without LAUNCH_CGROUP */
};

/*
 * Waits for the next message and takes it, if it is a LAUNCH to the byte and
 * to the descriptor. For any other result nothing is left open.
 */
enum receive_result receive_launch(int channel_fd, struct received *received);

#endif
