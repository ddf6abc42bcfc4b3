/*
 * From a host name to a connected socket: each address in turn, within one
 * budget of time. Runs before the sandbox, so it reads nothing that the
 * server sends: the resolver is the only one here to parse foreign bytes.
 */
#include "client/connect.h"

#include "client/deadline.h"
#include "client/message.h"
#include "client/status.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Async-signal-safe calls only: it interrupts the resolver anywhere. */
static void
give_up(int signal_number)
{
	static const char text[] = "tcpmux: looking up the host timed out\n";
	ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)signal_number;
	(void)written;
	_exit(STATUS_UNAVAILABLE);
}

static void
arm_timer(int64_t delay_ms)
{
	struct itimerval timer = { .it_value = { .tv_sec = delay_ms / 1000,
				       .tv_usec = delay_ms % 1000 * 1000 } };

	/* Fails only for values out of range, which these cannot be. */
	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

/* getaddrinfo(3), ended by SIGALRM at the deadline. */
static int
resolve(const struct target *target, int64_t deadline_ms,
    struct addrinfo **addresses)
{
	struct addrinfo hints = { .ai_family = target->family,
		.ai_socktype = SOCK_STREAM,
		.ai_protocol = IPPROTO_TCP,
		.ai_flags = AI_NUMERICSERV };
	struct sigaction alarm = { .sa_handler = give_up };
	struct sigaction before;
	int64_t left_ms = deadline_ms - deadline_now_ms();
	char port[8];

	(void)snprintf(port, sizeof(port), "%u", (unsigned int)target->port);
	if (sigaction(SIGALRM, &alarm, &before) == -1)
		return EAI_SYSTEM;
	arm_timer(left_ms > 0 ? left_ms : 1); /* 0 would mean never */

	int error = getaddrinfo(target->host, port, &hints, addresses);

	arm_timer(0);
	(void)sigaction(SIGALRM, &before, NULL);
	return error;
}

/*
 * Urgent bytes stay in the stream, since a pipe has no place beside it; what
 * a program writes goes out at once, as it would without a relay; a peer
 * that vanished is noticed. None of it is needed for a relay to work.
 */
static void
set_options(int fd)
{
	const int on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* 0 once connected, else -1 with errno. */
static int
finish_connect(int fd, const struct addrinfo *address, int64_t deadline_ms)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
		return 0;
	if (errno != EINPROGRESS && errno != EINTR)
		return -1;

	int ready = deadline_wait(fd, POLLOUT, deadline_ms);

	if (ready == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
		return -1;
	if (ready == 0)
		error = ETIMEDOUT;
	errno = error;
	return error == 0 ? 0 : -1;
}

static int
connect_address(const struct addrinfo *address, int64_t deadline_ms)
{
	int fd = socket(address->ai_family,
	    address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    address->ai_protocol);

	if (fd == -1)
		return -1;
	set_options(fd);
	if (finish_connect(fd, address, deadline_ms) == 0)
		return fd;

	int error = errno;

	close(fd);
	errno = error;
	return -1;
}

static void
print_address(const struct addrinfo *address, const char *outcome)
{
	char host[NI_MAXHOST];
	char port[NI_MAXSERV];

	if (getnameinfo(address->ai_addr, address->ai_addrlen, host,
		sizeof(host), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return;
	message_print("%s port %s: %s", host, port, outcome);
}

/* An equal share of the time left for this address and those behind it. */
static int64_t
share_of(int64_t deadline_ms, const struct addrinfo *address)
{
	int64_t now_ms = deadline_now_ms();
	int64_t count = 0;

	for (; address != NULL; address = address->ai_next)
		count++;
	if (deadline_ms <= now_ms)
		return deadline_ms;
	return now_ms + (deadline_ms - now_ms) / count;
}

int
connect_target(const struct target *target, int64_t deadline_ms)
{
	struct addrinfo *addresses = NULL;
	int error = resolve(target, deadline_ms, &addresses);
	int fd = -1;

	if (error != 0) {
		message_print("%s: %s", target->host,
		    error == EAI_SYSTEM ? strerror(errno)
					: gai_strerror(error));
		return -1;
	}
	for (const struct addrinfo *address = addresses;
	     address != NULL && fd == -1; address = address->ai_next) {
		fd = connect_address(address, share_of(deadline_ms, address));
		error = errno;
		if (target->is_verbose)
			print_address(
			    address, fd == -1 ? strerror(error) : "connected");
	}
	freeaddrinfo(addresses);
	if (fd == -1)
		message_print("%s port %u: %s", target->host,
		    (unsigned int)target->port, strerror(error));
	return fd;
}
