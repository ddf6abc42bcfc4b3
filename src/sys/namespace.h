#ifndef SYS_NAMESPACE_H
#define SYS_NAMESPACE_H

#include <stdbool.h>
#include <stddef.h>

#include <sys/types.h>

/* namespaces(7): made, kept by a descriptor, entered. */
#define NAMESPACES_MAX 5

/*
 * Has make(fds) called in a short-lived child, which may unshare what it
 * likes, and takes the `count` descriptors that it opened: the caller's then.
 * SIGCHLD may stay blocked: the child is waited for. 0, or -1 with errno.
 */
int namespaces_make(int (*make)(int fds[]), int fds[], size_t count);

/* A network namespace without anything in it: its descriptor, or -1. */
int namespace_make_network(void);

/*
 * Whether the caller could make all of these (CLONE_NEW*): 0, or errno. In a
 * child that then ends.
 */
int namespace_try(int flags);

/* So the one above; without root in a user namespace, as who is not root
 * needs. */
int namespace_try_network(void);

/* Enters it. 0, or -1 with errno. */
int namespace_join_network(int fd);

/* 0 if the caller's has nothing but a loopback interface that is down, or -1
 * with errno, EEXIST if there is more. */
int namespace_verify_network(void);

/*
 * In a new user namespace that nobody is in yet: ids keep their numbers, but
 * these are the only ones. 0, or -1 with errno.
 */
int namespace_map_ids(uid_t uid, gid_t gid);

#endif
