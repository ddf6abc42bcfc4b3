#ifndef CORE_BAN_H
#define CORE_BAN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ban_program.h"
#include "core/image.h"
#include "core/source.h"

/*
 * Sources that came although they were shut out: what the kernel may drop for
 * us. They are remembered by their records in the source table, so that what
 * became of their penalties is always known. If there are too many, those
 * that came last are remembered.
 */
#define BANS_MAX 8192u

struct ban {
	uint32_t record, round; /* whose; the record may be another's by now */
};

/* A ban while it is chosen from. */
struct ban_candidate {
	struct ban_range range;
	int64_t worth; /* when it ends, and no two are worth the same */
};

/* Large (256 KiB), and nothing in it points anywhere. All zero: nobody. */
struct bans {
	struct ban all[BANS_MAX];
	uint32_t begun; /* entries that were ever begun */
	struct ban_candidate candidates[BANS_MAX];
	uint32_t candidate_count;
};

/* Whom to drop, in one family. */
struct ban_choice {
	struct ban_range ranges[BAN_RANGES_MAX]; /* sorted, with gaps */
	uint32_t count;
	uint32_t sources; /* that are in them */
	int64_t end_ms; /* when the first of those may come again */
	uint32_t most; /* ranges there may be */
	uint32_t work; /* steps through exempt rules that may be taken yet */
};

/* Remembers a source; false if it is remembered already. */
bool bans_add(struct bans *bans, struct source_table *table, uint32_t record);

/* Forgets everybody. */
void bans_clear(struct bans *bans);

/* Forgets who is not shut out any more: has threshold_ms or less left. */
void bans_tidy(struct bans *bans, struct source_table *table,
    uint32_t threshold_ms, int64_t now_ms);

/*
 * Of those remembered, which are shut out, chooses the sources of a family
 * that are for the longest time, as many as come together in `most` ranges (up
 * to BAN_RANGES_MAX). Neighbours share a range; no address comes into one that
 * is not of a chosen source, or is exempt. Left out are sources whose
 * addresses mean nothing without an interface, and IPv6 sources smaller than
 * a /64: their neighbours' SYNs could not be told from theirs.
 */
void bans_choose(struct bans *bans, const struct source_table *table,
    const struct image *image, enum addr_family family, uint32_t most,
    struct ban_choice *choice);

#endif
