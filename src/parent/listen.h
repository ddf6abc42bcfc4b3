#ifndef PARENT_LISTEN_H
#define PARENT_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

struct parent;

/* The listening sockets, and what came in through them. */
struct listener {
	int fd; /* owned */
	bool is_armed;
};

struct listeners {
	struct listener *all; /* owned mapping */
	uint32_t count;
	int64_t retry_ms; /* when to arm them again; 0: all are armed */
};

/*
 * Binds every address of the policy; nobody can connect yet. Returns 0, or -1
 * after logging which address and why.
 */
int listen_open(struct parent *parent);

/* Listens and starts to accept. 0, or -1 with errno. */
int listen_arm(struct parent *parent);

/* Stops for good: closes every listening socket. */
void listen_close(struct parent *parent);

/* A listener is readable: accepts, and has each connection admitted. */
void listen_accept(struct parent *parent, uint32_t index);

/* After an accept that failed for want of something: tries again. */
void listen_tend(struct parent *parent);

#endif
