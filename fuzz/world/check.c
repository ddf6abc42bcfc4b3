/*
 * What has to hold, asked after every turn and at the end: each count is that
 * of the sessions, nothing is launched that its client did not ask for, and
 * each connection comes to one end.
 * Counts again from the table of sessions, and believes no counter.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/reply.h"

struct tally {
	uint32_t states[SESSION_STATES];
	uint32_t passing;
	uint32_t helping[EDITION_SIDES];
	uint32_t launches[LAUNCHERS];
};

static uint32_t
running(const struct tally *tally)
{
	return tally->states[SESSION_CHOSEN] +
	    tally->states[SESSION_LAUNCHING] + tally->states[SESSION_RUNNING] +
	    tally->states[SESSION_ENDING];
}

static void
count(struct tally *tally)
{
	struct parent *parent = &world.parent;

	memset(tally, 0, sizeof(*tally));
	for (uint32_t i = 0; i < parent->sessions.capacity; i++) {
		const struct session *session = &parent->sessions.slots[i];

		tally->states[session->state]++;
		if (session->state == SESSION_FREE)
			continue; /* most are */
		if (session->state == SESSION_HELPING)
			tally->helping[session->side]++;
		if (session->state == SESSION_LAUNCHING && session->is_passed)
			tally->passing++;
		else if (session->state == SESSION_LAUNCHING)
			tally->launches[session->launcher]++;
		kernel_require((session->generation != 0) ==
			(session->state == SESSION_HANDED),
		    "a generation without a handover, or the other way");
	}
}

static void
check_services(const struct tally *tally)
{
	const struct parent *parent = &world.parent;
	uint32_t services = image_count(&parent->image, IMAGE_SERVICES);
	uint32_t sessions = 0, passing = 0;

	for (uint32_t i = 0; i < services; i++) {
		const struct service_state *state = &parent->services[i];

		kernel_require(state->sessions <= running(tally) &&
			state->passing <= state->sessions,
		    "a service's count is below zero");
		sessions += state->sessions;
		passing += state->passing;
	}
	kernel_require(sessions <= running(tally) && passing <= tally->passing,
	    "services have more sessions than there are");
	if (!world.has_reloaded)
		kernel_require(
		    sessions == running(tally) && passing == tally->passing,
		    "services have fewer sessions than there are");
}

static void
check_batches(void)
{
	const struct workers *workers = &world.parent.workers;
	uint32_t idle[EDITION_SIDES] = { 0 };

	for (uint32_t i = 0; i < workers->capacity; i++) {
		const struct worker *worker = &workers->all[i];

		if (worker->state == WORKER_IDLE)
			idle[worker->side]++;
		kernel_require(worker->batch_count <= BATCH_MAX &&
			(worker->state != WORKER_IDLE ||
			    worker->batch_count == 0),
		    "an idle worker with a batch");
	}
	for (uint32_t i = 0; i < EDITION_SIDES; i++)
		kernel_require(
		    idle[i] == workers->idle[i], "idle workers are miscounted");
}

/* Who was heard to say what nobody may is heard no more. */
static void
check_guilty(void)
{
	for (uint32_t i = 0; i < KERNEL_PROCESSES; i++) {
		const struct process *worker = &kernel.processes[i];
		const struct file *ours;

		if (worker->kind != PROCESS_WORKER || worker->is_zombie ||
		    !worker->is_guilty)
			continue;
		ours = kernel.fds[worker->fds[0] - KERNEL_FD].file->peer;
		kernel_require(
		    ours == NULL || ours->packets > 0 || worker->killed_by != 0,
		    "a worker lives that was found to lie");
	}
}

void
check_always(void)
{
	const struct parent *parent = &world.parent;
	const struct sessions *sessions = &parent->sessions;
	struct tally tally;
	const uint32_t *states = tally.states;

	count(&tally);
	kernel_require(parent->crowd.count ==
		states[SESSION_QUEUED] + states[SESSION_HANDED] +
		    states[SESSION_WAITING] + states[SESSION_HELPING],
	    "the undecided are miscounted");
	kernel_require(
	    sessions->running == running(&tally), "who runs is miscounted");
	kernel_require(sessions->ring.count == states[SESSION_RINGED] &&
		sessions->lingering.count == states[SESSION_LINGERING] &&
		sessions->free.count == states[SESSION_FREE],
	    "a list is miscounted");
	kernel_require(sessions->fresh.count + sessions->suspect.count +
		    sessions->shunned.count ==
		states[SESSION_QUEUED],
	    "who waits for a parser is miscounted");
	for (uint32_t i = 0; i < EDITION_SIDES; i++)
		kernel_require(sessions->helping[i] == tally.helping[i],
		    "who is told names is miscounted");
	for (uint32_t i = 0; i < LAUNCHERS; i++)
		kernel_require(
		    parent->launchers.all[i].open == tally.launches[i],
		    "open launches are miscounted");
	kernel_require(
	    parent->crowd.count <= image_global(&parent->image)->pending ||
		world.has_reloaded,
	    "more undecided than the policy allows");
	check_services(&tally);
	check_batches();
	check_guilty();
}

/* The clients' descriptors, and pipes of launches. */
static uint32_t
count_open(enum file_kind kind)
{
	uint32_t open = 0;

	for (int i = 0; i < KERNEL_FDS; i++)
		open += kernel.fds[i].file != NULL &&
		    kernel.fds[i].owner == KERNEL_OUR_PID &&
		    kernel.fds[i].file->kind == kind;
	return open;
}

