/*
 * linger: a service that leaves a trap: SO_LINGER for half a minute, a socket
 * buffer full of what nobody reads, and its own death. Whoever then closes
 * the last copy of the socket waits. See socket(7).
 */
#include <err.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

#include "untraced.h"

int
main(void)
{
	const struct linger half_a_minute = { .l_onoff = 1, .l_linger = 30 };
	const int small = 4096;
	char bytes[4096];

	memset(bytes, 'x', sizeof(bytes));
	if (setsockopt(STDIN_FILENO, SOL_SOCKET, SO_SNDBUF, &small,
		sizeof(small)) != 0 ||
	    setsockopt(STDIN_FILENO, SOL_SOCKET, SO_LINGER, &half_a_minute,
		sizeof(half_a_minute)) != 0)
		err(1, "setsockopt");
	while (send(STDIN_FILENO, bytes, sizeof(bytes),
		   MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	_exit(0);
}
