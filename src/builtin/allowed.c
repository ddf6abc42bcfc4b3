/*
 * What each small service may ask of the kernel, before it reads a byte.
 * Another call, or a wider argument, is a change of SECURITY.md.
 * Never includes a call that reaches anything but the client and the clock.
 */
#include "builtin/allowed.h"

#include "sys/filter.h"

#include <sys/syscall.h>

#define RECEIVE(flags_) \
	{ \
		.number = SYS_recvfrom, .reason = "what the client sends", \
		.pins = { \
			FILTER_INT(0, ALLOWED_CLIENT_FD), \
			FILTER_INT(3, flags_), \
			FILTER_NULL(4), \
			FILTER_NULL(5) \
		} \
	}
#define SEND(flags_) \
	{ \
		.number = SYS_sendto, .reason = "what the client gets", \
		.pins = { \
			FILTER_INT(0, ALLOWED_CLIENT_FD), \
			FILTER_INT(3, ALLOWED_SEND | (flags_)), \
			FILTER_NULL(4), \
			FILTER_INT(5, 0) \
		} \
	}
/* One descriptor's, with the signal mask as it is. */
#define WAIT \
	{ \
		.number = SYS_ppoll, .reason = "wait for the client", \
		.pins = { \
			FILTER_INT(1, 1), \
			FILTER_NULL(3) \
		} \
	}
#define FINISH \
	{ \
		.number = SYS_shutdown, .reason = "tell the client: no more", \
		.pins = { \
			FILTER_INT(0, ALLOWED_CLIENT_FD), \
			FILTER_INT(1, SHUT_WR) \
		} \
	}
#define CLOCK \
	{ \
		.number = SYS_clock_gettime, \
		.reason = "where the kernel's own page cannot tell" \
	}
#define END \
	{ \
		.number = SYS_exit_group, .reason = "end" \
	}

static const struct filter_row echo[] = { RECEIVE(ALLOWED_WAIT),
	SEND(ALLOWED_WAIT), END };
static const struct filter_row discard[] = { RECEIVE(ALLOWED_WAIT), END };
static const struct filter_row chargen[] = { SEND(ALLOWED_NO_WAIT), WAIT,
	RECEIVE(ALLOWED_NO_WAIT), END };
static const struct filter_row a_clock[] = { CLOCK, SEND(ALLOWED_WAIT), FINISH,
	WAIT, RECEIVE(ALLOWED_NO_WAIT), END };

#define TABLE(rows_) \
	{ \
		.rows = (rows_), .count = sizeof(rows_) / sizeof((rows_)[0]), \
		.otherwise = FILTER_KILL \
	}

static const struct filter_table tables[BUILTINS] = {
	[BUILTIN_ECHO] = TABLE(echo),
	[BUILTIN_DISCARD] = TABLE(discard),
	[BUILTIN_DAYTIME] = TABLE(a_clock),
	[BUILTIN_TIME] = TABLE(a_clock),
	[BUILTIN_CHARGEN] = TABLE(chargen),
};

int
allowed_load(enum builtin builtin)
{
	return filter_load(&tables[builtin]);
}
