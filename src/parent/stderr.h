#ifndef PARENT_STDERR_H
#define PARENT_STDERR_H

#include <stdbool.h>

struct parent;
struct session;

/*
 * What a service with `stderr log` complains of: a small pipe for each
 * session, a line of it an event of the log. However much comes, one turn of
 * the loop takes no more than STDERR_LINES_A_TURN and what one read more
 * brings; the rest waits in the pipe, and the service for it.
 */
#define STDERR_LINES_A_TURN 64u
#define STDERR_PIPE_BYTES 4096
#define STDERR_READ_BYTES 512u

/*
 * Makes the session's pipe and watches it. Returns the end for the service,
 * which is the caller's, or -1 with errno.
 */
int stderr_open(struct parent *parent, struct session *session);

/* Something is in the pipe, or its end. */
void stderr_receive(struct parent *parent, struct session *session);

/* Takes all that is left in it, and closes it. */
void stderr_finish(struct parent *parent, struct session *session);

#endif
