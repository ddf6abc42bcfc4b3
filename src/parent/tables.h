#ifndef PARENT_TABLES_H
#define PARENT_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/image.h"
#include "core/source.h"
#include "sys/shared.h"

struct parent;

/*
 * The memory of all that grows with connections: sessions, sources, crowd, the
 * index of pids. It is made at start, as large as the policy can need it, and
 * made anew only where a reload's policy needs another; never for a connection.
 */
struct tables {
	struct shared sources, shares, crowd, pids, timers; /* owned */
	uint8_t hash_key[SOURCE_HASH_KEY_BYTES];
};

/* Makes all of them for the policy in force. 0, or -1 with errno. */
int tables_init(struct parent *parent);

/* What has to be made anew for another policy, ready to be taken. */
struct tables_change {
	/* owned; empty: stays */
	struct shared sources, shares, crowd, pids, timers;
	uint32_t source_count, share_count, slots, pending;
};

/*
 * Gets the memory for what the policy of this image needs. -1 with errno, and
 * nothing has changed; or 0, and tables_take must follow: there are as many
 * sessions as it needs already, and no other table has room for them yet.
 */
int tables_prepare(struct parent *parent, struct tables_change *change,
    const struct image *image);

/*
 * That policy is in force now, and `former` was before: takes the memory, with
 * all that is counted and remembered. Cannot fail.
 */
void tables_take(struct parent *parent, struct tables_change *change,
    const struct image *former);

#endif
