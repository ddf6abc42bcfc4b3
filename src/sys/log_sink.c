/*
 * The log's three ends: stderr (collected), syslog and the journal (one
 * datagram a line).
 * Trusts none of them to be read: a line that is not taken is counted.
 * Never waits.
 */
#include "sys/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "sys/fd.h"

#define COLLECTED_BYTES 65536u
#define SYSLOG_PATH "/dev/log"
#define JOURNAL_PATH "/run/systemd/journal/socket"

static struct {
	char collected[COLLECTED_BYTES];
	size_t length;
	uint64_t lost, untold;
	int fd; /* owned unless STDERR_FILENO */
	enum image_log_sink kind;
	uint32_t facility;
	bool is_socket, may_block;
} sink = { .fd = STDERR_FILENO, .may_block = true };

/* syslog(3)'s severities. */
static const uint8_t severities[] = {
	[LOG_LEVEL_ERROR] = 3,
	[LOG_LEVEL_WARNING] = 4,
	[LOG_LEVEL_NOTICE] = 5,
	[LOG_LEVEL_INFO] = 6,
	[LOG_LEVEL_DEBUG] = 7,
};

/*
 * O_NONBLOCK on stderr itself would be everybody's who shares it; an own
 * open of the same file is not. A socket cannot be opened again, but takes
 * MSG_DONTWAIT; anything else is asked by poll before each write.
 */
static void
open_stderr(void)
{
	struct stat about;
	int fd;

	if (fstat(STDERR_FILENO, &about) == 0 && S_ISSOCK(about.st_mode)) {
		sink.is_socket = true;
		return;
	}
	fd = open("/proc/self/fd/2",
	    O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return;
	sink.fd = fd;
	sink.may_block = false;
}

static int
open_datagram(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	memcpy(to.sun_path, path, strlen(path) + 1);
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
		fd_close(&fd);
	return fd;
}

int
log_sink_open(enum image_log_sink kind, uint32_t syslog_facility)
{
	int fd;

	if (kind == IMAGE_LOG_STDERR) {
		open_stderr();
		return 0;
	}
	fd = open_datagram(
	    kind == IMAGE_LOG_SYSLOG ? SYSLOG_PATH : JOURNAL_PATH);
	if (fd < 0)
		return -1;
	sink.fd = fd;
	sink.kind = kind;
	sink.facility = syslog_facility;
	return 0;
}

static void
count_lost(uint64_t lines)
{
	sink.lost += lines;
	sink.untold += lines;
}

static size_t
put_string(char *to, size_t at, const char *string)
{
	size_t length = strlen(string);

	memcpy(to + at, string, length);
	return at + length;
}

static size_t
put_number(char *to, size_t at, uint32_t number)
{
	char digits[10];
	size_t from = sizeof(digits);

	do {
		digits[--from] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	memcpy(to + at, digits + from, sizeof(digits) - from);
	return at + sizeof(digits) - from;
}

/* What stands before the line in a datagram. RFC 3164; journal's fields. */
static size_t
put_head(char head[128], enum log_level level)
{
	size_t at = 0;

	if (sink.kind == IMAGE_LOG_SYSLOG) {
		at = put_string(head, at, "<");
		at = put_number(head, at, sink.facility | severities[level]);
		at = put_string(head, at, ">tcpmuxd[");
		at = put_number(head, at, (uint32_t)getpid());
		return put_string(head, at, "]: ");
	}
	at = put_string(head, at, "SYSLOG_IDENTIFIER=tcpmuxd\nPRIORITY=");
	at = put_number(head, at, severities[level]);
	return put_string(head, at, "\nMESSAGE=");
}

/* A server that was restarted has a new socket behind the old path. */
static void
reconnect(void)
{
	int fd = open_datagram(
	    sink.kind == IMAGE_LOG_SYSLOG ? SYSLOG_PATH : JOURNAL_PATH);

	if (fd < 0)
		return;
	fd_close(&sink.fd);
	sink.fd = fd;
}

static void
send_datagram(enum log_level level, const char *bytes, size_t length)
{
	char head[128];
	struct iovec parts[2] = { { .iov_base = head,
				      .iov_len = put_head(head, level) },
		{ .iov_base = (void *)(uintptr_t)bytes, .iov_len = length } };
	const struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	/* The journal wants the newline as its field's end, syslog does not. */
	if (sink.kind == IMAGE_LOG_SYSLOG)
		parts[1].iov_len--;
	if (sendmsg(sink.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return;
	if (errno == ECONNREFUSED || errno == ENOTCONN) {
		reconnect();
		if (sendmsg(sink.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >=
		    0)
			return;
	}
	count_lost(1);
}

/* Bytes written, or -1. */
static ssize_t
write_some(const char *bytes, size_t length)
{
	struct pollfd ready = { .fd = sink.fd, .events = POLLOUT };

	if (sink.is_socket)
		return send(
		    sink.fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (!sink.may_block)
		return write(sink.fd, bytes, length);
	/* A pipe with room has room for PIPE_BUF bytes at the least. */
	if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(sink.fd, bytes, length < 4096 ? length : 4096);
}

static uint64_t
count_lines(const char *bytes, size_t length)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < length; i++)
		lines += bytes[i] == '\n';
	return lines;
}

/*
 * Writes what the sink takes; the rest stays for the next turn, from the
 * middle of a line if that is how far it came. Where nobody will ever read
 * it, nothing stays.
 */
static void
flush_collected(void)
{
	size_t done = 0;

	while (done < sink.length) {
		ssize_t count =
		    write_some(sink.collected + done, sink.length - done);

		if (count < 0 && errno != EAGAIN && errno != EINTR) {
			count_lost(count_lines(
			    sink.collected + done, sink.length - done));
			sink.length = 0;
			return;
		}
		if (count <= 0)
			break;
		done += (size_t)count;
	}
	if (done == 0)
		return;
	sink.length -= done;
	memmove(sink.collected, sink.collected + done, sink.length);
}

void
log_sink_write(enum log_level level, const char *bytes, size_t length)
{
	if (sink.kind != IMAGE_LOG_STDERR) {
		send_datagram(level, bytes, length);
		return;
	}
	if (length > COLLECTED_BYTES - sink.length)
		flush_collected();
	if (length > COLLECTED_BYTES - sink.length) {
		count_lost(1);
		return;
	}
	memcpy(sink.collected + sink.length, bytes, length);
	sink.length += length;
}

uint64_t
log_sink_flush(void)
{
	uint64_t untold = sink.untold;
	bool was_tried = sink.length > 0 || sink.kind != IMAGE_LOG_STDERR;

	if (sink.length > 0)
		flush_collected();
	/* Only what was taken shows that there is room for telling. */
	if (!was_tried || sink.length > 0 || sink.untold != untold ||
	    untold == 0)
		return 0;
	return untold;
}

void
log_sink_told(uint64_t lines)
{
	if (sink.length > 0)
		flush_collected();
	/* A line that was to tell of losses is no loss of its own. */
	sink.lost -= sink.untold - lines;
	sink.untold = sink.untold == lines ? 0 : lines;
}

uint64_t
log_sink_lost(void)
{
	return sink.lost;
}
