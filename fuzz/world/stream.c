/*
 * Clients' connections in the kernel in memory: bytes both ways, FIN, RST,
 * urgent marks, SO_PEEK_OFF and SO_RCVLOWAT, as tcp(7) has them.
 */
#include "kernel.h"
#include "stream.h"

#include <errno.h>
#include <string.h>

struct connection *
client_connect(const struct sockaddr *peer, socklen_t length, uint32_t listener)
{
	for (size_t i = 0; i < KERNEL_CONNECTIONS; i++) {
		struct connection *client = &kernel.connections[i];

		if (client->is_used)
			continue;
		*client = (struct connection){ .is_used = true,
			.listener = listener,
			.peer_length = length,
			.mark = SIZE_MAX,
			.room = STREAM_BYTES,
			.low_water = 1 };
		memcpy(&client->peer, peer, length);
		return client;
	}
	return NULL;
}

void
client_send(struct connection *client, const uint8_t *bytes, size_t length)
{
	if (client->has_fin || client->has_reset || client->is_aborted)
		return;
	if (length > sizeof(client->in) - client->sent)
		length = sizeof(client->in) - client->sent;
	memcpy(client->in + client->sent, bytes, length);
	client->sent += length;
}

/* With a low-water mark, fewer bytes wake nobody; an end always does. */
bool
client_is_readable(const struct connection *client, bool with_low_water)
{
	size_t waiting = client->sent - client->taken;
	size_t wanted = with_low_water && client->low_water > 1
	    ? (size_t)client->low_water
	    : 1;

	return waiting >= wanted || client->has_fin || client->has_reset;
}

/* One read stops before an urgent mark that it has not begun at. */
static size_t
end_of_read(const struct connection *client, size_t begin)
{
	if (client->mark != SIZE_MAX && client->mark > begin &&
	    client->mark < client->sent)
		return client->mark;
	return client->sent;
}

ssize_t
stream_receive(
    struct connection *client, uint8_t *bytes, size_t size, int flags)
{
	bool is_peek = (flags & MSG_PEEK) != 0;
	bool is_offset = is_peek && client->peek_offset >= 0;
	size_t begin =
	    client->taken + (is_offset ? (size_t)client->peek_offset : 0);
	size_t count;

	if (client->has_reset) {
		errno = ECONNRESET;
		return -1;
	}
	if (begin >= client->sent) {
		if (client->has_fin)
			return 0;
		errno = EAGAIN;
		return -1;
	}
	count = end_of_read(client, begin) - begin;
	if (count > size)
		count = size;
	if ((flags & MSG_TRUNC) == 0)
		memcpy(bytes, client->in + begin, count);
	if (is_offset)
		client->peek_offset += (int)count;
	if (!is_peek) {
		client->taken += count;
		if (client->peek_offset > 0)
			client->peek_offset -= client->peek_offset > (int)count
			    ? (int)count
			    : client->peek_offset;
	}
	return (ssize_t)count;
}

ssize_t
stream_send(struct connection *client, const uint8_t *bytes, size_t length)
{
	kernel_require(!client->is_shut, "sends behind its own FIN");
	if (client->has_reset || client->is_aborted) {
		errno = EPIPE;
		return -1;
	}
	if (length > client->room)
		length = client->room;
	if (length > sizeof(client->out) - client->answered)
		length = sizeof(client->out) - client->answered;
	if (length == 0) {
		errno = EAGAIN;
		return -1;
	}
	memcpy(client->out + client->answered, bytes, length);
	client->answered += length;
	client->room -= length;
	return (ssize_t)length;
}

int
stream_shutdown(struct connection *client)
{
	if (client->has_reset || client->is_aborted) {
		errno = ENOTCONN;
		return -1;
	}
	client->is_shut = true;
	return 0;
}
