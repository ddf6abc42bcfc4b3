#ifndef PARENT_BAN_H
#define PARENT_BAN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ban.h"

struct parent;

/*
 * With `drop-in-kernel on`: sources that come although they are shut out are
 * dropped by a BPF filter on the listening sockets, so that they cost us
 * nothing. The filter holds SYNs back, and nothing of who is in.
 */

/* The filter of the listeners of one family. */
struct ban_filter {
	struct ban_choice choice; /* whom it drops; no ranges: it is off */
	uint32_t instructions;
	uint32_t most; /* ranges that the kernel took; less after ENOMEM */
};

/* What to work with: large, and touched only by who bans. */
struct ban_work {
	struct bans bans;
	struct ban_choice choice;
	struct ban_program program;
	struct ban_filter filters[2]; /* IPv4, IPv6 */
};

struct ban_state {
	struct ban_work *work; /* owned mapping */
	uint32_t limit_bytes; /* of one program: half of what a socket has */
	bool is_stale; /* the filters may have to be others */
	bool is_refused; /* the kernel has no filters for us */
	int64_t next_ms; /* they are not rewritten before */
	int64_t end_ms; /* when the first ban in them ends; 0: none is in */
	uint32_t sources; /* that were logged last */
	int64_t log_ms; /* when to log next */
};

/* Maps what it needs. 0, or -1 with errno. */
int ban_init(struct parent *parent);

/* Whether the policy wants filters, and the kernel has none; errno: why. */
bool ban_is_weaker(const struct parent *parent);

/* A source came that is shut out. */
void ban_note(struct parent *parent, uint32_t source);

/* Penalties were taken back: who is dropped may have to be let in. */
void ban_review(struct parent *parent);

/*
 * The policy, the listeners or the table of sources are others now: to be
 * called in the same turn, once all are in their places. From the next turn
 * on, all listeners have the filter that the policy wants, or none.
 */
void ban_renew(struct parent *parent);

/* Once a turn: rewrites the filters if that is due. */
void ban_tend(struct parent *parent);

/* When that will be; 0: not foreseen. */
int64_t ban_due_ms(const struct parent *parent);

#endif
