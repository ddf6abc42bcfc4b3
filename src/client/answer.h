#ifndef CLIENT_ANSWER_H
#define CLIENT_ANSWER_H

#include <stddef.h>
#include <stdint.h>

/* RFC 1078 sets no limit to the answer; a longer line is not one. */
#define ANSWER_MAX_BYTES 1024

enum answer_end {
	ANSWER_LINE, /* ended by LF */
	ANSWER_EOF, /* the server closed; text is what came before */
	ANSWER_TOO_LONG,
	ANSWER_TIMED_OUT,
	ANSWER_FAILED, /* errno says why */
};

struct answer {
	char text[ANSWER_MAX_BYTES]; /* without line end; not terminated */
	size_t length;
};

/*
 * Reads one line of the server, up to LF, and not a byte more: what follows
 * stays in the socket. A CR before LF is stripped. fd is a non-blocking
 * socket and stays the caller's.
 */
enum answer_end
answer_read_line(int fd, struct answer *answer, int64_t deadline_ms);

enum answer_verdict {
	ANSWER_ACCEPTED, /* text begins with '+' */
	ANSWER_REFUSED, /* text begins with '-' */
	ANSWER_NONE, /* neither, or none in time: *failure says why */
};

/*
 * The answer to a request (RFC 1078: '+' or '-', text, CRLF). A first byte
 * that is neither decides at once; '-' and end of file is a refusal, too.
 * For ANSWER_NONE, *failure points to a constant text or to strerror's.
 */
enum answer_verdict answer_read(
    int fd, struct answer *answer, int64_t deadline_ms, const char **failure);

/* Why there was no line, in words for people; errno as answer_read left it. */
const char *answer_failure(enum answer_end end);

#endif
