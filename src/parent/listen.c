/*
 * The door: binds the addresses of the policy, accepts, classifies errors.
 * Trusts accept4 for the peer's address, and nothing that the peer sends.
 * Never reads a byte and never waits.
 */
#include "parent/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "core/image.h"
#include "parent/admit.h"
#include "parent/limits.h"
#include "parent/parent.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/socket_filter.h"

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

#ifndef SO_PEEK_OFF
#define SO_PEEK_OFF 42
#endif

struct socket_option {
	int level, name, value;
	bool is_v6_only, is_required;
};

/* Set on the listener, inherited by what it accepts, taken back by launch. */
static const struct socket_option options[] = {
	/* A restart must not wait for connections of the one before. */
	{ SOL_SOCKET, SO_REUSEADDR, 1, false, true },
	/* `::` is IPv6 and no more: no address can come in two ways. */
	{ IPPROTO_IPV6, IPV6_V6ONLY, 1, true, true },
	/* Whoever says nothing costs nothing, for its first second. */
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, 1, false, false },
	/* Urgent bytes are bytes of the line like any other. */
	{ SOL_SOCKET, SO_OOBINLINE, 1, false, true },
	/* A peer that is gone is noticed while it has an answer to take. */
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, (int)LIMIT_USER_TIMEOUT_MS, false,
	    true },
};

static int
set_options(struct parent *parent, int fd, bool is_v6)
{
	const int start = 0;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const struct socket_option *option = &options[i];

		if (option->is_v6_only && !is_v6)
			continue;
		if (setsockopt(fd, option->level, option->name, &option->value,
			sizeof(option->value)) != 0 &&
		    option->is_required)
			return -1;
	}
	/* So that a second peek goes on behind an urgent mark (Linux 6.9). */
	parent->can_peek_on =
	    setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &start, sizeof(start)) == 0;
	return 0;
}

/* What the policy says of this listener alone; before it is bound. */
static int
set_wanted(const struct image *image, int fd, const struct image_listen *wanted)
{
	const char *interface = image_text(image, wanted->interface);
	const int on = 1;
	bool is_v6 = wanted->addr.family == ADDR_V6;

	if (wanted->interface.length > 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
		wanted->interface.length) != 0)
		return -1;
	if ((wanted->flags & IMAGE_LISTEN_FREEBIND) == 0)
		return 0;
	return setsockopt(fd, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP,
	    is_v6 ? IPV6_FREEBIND : IP_FREEBIND, &on, sizeof(on));
}

static int
open_one(struct parent *parent, const struct image *image,
    const struct image_listen *wanted, bool is_shared)
{
	struct sockaddr_storage storage;
	socklen_t length = addr_to_sockaddr(&wanted->addr, &storage);
	const int shared = is_shared;
	int fd = socket(
	    storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (set_options(parent, fd, wanted->addr.family == ADDR_V6) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &shared, sizeof(shared)) !=
		0 ||
	    set_wanted(image, fd, wanted) != 0 ||
	    bind(fd, (const struct sockaddr *)&storage, length) != 0)
		fd_close(&fd);
	return fd;
}

bool
listen_is_lenient(const struct image *image, uint32_t index)
{
	return (image_listen(image, index)->flags & IMAGE_LISTEN_LENIENT_LF) !=
	    0;
}

int
listen_bind(struct parent *parent, struct listener *listener,
    const struct image *image, uint32_t index, bool is_shared)
{
	const struct image_listen *wanted = image_listen(image, index);
	const char *interface = image_text(image, wanted->interface);
	int fd = open_one(parent, image, wanted, is_shared);
	int error = errno;

	*listener = (struct listener){ .fd = fd,
		.addr = wanted->addr,
		.is_lenient = listen_is_lenient(image, index) };
	/* image_init saw to it that it fits. */
	memcpy(listener->interface, interface, wanted->interface.length + 1);
	log_begin(fd < 0 ? LOG_LEVEL_ERROR : LOG_LEVEL_NOTICE,
	    fd < 0 ? "listen-failed" : "listen");
	log_own_addr(&wanted->addr);
	if (interface[0] != '\0')
		log_text("interface", interface);
	if (fd < 0)
		log_errno(error);
	log_place(
	    "rule", image_text(image, wanted->place.file), wanted->place.line);
	log_end();
	errno = error;
	return fd < 0 ? -1 : 0;
}

int
listen_open(struct parent *parent)
{
	struct listeners *listeners = &parent->listeners;
	uint32_t count = image_count(&parent->image, IMAGE_LISTENS);

	if (shared_map(&listeners->table, count * sizeof(struct listener)) !=
	    0) {
		log_begin(LOG_LEVEL_ERROR, "listen-failed");
		log_errno(errno);
		log_end();
		return -1;
	}
	listeners->all = listeners->table.base;
	while (listeners->count < count) {
		uint32_t next = listeners->count;

		if (listen_bind(parent, &listeners->all[next], &parent->image,
			next, false) != 0)
			return -1;
		listeners->count++;
	}
	return 0;
}

int
listen_set_armed(struct parent *parent, uint32_t index, bool is_armed)
{
	struct listener *listener = &parent->listeners.all[index];

	listener->is_armed = is_armed;
	return loop_modify(&parent->loop, listener->fd, is_armed ? EPOLLIN : 0,
	    loop_token(TOKEN_LISTENER, index));
}

int
listen_begin(struct parent *parent, struct listener *listener, int backlog)
{
	if (listen(listener->fd, backlog) != 0)
		return -1;
	return loop_add(&parent->loop, listener->fd, 0,
	    loop_token(TOKEN_LISTENER, UINT32_MAX));
}

