/*
 * One decision about a service, and the line of the policy that made it.
 * Trusts the image, which was checked whole when it was mapped.
 * Never asks a clock, and never what was decided before.
 */
#include "core/access.h"

#include <stdbool.h>
#include <stddef.h>

#include "core/acl.h"
#include "core/hours.h"

static struct access
decide_rules(const struct image *image, struct image_range rules,
    const struct addr *peer)
{
	struct acl_verdict verdict = acl_decide(image, rules, peer);
	struct access access = {
		.reason = verdict.is_allowed ? ACCESS_ALLOWED : ACCESS_DENIED,
	};

	if (verdict.rule != ACL_NO_RULE)
		access.place = &image_rule(image, verdict.rule)->place;
	return access;
}

static bool
is_on(const struct image_service *service, uint32_t listener)
{
	const uint64_t *bits = service->on.bits;

	if (service->on_place.line == 0)
		return true;
	/* A listener that a reload took away is none of them. */
	return listener < IMAGE_LISTENS_MAX &&
	    (bits[listener / 64] >> listener % 64 & 1) != 0;
}

struct access
access_decide(
    const struct image *image, uint32_t index, const struct asker *asker)
{
	const struct image_service *service = image_service(image, index);
	struct access access;

	if ((service->flags & IMAGE_SERVICE_DISABLED) != 0)
		return (struct access){ ACCESS_DISABLED, &service->place };
	if (!is_on(service, asker->listener))
		return (struct access){ ACCESS_LISTENER, &service->on_place };
	access = decide_rules(image, service->rules, &asker->peer);
	if (access.reason == ACCESS_ALLOWED && service->hours.count > 0 &&
	    !hours_have(image, service->hours, asker->minute))
		return (struct access){ ACCESS_HOURS, &service->hours_place };
	return access;
}

struct access
access_admit(const struct image *image, const struct addr *peer)
{
	return decide_rules(image, image_global(image)->admission, peer);
}

const struct image_place *
access_exempt(const struct image *image, const struct addr *peer)
{
	struct access access =
	    decide_rules(image, image_global(image)->exempt, peer);

	return access.reason == ACCESS_ALLOWED ? access.place : NULL;
}
