#ifndef SYS_LOOP_H
#define SYS_LOOP_H

#include <stdint.h>

#include <sys/epoll.h>

/*
 * One epoll instance (epoll(7)). A token comes back with each event: what
 * kind of thing is ready (the upper half) and which one (the lower half).
 */
#define LOOP_EVENTS_MAX 256

struct loop {
	int epoll_fd; /* owned */
};

static inline uint64_t
loop_token(uint32_t kind, uint32_t index)
{
	return (uint64_t)kind << 32 | index;
}

static inline uint32_t
loop_token_kind(uint64_t token)
{
	return (uint32_t)(token >> 32);
}

static inline uint32_t
loop_token_index(uint64_t token)
{
	return (uint32_t)token;
}

/* All return 0, or -1 with errno. fd stays the caller's. */
int loop_init(struct loop *loop);
void loop_finish(struct loop *loop);
int loop_add(struct loop *loop, int fd, uint32_t events, uint64_t token);
int loop_modify(struct loop *loop, int fd, uint32_t events, uint64_t token);
/* A registration outlives close() while another process has a copy: so it is
 * always taken back before a descriptor is closed or handed over. */
int loop_remove(struct loop *loop, int fd);

/*
 * Waits up to timeout_ms (-1: for ever) and returns how many of events[] were
 * filled in; an interrupted wait is one without events.
 */
int loop_wait(struct loop *loop, struct epoll_event events[LOOP_EVENTS_MAX],
    int timeout_ms);

#endif
