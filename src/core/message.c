/*
 * The four messages between the rooms, to bytes and back.
 * Trusts neither side: a length or flag that is off is no message.
 * Never interprets what a message asks for.
 */
#include "core/message.h"

#include <string.h>

#include "core/wire.h"

size_t
handover_encode(uint8_t bytes[HANDOVER_MESSAGE_MAX],
    const struct handover entries[], size_t count)
{
	uint8_t *to = bytes;

	for (size_t i = 0; i < count; i++) {
		to = wire_put_u32(to, entries[i].slot);
		to = wire_put_u64(to, entries[i].generation);
		to = wire_put_u8(to, entries[i].flags);
	}
	return (size_t)(to - bytes);
}

int
handover_decode(
    struct handover entries[BATCH_MAX], const uint8_t *bytes, size_t length)
{
	size_t count = length / HANDOVER_BYTES;

	if (count == 0 || count > BATCH_MAX || length % HANDOVER_BYTES != 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *from = bytes + i * HANDOVER_BYTES;

		entries[i].slot = wire_get_u32(from);
		entries[i].generation = wire_get_u64(from + 4);
		entries[i].flags = from[12];
		if ((entries[i].flags & ~HANDOVER_FLAGS) != 0)
			return -1;
	}
	return (int)count;
}

size_t
verdict_encode(uint8_t bytes[VERDICT_MESSAGE_MAX],
    const struct verdict entries[], size_t count)
{
	uint8_t *to = bytes;

	for (size_t i = 0; i < count; i++) {
		to = wire_put_u32(to, entries[i].slot);
		to = wire_put_u64(to, entries[i].generation);
		to = wire_put_u8(to, entries[i].outcome);
		to = wire_put_u32(to, entries[i].name);
		to = wire_put_u16(to, entries[i].length);
		memcpy(to, entries[i].claimed, VERDICT_CLAIMED_BYTES);
		to += VERDICT_CLAIMED_BYTES;
	}
	return (size_t)(to - bytes);
}

void
verdict_decode(struct verdict *entry, const uint8_t *bytes)
{
	entry->slot = wire_get_u32(bytes);
	entry->generation = wire_get_u64(bytes + 4);
	entry->outcome = bytes[12];
	entry->name = wire_get_u32(bytes + 13);
	entry->length = wire_get_u16(bytes + 17);
	memcpy(entry->claimed, bytes + 19, VERDICT_CLAIMED_BYTES);
}

static uint8_t *
put_addr(uint8_t *to, const struct addr *addr)
{
	to = wire_put_u8(to, addr->family);
	to = wire_put_u16(to, addr->port);
	to = wire_put_u32(to, addr->scope);
	memcpy(to, addr->bytes, sizeof(addr->bytes));
	return to + sizeof(addr->bytes);
}

static bool
get_addr(struct addr *addr, const uint8_t *from)
{
	memset(addr, 0, sizeof(*addr));
	addr->family = from[0];
	addr->port = wire_get_u16(from + 1);
	addr->scope = wire_get_u32(from + 3);
	memcpy(addr->bytes, from + 7, sizeof(addr->bytes));
	return addr->family == ADDR_V4 || addr->family == ADDR_V6;
}

void
launch_encode(uint8_t bytes[LAUNCH_BYTES], const struct launch *launch)
{
	uint8_t *to = bytes;

	to = wire_put_u64(to, launch->session);
	to = wire_put_u32(to, launch->service);
	to = wire_put_u8(to, launch->flags);
	to = put_addr(to, &launch->peer);
	put_addr(to, &launch->local);
}

bool
launch_decode(struct launch *launch, const uint8_t *bytes, size_t length)
{
	if (length != LAUNCH_BYTES)
		return false;
	launch->session = wire_get_u64(bytes);
	launch->service = wire_get_u32(bytes + 8);
	launch->flags = bytes[12];
	if ((launch->flags & (LAUNCH_CGROUP | LAUNCH_BORN)) == LAUNCH_BORN)
		return false;
	return (launch->flags & ~LAUNCH_FLAGS) == 0 &&
	    get_addr(&launch->peer, bytes + 13) &&
	    get_addr(&launch->local, bytes + 13 + LAUNCH_ADDR_BYTES);
}

void
launched_encode(uint8_t bytes[LAUNCHED_BYTES], uint64_t session)
{
	wire_put_u64(bytes, session);
}

bool
launched_decode(uint64_t *session, const uint8_t *bytes, size_t length)
{
	if (length != LAUNCHED_BYTES)
		return false;
	*session = wire_get_u64(bytes);
	return true;
}
