/*
 * For LD_PRELOAD: the clock of the program is ahead, by as many seconds as the
 * symbolic link $LATER says, once there is one; or it stands still, if that
 * says `=`. So that a test of a long deadline need not wait for it, nor one of
 * a short one hurry; and without a descriptor, of which there may be none.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	static struct timespec still;
	const char *path = getenv("LATER");
	char text[16] = { 0 };

	if (syscall(SYS_clock_gettime, clock, now) != 0)
		return -1;
	if (clock != CLOCK_MONOTONIC || path == NULL ||
	    readlink(path, text, sizeof(text) - 1) < 0)
		return 0;
	if (text[0] != '=') {
		now->tv_sec += strtol(text, NULL, 10);
		return 0;
	}
	if (still.tv_sec == 0)
		still = *now;
	*now = still;
	return 0;
}
