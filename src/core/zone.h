#ifndef CORE_ZONE_H
#define CORE_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/policy.h"

/*
 * The zone of a link-local address: which link it is on. It stands behind the
 * address and before a length, fe80::1%eth0 or fe80::%3/64 (RFC 4007), and is
 * an interface's name or number. Which number a name has is not known here.
 */

/* Whether an interface may be called so (1 to 15 bytes, ip-link(8)). */
bool zone_is_interface(struct text text);

/* The number that a zone is, or 0 if it is a name. */
uint32_t zone_number(struct text zone);

/* Of an address without its zone, with its length, NUL included. */
#define ZONE_ADDRESS_BYTES 64

/*
 * The word without its zone, and the zone: empty, if it has none. Either
 * PREFIX_OK or what cannot be a zone; the rest may still be no address.
 */
enum prefix_error
zone_cut(struct text word, char address[ZONE_ADDRESS_BYTES], struct text *zone);

/* Whether this address can have this zone, which may be empty. */
bool zone_fits(const struct addr *addr, struct text zone);

/* A prefix as prefix_parse reads it, perhaps with a zone. */
enum prefix_error
zone_prefix_parse(struct prefix *prefix, struct text *zone, struct text word);

#endif
