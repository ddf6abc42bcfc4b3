#ifndef PARSER_ALLOWED_H
#define PARSER_ALLOWED_H

#include <sys/socket.h>

/* The flags that the parser's calls are pinned to. */
#define ALLOWED_RECEIVE_FLAGS MSG_CMSG_CLOEXEC
#define ALLOWED_PEEK_FLAGS (MSG_PEEK | MSG_DONTWAIT)
#define ALLOWED_SEND_FLAGS MSG_NOSIGNAL

/* Allows these five calls and no other, for good. 0, or -1 with errno. */
int allowed_load(void);

#endif
