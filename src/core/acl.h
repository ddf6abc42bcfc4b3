#ifndef CORE_ACL_H
#define CORE_ACL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/image.h"

/*
 * Who may: the rules of one range, in the order in which they were written.
 * The first that matches the address decides; if none does, the answer is
 * no. An empty list denies everybody.
 */
#define ACL_NO_RULE UINT32_MAX

struct acl_verdict {
	bool is_allowed;
	uint32_t rule; /* the rule that decided, or ACL_NO_RULE */
};

struct acl_verdict acl_decide(const struct image *image,
    struct image_range rules, const struct addr *peer);

#endif
