#ifndef BENCH_LOAD_STATE_H
#define BENCH_LOAD_STATE_H

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "histogram.h"
#include "load_options.h"

struct client {
	int fd; /* owned; -1 between two connections */
	uint64_t begun_ns;
	uint64_t due_ns; /* when to send the next piece; 0: none to send */
	uint32_t sent;
	uint32_t got;
	bool is_wrong;
	bool has_failed; /* to connect, as send was the first to be told */
};

struct tally {
	uint64_t begun;
	uint64_t ok;
	uint64_t bad;
	uint64_t reset;
	uint64_t given_up;
	uint64_t connect_errors;
	uint64_t send_errors;
	uint64_t held_opened;
	uint64_t held_answered;
	uint64_t held_closed;
	uint64_t held_reset;
	uint64_t held_errors;
};

struct load {
	const struct options *options;
	int epoll;
	struct client *clients;
	struct client *held; /* the slow ones first, then the drips */
	uint32_t active;
	uint32_t held_next;
	uint32_t held_open;
	uint64_t drip_tick;
	uint64_t begun_ns;
	uint64_t last_ns;
	uint64_t held_last_ns; /* after the start: when one was closed */
	struct tally tally;
	struct histogram latency; /* from connect to the end */
	struct histogram first_byte; /* from connect */
};

static inline uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) +
	    (uint64_t)now.tv_nsec;
}

static inline void
fail(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static inline socklen_t
address_size(const union address *address)
{
	return address->any.sa_family == AF_INET6 ? sizeof(address->in6)
						  : sizeof(address->in);
}

/* The port is chosen at connect, for the pair: sources share all of them. */
static inline int
bind_source(int fd, const union address *base, uint32_t number, uint32_t step64)
{
	const int yes = 1;
	union address source = *base;

	if (base->any.sa_family == AF_INET6) {
		uint32_t *low = &source.in6.sin6_addr.s6_addr32[3];

		if (step64 > 0)
			low = &source.in6.sin6_addr.s6_addr32[1];
		*low = htonl(ntohl(*low) + number * (step64 > 0 ? step64 : 1));
		setsockopt(fd, SOL_IPV6, IPV6_FREEBIND, &yes, sizeof(yes));
	} else {
		uint32_t *all = &source.in.sin_addr.s_addr;

		*all = htonl(ntohl(*all) + number);
	}
	setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
	return bind(fd, &source.any, address_size(&source));
}

/* A socket on its way to the target, or -1. */
static inline int
open_connection(const struct load *load, const union address *base,
    uint32_t sources, uint64_t number)
{
	const union address *target = &load->options->target;
	const int yes = 1;
	int fd;

	fd = socket(target->any.sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (load->options->pieces > 1)
		setsockopt(fd, SOL_TCP, TCP_NODELAY, &yes, sizeof(yes));
	if ((sources == 0 ||
		bind_source(fd, base, (uint32_t)(number % sources),
		    load->options->step64) == 0) &&
	    (connect(fd, &target->any, address_size(target)) == 0 ||
		errno == EINPROGRESS))
		return fd;
	close(fd);
	return -1;
}

static inline void
watch(const struct load *load, const struct client *client, uint64_t key,
    int operation, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u64 = key };

	if (epoll_ctl(load->epoll, operation, client->fd, &event) == -1)
		fail("epoll_ctl");
}

#endif
