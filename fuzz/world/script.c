/*
 * Reads a script: a byte says what happens, those that follow how. Whatever
 * the bytes, something happens, or nothing; at a rest the parent has its turn.
 */
#include "world.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>

#define ACTS_A_TURN 24

uint8_t
script_byte(void)
{
	if (world.left == 0)
		return 0;
	world.left--;
	return *world.script++;
}

size_t
script_bytes(const uint8_t **bytes, size_t most)
{
	size_t count = most < world.left ? most : world.left;

	*bytes = world.script;
	world.script += count;
	world.left -= count;
	return count;
}

/* A few sources: neighbours, others, IPv6, two links' own, an exempt one. */
static socklen_t
peer_of(uint8_t which, struct sockaddr_storage *peer)
{
	static const char *const texts[] = { "192.0.2.1", "192.0.2.2",
		"198.51.100.7", "127.0.0.1", "2001:db8::1", "2001:db8:1::1",
		"fe80::7", "10.9.8.7" };
	const char *text = texts[which % 8];
	struct addr addr;

	kernel_require(addr_parse(&addr, text, strlen(text)), "no address");
	addr.port = (uint16_t)(1024 + which);
	if (addr_is_link_local(&addr))
		addr.scope = which < 128 ? 2 : 13;
	return addr_to_sockaddr(&addr, peer);
}

static void
connect_one(void)
{
	struct sockaddr_storage peer;
	socklen_t length = peer_of(script_byte(), &peer);
	uint32_t listeners = kernel.listeners > 0 ? kernel.listeners : 1;

	(void)client_connect(
	    (const struct sockaddr *)&peer, length, script_byte() % listeners);
}

/* The last ones first: they are what is going on. */
static struct connection *
pick_client(void)
{
	uint32_t count = 0;

	while (count < KERNEL_CONNECTIONS && kernel.connections[count].is_used)
		count++;
	if (count == 0)
		return NULL;
	return &kernel.connections[count - 1 - script_byte() % count];
}

/* A name of the policy, as it stands there or in capitals. */
static void
send_name(struct connection *client)
{
	const struct names *names = &world.parent.image.names;
	uint8_t which = script_byte();
	uint8_t line[NAME_MAX_BYTES + 2];
	size_t length;
	const uint8_t *name;

	if (names->count == 0)
		return;
	name = names_get(names, (which & 0x3f) % names->count, &length);
	memcpy(line, name, length);
	for (size_t i = 0; i < length && (which & 0x40) != 0; i++)
		if (line[i] >= 'a' && line[i] <= 'z')
			line[i] = (uint8_t)(line[i] - 32);
	if ((which & 0x80) == 0)
		line[length++] = '\r';
	line[length++] = '\n';
	client_send(client, line, length);
}

static void
send_some(struct connection *client)
{
	static const uint8_t help[] = "HELP\r\n";
	const uint8_t *bytes;
	uint8_t how = script_byte();
	size_t length;

	switch (how % 4) {
	case 0:
		send_name(client);
		break;
	case 1:
		client_send(client, help, 1 + (how >> 2) % 6);
		break;
	default:
		length = script_bytes(&bytes, how >> 2);
		client_send(client, bytes, length);
		break;
	}
}

static void
act_client(uint8_t act)
{
	struct connection *client = pick_client();

	if (client == NULL)
		return;
	switch (act % 8) {
	case 0:
	case 1:
	case 2:
		send_some(client);
		break;
	case 3:
		client->has_fin = true;
		break;
	case 4:
		client->has_reset = true;
		break;
	case 5:
		client->room = script_byte();
		break;
	case 6:
		client->mark = client->sent;
		break;
	case 7:
		client->room = STREAM_BYTES;
		break;
	}
}

/* A worker dies: by itself, by a signal, from outside, of its CPU time. */
static void
end_worker(void)
{
	static const int statuses[] = { 0, 1 << 8, SIGSEGV, SIGKILL, SIGSYS };
	uint8_t how = script_byte();
	struct process *worker = actor_nth(PROCESS_WORKER, how >> 4);

	if (worker == NULL)
		return;
	worker->cpu_s = (how & 8) != 0 ? 10 : 0;
	process_end(worker, statuses[how % 5]);
}

static void
act_process(uint8_t act)
{
	struct process *process;
	uint8_t nth;

	switch (act % 8) {
	case 0:
	case 1:
		process = actor_nth(PROCESS_WORKER, script_byte());
		if (process != NULL && world.is_hostile)
			worker_hostile(process);
		else if (process != NULL)
			worker_act(process);
		break;
	case 2:
		end_worker();
		break;
	case 3:
		process = actor_nth(PROCESS_LAUNCHER, script_byte());
		if (process != NULL)
			launcher_act(process);
		break;
	case 4:
	case 5:
		process = actor_nth(PROCESS_SERVICE, script_byte());
		if (process != NULL)
			service_act(process);
		break;
	case 6:
		nth = script_byte();
		process = actor_nth(PROCESS_SERVICE, nth);
		if (process != NULL)
			service_fail(process, script_byte());
		break;
	case 7:
		process = actor_nth(PROCESS_LAUNCHER, script_byte());
		if (process != NULL)
			process_end(process, SIGSEGV);
		break;
	}
}

static void
act_world(uint8_t act)
{
	static const int errors[] = { EMFILE, ENFILE, ECONNABORTED, ENOMEM };
	static const int16_t steps_ms[] = { 1, 5, 50, 250, 1000, 4000, 15000,
		30000 };

	switch (act % 8) {
	case 0:
	case 1:
		kernel.now_ms += steps_ms[script_byte() % 8];
		break;
	case 2:
		kernel.fail_errno = errors[script_byte() % 4];
		break;
	case 3:
		kernel_signal(SIGHUP);
		break;
	case 4:
		kernel_signal(SIGUSR1);
		break;
	case 5:
		server_act(script_byte());
		break;
	case 6:
		kernel.has_servers = (script_byte() & 1) != 0;
		kernel.server_uid = script_byte();
		break;
	case 7:
		world.is_prompt = !world.is_prompt;
		break;
	}
}

void
script_play(void)
{
	for (int i = 0; i < ACTS_A_TURN && world.left > 0; i++) {
		uint8_t act = script_byte();

		switch (act >> 4) {
		case 0:
		case 1:
		case 2:
			return; /* a rest */
		case 3:
		case 4:
		case 5:
			connect_one();
			break;
		case 6:
		case 7:
		case 8:
		case 9:
		case 10:
			act_client(act);
			break;
		case 11:
		case 12:
		case 13:
			act_process(act);
			break;
		default:
			act_world(act);
			break;
		}
	}
}
