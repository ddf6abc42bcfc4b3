/*
 * tcpmux, the client of RFC 1078: asks a server for a service by name and
 * relays standard input and output. Trusts neither server nor service: it is
 * in its sandbox before their first byte is read.
 */
#include "core/line.h"

#include "client/answer.h"
#include "client/connect.h"
#include "client/deadline.h"
#include "client/list.h"
#include "client/message.h"
#include "client/options.h"
#include "client/relay.h"
#include "client/sandbox.h"
#include "client/status.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Here, so that the sandbox needs no mmap and untouched pages cost nothing. */
static uint8_t buffers[2 * RELAY_BUFFER_BYTES];

/*
 * The socket must not get the number of a standard descriptor that is
 * closed. What stands in for it reads as empty and cannot be written.
 */
static int
fill_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fd == -1)
			return -1;
	} while (fd <= STDERR_FILENO);
	close(fd);
	return 0;
}

static enum status
print_version(void)
{
	if (printf("tcpmux %s%s\n", TCPMUXD_VERSION, sandbox_note) < 0 ||
	    fflush(stdout) == EOF) {
		message_print("standard output: %s", strerror(errno));
		return STATUS_BROKEN;
	}
	return STATUS_OK;
}

/* NAME CRLF. A new connection's send buffer takes it all at once. */
static int
send_request(int fd, const char *service)
{
	char line[LINE_MAX_BYTES + 1];
	int length = snprintf(line, sizeof(line), "%s\r\n", service);
	ssize_t sent = send(fd, line, (size_t)length, RELAY_SEND_FLAGS);

	if (sent == length)
		return 0;
	message_print("sending the request: %s",
	    sent == -1 ? strerror(errno) : "not taken whole");
	return -1;
}

static enum status
read_answer(const struct options *options, int fd, int64_t deadline_ms)
{
	struct answer answer;
	char text[MESSAGE_ESCAPED_BYTES(ANSWER_MAX_BYTES)];
	const char *failure = NULL;
	enum answer_verdict verdict =
	    answer_read(fd, &answer, deadline_ms, &failure);

	message_escape(text, answer.text, answer.length);
	switch (verdict) {
	case ANSWER_ACCEPTED:
		if (options->is_verbose)
			message_print("%s: answer: %s", options->service, text);
		return STATUS_OK;
	case ANSWER_REFUSED:
		message_print("%s refused: %s", options->service, text + 1);
		return STATUS_REFUSED;
	case ANSWER_NONE:
		message_print("%s: %s", options->service, failure);
		return STATUS_UNAVAILABLE;
	}
	return STATUS_UNAVAILABLE;
}

/* The connection is there; from here on nothing foreign is trusted. */
static enum status
converse(const struct options *options, int fd, int64_t deadline_ms)
{
	const struct relay relay = { .socket_fd = fd,
		.input = relay_kind_of(STDIN_FILENO),
		.output = relay_kind_of(STDOUT_FILENO),
		.buffers = buffers };

	if (sandbox_enter(fd) == -1) {
		message_print("cannot enter the sandbox: %s", strerror(errno));
		return STATUS_UNCONFINED;
	}
	if (send_request(fd, options->service) == -1)
		return STATUS_UNAVAILABLE;
	if (options->is_list)
		return list_print(fd, deadline_ms);

	enum status status = read_answer(options, fd, deadline_ms);

	return status == STATUS_OK ? relay_run(&relay) : status;
}

int
main(int argc, char **argv)
{
	struct options options;

	if (fill_standard_descriptors() == -1 ||
	    signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
		message_print("start: %s", strerror(errno));
		return STATUS_UNCONFINED;
	}
	if (options_read(&options, argc, argv) == -1)
		return STATUS_USAGE;
	if (options.is_version)
		return (int)print_version();

	const struct target target = { .host = options.host,
		.port = options.port,
		.family = options.family,
		.is_verbose = options.is_verbose };
	int64_t deadline_ms = deadline_now_ms() + options.wait_ms;
	int fd = connect_target(&target, deadline_ms);

	if (fd == -1)
		return STATUS_UNAVAILABLE;
	/* The socket is closed by the end: the sandbox has no close. */
	return (int)converse(&options, fd, deadline_ms);
}
