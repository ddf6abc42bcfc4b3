#ifndef LAUNCHER_FILTER_H
#define LAUNCHER_FILTER_H

#include "launcher/base.h"

/*
 * Enters these of the image's programs (bit n is enum image_filter's n), and
 * sees that each refuses what it should. 0, or -1 with errno.
 */
int filters_enter(const struct base *base, unsigned filters);

#endif
