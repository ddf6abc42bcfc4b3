/*
 * Lists of sessions, linked by slot.
 * Trusts a session to be in a list once for each use.
 * Never searches.
 */
#include "parent/parent.h"
#include "parent/session.h"

void
session_list_init(struct session_list *list, enum session_link_use use)
{
	*list = (struct session_list){
		.first = SESSION_NONE, .last = SESSION_NONE, .use = use
	};
}

void
session_list_push(
    struct parent *parent, struct session_list *list, struct session *session)
{
	uint32_t slot = session_slot(parent, session);
	struct session_link *link = &session->links[list->use];

	link->before = list->last;
	link->next = SESSION_NONE;
	if (list->last != SESSION_NONE)
		session_at(parent, list->last)->links[list->use].next = slot;
	else
		list->first = slot;
	list->last = slot;
	list->count++;
}

void
session_list_remove(
    struct parent *parent, struct session_list *list, struct session *session)
{
	const struct session_link *link = &session->links[list->use];

	if (link->before != SESSION_NONE)
		session_at(parent, link->before)->links[list->use].next =
		    link->next;
	else
		list->first = link->next;
	if (link->next != SESSION_NONE)
		session_at(parent, link->next)->links[list->use].before =
		    link->before;
	else
		list->last = link->before;
	list->count--;
}

struct session *
session_list_first(struct parent *parent, const struct session_list *list)
{
	if (list->first == SESSION_NONE)
		return NULL;
	return session_at(parent, list->first);
}

struct session *
session_list_last(struct parent *parent, const struct session_list *list)
{
	if (list->last == SESSION_NONE)
		return NULL;
	return session_at(parent, list->last);
}
