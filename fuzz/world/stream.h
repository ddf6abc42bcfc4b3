#ifndef FUZZ_WORLD_STREAM_H
#define FUZZ_WORLD_STREAM_H

#include "kernel.h"

/* The calls on a client's connection; as recv, send and shutdown return. */
ssize_t stream_receive(
    struct connection *client, uint8_t *bytes, size_t size, int flags);
ssize_t
stream_send(struct connection *client, const uint8_t *bytes, size_t length);
int stream_shutdown(struct connection *client);

#endif
