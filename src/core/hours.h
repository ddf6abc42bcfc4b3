#ifndef CORE_HOURS_H
#define CORE_HOURS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/image.h"

/* Minutes of a week are counted from Monday, 00:00, by the wall's clock. */
#define HOURS_DAY_MINUTES 1440u
#define HOURS_WEEK_MINUTES (7u * HOURS_DAY_MINUTES)

/* Whether one of the range's intervals has the minute, by binary search. */
bool hours_have(
    const struct image *image, struct image_range hours, uint32_t minute);

#endif
