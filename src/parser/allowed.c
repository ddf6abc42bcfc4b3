/*
 * What the parser may ask of the kernel, once its room is closed: all of it.
 * A sixth call, or a wider argument, is a change of SECURITY.md.
 * Never includes a call that could write to, take from or keep a client.
 */
#include "parser/allowed.h"

#include "sys/filter.h"
#include "sys/room.h"

#include <sys/syscall.h>

/* In the order of how often they are made, but for recvfrom and close. */
static const struct filter_row rows[] = {
	{ SYS_recvfrom, "look at what a client sent, and leave it there",
	    /* Any descriptor: a client's, or the channel, which gains nothing.
	     * No address: the peer is not the parser's business. */
	    { FILTER_INT(3, ALLOWED_PEEK_FLAGS), FILTER_NULL(4),
		FILTER_NULL(5) },
	    FILTER_ALLOW },
	{ SYS_close, "let go of a client; any descriptor, even the channel",
	    { { 0 } }, FILTER_ALLOW },
	{ SYS_recvmsg, "wait for a batch; only here do descriptors come in",
	    /* Without MSG_PEEK a batch cannot be taken twice; a client can
	     * never become 3, since 3 must be the channel to receive it. */
	    { FILTER_INT(0, ROOM_CHANNEL_FD),
		FILTER_INT(2, ALLOWED_RECEIVE_FLAGS) },
	    FILTER_ALLOW },
	{ SYS_sendto, "answer the batch; nothing can go anywhere else",
	    { FILTER_INT(0, ROOM_CHANNEL_FD), FILTER_INT(3, ALLOWED_SEND_FLAGS),
		FILTER_NULL(4), FILTER_INT(5, 0) },
	    FILTER_ALLOW },
	{ SYS_exit_group, "end, when the parent closes the channel", { { 0 } },
	    FILTER_ALLOW },
};

static const struct filter_table table = {
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.otherwise = FILTER_KILL,
};

int
allowed_load(void)
{
	return filter_load(&table);
}
