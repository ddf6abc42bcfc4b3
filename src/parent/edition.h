#ifndef PARENT_EDITION_H
#define PARENT_EDITION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/breaker.h"
#include "core/image.h"
#include "core/rate.h"
#include "sys/room.h"
#include "sys/shared.h"

struct parent;

/*
 * A policy and what was made of it. There are two sides: on one is the edition
 * in force (parent->side), and the other is empty, but while a reload lasts:
 * first the next edition is made there, and when they have changed places the
 * former one leaves from there.
 */
#define EDITION_SIDES 2u

/* What is counted of a service, whatever edition it is in. */
struct service_state {
	struct rate_bucket rate; /* spent of its starts */
	uint32_t sessions; /* chosen, launching or running */
	uint32_t passing; /* of these, sent to its server and not yet taken */
	struct breaker breaker; /* of its server */
	uint32_t id; /* for as long as there is a service of its name; not 0 */
	uint32_t former; /* its index in the edition before, or SESSION_NONE */
};

struct edition {
	struct image image; /* borrows the mapping */
	struct image_inspection inspection; /* until it is checked */
	struct shared map; /* owned; read-only, of image_fd */
	int image_fd; /* owned; what its launchers map */
	int names_fd; /* owned; what its parsers map */
	int parser_fd; /* owned; the program of its parsers */
	enum room_kind room; /* of its parsers */
	struct shared services; /* owned; a service_state for each */
};

#define EDITION_NONE \
	(struct edition) \
	{ \
		.image_fd = -1, .names_fd = -1, .parser_fd = -1 \
	}

/*
 * Takes a loader's image, image_fd included whatever comes of it, to be
 * checked. 0, or -1 with errno.
 */
int edition_open(struct edition *edition, int image_fd);

/*
 * Checks so many elements more of it: it can be large. True once it is decided
 * whether the image is one, as *error says; edition->image is it if it is.
 */
bool edition_check(
    struct edition *edition, uint32_t elements, enum image_error *error);

/*
 * Makes what processes of it need. former: the edition in force, or NULL.
 * Returns NULL, or the step that failed, with errno.
 */
const char *edition_prepare(
    struct parent *parent, struct edition *edition, struct edition *former);

/* Services of a name are one and the same: they keep id and what they spent. */
void edition_inherit(struct parent *parent, struct edition *edition,
    const struct edition *former);

/* What is counted of its services. */
struct service_state *edition_services(const struct edition *edition);

/* Gives up all of it, and makes it EDITION_NONE. */
void edition_close(struct edition *edition);

#endif
