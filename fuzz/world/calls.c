/*
 * All other calls of the kernel in memory: files, pipes, clocks, mappings.
 * What is about a real descriptor goes to the real call.
 */
#include "calls.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAPPINGS_MAX 256u
#define LOG_LINE_MAX 16384u
#define EPOCH_S 1764547200 /* a Monday, 00:00 UTC */

static struct mapping {
	void *base;
	size_t size;
} mappings[MAPPINGS_MAX];

int
fuzz_open(const char *path, int flags, ...)
{
	struct file *file;
	int pid;

	kernel_require((flags & O_CLOEXEC) != 0, "opens without CLOEXEC");
	if (kernel.fail_errno != 0) {
		errno = kernel.fail_errno;
		kernel.fail_errno = 0;
		return -1;
	}
	if (strcmp(path, "/proc/self/fd/2") == 0) {
		file = file_make(FILE_LOG);
	} else if (sscanf(path, "/proc/%d/fd", &pid) == 1) {
		file = file_make(FILE_COUNT);
		file->pid = pid;
	} else if (strncmp(path, "/proc/", 6) == 0) {
		errno = ENOENT;
		return -1;
	} else {
		file = file_make(FILE_OTHER);
	}
	return fd_make(file, kernel.current);
}

int
fuzz_close(int fd)
{
	return kernel_close(fd);
}

static ssize_t
read_pipe(struct file *file, void *bytes, size_t size)
{
	size_t count = file->length < size ? file->length : size;

	if (count == 0 && file->peer != NULL && size > 0) {
		errno = EAGAIN;
		return -1;
	}
	if (count > 0)
		memcpy(bytes, file->bytes, count);
	file->length -= count;
	if (file->length > 0)
		memmove(file->bytes, file->bytes + count, file->length);
	return (ssize_t)count;
}

ssize_t
fuzz_read(int fd, void *bytes, size_t size)
{
	struct file *file = fd_file(fd);

	if (fd < KERNEL_FD)
		return read(fd, bytes, size);
	kernel_require(file != NULL, "reads what is not open");
	if (file->kind == FILE_SIGNALS)
		return signals_read(bytes, size);
	kernel_require(file->kind == FILE_PIPE, "reads what is no pipe");
	return read_pipe(file, bytes, size);
}

/* The log's lines, each whole, to whoever wants to know. */
static void
take_log(const char *bytes, size_t length)
{
	static char line[LOG_LINE_MAX];
	static size_t held;

	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != '\n') {
			if (held < sizeof(line) - 1)
				line[held++] = bytes[i];
			continue;
		}
		line[held] = '\0';
		if (kernel.log_line != NULL)
			kernel.log_line(line, held);
		held = 0;
	}
}

ssize_t
fuzz_write(int fd, const void *bytes, size_t length)
{
	struct file *file = fd_file(fd);

	if (fd == STDERR_FILENO || (file != NULL && file->kind == FILE_LOG)) {
		take_log(bytes, length);
		return (ssize_t)length;
	}
	if (fd < KERNEL_FD)
		return write(fd, bytes, length);
	kernel_require(file != NULL, "writes to what is not open");
	if (file->peer == NULL) {
		errno = EPIPE;
		return -1;
	}
	file = file->peer;
	if (length > PIPE_BYTES - file->length)
		length = PIPE_BYTES - file->length;
	memcpy(file->bytes + file->length, bytes, length);
	file->length += length;
	return (ssize_t)length;
}

int
fuzz_pipe2(int ends[2], int flags)
{
	struct file *one, *other;

	kernel_require((flags & O_CLOEXEC) != 0, "a pipe without CLOEXEC");
	if (kernel.fail_errno != 0) {
		errno = kernel.fail_errno;
		kernel.fail_errno = 0;
		return -1;
	}
	one = file_make(FILE_PIPE);
	ends[0] = fd_make(one, kernel.current);
	other = file_make(FILE_PIPE);
	ends[1] = fd_make(other, kernel.current);
	one->is_reader = true;
	one->bytes = malloc(PIPE_BYTES);
	kernel_require(one->bytes != NULL, "out of memory");
	one->peer = other;
	other->peer = one;
	return 0;
}

