#ifndef CORE_WIRE_H
#define CORE_WIRE_H

#include <stdint.h>

/*
 * Numbers on a channel, little-endian, byte by byte: no struct, padding or
 * pointer of ours ever crosses from one process to another. put returns
 * where the next value goes.
 */
static inline uint8_t *
wire_put_u8(uint8_t *to, uint8_t value)
{
	*to = value;
	return to + 1;
}

static inline uint8_t *
wire_put_u16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)value;
	to[1] = (uint8_t)(value >> 8);
	return to + 2;
}

static inline uint8_t *
wire_put_u32(uint8_t *to, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> (8 * i));
	return to + 4;
}

static inline uint8_t *
wire_put_u64(uint8_t *to, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		to[i] = (uint8_t)(value >> (8 * i));
	return to + 8;
}

static inline uint16_t
wire_get_u16(const uint8_t *from)
{
	return (uint16_t)(from[0] | from[1] << 8);
}

static inline uint32_t
wire_get_u32(const uint8_t *from)
{
	return (uint32_t)from[0] | (uint32_t)from[1] << 8 |
	    (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static inline uint64_t
wire_get_u64(const uint8_t *from)
{
	return wire_get_u32(from) | (uint64_t)wire_get_u32(from + 4) << 32;
}

#endif
