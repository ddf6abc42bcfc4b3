/*
 * The five services, on the connection that is descriptor 0.
 * Trusts no client: what one sends comes back or is dropped, and how fast it
 * reads is its own affair.
 * Never holds more of a client's bytes than one buffer.
 */
#include "builtin/serve.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

#include "builtin/allowed.h"
#include "sys/clock.h"

/* How long a client that was answered may take to say that it leaves. */
#define LINGER_MS 5000

static char buffer[65536];

/* After an error. A connection that breaks is a client that leaves. */
static bool
has_left(void)
{
	return errno != EBADF && errno != ENOTSOCK;
}

/* All of it; false if the client has left. */
static bool
send_all(const void *bytes, size_t length)
{
	const char *next = bytes;

	while (length > 0) {
		const ssize_t sent = send(ALLOWED_CLIENT_FD, next, length,
		    ALLOWED_SEND | ALLOWED_WAIT);

		if (sent == -1)
			return false;
		next += sent;
		length -= (size_t)sent;
	}
	return true;
}

static bool
serve_echo(void)
{
	for (;;) {
		const ssize_t length = recv(
		    ALLOWED_CLIENT_FD, buffer, sizeof(buffer), ALLOWED_WAIT);

		if (length == 0)
			return true;
		if (length == -1 || !send_all(buffer, (size_t)length))
			return has_left();
	}
}

static bool
serve_discard(void)
{
	ssize_t length;

	do
		length = recv(
		    ALLOWED_CLIENT_FD, buffer, sizeof(buffer), ALLOWED_WAIT);
	while (length > 0);
	return length == 0 || has_left();
}

/* Drops what is there; 1, or 0 at the end, or -1 with errno. */
static int
drop(void)
{
	const ssize_t length =
	    recv(ALLOWED_CLIENT_FD, buffer, sizeof(buffer), ALLOWED_NO_WAIT);

	if (length == -1)
		return errno == EAGAIN ? 1 : -1;
	return length > 0;
}

/* The same if poll(2) has said so. */
static int
drop_if(const struct pollfd *client)
{
	return (client->revents & ~POLLOUT) != 0 ? drop() : 1;
}

/*
 * RFC 864 leaves it to the client when to stop. One that ends its own stream
 * closes with care, and would otherwise never see our end.
 */
static bool
serve_chargen(void)
{
	static char pattern[BUILTIN_PATTERN_BYTES];
	struct pollfd client = { .fd = ALLOWED_CLIENT_FD,
		.events = POLLIN | POLLOUT };
	size_t at = 0;
	int dropped = 1;

	builtin_pattern(pattern);
	while (dropped == 1) {
		ssize_t sent = 0;

		if (ppoll(&client, 1, NULL, NULL) == -1)
			return has_left();
		dropped = drop_if(&client);
		if ((client.revents & POLLOUT) != 0)
			sent = send(ALLOWED_CLIENT_FD, pattern + at,
			    sizeof(pattern) - at,
			    ALLOWED_SEND | ALLOWED_NO_WAIT);
		if (sent == -1 && errno != EAGAIN)
			return has_left();
		if (sent > 0)
			at = (at + (size_t)sent) % sizeof(pattern);
	}
	return dropped == 0 || has_left();
}

/*
 * A connection that is closed over unread bytes is reset, and a reset can
 * overtake the answer: so they are thrown away first, for a while.
 */
static bool
answer(const void *bytes, size_t length)
{
	const int64_t deadline_ms = clock_now_ms() + LINGER_MS;
	struct pollfd client = { .fd = ALLOWED_CLIENT_FD, .events = POLLIN };
	int64_t left_ms = LINGER_MS;
	int dropped = 1;

	if (!send_all(bytes, length) ||
	    shutdown(ALLOWED_CLIENT_FD, SHUT_WR) == -1)
		return has_left();
	while (dropped == 1 && left_ms > 0) {
		const struct timespec wait = { .tv_sec = left_ms / 1000,
			.tv_nsec = left_ms % 1000 * 1000000 };

		if (ppoll(&client, 1, &wait, NULL) == -1)
			return has_left();
		dropped = drop_if(&client);
		left_ms = deadline_ms - clock_now_ms();
	}
	return dropped != -1 || has_left();
}

static uint64_t
now(void)
{
	const int64_t wall_ms = clock_wall_ms();

	return wall_ms < 0 ? 0 : (uint64_t)wall_ms / 1000;
}

static bool
serve_daytime(void)
{
	char line[BUILTIN_DAYTIME_BYTES];

	return answer(line, builtin_daytime(line, now()));
}

static bool
serve_time(void)
{
	uint8_t bytes[BUILTIN_TIME_BYTES];

	builtin_time(bytes, now());
	return answer(bytes, sizeof(bytes));
}

static bool (*const services[BUILTINS])(void) = {
	[BUILTIN_ECHO] = serve_echo,
	[BUILTIN_DISCARD] = serve_discard,
	[BUILTIN_DAYTIME] = serve_daytime,
	[BUILTIN_TIME] = serve_time,
	[BUILTIN_CHARGEN] = serve_chargen,
};

bool
serve(enum builtin builtin)
{
	return services[builtin]();
}
