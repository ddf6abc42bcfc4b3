/*
 * Two policies change places.
 * Trusts what was prepared to be ready.
 * Never fails once anything has changed, and never loses a count.
 */
#include "parent/swap.h"

#include <string.h>

#include "parent/ban.h"
#include "parent/limits.h"
#include "parent/listen_change.h"
#include "parent/parent.h"
#include "parent/start.h"
#include "sys/log.h"

/* The service of exactly this name; SESSION_NONE: there is none. */
static uint32_t
find_service(const struct image *image, const char *name)
{
	int64_t index =
	    names_find(&image->names, (const uint8_t *)name, strlen(name));
	uint32_t service;

	if (index < 0)
		return SESSION_NONE;
	service = image_name_service(image, (uint32_t)index);
	/* It may have become another one's alias. */
	if (strcmp(image_text(image, image_service(image, service)->name),
		name) != 0)
		return SESSION_NONE;
	return service;
}

/* What is remembered of services: spent rates, and servers that are away. */
static void
inherit_services(struct parent *parent, const struct edition *former)
{
	uint32_t count = image_count(&parent->image, IMAGE_SERVICES);

	for (uint32_t i = 0; i < count; i++) {
		struct service_state *service = &parent->services[i];

		if (service->former == SESSION_NONE)
			continue;
		service->rate = edition_services(former)[service->former].rate;
		service->breaker =
		    edition_services(former)[service->former].breaker;
	}
}

/*
 * Who counts as running does so in the service of that name; where that was
 * gone for a while, it is known again by those who outlived its absence.
 */
static void
count_running(struct parent *parent)
{
	for (uint32_t i = 0; i < parent->sessions.capacity; i++) {
		struct session *session = session_at(parent, i);
		struct service_state *service;

		if (!session_counts_as_running(session))
			continue;
		session->tally =
		    find_service(&parent->image, session->service_name);
		if (session->tally == SESSION_NONE)
			continue;
		service = &parent->services[session->tally];
		service->sessions++;
		service->passing += session_is_passing(session, session->state);
		if (service->former == SESSION_NONE)
			service->id = session->service_id;
	}
}

/* The time that they have is the policy's; their order stays the same. */
static void
set_deadlines(struct parent *parent)
{
	const struct session_list *deciding = &parent->sessions.deciding;
	uint32_t slot = deciding->first;

	while (slot != SESSION_NONE) {
		struct session *session = session_at(parent, slot);

		session->deadline_ms = session->accepted_ms +
		    image_global(&parent->image)->parser_timeout_ms;
		slot = session->links[deciding->use].next;
	}
}

static void
open_log(struct parent *parent)
{
	if (start_open_log(parent) == 0)
		return;
	log_begin(LOG_LEVEL_WARNING, "reload-problem");
	log_text("text", "the log cannot be opened: it stays where it was");
	log_end();
}

const char *
swap_editions(struct parent *parent)
{
	const uint32_t former = parent->side;
	const struct image former_image = parent->image;
	const struct edition *next = &parent->editions[1 - former];
	struct tables_change tables;

	if (listen_begin_all(parent, &parent->reload.listeners, &next->image) !=
	    0)
		return "listen";
	/* The last that can fail: the sessions' table may be larger then. */
	if (tables_prepare(parent, &tables, &next->image) != 0)
		return "tables";
	parent->side = 1 - former;
	parent->image = next->image;
	parent->services = edition_services(next);
	inherit_services(parent, &parent->editions[former]);
	count_running(parent);
	tables_take(parent, &tables, &former_image);
	listen_take(parent, &parent->reload.listeners);
	ban_renew(parent);
	set_deadlines(parent);
	workers_dismiss(parent, former);
	launch_dismiss(parent, former);
	week_begin(&parent->week);
	open_log(parent);
	return NULL;
}
