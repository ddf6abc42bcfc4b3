#ifndef SYS_SOCKET_FILTER_H
#define SYS_SOCKET_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/filter.h>

/*
 * Classic BPF programs on sockets, socket(7). What one drops is as if it had
 * been lost on the way. Linux 6.18, in its later stable versions, wants
 * CAP_NET_ADMIN for them on TCP sockets, but not to take them away.
 */

/*
 * Puts a program in the place of the one that was there, at once. Where that
 * takes CAP_NET_ADMIN it is raised, if it is permitted, for this alone. 0, or
 * -1 with errno: ENOMEM if it is more than the socket may have beside the old
 * one; EPERM without the capability.
 */
int socket_filter_attach(
    int fd, const struct sock_filter *instructions, uint32_t count);

/* Takes the program away, if there is one; an accepted socket inherits it. */
void socket_filter_detach(int fd);

/* Whether there can be programs at all; else false with errno. */
bool socket_filter_works(void);

/* The socket's address family; AF_UNSPEC if it cannot be told. */
int socket_filter_family(int fd);

/* What a socket may have of programs and options, bytes: optmem_max. */
size_t socket_filter_room(void);

#endif