/* All have left and the parent still serves: it is as it was at first. */
void
check_quiet(void)
{
	const struct parent *parent = &world.parent;

	kernel_require(source_busy(&parent->sources) == 0 &&
		source_busy(&parent->shares) == 0,
	    "sources are counted that have nothing open");
	kernel_require(parent->sessions.running == 0 &&
		parent->crowd.count == 0 && parent->timers.count == 0,
	    "counts that are not zero at the end");
	for (uint32_t i = 0; i < image_count(&parent->image, IMAGE_SERVICES);
	     i++)
		kernel_require(parent->services[i].sessions == 0 &&
			parent->services[i].passing == 0,
		    "a service's counts are not zero at the end");
	kernel_require(
	    count_open(FILE_STREAM) == 0, "a client's socket stays open");
	for (uint32_t i = 0; i < world.session_count && world.are_ends_told;
	     i++)
		kernel_require(world.sessions[i].ends == 1,
		    "a connection without exactly one end");
}

static bool
begins_so(const uint8_t *bytes, size_t length, const char *text)
{
	size_t text_length = strlen(text);

	return memcmp(bytes, text,
		   length < text_length ? length : text_length) == 0;
}

/* One answer, whole or cut off, and never one behind another. */
static void
check_answer(const struct connection *client)
{
	static const char refusal[] = REPLY_REFUSAL;
	const uint8_t *out = client->out;

	if (client->answered == 0)
		return;
	if (begins_so(out, client->answered, refusal) && out[0] == '-')
		kernel_require(client->answered <= REPLY_REFUSAL_BYTES,
		    "something behind a refusal");
	else
		kernel_require(memmem(out, client->answered, refusal,
				   REPLY_REFUSAL_BYTES) == NULL,
		    "a refusal behind something");
}

void
check_ended(void)
{
	for (size_t i = 0; i < KERNEL_CONNECTIONS; i++) {
		const struct connection *client = &kernel.connections[i];

		if (!client->is_used)
			continue;
		kernel_require(client->launches <= 1, "two launches of one");
		check_answer(client);
	}
}

/* What a client said first is a line of RFC 1078; its name, folded. */
static size_t
name_of(const struct connection *client, uint8_t name[NAME_MAX_BYTES + 2])
{
	size_t length = client->taken;

	kernel_require(length >= 2 && length <= NAME_MAX_BYTES + 2 &&
		client->in[length - 1] == '\n',
	    "a launch without a line");
	length--;
	if (client->in[length - 1] == '\r')
		length--;
	for (size_t i = 0; i < length; i++) {
		uint8_t byte = client->in[i];

		kernel_require(
		    byte > ' ' && byte <= '~', "a launch without a name");
		name[i] = byte >= 'A' && byte <= 'Z' ? byte + 32 : byte;
	}
	return length;
}

/* By a look at every name of the table: that very service. */
static bool
has_name(const struct image *image, uint32_t service, const uint8_t *name,
    size_t length)
{
	for (uint32_t i = 0; i < image->names.count; i++) {
		size_t table_length;
		const uint8_t *bytes =
		    names_get(&image->names, i, &table_length);

		if (table_length == length && memcmp(bytes, name, length) == 0)
			return image_name_service(image, i) == service;
	}
	return false;
}

void
check_launch(const struct process *launcher, const struct launch *launch,
    const struct connection *client)
{
	uint8_t name[NAME_MAX_BYTES + 2];
	size_t length = name_of(client, name);
	const struct asker asker = { .peer = launch->peer,
		.listener = client->listener,
		.minute = world.parent.week.minute };
	struct image image;

	kernel_require(image_init(&image, launcher->names,
			   launcher->names_bytes) == IMAGE_OK,
	    "a launcher has no image");
	kernel_require(launch->service < image_count(&image, IMAGE_SERVICES),
	    "a launch of no service");
	kernel_require(has_name(&image, launch->service, name, length),
	    "a launch of another service than its client named");
	kernel_require(
	    image_is_launched(image_service(&image, launch->service)),
	    "a launch of what is not to be launched");
	kernel_require(
	    client->answered == 0 && client->launches == 0 && !client->is_shut,
	    "a launch for who was answered already");
	if (!world.has_reloaded)
		kernel_require(
		    access_decide(&image, launch->service, &asker).reason ==
			ACCESS_ALLOWED,
		    "a launch that the policy denies");
}

/* An end of a connection, each of which may be told of once. */
static bool
is_end(const char *line)
{
	static const char *const ends[] = { "event=refuse ", "event=probe ",
		"event=gone ", "event=evict ", "event=help ", "event=exit ",
		"event=launch-failed " };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (strstr(line, ends[i]) != NULL)
			return true;
	return false;
}

void
check_log_line(const char *line, size_t length)
{
	const char *at = strstr(line, " session=");
	uint64_t id;
	uint32_t i = 0;

	(void)length;
	if (getenv("FUZZ_VERBOSE") != NULL)
		(void)fprintf(stderr, "%s\n", line);
	if (at == NULL || !is_end(line))
		return;
	id = strtoull(at + 9, NULL, 10);
	while (i < world.session_count && world.sessions[i].id != id)
		i++;
	if (i == WORLD_SESSIONS)
		return;
	if (i == world.session_count)
		world.sessions[world.session_count++].id = id;
	kernel_require(
	    ++world.sessions[i].ends == 1, "two ends of one connection");
}
