#ifndef PARENT_LISTEN_H
#define PARENT_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/image.h"
#include "sys/shared.h"

struct parent;

/* Of a connection whose listener is none of the policy's any more. */
#define LISTENER_GONE IMAGE_LISTENS_MAX

/* The listening sockets, and what came in through them. */
struct listener {
	int fd; /* owned; -1: it has left */
	bool is_armed;
	bool is_lenient; /* a bare LF ends a line, too */
	struct addr addr; /* as the policy has it */
	char interface[IMAGE_INTERFACE_MAX + 1]; /* likewise; empty: any */
	int64_t leaves_ms; /* when it is closed; 0: it is the policy's */
};

/* First the policy's, in its order; behind them, those that leave. */
struct listeners {
	struct listener *all; /* in the mapping below */
	struct shared table; /* owned */
	uint32_t count, leaving;
	bool had_filter; /* one had: whom it brings in may have inherited it */
	int64_t retry_ms; /* when to arm them again; 0: all are armed */
};

/*
 * Binds every address of the policy; nobody can connect yet. Returns 0, or -1
 * after logging which address and why.
 */
int listen_open(struct parent *parent);

/*
 * Makes the listener of that number in a policy: binds its address and sets its
 * options. is_shared: also where a socket of ours that is shared (SO_REUSEPORT)
 * has it. Returns 0, or -1 with errno, logged.
 */
int listen_bind(struct parent *parent, struct listener *listener,
    const struct image *image, uint32_t index, bool is_shared);

/* Whether that listener of a policy takes a bare LF as the end of a line. */
bool listen_is_lenient(const struct image *image, uint32_t index);

/* Listens on a bound one, not yet accepting from it. 0, or -1 with errno. */
int listen_begin(struct parent *parent, struct listener *listener, int backlog);

/* Listens and starts to accept. 0, or -1 with errno. */
int listen_arm(struct parent *parent);

/* Stops for good: closes every listening socket. */
void listen_close(struct parent *parent);

/* A listener is readable: accepts, and has each connection admitted. */
void listen_accept(struct parent *parent, uint32_t index);

/* Starts or stops accepting from it, without losing anybody in between. */
int listen_set_armed(struct parent *parent, uint32_t index, bool is_armed);

/* After an accept that failed for want of something; and who has to leave. */
void listen_tend(struct parent *parent);

/* When that is due; 0: it is not. */
int64_t listen_due_ms(const struct parent *parent);

#endif
