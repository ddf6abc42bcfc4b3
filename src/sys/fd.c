/*
 * Closing descriptors: plainly, or where someone else may make close() wait;
 * and opening again what one is open on.
 * Trusts no socket that another process has had in its hands.
 * Never closes the same number twice.
 */
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

void
fd_close(int *fd)
{
	int saved;

	if (*fd < 0)
		return;
	saved = errno;
	(void)close(*fd);
	*fd = -1;
	errno = saved;
}

/* Whoever closes the last copy is not to wait for the peer. */
static void
stop_lingering(int fd)
{
	const struct linger off = { .l_onoff = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
}

void
fd_close_left(int *fd)
{
	if (*fd >= 0)
		stop_lingering(*fd);
	fd_close(fd);
}

/* Being delivered is all it is for. */
static void
interrupt(int signal_number)
{
	(void)signal_number;
}

int
fd_init(void)
{
	struct sigaction action = { .sa_handler = interrupt };

	(void)sigemptyset(&action.sa_mask);
	return sigaction(SIGALRM, &action, NULL);
}

void
fd_close_shared(int *fd)
{
	const suseconds_t bound_us = (suseconds_t)CLOSE_BOUND_MS * 1000;
	/* It repeats: the first may come before close() has been entered. */
	const struct itimerval bound = { .it_interval = { .tv_usec = bound_us },
		.it_value = { .tv_usec = bound_us } };
	const struct itimerval none = { .it_value = { .tv_usec = 0 } };

	if (*fd < 0)
		return;
	(void)setitimer(ITIMER_REAL, &bound, NULL);
	stop_lingering(*fd);
	fd_close(fd);
	(void)setitimer(ITIMER_REAL, &none, NULL);
}

void
fd_reset(int fd)
{
	const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

	(void)connect(fd, &nowhere, sizeof(nowhere));
}

/* The end of a text: the number's digits are put before it. */
static char *
put_digits(char *end, unsigned number)
{
	do
		*--end = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	return end;
}

int
fd_open_again(int proc_fd, int fd, int flags)
{
	static const char directory[] = "self/fd/";
	const size_t length = sizeof(directory) - 1;
	char path[sizeof(directory) + 3 * sizeof(fd)];
	char *const end = path + sizeof(path) - 1;
	char *digits;

	*end = '\0';
	digits = put_digits(end, (unsigned)fd);
	memcpy(digits - length, directory, length);
	return openat(proc_fd, digits - length, flags);
}

int
fd_fill_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return -1;
	return 0;
}
