/*
 * The event loop's one facility: epoll.
 * Trusts its caller to remove a descriptor before it gives it away.
 * Never decides what an event means.
 */
#include "sys/loop.h"

#include <errno.h>
#include <stddef.h>

#include "sys/fd.h"

int
loop_init(struct loop *loop)
{
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll_fd < 0 ? -1 : 0;
}

void
loop_finish(struct loop *loop)
{
	fd_close(&loop->epoll_fd);
}

static int
control(
    struct loop *loop, int operation, int fd, uint32_t events, uint64_t token)
{
	struct epoll_event event = { .events = events, .data.u64 = token };

	return epoll_ctl(loop->epoll_fd, operation, fd, &event);
}

int
loop_add(struct loop *loop, int fd, uint32_t events, uint64_t token)
{
	return control(loop, EPOLL_CTL_ADD, fd, events, token);
}

int
loop_modify(struct loop *loop, int fd, uint32_t events, uint64_t token)
{
	return control(loop, EPOLL_CTL_MOD, fd, events, token);
}

int
loop_remove(struct loop *loop, int fd)
{
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

int
loop_wait(struct loop *loop, struct epoll_event events[LOOP_EVENTS_MAX],
    int timeout_ms)
{
	int count =
	    epoll_wait(loop->epoll_fd, events, LOOP_EVENTS_MAX, timeout_ms);

	if (count < 0 && errno == EINTR)
		return 0;
	return count;
}
