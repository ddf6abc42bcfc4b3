/*
 * Lines of clients' doing, held to a limit and each source to its share.
 * Trusts the peer's address, which is accept4's, and the parent's clock.
 * Never leaves out what we did ourselves, and never that it left out.
 */
#include "parent/noise.h"

#include <unistd.h>

#include "parent/parent.h"
#include "sys/log.h"
#include "sys/shared.h"

#define TELL_MS 1000

int
noise_init(struct parent *parent)
{
	uint8_t key[SOURCE_HASH_KEY_BYTES];
	struct shared memory;

	if (shared_map(&memory, source_table_bytes(NOISE_SOURCES)) != 0 ||
	    getentropy(key, sizeof(key)) != 0)
		return -1;
	source_table_init(
	    &parent->noise.sources, memory.base, NOISE_SOURCES, 0, key);
	return 0;
}

/* An eighth of the tokens is all of them in eight times the period. */
static struct rate
share_of(const struct rate *limit)
{
	struct rate share = *limit;

	share.period_ms *= NOISE_SHARE;
	share.burst /= NOISE_SHARE;
	if (share.burst == 0)
		share.burst = 1;
	return share;
}

/* Takes a token of the limit and of the source's share, or of neither. */
static bool
spend(struct parent *parent, const struct addr *peer)
{
	const struct image_global *global = image_global(&parent->image);
	const struct rate share = share_of(&global->log_limit);
	struct noise *noise = &parent->noise;
	struct source_key key;
	uint32_t source;

	if (!rate_has(&noise->all, &global->log_limit, parent->now_ms))
		return false;
	key = source_key(peer, global->count_by_v4, global->count_by_v6, 0);
	/* Nobody is counted on here, so there always is a record. */
	source = source_take(&noise->sources, &key, parent->now_ms);
	return rate_take(source_rate(&noise->sources, source), &share,
		   parent->now_ms) &&
	    rate_take(&noise->all, &global->log_limit, parent->now_ms);
}

void
noise_begin(struct parent *parent, const struct addr *peer, const char *event)
{
	if (image_global(&parent->image)->log_limit.tokens == 0 ||
	    spend(parent, peer)) {
		log_begin(LOG_LEVEL_INFO, event);
		return;
	}
	parent->counters.log_suppressed++;
	parent->noise.untold++;
}

void
noise_finish(struct parent *parent)
{
	struct noise *noise = &parent->noise;

	if (noise->untold == 0)
		return;
	log_begin(LOG_LEVEL_NOTICE, "suppressed");
	log_number("lines", noise->untold);
	log_end();
	noise->untold = 0;
	noise->told_ms = parent->now_ms;
}

void
noise_tend(struct parent *parent)
{
	if (parent->now_ms - parent->noise.told_ms >= TELL_MS)
		noise_finish(parent);
}
