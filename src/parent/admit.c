/*
 * The first question: may this address come in at all?
 * Trusts the address, which is accept4's, and asks nothing of the client.
 * Never closes the door to one source for what another does.
 */
#include "parent/admit.h"

#include "core/acl.h"
#include "parent/limits.h"
#include "parent/parent.h"
#include "parent/settle.h"
#include "sys/fd.h"
#include "sys/log.h"

static void
shut_out(struct parent *parent, int fd, const struct addr *peer,
    const char *reason, uint32_t rule)
{
	parent->counters.shut_out++;
	log_begin(LOG_LEVEL_INFO, "shut-out");
	log_word("reason", reason);
	log_addr(peer);
	settle_log_rule(parent, rule);
	log_end();
	fd_close(&fd);
}

/* Why this source may have no more connections, or NULL. */
static const char *
excess_of(const struct parent *parent, uint32_t source)
{
	const struct image_global *global = image_global(&parent->image);
	uint32_t pending = source_get(&parent->sources, source, SOURCE_PENDING);
	uint32_t running = source_get(&parent->sources, source, SOURCE_RUNNING);

	if (pending >= global->pending_per_source)
		return "pending-per-source";
	if (pending + running >= global->per_source)
		return "per-source";
	return NULL;
}

void
admit_take_fd(
    struct parent *parent, int fd, const struct addr *peer, uint32_t listener)
{
	const struct image_global *global = image_global(&parent->image);
	struct acl_verdict verdict =
	    acl_decide(&parent->image, global->admission, peer);
	struct source_key key = source_key(peer, 32, 64, 0);
	struct session *session;
	const char *excess;
	uint32_t source;

	if (!verdict.is_allowed) {
		shut_out(parent, fd, peer, "denied", verdict.rule);
		return;
	}
	source = source_take(&parent->sources, &key);
	if (source == SOURCE_NONE) {
		shut_out(parent, fd, peer, "full", ACL_NO_RULE);
		return;
	}
	excess = excess_of(parent, source);
	if (excess != NULL) {
		shut_out(parent, fd, peer, excess, ACL_NO_RULE);
		return;
	}
	if (parent->crowd.count >= global->pending)
		settle_evict(parent,
		    session_at(parent, crowd_heaviest_eldest(&parent->crowd)));
	session = session_take_fd(parent, fd, peer, source);
	if (session == NULL) {
		shut_out(parent, fd, peer, "full", ACL_NO_RULE);
		return;
	}
	session->listener = listener;
	session_enter(parent, session, SESSION_QUEUED);
}
