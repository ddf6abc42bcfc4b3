#ifndef SYS_FD_H
#define SYS_FD_H

/* Closes *fd unless it is -1 already, and makes it -1. errno is kept. */
void fd_close(int *fd);

/*
 * The same for a socket that an untrusted process may hold too. Whoever
 * closes the last copy waits for as long as SO_LINGER says, and the other
 * holder may set that and die at any moment: so it is switched off here, and
 * should it be set again before close() is reached, a timer ends the wait
 * after at most CLOSE_BOUND_MS (the kernel's wait ends on a signal; close has
 * then done its work). Needs fd_init. See socket(7), SO_LINGER.
 */
#define CLOSE_BOUND_MS 10
void fd_close_shared(int *fd);

/*
 * The same for a socket that an untrusted process has had, and let go of:
 * what it set has to be undone, but is not set again.
 */
void fd_close_left(int *fd);

/* Installs the handler of the timer's SIGALRM, once at start. -1: errno. */
int fd_init(void);

/*
 * Ends a connection at once, whatever is unsent or unread: the peer gets a RST.
 * To close it does not wait then, even where SO_LINGER was set by someone else.
 */
void fd_reset(int fd);

/*
 * Opens again, with these flags of open(2), what fd is open on (O_PATH will
 * do), whatever is at its path now. proc_fd is open on /proc. Async-signal-
 * safe. Returns the descriptor, the caller's, or -1 with errno: ENOENT or
 * ENOTDIR if that is not mounted. proc(5), /proc/PID/fd.
 */
int fd_open_again(int proc_fd, int fd, int flags);

/*
 * Opens /dev/null as 0, 1 and 2 where they are closed: or what is opened next
 * would be one of them, and be taken for standard error. -1: errno.
 */
int fd_fill_standard(void);

#endif
