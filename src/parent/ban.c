/*
 * Has the kernel drop the SYNs of who comes although it is shut out.
 * Trusts core/ban for whom, and the kernel to check the program.
 * Never rewrites the filters more than four times a second, and goes on
 * without them if the kernel has none.
 */
#include "parent/ban.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "parent/limits.h"
#include "parent/parent.h"
#include "sys/log.h"
#include "sys/shared.h"
#include "sys/socket_filter.h"

static const struct {
	enum addr_family family;
	int domain;
} families[] = { { ADDR_V4, AF_INET }, { ADDR_V6, AF_INET6 } };

#define FAMILIES (sizeof(families) / sizeof(families[0]))

int
ban_init(struct parent *parent)
{
	struct shared work;

	if (shared_map(&work, sizeof(struct ban_work)) != 0)
		return -1;
	parent->ban.work = work.base;
	ban_renew(parent);
	return 0;
}

static bool
is_wanted(const struct parent *parent)
{
	return image_global(&parent->image)->drops_in_kernel != 0;
}

bool
ban_is_weaker(const struct parent *parent)
{
	return is_wanted(parent) && !socket_filter_works();
}

void
ban_note(struct parent *parent, uint32_t source)
{
	struct ban_state *state = &parent->ban;

	if (!is_wanted(parent) || state->is_refused)
		return;
	if (bans_add(&state->work->bans, &parent->sources, source))
		state->is_stale = true;
}

void
ban_review(struct parent *parent)
{
	if (parent->ban.end_ms != 0)
		parent->ban.is_stale = true;
}

void
ban_renew(struct parent *parent)
{
	struct ban_state *state = &parent->ban;
	struct ban_work *work = state->work;

	/* Bans are known by records, and those may be others' now. */
	bans_clear(&work->bans);
	state->limit_bytes = (uint32_t)(socket_filter_room() / 2);
	for (size_t i = 0; i < FAMILIES; i++) {
		/* As if there were none, so that all get theirs anew. */
		work->filters[i].choice.count = 0;
		work->filters[i].most = BAN_RANGES_MAX;
	}
	state->is_refused = false;
	state->is_stale = true;
	state->next_ms = 0;
}

/* Nobody is dropped by the listeners of a domain any more. */
static void
detach(struct parent *parent, int domain)
{
	const struct listeners *listeners = &parent->listeners;

	for (uint32_t i = 0; i < listeners->count; i++)
		if (socket_filter_family(listeners->all[i].fd) == domain)
			socket_filter_detach(listeners->all[i].fd);
}

/* 0, or -1 with errno; some may have it then, and some not. */
static int
attach(struct parent *parent, int domain)
{
	const struct listeners *listeners = &parent->listeners;
	uint32_t count;
	const struct sock_filter *code =
	    ban_program_code(&parent->ban.work->program, &count);

	parent->listeners.had_filter = true;
	for (uint32_t i = 0; i < listeners->count; i++)
		if (socket_filter_family(listeners->all[i].fd) == domain &&
		    socket_filter_attach(listeners->all[i].fd, code, count) !=
			0)
			return -1;
	return 0;
}

static bool
is_same(const struct ban_choice *one, const struct ban_choice *other)
{
	return one->count == other->count &&
	    memcmp(one->ranges, other->ranges,
		one->count * sizeof(one->ranges[0])) == 0;
}

static void
log_failure(int error, uint32_t most)
{
	log_begin(LOG_LEVEL_WARNING, "drop-failed");
	log_errno(error);
	log_number("ranges", most);
	log_end();
}

