/*
 * The table of connections, and the one way from state to state.
 * Trusts the rest of the parent to name states, and nothing else.
 * Never allocates after start; a full table is an answer.
 */
#include "parent/session.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "core/image.h"
#include "parent/cgroup.h"
#include "parent/limits.h"
#include "parent/parent.h"
#include "sys/fd.h"

_Static_assert(2 * IMAGE_LIMIT_MAX + LIMIT_LINGER_SLOTS <= SESSION_SLOTS_MAX,
    "every policy's slots have ids");

/* What every connection needs, before what only services do. */
#define SESSION_COMMON_BYTES offsetof(struct session, service_name)

/* What being in a state counts as. */
enum session_class {
	CLASS_NONE,
	CLASS_PENDING,
	CLASS_RUNNING,
	CLASS_LINGERING,
};

static const uint8_t classes[SESSION_STATES] = {
	[SESSION_FREE] = CLASS_NONE,
	[SESSION_QUEUED] = CLASS_PENDING,
	[SESSION_HANDED] = CLASS_PENDING,
	[SESSION_WAITING] = CLASS_PENDING,
	[SESSION_HELPING] = CLASS_PENDING,
	[SESSION_CHOSEN] = CLASS_RUNNING,
	[SESSION_LAUNCHING] = CLASS_RUNNING,
	[SESSION_RUNNING] = CLASS_RUNNING,
	[SESSION_ENDING] = CLASS_RUNNING,
	[SESSION_RINGED] = CLASS_LINGERING,
	[SESSION_LINGERING] = CLASS_LINGERING,
};

struct session *
session_at(struct parent *parent, uint32_t slot)
{
	return &parent->sessions.slots[slot];
}

uint32_t
session_slot(const struct parent *parent, const struct session *session)
{
	return (uint32_t)(session - parent->sessions.slots);
}

void
sessions_init(struct parent *parent)
{
	struct sessions *sessions = &parent->sessions;

	sessions->next_round = 1;
	session_list_init(&sessions->free, SESSION_LINK_TIME);
	session_list_init(&sessions->deciding, SESSION_LINK_TIME);
	session_list_init(&sessions->launching, SESSION_LINK_TIME);
	session_list_init(&sessions->ring, SESSION_LINK_TIME);
	session_list_init(&sessions->lingering, SESSION_LINK_TIME);
	session_list_init(&sessions->fresh, SESSION_LINK_QUEUE);
	session_list_init(&sessions->suspect, SESSION_LINK_QUEUE);
	session_list_init(&sessions->shunned, SESSION_LINK_QUEUE);
}

int
sessions_make_room(struct parent *parent, uint32_t capacity)
{
	struct sessions *sessions = &parent->sessions;

	if (capacity <= sessions->capacity)
		return 0;
	if (shared_grow(&sessions->table, capacity * sizeof(struct session)) !=
	    0)
		return -1;
	sessions->slots = sessions->table.base;
	while (sessions->capacity < capacity) {
		struct session *session =
		    &sessions->slots[sessions->capacity++];

		session->fd = -1;
		session->status_fd = -1;
		session->stderr_fd = -1;
		session->pipe_fd = -1;
		session->cgroup_fd = -1;
		session_list_push(parent, &sessions->free, session);
	}
	return 0;
}

struct session *
session_by_id(struct parent *parent, uint64_t id)
{
	uint32_t slot = (uint32_t)(id % SESSION_SLOTS_MAX);
	struct session *session;

	if (slot >= parent->sessions.capacity)
		return NULL;
	session = session_at(parent, slot);
	if (session->state == SESSION_FREE || session->id != id)
		return NULL;
	return session;
}

struct session *
session_take_fd(
    struct parent *parent, int fd, const struct addr *peer, uint32_t source)
{
	struct sessions *sessions = &parent->sessions;
	/* The one that was in use last is nearest to the processor. */
	struct session *session = session_list_last(parent, &sessions->free);

	if (session == NULL)
		return NULL;
	session_list_remove(parent, &sessions->free, session);
	/* What only services need is zero already: wipe_service. */
	assert(session->service_name[0] == '\0');
	memset(session, 0, SESSION_COMMON_BYTES);
	session->peer = *peer;
	session->id = sessions->next_round++ * SESSION_SLOTS_MAX +
	    session_slot(parent, session);
	session->accepted_ms = parent->now_ms;
	session->fd = fd;
	session->status_fd = -1;
	session->stderr_fd = -1;
	session->pipe_fd = -1;
	session->cgroup_fd = -1;
	session->source = source;
	session->share = SOURCE_NONE;
	return session;
}

void
session_set_service(
    struct parent *parent, struct session *session, uint32_t service)
{
	const struct image_service *chosen =
	    image_service(&parent->image, service);