int
listen_arm(struct parent *parent)
{
	struct listeners *listeners = &parent->listeners;

	for (uint32_t i = 0; i < listeners->count; i++)
		if (listen_begin(parent, &listeners->all[i],
			image_listen(&parent->image, i)->backlog) != 0 ||
		    listen_set_armed(parent, i, true) != 0)
			return -1;
	return 0;
}

static void
close_one(struct parent *parent, struct listener *listener)
{
	if (listener->fd >= 0)
		(void)loop_remove(&parent->loop, listener->fd);
	fd_close(&listener->fd);
}

void
listen_close(struct parent *parent)
{
	struct listeners *listeners = &parent->listeners;

	for (uint32_t i = 0; i < listeners->count + listeners->leaving; i++)
		close_one(parent, &listeners->all[i]);
	listeners->count = 0;
	listeners->leaving = 0;
}

/* Errors of one connection, not of the listener: the next may be fine. */
static bool
is_of_connection(int error)
{
	switch (error) {
	case ECONNABORTED:
	case EPERM:
	case EPROTO:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case ENETDOWN:
	case ETIMEDOUT:
	case EINTR:
		return true;
	default:
		return false;
	}
}

/*
 * Out of descriptors or memory. The connection stays in the backlog, so the
 * listener would be readable for ever: it is left alone for a while, and so
 * are all others, which would not fare better.
 */
static void
run_out(struct parent *parent, int error)
{
	struct listeners *listeners = &parent->listeners;

	parent->counters.accept_failures++;
	if (listeners->retry_ms == 0) {
		log_begin(LOG_LEVEL_WARNING, "accept-failed");
		log_errno(error);
		log_end();
	}
	for (uint32_t i = 0; i < listeners->count + listeners->leaving; i++)
		if (listeners->all[i].fd >= 0)
			(void)listen_set_armed(parent, i, false);
	listeners->retry_ms = parent->now_ms + LIMIT_ACCEPT_RETRY_MS;
}

/* One, if there is one: false, and there is none for now, or no room. */
static bool
accept_one(struct parent *parent, const struct listener *listener, int *fd,
    struct addr *peer)
{
	struct sockaddr_storage storage;
	socklen_t length = sizeof(storage);

	*fd = accept4(
	    listener->fd, (struct sockaddr *)&storage, &length, SOCK_CLOEXEC);
	if (*fd < 0) {
		if (is_of_connection(errno))
			return true;
		if (errno != EAGAIN)
			run_out(parent, errno);
		return false;
	}
	parent->counters.accepted++;
	/* It would slow the connection down. */
	if (parent->listeners.had_filter)
		socket_filter_detach(*fd);
	if (!addr_from_sockaddr(peer, (struct sockaddr *)&storage, length))
		fd_close(fd);
	return true;
}

/* Up to `most` of them. */
static void
accept_some(struct parent *parent, uint32_t index, int most)
{
	const struct listener *listener = &parent->listeners.all[index];
	uint32_t known_as =
	    index < parent->listeners.count ? index : LISTENER_GONE;
	struct arrival arrivals[LIMIT_ACCEPTS_TOGETHER];
	uint32_t count = 0;
	struct addr peer;
	int fd;

	while (most-- > 0 && accept_one(parent, listener, &fd, &peer)) {
		if (fd >= 0 &&
		    admit_look_fd(parent, &arrivals[count], fd, &peer))
			count++;
		if (count < LIMIT_ACCEPTS_TOGETHER)
			continue;
		admit_take_fds(
		    parent, arrivals, count, known_as, listener->is_lenient);
		count = 0;
	}
	admit_take_fds(parent, arrivals, count, known_as, listener->is_lenient);
}

void
listen_accept(struct parent *parent, uint32_t index)
{
	const struct listeners *listeners = &parent->listeners;

	if (index < listeners->count + listeners->leaving &&
	    listeners->all[index].is_armed)
		accept_some(parent, index, LIMIT_ACCEPTS_A_TURN);
}

/* Nobody new came for a while: who is still in the queue is the last. */
static void
let_leave(struct parent *parent, uint32_t index)
{
	accept_some(parent, index, LIMIT_LAST_ACCEPTS);
	close_one(parent, &parent->listeners.all[index]);
}

void
listen_tend(struct parent *parent)
{
	struct listeners *listeners = &parent->listeners;

	for (uint32_t i = listeners->count;
	     i < listeners->count + listeners->leaving; i++)
		if (listeners->all[i].fd >= 0 &&
		    parent->now_ms >= listeners->all[i].leaves_ms)
			let_leave(parent, i);
	if (listeners->retry_ms == 0 || parent->now_ms < listeners->retry_ms)
		return;
	listeners->retry_ms = 0;
	for (uint32_t i = 0; i < listeners->count + listeners->leaving; i++)
		if (listeners->all[i].fd >= 0 && !listeners->all[i].is_armed)
			(void)listen_set_armed(parent, i, true);
}

int64_t
listen_due_ms(const struct parent *parent)
{
	const struct listeners *listeners = &parent->listeners;
	int64_t due_ms = listeners->retry_ms;

	for (uint32_t i = listeners->count;
	     i < listeners->count + listeners->leaving; i++)
		if (listeners->all[i].fd >= 0 &&
		    (due_ms == 0 || listeners->all[i].leaves_ms < due_ms))
			due_ms = listeners->all[i].leaves_ms;
	return due_ms;
}
