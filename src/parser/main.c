/*
 * tcpmuxd-parser: closes a room around itself, greets, and serves.
 * Trusts its parent, which started it, until the room is closed.
 * Never reads a client's byte before that.
 */
#include "core/message.h"
#include "core/step.h"
#include "parser/allowed.h"
#include "parser/confine.h"
#include "parser/serve.h"
#include "sys/slice.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static _Noreturn void
fail(enum step step, int error)
{
	const struct status status = { .step = step, .error = (uint32_t)error };
	uint8_t bytes[STATUS_BYTES];

	status_encode(bytes, &status);
	/* If even that fails, the exit status alone has to tell. */
	if (write(ROOM_STATUS_FD, bytes, sizeof(bytes)) < 0)
		_exit(EXIT_FAILURE);
	_exit(EXIT_FAILURE);
}

static bool
read_id(const char *text, uint32_t *id)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	*id = (uint32_t)value;
	/* -1 would mean to every set*id call: leave as it is. */
	return errno == 0 && end != text && *end == '\0' &&
	    value < UINT32_MAX && text[0] >= '0' && text[0] <= '9';
}

/* ROOM UID GID, as sys/room gives them. Root is no one to parse as. */
static bool
read_arguments(struct parser *parser, int argc, char *argv[])
{
	return argc == 4 && room_from_word(&parser->kind, argv[1]) &&
	    read_id(argv[2], &parser->identity.uid) &&
	    read_id(argv[3], &parser->identity.gid) &&
	    parser->identity.uid != 0;
}

/* The parent counts a worker in when it gets this, not before. */
static int
greet(void)
{
	const uint8_t greeting[VERDICT_GREETING_BYTES] = { 0 };
	ssize_t sent = sendto(ROOM_CHANNEL_FD, greeting, sizeof(greeting),
	    ALLOWED_SEND_FLAGS, NULL, 0);

	return sent == (ssize_t)sizeof(greeting) ? 0 : -1;
}

int
main(int argc, char *argv[])
{
	struct parser parser = { .serve = { .channel_fd = -1 } };
	enum step failed;

	if (!read_arguments(&parser, argc, argv))
		fail(STEP_ARGUMENTS, EINVAL);
	/* A batch takes microseconds, and everybody in it waits. */
	slice_shorten();
	failed = parser_confine(&parser);
	if (failed != STEP_NONE)
		fail(failed, errno);
	if (close(ROOM_STATUS_FD) != 0 || greet() != 0)
		_exit(EXIT_FAILURE);
	/* Not exit: its handlers would want more than five system calls. */
	_exit(serve_until_end(&parser.serve) == SERVE_CLOSED ? EXIT_SUCCESS
							     : EXIT_FAILURE);
}