	session->service = service;
	session->service_id = parent->services[service].id;
	session->tally = service;
	memcpy(session->service_name, image_text(&parent->image, chosen->name),
	    chosen->name.length + 1);
	session->keeps_leftovers = chosen->leftovers == IMAGE_LEFTOVERS_KEEP;
	session->limits = (struct cgroup_limits){ .memory = chosen->memory,
		.processes = chosen->processes };
	session->is_limited = image_limits_sessions(chosen);
	session->lifetime_s = chosen->lifetime_s;
	session->idle_s = chosen->idle_s;
	session->logged = chosen->logged;
	session->exit_count = (uint8_t)chosen->exits.count;
	memcpy(session->exits, image_exits(&parent->image, chosen->exits),
	    chosen->exits.count * sizeof(session->exits[0]));
	session->has_stderr_log = chosen->stderr_to == IMAGE_STDERR_LOG;
	session->is_passed = chosen->kind == IMAGE_KIND_PASS;
}

/* The list in which a state waits for its deadline; NULL: it has none. */
static struct session_list *
time_list(struct sessions *sessions, enum session_state state)
{
	switch (state) {
	case SESSION_FREE:
		return &sessions->free;
	case SESSION_QUEUED:
	case SESSION_HANDED:
	case SESSION_WAITING:
	case SESSION_HELPING:
		return &sessions->deciding;
	case SESSION_CHOSEN:
	case SESSION_LAUNCHING:
		return &sessions->launching;
	case SESSION_RINGED:
		return &sessions->ring;
	case SESSION_LINGERING:
		return &sessions->lingering;
	case SESSION_RUNNING:
	case SESSION_ENDING:
	case SESSION_STATES:
		break;
	}
	return NULL;
}

/* When a session that now comes into this list has been in it too long. */
static int64_t
deadline_in(const struct parent *parent, const struct session *session,
    enum session_state state)
{
	switch (state) {
	case SESSION_QUEUED:
	case SESSION_HANDED:
	case SESSION_WAITING:
	case SESSION_HELPING:
		return session->accepted_ms +
		    image_global(&parent->image)->parser_timeout_ms;
	case SESSION_CHOSEN:
	case SESSION_LAUNCHING:
		return parent->now_ms + LIMIT_LAUNCH_MS;
	case SESSION_RINGED:
		return parent->now_ms + LIMIT_RING_MS;
	case SESSION_LINGERING:
		return parent->now_ms + LIMIT_LINGER_IDLE_MS;
	case SESSION_FREE:
	case SESSION_RUNNING:
	case SESSION_ENDING:
	case SESSION_STATES:
		break;
	}
	return 0;
}

/* Waiting for a parser is being in one of three more lists. */
static struct session_list *
queue_list(struct sessions *sessions, const struct session *session)
{
	if (session->state != SESSION_QUEUED)
		return NULL;
	if (session->is_shunned)
		return &sessions->shunned;
	return session->is_suspect ? &sessions->suspect : &sessions->fresh;
}

static void
class_leave(
    struct parent *parent, struct session *session, enum session_class class)
{
	switch (class) {
	case CLASS_NONE:
		break;
	case CLASS_PENDING:
		crowd_leave(&parent->crowd, session_slot(parent, session));
		source_drop(&parent->sources, session->source, SOURCE_PENDING);
		break;
	case CLASS_RUNNING:
		timers_drop(&parent->timers, session_slot(parent, session));
		source_drop(&parent->sources, session->source, SOURCE_RUNNING);
		source_drop(&parent->shares, session->share, SOURCE_RUNNING);
		session->share = SOURCE_NONE;
		if (session->tally != SESSION_NONE)
			parent->services[session->tally].sessions--;
		parent->sessions.running--;
		break;
	case CLASS_LINGERING:
		source_drop(
		    &parent->sources, session->source, SOURCE_LINGERING);
		break;
	}
}

static void
class_join(
    struct parent *parent, struct session *session, enum session_class class)
{
	switch (class) {
	case CLASS_NONE:
		break;
	case CLASS_PENDING:
		source_add(&parent->sources, session->source, SOURCE_PENDING);
		crowd_join(&parent->crowd, session_slot(parent, session),
		    &session->peer);
		break;
	case CLASS_RUNNING:
		source_add(&parent->sources, session->source, SOURCE_RUNNING);
		source_add(&parent->shares, session->share, SOURCE_RUNNING);
		if (session->tally != SESSION_NONE)
			parent->services[session->tally].sessions++;
		parent->sessions.running++;
		break;
	case CLASS_LINGERING:
		source_add(&parent->sources, session->source, SOURCE_LINGERING);
		session->linger_end_ms = parent->now_ms + LIMIT_LINGER_MS;
		break;
	}
}

bool
session_counts_as_running(const struct session *session)
{
	return classes[session->state] == CLASS_RUNNING;
}

uint32_t
session_share(struct parent *parent, const struct session *session)
{
	const struct image_global *global = image_global(&parent->image);
	struct source_key key = source_key(&session->peer, global->count_by_v4,
	    global->count_by_v6, session->service_id);

	return source_take(&parent->shares, &key, parent->now_ms);
}

