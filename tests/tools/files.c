/*
 * A service that tries what may be done with files: each argument is an act,
 * ACT:PATH or ACT:PATH:PATH, and on stdout it is told, one a line, with its
 * errno behind it (0: it was done). With `wait` as the last it then ends with
 * its input. What an act needs to be possible, the test makes.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

static int
open_as(const char *path, int flags)
{
	char byte;
	const int fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);

	if (fd == -1)
		return -1;
	if ((flags & (O_WRONLY | O_RDWR | O_DIRECTORY)) == 0 &&
	    read(fd, &byte, 1) == -1)
		return -1;
	return close(fd);
}

static int
do_read(const char *path, const char *other)
{
	(void)other;
	return open_as(path, O_RDONLY);
}

static int
do_list(const char *path, const char *other)
{
	(void)other;
	return open_as(path, O_RDONLY | O_DIRECTORY);
}

static int
do_write(const char *path, const char *other)
{
	(void)other;
	return open_as(path, O_WRONLY);
}

static int
do_create(const char *path, const char *other)
{
	(void)other;
	return open_as(path, O_WRONLY | O_CREAT | O_EXCL);
}

static int
do_truncate(const char *path, const char *other)
{
	(void)other;
	return truncate(path, 0);
}

static int
do_mkdir(const char *path, const char *other)
{
	(void)other;
	return mkdir(path, 0777);
}

static int
do_device(const char *path, const char *other)
{
	(void)other;
	return mknod(path, S_IFCHR | 0666, makedev(1, 3));
}

static int
do_fifo(const char *path, const char *other)
{
	(void)other;
	return mkfifo(path, 0666);
}

static int
do_socket(const char *path, const char *other)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)other;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd == -1)
		return -1;
	return bind(fd, (const struct sockaddr *)&address, sizeof(address));
}

static int
do_unlink(const char *path, const char *other)
{
	(void)other;
	return unlink(path);
}

static int
do_rmdir(const char *path, const char *other)
{
	(void)other;
	return rmdir(path);
}

static int
do_stat(const char *path, const char *other)
{
	struct stat status;

	(void)other;
	return stat(path, &status);
}

static int
do_exec(const char *path, const char *other)
{
	const char *argv[] = { path, NULL };
	int status;
	const pid_t pid = fork();

	(void)other;
	if (pid == 0) {
		(void)close(STDOUT_FILENO);
		(void)execv(path, (char *const *)(uintptr_t)argv);
		_exit(errno);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		return -1;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return errno == 0 ? 0 : -1;
}

/* Any request that the device knows; its answer does not matter. */
static int
do_ioctl(const char *path, const char *other)
{
	unsigned bytes[4];
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	(void)other;
	return fd == -1 ? -1 : ioctl(fd, 0x80045200, bytes); /* RNDGETENTCNT */
}

static const struct {
	const char *name;
	int (*take)(const char *path, const char *other);
} acts[] = {
	{ "read", do_read },
	{ "list", do_list },
	{ "write", do_write },
	{ "create", do_create },
	{ "truncate", do_truncate },
	{ "mkdir", do_mkdir },
	{ "device", do_device },
	{ "fifo", do_fifo },
	{ "socket", do_socket },
	{ "symlink", symlink },
	{ "unlink", do_unlink },
	{ "rmdir", do_rmdir },
	{ "rename", rename },
	{ "link", link },
	{ "stat", do_stat },
	{ "exec", do_exec },
	{ "ioctl", do_ioctl },
};

static void
act(char *word)
{
	const char *whole = strdup(word);
	const char *name = strsep(&word, ":");
	const char *path = strsep(&word, ":");

	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (strcmp(acts[i].name, name) == 0 && path != NULL) {
			const int result = acts[i].take(path, word);

			printf("%s %d\n", whole, result == 0 ? 0 : errno);
			return;
		}
	errx(2, "no act: %s", whole);
}

int
main(int argc, char *argv[])
{
	char byte;
	bool waits = argc > 1 && strcmp(argv[argc - 1], "wait") == 0;

	for (int i = 1; i < argc - waits; i++)
		act(argv[i]);
	printf("end -\n");
	(void)fflush(stdout);
	while (waits && read(0, &byte, 1) > 0)
		continue;
	return 0;
}
