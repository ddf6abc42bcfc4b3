/*
 * Listeners that come, stay and go with a reload.
 * Trusts two policies to mean the same socket where they say the same address.
 * Never touches a socket that stays.
 */
#include "parent/listen_change.h"

#include <string.h>
#include <sys/socket.h>

#include "parent/limits.h"
#include "parent/listen.h"
#include "parent/parent.h"
#include "sys/fd.h"
#include "sys/socket_filter.h"

static uint32_t
count_all(const struct parent *parent)
{
	return parent->listeners.count + parent->listeners.leaving;
}

/* Name, backlog and how lines end can be another on the same socket. */
static bool
is_same(const struct listener *listener, const struct image *image,
    const struct image_listen *wanted)
{
	const struct addr *addr = &listener->addr;

	return listener->fd >= 0 && addr->family == wanted->addr.family &&
	    addr->port == wanted->addr.port &&
	    addr->scope == wanted->addr.scope &&
	    memcmp(addr->bytes, wanted->addr.bytes, sizeof(addr->bytes)) == 0 &&
	    strcmp(listener->interface, image_text(image, wanted->interface)) ==
	    0;
}

/* Its socket, if there is one: also one that is leaving can stay. */
static uint32_t
find_former(struct parent *parent, const struct image *image,
    const struct image_listen *wanted)
{
	for (uint32_t i = 0; i < count_all(parent); i++) {
		struct listener *listener = &parent->listeners.all[i];

		if (!is_same(listener, image, wanted))
			continue;
		if (listener->leaves_ms != 0)
			listener->leaves_ms =
			    parent->now_ms + LIMIT_START_MS + LIMIT_LEAVE_MS;
		return i;
	}
	return LISTENER_NEW;
}

static void
match(struct parent *parent, struct listeners_change *change,
    const struct image *image)
{
	for (uint32_t i = 0; i < IMAGE_LISTENS_MAX; i++)
		change->nexts[i] = LISTENER_GONE;
	for (uint32_t i = 0; i < change->count; i++) {
		uint32_t former =
		    find_former(parent, image, image_listen(image, i));

		change->formers[i] = former;
		if (former < parent->listeners.count)
			change->nexts[former] = i;
	}
}

static bool
is_kept(const struct listeners_change *change, uint32_t index)
{
	for (uint32_t i = 0; i < change->count; i++)
		if (change->formers[i] == index)
			return true;
	return false;
}

/*
 * For as long as it takes to bind or to listen, root lets this be done beside
 * those that go: or 192.0.2.1 could not come before * has gone. Nobody else
 * does: any process of the same user could do it then.
 */
static void
share_leaving(const struct parent *parent,
    const struct listeners_change *change, int is_shared)
{
	for (uint32_t i = 0; parent->is_root && i < count_all(parent); i++)
		if (parent->listeners.all[i].fd >= 0 && !is_kept(change, i))
			(void)setsockopt(parent->listeners.all[i].fd,
			    SOL_SOCKET, SO_REUSEPORT, &is_shared,
			    sizeof(is_shared));
}

static int
bind_all(struct parent *parent, struct listeners_change *change,
    const struct image *image)
{
	struct listener *all = change->table.base;

	for (uint32_t i = 0; i < change->count; i++) {
		if (change->formers[i] == LISTENER_NEW &&
		    listen_bind(parent, &all[i], image, i, parent->is_root) !=
			0)
			return -1;
	}
	return 0;
}

int
listen_prepare(struct parent *parent, struct listeners_change *change,
    const struct image *image)
{
	uint32_t count = image_count(image, IMAGE_LISTENS);
	uint32_t most = count + count_all(parent);
	struct listener *all;
	int result;

	*change = (struct listeners_change){ .count = count };
	if (shared_map(&change->table, most * sizeof(struct listener)) != 0)
		return -1;
	all = change->table.base;
	for (uint32_t i = 0; i < most; i++)
		all[i].fd = -1;
	match(parent, change, image);
	share_leaving(parent, change, true);
	result = bind_all(parent, change, image);
	share_leaving(parent, change, false);
	return result;
}

