/*
 * A policy, and what is made of it before anybody is served by it.
 * Trusts an image only once core/image has checked it.
 * Never touches the edition in force.
 */
#include "parent/edition.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "parent/parent.h"
#include "parent/programs.h"
#include "sys/fd.h"
#include "sys/memfd.h"
#include "sys/namespace.h"

int
edition_open(struct edition *edition, int image_fd)
{
	size_t size;
	const void *bytes = memfd_map(image_fd, &size);

	edition->image_fd = image_fd;
	if (bytes == NULL)
		return -1;
	edition->map =
	    (struct shared){ .base = (void *)(uintptr_t)bytes, .bytes = size };
	image_inspect_begin(&edition->inspection, bytes, size);
	return 0;
}

bool
edition_check(
    struct edition *edition, uint32_t elements, enum image_error *error)
{
	if (!image_inspect_some(&edition->inspection, elements, error))
		return false;
	edition->image = edition->inspection.image;
	return true;
}

static const char *
program_text(const struct edition *edition)
{
	const struct image *image = &edition->image;

	return image_text(image, image_global(image)->parser_program);
}

/* Opened once, so that no upgrade mixes versions, unless it is another. */
static int
open_parser(const struct edition *edition, const struct edition *former)
{
	if (former != NULL &&
	    strcmp(program_text(edition), program_text(former)) == 0)
		return fcntl(former->parser_fd, F_DUPFD_CLOEXEC, 0);
	return programs_open_parser(program_text(edition));
}

static enum room_kind
room_kind_of(const struct parent *parent, const struct edition *edition)
{
	if (image_global(&edition->image)->room == IMAGE_ROOM_REDUCED)
		return ROOM_REDUCED;
	return parent->is_root ? ROOM_FULL : ROOM_USER;
}

/* The namespaces are all parsers', whatever the policy; made when wanted. */
static int
make_room(struct parent *parent, struct edition *edition, bool is_first)
{
	edition->room = room_kind_of(parent, edition);
	if (!is_first &&
	    (edition->room != ROOM_FULL || parent->room.namespaces[0] >= 0))
		return 0;
	return room_prepare(&parent->room, edition->room);
}

/* The same for all launchers of `network none`; made when first wanted. */
static int
make_network(struct parent *parent, const struct edition *edition)
{
	if (!parent->is_root || parent->network_fd >= 0 ||
	    (image_global(&edition->image)->walls & IMAGE_WALL_NAMESPACE) == 0)
		return 0;
	parent->network_fd = namespace_make_network();
	return parent->network_fd < 0 ? -1 : 0;
}

const char *
edition_prepare(
    struct parent *parent, struct edition *edition, struct edition *former)
{
	const struct image *image = &edition->image;
	uint32_t services = image_count(image, IMAGE_SERVICES);
	size_t size;
	const void *names = image_names_bytes(image, &size);

	edition->names_fd = memfd_seal("tcpmuxd-names", names, size);
	if (edition->names_fd < 0)
		return "names";
	if (shared_map(&edition->services,
		services * sizeof(struct service_state)) != 0)
		return "tables";
	edition_inherit(parent, edition, former);
	if (make_room(parent, edition, former == NULL) != 0)
		return "room";
	if (make_network(parent, edition) != 0)
		return "network";
	edition->parser_fd = open_parser(edition, former);
	return edition->parser_fd < 0 ? "program" : NULL;
}

struct service_state *
edition_services(const struct edition *edition)
{
	return edition->services.base;
}

/* By name: less than, equal to or greater than 0. */
static int
compare_services(const struct edition *left, uint32_t left_index,
    const struct edition *right, uint32_t right_index)
{
	const struct image_service *a = image_service(&left->image, left_index);
	const struct image_service *b =
	    image_service(&right->image, right_index);

	return strcmp(image_text(&left->image, a->name),
	    image_text(&right->image, b->name));
}

/* Both are in the order of their names: one walk along both. */
void
edition_inherit(struct parent *parent, struct edition *edition,
    const struct edition *former)
{
	struct service_state *services = edition_services(edition);
	uint32_t count = image_count(&edition->image, IMAGE_SERVICES);
	uint32_t former_count =
	    former == NULL ? 0 : image_count(&former->image, IMAGE_SERVICES);
	uint32_t at = 0;

	for (uint32_t i = 0; i < count; i++) {
		int order = 1;

		while (at < former_count) {
			order = compare_services(former, at, edition, i);
			if (order >= 0)
				break;
			at++;
		}
		services[i].former = order == 0 ? at : SESSION_NONE;
		services[i].id = order == 0 ? edition_services(former)[at].id
					    : ++parent->service_ids;
	}
}

void
edition_close(struct edition *edition)
{
	shared_unmap(&edition->map);
	shared_unmap(&edition->services);
	fd_close(&edition->image_fd);
	fd_close(&edition->names_fd);
	fd_close(&edition->parser_fd);
	*edition = EDITION_NONE;
}
