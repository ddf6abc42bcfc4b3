#ifndef CORE_BAN_EXEMPT_H
#define CORE_BAN_EXEMPT_H

#include "core/ban.h"

/*
 * Who is exempt is let in, whatever the source did that it is a part of. So
 * what is exempt is cut out of the ranges that are dropped; of IPv6, every /64
 * that an exempt address is in.
 */

/* Steps through exempt rules for one choice: bounds how long that takes. */
#define BAN_EXEMPT_WORK 65536u

/*
 * Adds what of a range, above all others in the choice, is not exempt. What is
 * too much for the choice, in ranges or in work, is left out.
 */
void ban_exempt_add(const struct image *image, enum addr_family family,
    struct ban_range range, struct ban_choice *choice);

#endif
