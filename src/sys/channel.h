#ifndef SYS_CHANNEL_H
#define SYS_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>

/*
 * A channel between two rooms: a connected pair of SOCK_SEQPACKET Unix
 * sockets (unix(7)), one message a datagram. Nothing here waits.
 */
#define CHANNEL_FDS_MAX 32u

/* Both ends CLOEXEC, both owned by the caller. 0, or -1 with errno. */
int channel_pair(int ends[2]);

/* Has the kernel tell who sent each message that arrives at `end`. */
int channel_want_sender(int end);

/*
 * Sends one message with fd_count <= CHANNEL_FDS_MAX descriptors, which stay
 * the caller's. 0, or -1 with errno (EAGAIN: no room; EPIPE: nobody there).
 */
int channel_send(int end, const void *bytes, size_t length, const int fds[],
    size_t fd_count);

struct channel_message {
	ssize_t length; /* 0: the other end is closed; -1: errno */
	bool is_cut; /* it was longer than the buffer */
	bool has_descriptors; /* some were sent along: they are gone */
	pid_t sender; /* 0 unless asked for */
};

/*
 * Receives one message of at most `size` bytes, and no descriptor ever. Says
 * who sent it if wants_sender, which needs channel_want_sender before.
 */
struct channel_message
channel_receive(int end, void *bytes, size_t size, bool wants_sender);

#endif
