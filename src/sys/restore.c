/*
 * What the mux needed of a client's socket while it was undecided ends here.
 * Trusts nothing about how it was: every option is set.
 */
#include "sys/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#ifndef SO_PEEK_OFF
#define SO_PEEK_OFF 42
#endif

/* A silent peer is asked this often and, dead, found out after about twice
 * its keepalive time. */
#define PROBES 9
#define PROBE_INTERVAL_MAX_S 75u

static int
set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

static int
set_keepalive(int fd, uint32_t keepalive_s)
{
	uint32_t interval_s = keepalive_s / PROBES;

	if (keepalive_s == 0)
		return set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 0);
	if (interval_s == 0)
		interval_s = 1;
	if (interval_s > PROBE_INTERVAL_MAX_S)
		interval_s = PROBE_INTERVAL_MAX_S;
	if (set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)keepalive_s) != 0 ||
	    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)interval_s) != 0 ||
	    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, PROBES) != 0)
		return -1;
	return set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

int
restore_socket(int fd, uint32_t keepalive_s)
{
	const int flags = fcntl(fd, F_GETFL);

	if (flags == -1)
		return -1;
	if ((flags & (O_NONBLOCK | O_ASYNC)) != 0 && fcntl(fd, F_SETFL, 0) != 0)
		return -1;
	/* Linux 6.8 and older do not know it for TCP: then it was not set. */
	if (set_option(fd, SOL_SOCKET, SO_PEEK_OFF, -1) != 0 &&
	    errno != EOPNOTSUPP)
		return -1;
	if (set_option(fd, SOL_SOCKET, SO_OOBINLINE, 0) != 0 ||
	    set_option(fd, SOL_SOCKET, SO_RCVLOWAT, 1) != 0 ||
	    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 0) != 0)
		return -1;
	return set_keepalive(fd, keepalive_s);
}
