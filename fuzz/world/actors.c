/*
 * Who is there beside the parent: workers that are the parser that ships,
 * launchers, services, servers that are passed sessions. Each acts with its
 * own descriptors, when it is told to.
 */
#include "world.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "core/message.h"
#include "core/step.h"
#include "parser/serve.h"
#include "sys/channel.h"

#include "calls.h"

struct process *
actor_nth(enum process_kind kind, uint8_t nth)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < KERNEL_PROCESSES; i++)
		count += kernel.processes[i].kind == kind &&
		    !kernel.processes[i].is_zombie;
	if (count == 0)
		return NULL;
	count = nth % count;
	for (uint32_t i = 0; i < KERNEL_PROCESSES; i++)
		if (kernel.processes[i].kind == kind &&
		    !kernel.processes[i].is_zombie && count-- == 0)
			return &kernel.processes[i];
	return NULL;
}

static bool
is_alone(const struct process *process)
{
	const struct file *channel =
	    kernel.fds[process->fds[0] - KERNEL_FD].file;

	return channel->peer == NULL && channel->first == NULL;
}

/* Whether anybody can still hear it. */
static bool
say(int fd, uint32_t step, uint32_t error)
{
	const struct status status = { .step = step, .error = error };
	uint8_t bytes[STATUS_BYTES];

	status_encode(bytes, &status);
	return fuzz_write(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes);
}

/* So for its launcher's channel. */
static bool
say_launched(const struct process *service)
{
	uint8_t bytes[LAUNCHED_BYTES];

	launched_encode(bytes, service->session);
	return channel_send(service->fds[0], bytes, sizeof(bytes), NULL, 0) ==
	    0;
}

/* Its room is closed: it says so, and has its channel and nothing else. */
static void
greet(struct process *worker)
{
	const uint8_t zero = 0;

	(void)kernel_close(worker->fds[1]);
	(void)channel_send(worker->fds[0], &zero, sizeof(zero), NULL, 0);
	worker->step = 1;
}

void
worker_act(struct process *worker)
{
	struct serve serve = { .channel_fd = worker->fds[0],
		.can_peek_on = true };
	bool is_broken = false;

	kernel.current = worker->pid;
	if (worker->step == 0)
		greet(worker);
	kernel_require(
	    names_init(&serve.names, worker->names, worker->names_bytes),
	    "a worker has no names");
	is_broken = serve_until_end(&serve) == SERVE_BROKEN;
	kernel.current = KERNEL_OUR_PID;
	if (is_broken || is_alone(worker))
		process_end(worker, 0);
}

/* The child of one LAUNCH, with what came with it. */
static void
launch(const struct process *launcher, struct packet *packet)
{
	struct process *service = process_make(PROCESS_SERVICE);
	struct launch said;

	kernel_require(launch_decode(&said, packet->bytes, packet->length) &&
		packet->file_count == 2 + ((said.flags & LAUNCH_STDERR) != 0),
	    "a launch that is none");
	kernel_require(
	    packet->files[0]->connection != NULL, "a launch without a client");
	check_launch(launcher, &said, packet->files[0]->connection);
	if (service == NULL)
		return;
	service->session = said.session;
	service->connection = packet->files[0]->connection;
	service->connection->launches++;
	for (size_t i = 0; i < packet->file_count && i < 3; i++)
		service->fds[i + 1] = fd_make(packet->files[i], service->pid);
	/* The launcher's channel, to say who it is. */
	service->fds[0] = fd_make(
	    kernel.fds[launcher->fds[0] - KERNEL_FD].file, service->pid);
}

void
launcher_act(struct process *launcher)
{
	struct packet *packet;

	kernel.current = launcher->pid;
	if (launcher->step == 0) {
		(void)say(launcher->fds[1], STEP_NONE, 0);
		(void)kernel_close(launcher->fds[1]);
		launcher->step = 1;
	}
	packet = packet_take(fd_file(launcher->fds[0]));
	if (packet != NULL) {
		launch(launcher, packet);
		packet_free(packet);
	}
	kernel.current = KERNEL_OUR_PID;
	if (is_alone(launcher))
		process_end(launcher, 0);
}

static void
answer_client(struct connection *client)
{
	static const char reply[] = "+OK\r\n";

	if (client->has_reset || client->is_aborted)
		return;
	for (size_t i = 0; i < sizeof(reply) - 1; i++)
		if (client->answered < STREAM_BYTES)
			client->out[client->answered++] = (uint8_t)reply[i];
}

/*
 * One step further: it says who it is, is ready, answers, is the program. Whom
 * nobody hears any more has failed, and ends.
 */
void
service_act(struct process *service)
{
	bool is_heard = true;

	kernel.current = service->pid;
	switch (service->step++) {
	case 0:
		is_heard = say_launched(service);
		break;
	case 1:
		is_heard = say(service->fds[2], STEP_REPLY, 0);
		break;
	case 2:
		answer_client(service->connection);
		break;
	case 3:
		(void)kernel_close(service->fds[2]);
		(void)kernel_close(service->fds[0]);
		break;
	default:
		service->step = 4;
		break;
	}
	kernel.current = KERNEL_OUR_PID;
	if (!is_heard)
		process_end(service, 1 << 8);
}

void
service_fail(struct process *service, uint32_t step)
{
	kernel.current = service->pid;
	if (service->step < 4)
		(void)say(service->fds[2], step % STEP_COUNT, EACCES);
	kernel.current = KERNEL_OUR_PID;
	process_end(service, 1 << 8);
}

/*
 * The first server in the row reads its message and ends the session, or ends
 * it unread, or, what is 2 of 3, reads and keeps it for a turn.
 */
void
server_act(uint8_t how)
{
	struct file *server;

	if (kernel.server_count == 0)
		return;
	server = kernel.servers[0];
	if (how % 3 != 1 && server->kept == NULL) {
		server->kept = packet_take(server);
		if (server->kept != NULL && how % 3 == 2)
			return;
	}
	for (uint32_t i = 1; i < kernel.server_count; i++)
		kernel.servers[i - 1] = kernel.servers[i];
	kernel.server_count--;
	file_drop(server);
}

void
actors_act_all(void)
{
	for (uint32_t i = 0; i < KERNEL_PROCESSES; i++) {
		struct process *process = &kernel.processes[i];

		if (process->is_zombie || process->killed_by != 0)
			continue;
		if (process->kind == PROCESS_WORKER && !world.is_hostile)
			worker_act(process);
		else if (process->kind == PROCESS_LAUNCHER)
			launcher_act(process);
		else if (process->kind == PROCESS_SERVICE)
			service_act(process);
	}
}
