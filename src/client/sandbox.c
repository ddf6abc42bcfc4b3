/*
 * The sandbox of the client: the system calls of a relay as a table, each
 * with its reason; everything else kills. Entered once connected, before the
 * server's first byte is read. Never runs on with less than all of it.
 */
#include "client/sandbox.h"

#include "client/relay.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifdef TCPMUXD_SANITIZE
/* Sanitizers map memory and more; what is outside the table is logged. */
#define DEFAULT_ACTION SCMP_ACT_LOG
const char sandbox_note[] = " (sanitizer build: sandbox relaxed)";
#else
#define DEFAULT_ACTION SCMP_ACT_KILL_PROCESS
const char sandbox_note[] = "";
#endif

#define PINS_MAX 5

/* An argument's required value. */
struct pin {
	enum pin_kind { PIN_END, PIN_VALUE, PIN_SOCKET } kind;
	unsigned int argument;
	scmp_datum_t value;
};

#define IS(argument_, value_) \
	{ \
		PIN_VALUE, (argument_), (value_) \
	}
#define IS_SOCKET(argument_) \
	{ \
		PIN_SOCKET, (argument_), 0 \
	}

struct allowed {
	int number;
	const char *reason;
	struct pin pins[PINS_MAX];
};

/* The kernel cuts descriptors and flags to 32 bits: equality alone is safe. */
static const struct allowed allowed[] = {
	{ SCMP_SYS(recvfrom), "look for the end of the answer line",
	    { IS_SOCKET(0), IS(3, MSG_PEEK | MSG_DONTWAIT), IS(4, 0) } },
	{ SCMP_SYS(recvfrom), "take the answer line; relay from the server",
	    { IS_SOCKET(0), IS(3, MSG_DONTWAIT), IS(4, 0) } },
	{ SCMP_SYS(recvfrom), "relay from standard input, if it is a socket",
	    { IS(0, STDIN_FILENO), IS(3, MSG_DONTWAIT), IS(4, 0) } },
	{ SCMP_SYS(sendto), "the request; relay to the server",
	    { IS_SOCKET(0), IS(3, RELAY_SEND_FLAGS), IS(4, 0), IS(5, 0) } },
	{ SCMP_SYS(sendto), "relay to standard output, if it is a socket",
	    { IS(0, STDOUT_FILENO), IS(3, RELAY_SEND_FLAGS), IS(4, 0),
		IS(5, 0) } },
	{ SCMP_SYS(splice), "relay to the server from a pipe",
	    { IS(0, STDIN_FILENO), IS(1, 0), IS_SOCKET(2), IS(3, 0),
		IS(5, RELAY_SPLICE_FLAGS) } },
	{ SCMP_SYS(splice), "relay from the server into a pipe",
	    { IS_SOCKET(0), IS(1, 0), IS(2, STDOUT_FILENO), IS(3, 0),
		IS(5, RELAY_SPLICE_FLAGS) } },
	{ SCMP_SYS(read), "relay from a file or a terminal",
	    { IS(0, STDIN_FILENO) } },
	{ SCMP_SYS(write), "relay into a file or a terminal; the list",
	    { IS(0, STDOUT_FILENO) } },
	{ SCMP_SYS(write), "messages", { IS(0, STDERR_FILENO) } },
	{ SCMP_SYS(shutdown), "standard input has ended",
	    { IS_SOCKET(0), IS(1, SHUT_WR) } },
	{ SCMP_SYS(ppoll), "wait, always with the signal mask as it is",
	    { IS(3, 0) } },
	{ SCMP_SYS(clock_gettime), "the deadline, where the vDSO has no clock",
	    { IS(0, CLOCK_MONOTONIC) } },
	{ SCMP_SYS(exit_group), "the end", { { PIN_END, 0, 0 } } },
};

static int
allow(scmp_filter_ctx filter, const struct allowed *row, int socket_fd)
{
	struct scmp_arg_cmp pins[PINS_MAX];
	unsigned int count = 0;

	while (count < PINS_MAX && row->pins[count].kind != PIN_END) {
		const struct pin *pin = &row->pins[count];
		scmp_datum_t value = pin->kind == PIN_SOCKET
		    ? (scmp_datum_t)socket_fd
		    : pin->value;

		pins[count++] = (struct scmp_arg_cmp){ .arg = pin->argument,
			.op = SCMP_CMP_EQ,
			.datum_a = value };
	}
	return seccomp_rule_add_array(
	    filter, SCMP_ACT_ALLOW, row->number, count, pins);
}

int
sandbox_enter(int socket_fd)
{
	scmp_filter_ctx filter = seccomp_init(DEFAULT_ACTION);
	int error = 0;

	if (filter == NULL) {
		errno = ENOMEM;
		return -1;
	}
	/* What is freed once the filter is loaded must not call brk. */
	(void)mallopt(M_TRIM_THRESHOLD, INT_MAX);
	/* libseccomp's default for a foreign ABI kills only the thread. */
	error = seccomp_attr_set(
	    filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (error == 0)
		error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 1);
	if (error == 0)
		error = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
	for (size_t i = 0;
	     error == 0 && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		error = allow(filter, &allowed[i], socket_fd);
	if (error == 0)
		error = seccomp_load(filter);
	seccomp_release(filter);
	errno = -error;
	return error == 0 ? 0 : -1;
}
