/*
 * Starting a parser: the child's half that has to come before the exec. What
 * is left to do the parser does itself, and says which step failed.
 * Trusts the caller for the descriptors.
 * Never gives a parser a namespace of the parent's that its kind replaces.
 */
#include "sys/room.h"

#include "core/step.h"
#include "sys/namespace.h"
#include "sys/spawn.h"

#include <cap-ng.h>
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A sanitizer reports on stderr; otherwise a parser has nothing to say. */
#ifdef TCPMUXD_SANITIZE
#define PARSER_STDERR STDERR_FILENO
#else
#define PARSER_STDERR (-1)
#endif

#define ID_BYTES 11 /* a 32-bit number in decimal, and the end */

/* All but the bounding set. */
#define NEEDED_SETS \
	(CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE | CAPNG_AMBIENT)

struct start {
	enum room_kind kind;
	uid_t uid;
	gid_t gid;
};

/*
 * The exec that follows would take all capabilities from a uid that is not 0,
 * but for ambient ones: the two that the parser needs to build its room with,
 * and then drops. Set from nothing: libcap-ng would ask /proc for what process
 * 1 has, which is not this one. And it may remember the parent's pid, as a
 * plain clone tells it nothing: pid 0 is whoever calls.
 */
static int
enter_user_namespace(const struct start *start)
{
	if (namespace_map_ids(start->uid, start->gid) != 0)
		return -1;
	/* The parent may have asked libcap-ng about itself: it remembers. */
	capng_setpid(0);
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_updatev(
		CAPNG_ADD, NEEDED_SETS, CAP_SYS_ADMIN, CAP_SETPCAP, -1) != 0 ||
	    capng_apply(CAPNG_SELECT_CAPS) != 0 ||
	    capng_apply(CAPNG_SELECT_AMBIENT) != 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

static int
fail(enum step step)
{
	const struct status status = { .step = step, .error = (uint32_t)errno };
	uint8_t bytes[STATUS_BYTES];

	status_encode(bytes, &status);
	/* Either way the child ends, and the pipe with it. */
	if (write(ROOM_STATUS_FD, bytes, sizeof(bytes)) < 0)
		return -1;
	return -1;
}

/* Out of the parent's session: a terminal's signals are not for parsers. */
static int
prepare(void *context)
{
	const struct start *start = context;

	if (setsid() < 0)
		return fail(STEP_PROCESS_GROUP);
	if (start->kind == ROOM_USER && enter_user_namespace(start) != 0)
		return fail(STEP_USER_NAMESPACE);
	return 0;
}

static unsigned long
clone_flags(enum room_kind kind)
{
	switch (kind) {
	case ROOM_FULL:
		return CLONE_NEWPID;
	case ROOM_USER:
		return CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS |
		    CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
		    CLONE_NEWCGROUP;
	case ROOM_REDUCED:
		return 0;
	}
	return 0;
}

pid_t
room_spawn(const struct room *room, int program_fd, int channel_fd,
    int names_fd, int status_fd, uid_t uid, gid_t gid)
{
	struct start start = { .kind = room->kind, .uid = uid, .gid = gid };
	char uid_text[ID_BYTES];
	char gid_text[ID_BYTES];
	const char *argv[] = { "tcpmuxd-parser", room_word(room->kind),
		uid_text, gid_text, NULL };
	int fds[3 + ROOM_NAMESPACES] = { channel_fd, names_fd, status_fd };
	struct spawn spawn = { .program_fd = program_fd,
		.argv = argv,
		.fds = fds,
		.fd_count = 3,
		.stderr_fd = PARSER_STDERR,
		.clone_flags = clone_flags(room->kind),
		.prepare = prepare,
		.context = &start };

	if (room->kind == ROOM_USER && (uid != geteuid() || gid != getegid())) {
		errno = EINVAL;
		return -1;
	}
	(void)snprintf(uid_text, sizeof(uid_text), "%u", uid);
	(void)snprintf(gid_text, sizeof(gid_text), "%u", gid);
	if (room->kind == ROOM_FULL) {
		memcpy(fds + 3, room->namespaces, sizeof(room->namespaces));
		spawn.fd_count += ROOM_NAMESPACES;
	}
	return spawn_program(&spawn);
}
