#ifndef CLIENT_SANDBOX_H
#define CLIENT_SANDBOX_H

/* What `tcpmux -V` adds to the version: empty, or that it is relaxed. */
extern const char sandbox_note[];

/*
 * Leaves this process nothing but what a relay between standard input,
 * standard output and this socket takes (seccomp(2)); any other system call,
 * or one of a foreign ABI, kills the process. Sets no_new_privs. 0, or -1
 * with errno: then nothing may be read from the socket.
 */
int sandbox_enter(int socket_fd);

#endif