int
fuzz_fcntl(int fd, int command, ...)
{
	va_list arguments;
	int value;

	va_start(arguments, command);
	value = va_arg(arguments, int);
	va_end(arguments);
	if (fd < KERNEL_FD)
		return fcntl(fd, command, value);
	kernel_require(fd_file(fd) != NULL, "asks of what is not open");
	if (command == F_DUPFD_CLOEXEC)
		return fd_copy(fd, kernel.current);
	return 0;
}

int
fuzz_fstat(int fd, struct stat *about)
{
	const struct file *file = fd_file(fd);

	if (fd < KERNEL_FD && fd != STDERR_FILENO)
		return fstat(fd, about);
	memset(about, 0, sizeof(*about));
	about->st_mode = S_IFREG | 0755;
	if (file != NULL && file->kind == FILE_COUNT)
		about->st_size = (off_t)fds_count_of(file->pid);
	return 0;
}

int
fuzz_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	int ready = 0;

	(void)timeout_ms;
	for (nfds_t i = 0; i < count; i++) {
		const struct file *file = fd_file(fds[i].fd);
		short wanted =
		    (short)(fds[i].events | POLLERR | POLLHUP | POLLNVAL);

		/* The log takes all; epoll's bits are poll's. */
		fds[i].revents = fds[i].events;
		if (file != NULL && file->kind != FILE_LOG)
			fds[i].revents = (short)file_events(file) & wanted;
		ready += fds[i].revents != 0;
	}
	return ready;
}

void *
fuzz_mmap(
    void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	void *base = mmap(at, size, protection, flags, fd, offset);

	if (base == MAP_FAILED)
		return base;
	for (size_t i = 0; i < MAPPINGS_MAX; i++) {
		if (mappings[i].base != NULL)
			continue;
		mappings[i] = (struct mapping){ base, size };
		return base;
	}
	kernel_require(false, "out of mappings");
	return MAP_FAILED;
}

int
fuzz_munmap(void *base, size_t size)
{
	for (size_t i = 0; i < MAPPINGS_MAX; i++)
		if (mappings[i].base == base)
			mappings[i].base = NULL;
	return munmap(base, size);
}

void
mappings_end(void)
{
	for (size_t i = 0; i < MAPPINGS_MAX; i++)
		if (mappings[i].base != NULL)
			(void)fuzz_munmap(mappings[i].base, mappings[i].size);
}

int
fuzz_clock_gettime(clockid_t id, struct timespec *now)
{
	(void)id;
	*now = (struct timespec){ .tv_sec = kernel.now_ms / 1000,
		.tv_nsec = kernel.now_ms % 1000 * 1000000 };
	return 0;
}

int
fuzz_nanosleep(const struct timespec *nap, struct timespec *left)
{
	(void)nap;
	(void)left;
	return 0;
}

time_t
fuzz_time(time_t *now)
{
	(void)now;
	return EPOCH_S + kernel.now_ms / 1000;
}

struct tm *
fuzz_localtime_r(const time_t *when, struct tm *local)
{
	return gmtime_r(when, local);
}

void
fuzz_tzset(void)
{
}

int
fuzz_getentropy(void *bytes, size_t length)
{
	memset(bytes, 0x5a, length);
	return 0;
}

int
fuzz_sigprocmask(int how, const sigset_t *set, sigset_t *before)
{
	(void)how;
	(void)set;
	(void)before;
	return 0;
}

int
fuzz_sigaction(
    int number, const struct sigaction *action, struct sigaction *before)
{
	(void)number;
	(void)action;
	(void)before;
	return 0;
}

void (*fuzz_signal(int number, void (*handler)(int)))(int)
{
	(void)number;
	(void)handler;
	return SIG_DFL;
}

int
fuzz_setitimer(
    int which, const struct itimerval *value, struct itimerval *before)
{
	(void)which;
	(void)value;
	(void)before;
	return 0;
}

int
fuzz_prctl(int option, ...)
{
	(void)option;
	return 0;
}

pid_t
fuzz_getpid(void)
{
	return KERNEL_OUR_PID;
}

uid_t
fuzz_geteuid(void)
{
	return 0;
}

int
fuzz_setfsuid(uid_t uid)
{
	static int current;
	int before = current;

	if (uid != (uid_t)-1)
		current = (int)uid;
	return before;
}
