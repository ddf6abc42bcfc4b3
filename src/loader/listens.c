/*
 * Listeners into the image, and what numbers interfaces have.
 * Trusts a policy that was parsed without errors.
 * Never opens a socket of the policy's: the parent does.
 */
#include "loader/load.h"

#include <net/if.h>
#include <string.h>

#include "core/zone.h"

static uint32_t
index_of(struct text name)
{
	char copy[IF_NAMESIZE] = { 0 };

	if (name.length >= sizeof(copy))
		return 0;
	memcpy(copy, name.bytes, name.length);
	return if_nametoindex(copy);
}

uint32_t
load_zone(struct load *load, struct text zone, struct place place)
{
	uint32_t index = zone_number(zone);

	if (index != 0 || zone.length == 0 || load->options->skips_system)
		return index;
	index = index_of(zone);
	if (index == 0)
		problems_add(&load->problems, PROBLEM_ERROR, place,
		    "no interface is called '%.*s'", TEXT_ARGS(zone));
	return index;
}

/*
 * Which link a link-local address is on. An interface that is not there is
 * no problem here: binding to it says so.
 */
static uint32_t
scope_of(struct load *load, const struct policy_listen *from)
{
	if (!addr_is_link_local(&from->addr))
		return 0;
	if (from->zone.text.length > 0)
		return load_zone(load, from->zone.text, from->zone.place);
	return load->options->skips_system ? 0 : index_of(from->interface);
}

static uint8_t
flags_of(const struct policy_listen *from)
{
	uint8_t flags = 0;

	if (from->is_freebind)
		flags |= IMAGE_LISTEN_FREEBIND;
	if (from->is_lenient_lf)
		flags |= IMAGE_LISTEN_LENIENT_LF;
	return flags;
}

void
load_listens(struct load *load)
{
	for (uint32_t i = 0; i < load->policy->listen_count; i++) {
		const struct policy_listen *from = &load->policy->listens[i];
		struct image_listen listen = { .addr = from->addr,
			.place = load_place(load, from->place),
			.name = load_text(
			    load, from->name, IMAGE_LABEL_MAX, from->place),
			.interface = load_text(load, from->interface,
			    IMAGE_INTERFACE_MAX, from->place),
			.backlog = (uint16_t)from->backlog,
			.flags = flags_of(from) };

		listen.addr.scope = scope_of(load, from);
		*(struct image_listen *)build_add(
		    &load->build, IMAGE_LISTENS, 1) = listen;
	}
}
