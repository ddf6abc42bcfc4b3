#ifndef CORE_PASS_H
#define CORE_PASS_H

#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/name.h"

/*
 * The message with which a session is passed on to a server that runs already:
 *
 *	service=NAME
 *	addr=ADDRESS	the client's
 *	port=PORT
 *	local=ADDRESS	that it came to
 *	session=NUMBER	as in the log
 *
 * and an empty line. No byte of it is a client's own choice: the name is the
 * policy's, never an alias. With it go two descriptors: the client's socket,
 * then the write end of a pipe that is open for as long as the session lasts.
 * It goes to people's own programs: it is stable, and only new lines may be
 * added to it (tcpmuxd.policy(5)).
 */
struct pass {
	const char *service;
	struct addr peer, local;
	uint64_t session;
};

#define PASS_BYTES_MAX \
	(NAME_MAX_BYTES + 2 * ADDR_TEXT_BYTES + 2 * sizeof("65535") + 64)
#define PASS_FDS 2

/* Writes it, without a NUL; returns its length. */
size_t pass_encode(uint8_t bytes[PASS_BYTES_MAX], const struct pass *pass);

#endif
