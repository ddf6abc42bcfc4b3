#ifndef PARSER_SERVE_H
#define PARSER_SERVE_H

#include <stdbool.h>

#include "core/name.h"

/* What a parser needs to know, and all of it. */
struct serve {
	int channel_fd; /* a SOCK_SEQPACKET end; the other is the parent's */
	struct names names;
	/*
	 * The sockets come with SO_PEEK_OFF at 0 (Linux 6.9 and later), so
	 * that a second peek goes on where the first one stopped.
	 */
	bool can_peek_on;
};

enum serve_end {
	SERVE_ANSWERED, /* one batch; there may be more */
	SERVE_CLOSED, /* the parent has closed its end */
	SERVE_BROKEN, /* what came is no batch, or the answer cannot go */
};

/*
 * Batch by batch: waits for one HANDOVER, peeks each socket, closes each, and
 * answers all of them by one VERDICT in the same order (core/message.h).
 * Keeps nothing. Returns SERVE_CLOSED, or SERVE_BROKEN: then descriptors may
 * be left open, and the caller has to end.
 */
enum serve_end serve_until_end(const struct serve *serve);

#endif
