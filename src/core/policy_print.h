#ifndef CORE_POLICY_PRINT_H
#define CORE_POLICY_PRINT_H

#include <stddef.h>

#include "core/policy.h"

/* Takes a text piece by piece; bytes are good until it returns. */
struct policy_sink {
	void (*write)(void *context, const char *bytes, size_t length);
	void *context;
};

/*
 * Writes a policy, parsed without errors, as a text of the policy language
 * that means the same: read again, it becomes the same image but for places.
 * What was inherited or not said is written out in every block, so that no
 * `defaults` is left; where not saying something has no word of its own
 * (`group`, `groups`, `rate`, `capabilities`...), it is left out.
 */
void policy_print(const struct policy *policy, const struct policy_sink *sink);

/* `60/min burst 30`, or `none`. */
#define POLICY_RATE_BYTES 32u /* with the NUL behind it */
void policy_rate_text(const struct rate *rate, char text[POLICY_RATE_BYTES]);

#endif
