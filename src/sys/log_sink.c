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
#include <sys/un.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/log_journal.h"

#define COLLECTED_BYTES 65536u
#define SYSLOG_PATH "/dev/log"
#define JOURNAL_PATH "/run/systemd/journal/socket"

/* One of the three ends, open. */
struct end {
	int fd; /* owned unless STDERR_FILENO */
	enum image_log_sink kind;
	uint32_t facility;
	bool is_socket, may_block;
	bool has_priorities; /* each line begins with one, sd-daemon(3) */
};

static struct {
	char collected[COLLECTED_BYTES];
	size_t length;
	uint64_t lost, untold;
	struct end end;
} sink = { .end = { .fd = STDERR_FILENO, .may_block = true } };

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
open_stderr(struct end *end)
{
	struct stat about;
	int fd;

	end->may_block = true;
	if (fstat(STDERR_FILENO, &about) != 0)
		return;
	end->has_priorities = log_journal_is_stream(STDERR_FILENO);
	end->is_socket = S_ISSOCK(about.st_mode);
	if (end->is_socket)
		return;
	fd = open("/proc/self/fd/2",
	    O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return;
	end->fd = fd;
	end->may_block = false;
}

static int
open_datagram(enum image_log_sink kind)
{
	const char *path =
	    kind == IMAGE_LOG_SYSLOG ? SYSLOG_PATH : JOURNAL_PATH;
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	memcpy(to.sun_path, path, strlen(path) + 1);
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
		fd_close(&fd);
	return fd;
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

/* RFC 3164, as syslogd takes it from this machine: no time, no newline. */
static size_t
format_syslog(char *message, const struct log_line *line)
{
	size_t at = put_string(message, 0, "<");

	at = put_number(
	    message, at, sink.end.facility | severities[line->level]);
	at = put_string(message, at, ">tcpmuxd[");
	at = put_number(message, at, (uint32_t)getpid());
	at = put_string(message, at, "]: ");
	memcpy(message + at, line->bytes, line->length - 1);
	return at + line->length - 1;
}

/* A server that was restarted has a new socket behind the old path. */
static void
reconnect(void)
{
	int fd = open_datagram(sink.end.kind);

	if (fd < 0)
		return;
	fd_close(&sink.end.fd);
	sink.end.fd = fd;
}

static void
send_datagram(const struct log_line *line)
{
	static char message[LOG_JOURNAL_BYTES];
	size_t length = sink.end.kind == IMAGE_LOG_SYSLOG
	    ? format_syslog(message, line)
	    : log_journal_format(message, line, severities[line->level]);

	for (int tries = 0; tries < 2; tries++) {
		if (send(sink.end.fd, message, length,
			MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return;
		if (errno != ECONNREFUSED && errno != ENOTCONN)
			break;
		reconnect();
	}
	count_lost(1);
}

/* Bytes written, or -1. */
static ssize_t
write_some(const char *bytes, size_t length)
{
	struct pollfd ready = { .fd = sink.end.fd, .events = POLLOUT };

	if (sink.end.is_socket)
		return send(
		    sink.end.fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (!sink.end.may_block)
		return write(sink.end.fd, bytes, length);
	/* A pipe with room has room for PIPE_BUF bytes at the least. */
	if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(sink.end.fd, bytes, length < 4096 ? length : 4096);
}

static uint64_t
count_lines(const char *bytes, size_t length)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < length; i++)
		lines += bytes[i] == '\n';
	return lines;
}

static void
lose_collected(void)
{
	count_lost(count_lines(sink.collected, sink.length));
	sink.length = 0;
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
	ssize_t count = 1;
	bool is_gone;

	while (done < sink.length && count > 0) {
		count = write_some(sink.collected + done, sink.length - done);
		if (count > 0)
			done += (size_t)count;
	}
	is_gone = count < 0 && errno != EAGAIN && errno != EINTR;
	sink.length -= done;
	memmove(sink.collected, sink.collected + done, sink.length);
	if (is_gone)
		lose_collected();
}

int
log_sink_open(enum image_log_sink kind, uint32_t syslog_facility)
{
	struct end opened = {
		.fd = STDERR_FILENO, .kind = kind, .facility = syslog_facility
	};

	if (kind == IMAGE_LOG_STDERR)
		open_stderr(&opened);
	else
		opened.fd = open_datagram(kind);
	if (opened.fd < 0)
		return -1;
	flush_collected();
	if (kind != IMAGE_LOG_STDERR)
		lose_collected();
	if (sink.end.fd != STDERR_FILENO)
		fd_close(&sink.end.fd);
	sink.end = opened;
	return 0;
}

static void
collect(const char *bytes, size_t length)
{
	memcpy(sink.collected + sink.length, bytes, length);
	sink.length += length;
}

void
log_sink_write(const struct log_line *line)
{
	const char priority[] = { '<', (char)('0' + severities[line->level]),
		'>' };
	size_t needed = sizeof(priority) + line->length;

	if (sink.end.kind != IMAGE_LOG_STDERR) {
		send_datagram(line);
		return;
	}
	if (needed > COLLECTED_BYTES - sink.length)
		flush_collected();
	if (needed > COLLECTED_BYTES - sink.length) {
		count_lost(1);
		return;
	}
	if (sink.end.has_priorities)
		collect(priority, sizeof(priority));
	collect(line->bytes, line->length);
}

uint64_t
log_sink_flush(void)
{
	uint64_t untold = sink.untold;
	bool was_tried = sink.length > 0 || sink.end.kind != IMAGE_LOG_STDERR;

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
