/*
 * First match wins, no match denies.
 * Trusts the image, which was checked whole when it was mapped.
 */
#include "core/acl.h"

struct acl_verdict
acl_decide(const struct image *image, struct image_range rules,
    const struct addr *peer)
{
	for (uint32_t i = 0; i < rules.count; i++) {
		uint32_t index = rules.first + i;
		const struct image_rule *rule = image_rule(image, index);

		if (rule->kind == IMAGE_RULE_ANY ||
		    image_set_has(image, rule->set, peer))
			return (struct acl_verdict){
				.is_allowed = rule->is_allow != 0, .rule = index
			};
	}
	return (struct acl_verdict){ .is_allowed = false, .rule = ACL_NO_RULE };
}
