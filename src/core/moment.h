#ifndef CORE_MOMENT_H
#define CORE_MOMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A minute of the local week (core/hours.h) as text: `mon 14:30`, or a local
 * date and time of ISO 8601, `2026-11-30T14:30`, also with a blank for the T.
 */
#define MOMENT_TEXT_BYTES 10u /* with the NUL behind it */

/* False, and nothing set, if it is neither, to its last byte. */
bool moment_parse(const char *text, size_t length, uint32_t *minute);

/* The first of the two forms; minute is below HOURS_WEEK_MINUTES. */
void moment_format(uint32_t minute, char text[MOMENT_TEXT_BYTES]);

#endif
