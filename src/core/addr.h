#ifndef CORE_ADDR_H
#define CORE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/socket.h>

enum addr_family {
	ADDR_NONE = 0,
	ADDR_V4 = 4,
	ADDR_V6 = 6,
};

/*
 * An Internet address and port. IPv4 in the first four bytes, the rest zero;
 * IPv4-mapped IPv6 (::ffff:a.b.c.d) is always folded to IPv4, so that no rule
 * can be passed by writing an address another way.
 */
struct addr {
	uint8_t bytes[16]; /* network order */
	uint32_t scope; /* interface index of a link-local address, or 0 */
	uint16_t port; /* host order */
	uint8_t family; /* enum addr_family */
};

/* Longest text of an address with scope, its NUL included. */
#define ADDR_TEXT_BYTES 64

/* Takes what accept4 or getsockname filled in; false on another family. */
bool addr_from_sockaddr(
    struct addr *addr, const struct sockaddr *sa, socklen_t length);

/* The other way; returns the length of the sockaddr filled in. */
socklen_t
addr_to_sockaddr(const struct addr *addr, struct sockaddr_storage *storage);

/*
 * Writes the address without port (RFC 5952 form, %scope if it has one) and
 * a NUL; returns the text's length.
 */
size_t addr_format(const struct addr *addr, char text[ADDR_TEXT_BYTES]);

/* Reads an address, nothing before or behind it; no scope, port 0. */
bool addr_parse(struct addr *addr, const char *text, size_t length);

/* An address and how many of its leading bits count; the other bits are 0. */
struct prefix {
	struct addr addr;
	uint8_t bits; /* 0 to 32 or 128 */
};

enum prefix_error {
	PREFIX_OK,
	PREFIX_BAD_ADDRESS,
	PREFIX_BAD_BITS,
	PREFIX_HOST_BITS_SET, /* 192.0.2.1/24: which of the two is meant? */
	/* core/zone.h alone */
	PREFIX_BAD_ZONE, /* what stands behind % can be no interface's */
	PREFIX_ZONE_BEHIND, /* fe80::/64%eth0 */
	PREFIX_ZONE_OF_ALL, /* of an address that is the same on every link */
};

/* Reads ADDRESS or ADDRESS/BITS. An IPv4-mapped prefix needs /96 or more. */
enum prefix_error
prefix_parse(struct prefix *prefix, const char *text, size_t length);

/* Clears all but the first `bits` bits; scope and port are cleared too. */
void addr_mask(struct addr *addr, unsigned bits);

/* Whether it is of fe80::/10, which every link has for itself. */
bool addr_is_link_local(const struct addr *addr);

/* An IPv4 address as a number in host order. */
uint32_t addr_v4(const struct addr *addr);

#endif
