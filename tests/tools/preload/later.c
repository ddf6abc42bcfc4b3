/*
 * For LD_PRELOAD: the clock of the program is ahead, by as many seconds as the
 * file $LATER says, once there is one. So that a test of a long deadline need
 * not wait for it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static time_t
seconds_ahead(void)
{
	const char *path = getenv("LATER");
	char text[16] = { 0 };
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	(void)close(fd);
	return strtol(text, NULL, 10);
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	if (syscall(SYS_clock_gettime, clock, now) != 0)
		return -1;
	if (clock == CLOCK_MONOTONIC)
		now->tv_sec += seconds_ahead();
	return 0;
}