void
session_count_again(struct parent *parent, struct session *session,
    bool sources_are_new, bool shares_are_new)
{
	static const enum source_count counts[] = {
		[CLASS_PENDING] = SOURCE_PENDING,
		[CLASS_RUNNING] = SOURCE_RUNNING,
		[CLASS_LINGERING] = SOURCE_LINGERING,
	};
	const struct image_global *global = image_global(&parent->image);
	enum session_class class = classes[session->state];
	struct source_key key = source_key(
	    &session->peer, global->count_by_v4, global->count_by_v6, 0);

	if (class == CLASS_NONE)
		return;
	if (sources_are_new) {
		session->source =
		    source_take(&parent->sources, &key, parent->now_ms);
		source_add(&parent->sources, session->source, counts[class]);
	}
	if (shares_are_new && class == CLASS_RUNNING) {
		session->share = session_share(parent, session);
		source_add(&parent->shares, session->share, SOURCE_RUNNING);
	}
}

/* Nothing of a service is left in the slot for the next in it. */
static void
wipe_service(struct session *session)
{
	if (session->service_name[0] != '\0')
		memset((uint8_t *)session + SESSION_COMMON_BYTES, 0,
		    sizeof(*session) - SESSION_COMMON_BYTES);
}

static void
close_all(struct parent *parent, struct session *session)
{
	assert(session->pid == 0);
	session_unwatch(parent, session);
	/* Ours has no call that would set an option: its filter ends it. */
	if (session->had_stranger)
		fd_close_left(&session->fd);
	fd_close(&session->fd);
	fd_close(&session->status_fd);
	fd_close(&session->stderr_fd);
	fd_close(&session->pipe_fd);
	assert(session->cgroup_fd == -1 && session->cgroup == CGROUP_NONE);
	session->generation = 0;
	wipe_service(session);
}

static void
enter_lists(
    struct parent *parent, struct session *session, enum session_state state)
{
	struct sessions *sessions = &parent->sessions;
	struct session_list *from = time_list(sessions, session->state);
	struct session_list *to = time_list(sessions, state);
	struct session_list *queue;
	bool is_new = session->state == SESSION_FREE;

	assert(parent != NULL); /* or the analyser doubts all that is in it */
	queue = queue_list(sessions, session);
	if (queue != NULL)
		session_list_remove(parent, queue, session);
	/* Activity makes lingering last longer; deciding has one deadline. */
	if (from != NULL && !is_new &&
	    (from != to || state == SESSION_LINGERING))
		session_list_remove(parent, from, session);
	if (to != NULL &&
	    (is_new || from != to || state == SESSION_LINGERING)) {
		session->deadline_ms = deadline_in(parent, session, state);
		session_list_push(parent, to, session);
	}
	session->state = (uint8_t)state;
	queue = queue_list(sessions, session);
	if (queue != NULL)
		session_list_push(parent, queue, session);
}

void
session_enter(
    struct parent *parent, struct session *session, enum session_state state)
{
	enum session_class from = classes[session->state];
	enum session_class to = classes[state];

	if (session->state == SESSION_HELPING)
		parent->sessions.helping[session->side]--;
	if (state == SESSION_HELPING)
		parent->sessions.helping[session->side]++;
	if (session_is_passing(session, session->state) &&
	    session->tally != SESSION_NONE)
		parent->services[session->tally].passing--;
	if (session_is_passing(session, (uint8_t)state))
		parent->services[session->tally].passing++;
	assert(state != SESSION_FREE || session->state != SESSION_FREE);
	/* In this order its source is at no time one that nobody counts on. */
	if (from != to) {
		class_join(parent, session, to);
		class_leave(parent, session, from);
	}
	if (state == SESSION_FREE)
		close_all(parent, session);
	enter_lists(parent, session, state);
}

int
session_watch(struct parent *parent, struct session *session, uint32_t events)
{
	uint64_t token =
	    loop_token(TOKEN_CLIENT, session_slot(parent, session));

	events |= EPOLLONESHOT;
	if (session->is_registered)
		return loop_modify(&parent->loop, session->fd, events, token);
	if (loop_add(&parent->loop, session->fd, events, token) != 0)
		return -1;
	session->is_registered = true;
	return 0;
}

void
session_unwatch(struct parent *parent, struct session *session)
{
	if (session->is_registered)
		(void)loop_remove(&parent->loop, session->fd);
	session->is_registered = false;
}

bool
session_is_logged(const struct session *session, bool has_failed)
{
	switch ((enum image_logged)session->logged) {
	case IMAGE_LOGGED_ALL:
		return true;
	case IMAGE_LOGGED_FAILURES:
		return has_failed;
	case IMAGE_LOGGED_NONE:
		break;
	}
	return false;
}
