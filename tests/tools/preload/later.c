/*
 * For LD_PRELOAD: the clock of the program is ahead, by as many seconds as the
 * file $LATER says, once there is one; or it stands still, if that says `=`. So
 * that a test of a long deadline need not wait for it, nor one of a short one
 * hurry.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void
read_later(char text[16])
{
	const char *path = getenv("LATER");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (read(fd, text, 15) < 0)
		text[0] = '\0';
	(void)close(fd);
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	static struct timespec still;
	char text[16] = { 0 };

	if (syscall(SYS_clock_gettime, clock, now) != 0)
		return -1;
	if (clock != CLOCK_MONOTONIC)
		return 0;
	read_later(text);
	if (text[0] != '=') {
		now->tv_sec += strtol(text, NULL, 10);
		return 0;
	}
	if (still.tv_sec == 0)
		still = *now;
	*now = still;
	return 0;
}
