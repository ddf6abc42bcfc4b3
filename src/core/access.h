#ifndef CORE_ACCESS_H
#define CORE_ACCESS_H

#include <stdint.h>

#include "core/addr.h"
#include "core/image.h"

/*
 * Who may use a service, from where and when: the one place that knows.
 * Limits are not asked here, since they change from one moment to the next.
 */

/* Who asks, through which listener, and when. */
struct asker {
	struct addr peer;
	uint32_t listener; /* index in the image */
	uint32_t minute; /* of the local week, core/hours.h */
};

/* In the order in which it is looked at: the first that says no decides. */
enum access_reason {
	ACCESS_ALLOWED,
	ACCESS_DISABLED,
	ACCESS_LISTENER, /* not on this one */
	ACCESS_DENIED, /* by a rule, or by none */
	ACCESS_HOURS, /* not now */
};

struct access {
	enum access_reason reason;
	/*
	 * The line that decided: the rule that allows or denies, `hours`,
	 * `on`, or `service ... disabled`. NULL if no rule matched. The
	 * image's.
	 */
	const struct image_place *place;
};

struct access access_decide(
    const struct image *image, uint32_t index, const struct asker *asker);

/* The same for admission: ACCESS_ALLOWED or ACCESS_DENIED. */
struct access access_admit(const struct image *image, const struct addr *peer);

/*
 * The rule by which no rate and no penalty applies to the peer, or NULL. The
 * peer is asked for, not its source: a network may be exempt in a part.
 */
const struct image_place *
access_exempt(const struct image *image, const struct addr *peer);

#endif
