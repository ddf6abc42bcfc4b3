#ifndef BUILTIN_ALLOWED_H
#define BUILTIN_ALLOWED_H

#include <sys/socket.h>

#include "core/builtin.h"

/* The connection; descriptor 1 is the same, and not used. */
#define ALLOWED_CLIENT_FD 0

/* Flags that calls are pinned to: of who waits in them, and who does not. */
#define ALLOWED_WAIT 0
#define ALLOWED_NO_WAIT MSG_DONTWAIT
/* For all that is sent: who has left is an error, not a signal. */
#define ALLOWED_SEND MSG_NOSIGNAL

/* Allows this one's calls and no other, for good. 0, or -1 with errno. */
int allowed_load(enum builtin builtin);

#endif
