/*
 * The server's answer line, and not a byte of what follows it: the line is
 * looked at with MSG_PEEK, then exactly as much is taken. Trusts nothing in
 * it and bounds its length. Never blocks past the deadline.
 */
#include "client/answer.h"

#include "client/deadline.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/*
 * recv(2) that waits for the first byte: the bytes, 0 at end of file, or -1
 * with errno, ETIMEDOUT at the deadline.
 */
static ssize_t
receive(int fd, char *bytes, size_t size, int flags, int64_t deadline_ms)
{
	for (;;) {
		ssize_t count = recv(fd, bytes, size, flags | MSG_DONTWAIT);

		if (count >= 0)
			return count;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -1;

		int ready = deadline_wait(fd, POLLIN, deadline_ms);

		if (ready == 0)
			errno = ETIMEDOUT;
		if (ready <= 0)
			return -1;
	}
}

static enum answer_end
end_of(ssize_t count)
{
	if (count == 0)
		return ANSWER_EOF;
	return errno == ETIMEDOUT ? ANSWER_TIMED_OUT : ANSWER_FAILED;
}

/*
 * Takes what is there of the line: all of it if it holds no LF, since then
 * all of it is line. 1 if the LF was taken, 0 if not yet, -1 as *end says.
 */
static int
take_some(
    int fd, struct answer *answer, int64_t deadline_ms, enum answer_end *end)
{
	char *bytes = answer->text + answer->length;
	size_t room = sizeof(answer->text) - answer->length;

	if (room == 0) {
		*end = ANSWER_TOO_LONG;
		return -1;
	}

	ssize_t count = receive(fd, bytes, room, MSG_PEEK, deadline_ms);

	if (count > 0) {
		const char *lf = memchr(bytes, '\n', (size_t)count);
		size_t wanted =
		    lf == NULL ? (size_t)count : (size_t)(lf - bytes) + 1;

		count = receive(fd, bytes, wanted, 0, deadline_ms);
	}
	if (count <= 0) {
		*end = end_of(count);
		return -1;
	}
	answer->length += (size_t)count;
	return bytes[count - 1] == '\n' ? 1 : 0;
}

enum answer_end
answer_read_line(int fd, struct answer *answer, int64_t deadline_ms)
{
	enum answer_end end = ANSWER_LINE;
	int taken;

	answer->length = 0;
	do
		taken = take_some(fd, answer, deadline_ms, &end);
	while (taken == 0);
	if (taken == -1)
		return end;
	answer->length--;
	if (answer->length > 0 && answer->text[answer->length - 1] == '\r')
		answer->length--;
	return ANSWER_LINE;
}

const char *
answer_failure(enum answer_end end)
{
	switch (end) {
	case ANSWER_LINE:
		return "the answer is not TCPMUX";
	case ANSWER_EOF:
		return "the server closed the connection without an answer";
	case ANSWER_TOO_LONG:
		return "the answer is too long to be TCPMUX";
	case ANSWER_TIMED_OUT:
		return "no answer in time";
	case ANSWER_FAILED:
		return strerror(errno);
	}
	return "no answer";
}

enum answer_verdict
answer_read(
    int fd, struct answer *answer, int64_t deadline_ms, const char **failure)
{
	char first = '\0';
	ssize_t count = receive(fd, &first, 1, MSG_PEEK, deadline_ms);

	answer->length = 0;
	if (count == 1 && first != '+' && first != '-') {
		*failure = answer_failure(ANSWER_LINE);
		return ANSWER_NONE;
	}

	enum answer_end end = count == 1
	    ? answer_read_line(fd, answer, deadline_ms)
	    : end_of(count);

	if (end == ANSWER_LINE)
		return first == '+' ? ANSWER_ACCEPTED : ANSWER_REFUSED;
	if (end == ANSWER_EOF && first == '-')
		return ANSWER_REFUSED;
	*failure = answer_failure(end);
	return ANSWER_NONE;
}
