/*
 * epoll of the kernel in memory: what is ready, level-triggered or once.
 * While the parent waits, the world turns.
 */
#include "calls.h"
#include "kernel.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#define ENTRIES_MAX 512u

/* What is watched: by descriptor, until the last copy of it is closed. */
static struct entry {
	struct file *file; /* NULL: free */
	int fd;
	uint32_t events;
	uint64_t token;
	bool is_on;
} entries[ENTRIES_MAX];
static uint32_t next; /* whose turn it is to be told of first */

void
epoll_forget(const struct file *file)
{
	for (uint32_t i = 0; i < ENTRIES_MAX; i++)
		if (entries[i].file == file)
			entries[i].file = NULL;
}

static uint32_t
connection_events(const struct connection *client)
{
	uint32_t events = 0;

	if (client_is_readable(client, true))
		events |= EPOLLIN;
	if (client->has_fin)
		events |= EPOLLRDHUP;
	if (client->mark >= client->taken && client->mark < client->sent)
		events |= EPOLLPRI;
	if (client->has_reset)
		events |= EPOLLERR | EPOLLHUP | EPOLLRDHUP | EPOLLIN;
	if (client->is_shut && client->has_fin)
		events |= EPOLLHUP;
	if (client->room > 0 && client->answered < STREAM_BYTES)
		events |= EPOLLOUT;
	return events;
}

static uint32_t
listener_events(const struct file *file)
{
	for (size_t i = 0; i < KERNEL_CONNECTIONS; i++)
		if (kernel.connections[i].is_used &&
		    !kernel.connections[i].was_accepted &&
		    kernel.connections[i].listener == file->index)
			return EPOLLIN;
	return 0;
}

uint32_t
file_events(const struct file *file)
{
	switch (file->kind) {
	case FILE_LISTENER:
		return listener_events(file);
	case FILE_STREAM:
		return connection_events(file->connection);
	case FILE_PACKETS:
		if (file->is_reset)
			return EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP;
		return (file->first != NULL ? EPOLLIN : 0) |
		    (file->peer == NULL ? EPOLLIN | EPOLLHUP | EPOLLRDHUP : 0);
	case FILE_PIPE:
		if (!file->is_reader)
			return EPOLLOUT | (file->peer == NULL ? EPOLLERR : 0);
		return (file->length > 0 ? EPOLLIN : 0) |
		    (file->peer == NULL ? EPOLLHUP : 0);
	case FILE_SIGNALS:
		return kernel.signals != 0 ? EPOLLIN : 0;
	case FILE_NONE:
	case FILE_EPOLL:
	case FILE_COUNT:
	case FILE_LOG:
	case FILE_OTHER:
		break;
	}
	return 0;
}

static struct entry *
find(int fd, const struct file *file)
{
	for (uint32_t i = 0; i < ENTRIES_MAX; i++)
		if (entries[i].file != NULL && entries[i].fd == fd &&
		    entries[i].file == file)
			return &entries[i];
	return NULL;
}

static struct entry *
find_free(void)
{
	for (uint32_t i = 0; i < ENTRIES_MAX; i++)
		if (entries[i].file == NULL)
			return &entries[i];
	kernel_require(false, "out of epoll entries");
	return NULL;
}

int
fuzz_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	struct file *file = fd_file(fd);
	struct entry *entry;

	(void)epoll;
	kernel_require(file != NULL, "watches what is not open");
	entry = find(fd, file);
	if (operation == EPOLL_CTL_DEL) {
		if (entry == NULL) {
			errno = ENOENT;
			return -1;
		}
		entry->file = NULL;
		return 0;
	}
	kernel_require((entry == NULL) == (operation == EPOLL_CTL_ADD),
	    "adds what is watched, or changes what is not");
	if (entry == NULL)
		entry = find_free();
	*entry = (struct entry){ .file = file,
		.fd = fd,
		.events = event->events,
		.token = event->data.u64,
		.is_on = true };
	return 0;
}

static int
collect(struct epoll_event *events, int most)
{
	int count = 0;

	for (uint32_t i = 0; i < ENTRIES_MAX && count < most; i++) {
		struct entry *entry = &entries[(next + i) % ENTRIES_MAX];
		uint32_t ready;

		if (entry->file == NULL || !entry->is_on)
			continue;
		ready = file_events(entry->file) &
		    (entry->events | EPOLLERR | EPOLLHUP);
		if (ready == 0)
			continue;
		events[count++] = (struct epoll_event){ .events = ready,
			.data.u64 = entry->token };
		if ((entry->events & EPOLLONESHOT) != 0)
			entry->is_on = false;
	}
	next++;
	return count;
}

int
fuzz_epoll_wait(int epoll, struct epoll_event *events, int most, int timeout_ms)
{
	int count;

	(void)epoll;
	kernel.turn(timeout_ms);
	count = collect(events, most);
	if (count == 0 && timeout_ms > 0) {
		kernel.now_ms +=
		    timeout_ms < kernel.rest_ms ? timeout_ms : kernel.rest_ms;
		count = collect(events, most);
	}
	return count;
}

int
fuzz_epoll_create1(int flags)
{
	(void)flags;
	next = 0;
	memset(entries, 0, sizeof(entries));
	return fd_make(file_make(FILE_EPOLL), kernel.current);
}
