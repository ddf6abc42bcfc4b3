/*
 * Files and descriptors of the kernel in memory; channels and pipes.
 * Trusts nobody to close what it opened: a process's end does.
 */
#include "kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PACKETS_MAX 64u

struct kernel kernel;

void
kernel_require(bool is_so, const char *what)
{
	if (is_so)
		return;
	(void)fprintf(stderr, "must never be: %s\n", what);
	abort();
}

struct file *
file_make(enum file_kind kind)
{
	for (size_t i = 0; i < KERNEL_FILES; i++) {
		struct file *file = &kernel.files[i];

		if (file->kind != FILE_NONE)
			continue;
		*file = (struct file){ .kind = kind };
		return file;
	}
	kernel_require(false, "out of files");
	return NULL;
}

void
packet_free(struct packet *packet)
{
	for (size_t i = 0; i < packet->file_count; i++)
		file_drop(packet->files[i]);
	free(packet);
}

static void
close_connection(struct connection *connection)
{
	/* A close with bytes unread is a reset. */
	connection->is_closed = true;
	if (connection->taken < connection->sent)
		connection->is_aborted = true;
	connection->file = NULL;
}

/* The last descriptor of it is gone. */
static void
destroy(struct file *file)
{
	if (file->peer != NULL) {
		if (file->kind == FILE_PACKETS && file->first != NULL)
			file->peer->is_reset = true;
		file->peer->peer = NULL;
	}
	file->kind = FILE_NONE;
	while (file->first != NULL) {
		struct packet *packet = file->first;

		file->first = packet->next;
		packet_free(packet);
	}
	if (file->kept != NULL)
		packet_free(file->kept);
	if (file->connection != NULL)
		close_connection(file->connection);
	free(file->bytes);
	file->bytes = NULL;
	epoll_forget(file);
}

void
file_drop(struct file *file)
{
	if (--file->refs == 0)
		destroy(file);
}

/* The lowest free one, as everywhere. */
int
fd_make(struct file *file, pid_t owner)
{
	for (int i = 0; i < KERNEL_FDS; i++) {
		if (kernel.fds[i].file != NULL)
			continue;
		kernel.fds[i].file = file;
		kernel.fds[i].owner = owner;
		file->refs++;
		return KERNEL_FD + i;
	}
	kernel_require(false, "out of descriptors");
	return -1;
}

struct file *
fd_file(int fd)
{
	if (fd < KERNEL_FD || fd >= KERNEL_FD + KERNEL_FDS ||
	    kernel.fds[fd - KERNEL_FD].file == NULL ||
	    kernel.fds[fd - KERNEL_FD].owner != kernel.current)
		return NULL;
	return kernel.fds[fd - KERNEL_FD].file;
}

int
fd_copy(int fd, pid_t owner)
{
	return fd_make(fd_file(fd), owner);
}

int
kernel_close(int fd)
{
	struct file *file = fd_file(fd);

	if (fd < KERNEL_FD)
		return close(fd);
	kernel_require(file != NULL, "closes what is not open");
	kernel.fds[fd - KERNEL_FD].file = NULL;
	file_drop(file);
	return 0;
}

void
fds_close_of(pid_t owner)
{
	for (int i = 0; i < KERNEL_FDS; i++) {
		struct file *file = kernel.fds[i].file;

		if (file == NULL || kernel.fds[i].owner != owner)
			continue;
		kernel.fds[i].file = NULL;
		file_drop(file);
	}
}

uint32_t
fds_count_of(pid_t owner)
{
	uint32_t count = 0;

	for (int i = 0; i < KERNEL_FDS; i++)
		count +=
		    kernel.fds[i].file != NULL && kernel.fds[i].owner == owner;
	return count;
}

bool
packet_put(struct file *to, const void *bytes, size_t length, const int fds[],
    size_t fd_count, pid_t sender)
{
	struct packet *packet;

	if (to == NULL || to->packets >= PACKETS_MAX)
		return false;
	packet = malloc(sizeof(*packet) + length + 1);
	kernel_require(packet != NULL, "out of memory");
	*packet = (struct packet){ .length = length, .sender = sender };
	if (length > 0)
		memcpy(packet->bytes, bytes, length);
	for (size_t i = 0; i < fd_count && i < PACKET_FDS; i++) {
		struct file *file = fd_file(fds[i]);

		kernel_require(file != NULL, "sends what is not open");
		file->refs++;
		packet->files[packet->file_count++] = file;
	}
	if (to->last != NULL)
		to->last->next = packet;
	else
		to->first = packet;
	to->last = packet;
	to->packets++;
	return true;
}

/* The caller's, with its references; NULL: none. */
struct packet *
packet_take(struct file *from)
{
	struct packet *packet = from->first;

	if (packet == NULL)
		return NULL;
	from->first = packet->next;
	if (from->first == NULL)
		from->last = NULL;
	from->packets--;
	return packet;
}

void
kernel_begin(void)
{
	static const struct kernel empty;

	kernel = empty;
	kernel.current = KERNEL_OUR_PID;
	kernel.now_ms = 1000000;
	kernel.rest_ms = 10;
	for (size_t i = 0; i < KERNEL_CONNECTIONS; i++)
		kernel.connections[i].is_used = false;
}

void
kernel_end(void)
{
	for (int i = 0; i < KERNEL_FDS; i++) {
		struct file *file = kernel.fds[i].file;

		kernel.fds[i].file = NULL;
		if (file != NULL)
			file_drop(file);
	}
}
