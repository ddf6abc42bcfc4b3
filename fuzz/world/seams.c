/*
 * What starts processes, replaced: sys/room, sys/room_spawn, sys/spawn,
 * sys/namespace and loader/run. The processes are the world's.
 */
#include "world.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "loader/loader.h"
#include "sys/memfd.h"
#include "sys/namespace.h"
#include "sys/room.h"
#include "sys/spawn.h"

#include "calls.h"

const char *
room_word(enum room_kind kind)
{
	(void)kind;
	return "fuzz";
}

int
room_prepare(struct room *room, enum room_kind kind)
{
	room->kind = kind;
	for (int i = 0; i < ROOM_NAMESPACES; i++)
		room->namespaces[i] = -1;
	return 0;
}

static struct process *
process_start(enum process_kind kind)
{
	struct process *process = NULL;

	if (kernel.fail_errno == 0)
		process = process_make(kind);
	kernel.fail_errno = 0;
	if (process == NULL)
		errno = EAGAIN;
	return process;
}

pid_t
room_spawn(const struct room *room, int program_fd, int channel_fd,
    int names_fd, int status_fd, uid_t uid, gid_t gid)
{
	struct process *worker = process_start(PROCESS_WORKER);

	(void)room;
	(void)uid;
	(void)gid;
	kernel_require(fd_file(program_fd) != NULL, "executes nothing");
	if (worker == NULL)
		return -1;
	worker->fds[0] = fd_copy(channel_fd, worker->pid);
	worker->fds[1] = fd_copy(status_fd, worker->pid);
	worker->names = memfd_map(names_fd, &worker->names_bytes);
	return worker->pid;
}

pid_t
spawn_program(const struct spawn *spawn)
{
	struct process *launcher = process_start(PROCESS_LAUNCHER);

	if (launcher == NULL)
		return -1;
	launcher->fds[0] = fd_copy(spawn->fds[0], launcher->pid);
	launcher->fds[1] = fd_copy(spawn->fds[2], launcher->pid);
	launcher->names = memfd_map(spawn->fds[1], &launcher->names_bytes);
	return launcher->pid;
}

int
namespace_make_network(void)
{
	return fd_make(file_make(FILE_OTHER), kernel.current);
}

int
namespace_map_ids(uid_t uid, gid_t gid)
{
	(void)uid;
	(void)gid;
	return 0;
}

int
namespace_try_network(void)
{
	return 0;
}

/* Has done its work already: its channel is at its end. */
int
loader_start(
    struct loader_job *job, const struct loader_options *options, int problems)
{
	struct process *loader = process_start(PROCESS_LOADER);
	struct file *channel;

	(void)options;
	(void)problems;
	if (loader == NULL)
		return -1;
	channel = file_make(FILE_PIPE);
	channel->is_reader = true;
	*job = (struct loader_job){ .pid = loader->pid,
		.channel = fd_make(channel, kernel.current) };
	process_end(loader, 0);
	return 0;
}

int
loader_take(struct loader_job *job)
{
	(void)kernel_close(job->channel);
	job->channel = -1;
	if (world.images[1].bytes == NULL) {
		errno = EINVAL;
		return -1;
	}
	world.has_reloaded = true;
	return memfd_seal("fuzz", world.images[1].bytes, world.images[1].size);
}

void
loader_cancel(struct loader_job *job)
{
	if (job->channel >= 0)
		(void)kernel_close(job->channel);
	job->channel = -1;
}

int
loader_run(const struct loader_options *options, int problems, int timeout_ms)
{
	(void)options;
	(void)problems;
	(void)timeout_ms;
	errno = ENOSYS;
	return -1;
}