int
listen_begin_all(struct parent *parent, struct listeners_change *change,
    const struct image *image)
{
	struct listener *all = change->table.base;
	const int off = 0;
	int result = 0;

	share_leaving(parent, change, true);
	for (uint32_t i = 0; i < change->count && result == 0; i++) {
		int backlog = image_listen(image, i)->backlog;

		if (all[i].fd < 0) {
			(void)listen(
			    parent->listeners.all[change->formers[i]].fd,
			    backlog);
			continue;
		}
		result = listen_begin(parent, &all[i], backlog);
		(void)setsockopt(
		    all[i].fd, SOL_SOCKET, SO_REUSEPORT, &off, sizeof(off));
	}
	share_leaving(parent, change, false);
	return result;
}

/*
 * Whoever is connected already is let in, but nobody new. The filter sees TCP's
 * header first: packet(7) has the instructions, and RFC 9293, 3.1, the flags.
 */
static void
refuse_syns(int fd)
{
	static const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12), /* SYN, ACK */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};

	(void)socket_filter_attach(fd, code, sizeof(code) / sizeof(code[0]));
}

static void
tell(struct parent *parent, struct session *session, uint32_t listener)
{
	session->listener = listener;
	if (listener != LISTENER_GONE)
		session->is_lenient =
		    parent->listeners.all[listener].is_lenient;
}

static void
tell_sessions(struct parent *parent, const struct listeners_change *change)
{
	for (uint32_t i = 0; i < parent->sessions.capacity; i++) {
		struct session *session = session_at(parent, i);

		/* A list of names is ended as it was begun. */
		if (session->state != SESSION_FREE &&
		    session->state != SESSION_HELPING &&
		    session->listener != LISTENER_GONE)
			tell(parent, session, change->nexts[session->listener]);
	}
}

/* From where it was among all to where it is now. */
static void
move(struct listener *to, struct listener *from)
{
	*to = *from;
	from->fd = -1;
}

static void
move_kept(struct parent *parent, struct listeners_change *change)
{
	struct listener *from = parent->listeners.all;
	struct listener *to = change->table.base;

	for (uint32_t i = 0; i < change->count; i++) {
		if (change->formers[i] != LISTENER_NEW)
			move(&to[i], &from[change->formers[i]]);
		else
			to[i].is_armed = parent->listeners.retry_ms == 0;
		if (to[i].leaves_ms != 0)
			socket_filter_detach(to[i].fd);
		to[i].leaves_ms = 0;
		to[i].is_lenient = listen_is_lenient(&parent->image, i);
	}
}

/* Behind them come all others that are still there. */
static uint32_t
move_leaving(struct parent *parent, struct listeners_change *change)
{
	struct listener *from = parent->listeners.all;
	struct listener *to = change->table.base;
	uint32_t end = change->count;

	for (uint32_t i = 0; i < count_all(parent); i++) {
		if (from[i].fd < 0)
			continue;
		move(&to[end], &from[i]);
		if (to[end].leaves_ms == 0) {
			to[end].leaves_ms = parent->now_ms + LIMIT_LEAVE_MS;
			refuse_syns(to[end].fd);
			parent->listeners.had_filter = true;
		}
		end++;
	}
	return end - change->count;
}

void
listen_take(struct parent *parent, struct listeners_change *change)
{
	struct listeners *listeners = &parent->listeners;

	move_kept(parent, change);
	listeners->leaving = move_leaving(parent, change);
	listeners->count = change->count;
	shared_unmap(&listeners->table);
	listeners->table = change->table;
	listeners->all = change->table.base;
	change->table = (struct shared){ .base = NULL };
	for (uint32_t i = 0; i < count_all(parent); i++)
		(void)listen_set_armed(parent, i, listeners->all[i].is_armed);
	tell_sessions(parent, change);
}

void
listen_drop(struct parent *parent, struct listeners_change *change)
{
	struct listener *all = change->table.base;

	for (uint32_t i = 0; all != NULL && i < change->count; i++) {
		if (all[i].fd >= 0)
			(void)loop_remove(&parent->loop, all[i].fd);
		fd_close(&all[i].fd);
	}
	shared_unmap(&change->table);
}