/* The listeners of one family get the filter that drops whom to drop now. */
static int
rewrite(struct parent *parent, size_t which)
{
	struct ban_work *work = parent->ban.work;
	struct ban_filter *filter = &work->filters[which];
	enum addr_family family = families[which].family;
	uint32_t tried = filter->most;
	uint32_t most = tried;

	for (;;) {
		bans_choose(&work->bans, &parent->sources, &parent->image,
		    family, most, &work->choice);
		if (work->choice.count == 0) {
			detach(parent, families[which].domain);
			filter->instructions = 0;
			break;
		}
		if (is_same(&work->choice, &filter->choice))
			break;
		if (!ban_program_make(&work->program, family,
			work->choice.ranges, work->choice.count,
			parent->ban.limit_bytes)) {
			most -= most / 4 + 1;
			continue;
		}
		(void)ban_program_code(&work->program, &filter->instructions);
		if (attach(parent, families[which].domain) == 0)
			break;
		if (errno != ENOMEM)
			return -1;
		/* The old one, too, takes room while it is replaced. */
		detach(parent, families[which].domain);
		most = work->choice.count / 2;
		filter->most = most;
	}
	if (filter->most != tried)
		log_failure(ENOMEM, filter->most);
	filter->choice = work->choice;
	return 0;
}

/* Without filters then, until the policy is another. */
static void
give_up(struct parent *parent)
{
	struct ban_state *state = &parent->ban;

	log_failure(errno, 0);
	state->is_refused = true;
	bans_clear(&state->work->bans);
	for (size_t i = 0; i < FAMILIES; i++) {
		detach(parent, families[i].domain);
		state->work->filters[i].choice.count = 0;
		state->work->filters[i].choice.sources = 0;
	}
	state->end_ms = 0;
}

static void
rewrite_all(struct parent *parent)
{
	const struct image_global *global = image_global(&parent->image);
	struct ban_state *state = &parent->ban;
	struct ban_work *work = state->work;

	state->is_stale = false;
	if (!is_wanted(parent) && !parent->listeners.had_filter)
		return;
	state->next_ms = parent->now_ms + LIMIT_BAN_REWRITE_MS;
	state->end_ms = 0;
	if (!is_wanted(parent))
		bans_clear(&work->bans);
	bans_tidy(&work->bans, &parent->sources, global->penalty_threshold_ms,
	    parent->now_ms);
	for (size_t i = 0; i < FAMILIES; i++) {
		const struct ban_choice *choice = &work->filters[i].choice;

		if (rewrite(parent, i) != 0) {
			give_up(parent);
			return;
		}
		if (choice->count > 0 &&
		    (state->end_ms == 0 || choice->end_ms < state->end_ms))
			state->end_ms = choice->end_ms;
	}
}

static uint32_t
count_sources(const struct ban_state *state)
{
	const struct ban_filter *filters = state->work->filters;

	return filters[0].choice.sources + filters[1].choice.sources;
}

/* At most once a second, but never not at all. */
static void
tell(struct parent *parent)
{
	struct ban_state *state = &parent->ban;
	const struct ban_filter *filters = state->work->filters;

	if (count_sources(state) == state->sources ||
	    parent->now_ms < state->log_ms)
		return;
	state->sources = count_sources(state);
	state->log_ms = parent->now_ms + LIMIT_BAN_LOG_MS;
	log_begin(LOG_LEVEL_NOTICE, "drop");
	log_number("sources", state->sources);
	log_number("ranges", filters[0].choice.count + filters[1].choice.count);
	log_number(
	    "instructions", filters[0].instructions + filters[1].instructions);
	log_end();
}

static bool
is_due(const struct parent *parent)
{
	const struct ban_state *state = &parent->ban;

	return parent->now_ms >= state->next_ms &&
	    (state->is_stale ||
		(state->end_ms != 0 && parent->now_ms >= state->end_ms));
}

void
ban_tend(struct parent *parent)
{
	if (is_due(parent))
		rewrite_all(parent);
	tell(parent);
}

int64_t
ban_due_ms(const struct parent *parent)
{
	const struct ban_state *state = &parent->ban;
	int64_t due_ms = state->is_stale ? parent->now_ms : state->end_ms;

	if (due_ms != 0 && due_ms < state->next_ms)
		due_ms = state->next_ms;
	if (count_sources(state) != state->sources &&
	    (due_ms == 0 || state->log_ms < due_ms))
		due_ms = state->log_ms;
	return due_ms;
}
