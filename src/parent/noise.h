#ifndef PARENT_NOISE_H
#define PARENT_NOISE_H

#include <stdint.h>

#include "core/rate.h"
#include "core/source.h"

struct parent;

/*
 * Lines that anybody who can connect can cause as often as he likes: refuse,
 * shut-out, probe, gone, evict, help. They are held to the policy's `log {
 * limit }`, and those of one source to an eighth of it, so that nobody can
 * silence what there is to say of others. What is left out is counted, and
 * told once a second.
 *
 * Only who had lines lately is remembered. A record goes to another source
 * when it was not needed for the longest time: who floods keeps his.
 */
#define NOISE_SOURCES 1024u
#define NOISE_SHARE 8u /* of the limit, one source has this part */

struct noise {
	struct source_table sources;
	struct rate_bucket all;
	uint64_t untold; /* lines left out that no line has told of */
	int64_t told_ms;
};

/* Maps what is remembered. 0, or -1 with errno. */
int noise_init(struct parent *parent);

/*
 * log_begin for such a line. If it is to be left out there is no line, and
 * what is said up to log_end goes nowhere.
 */
void
noise_begin(struct parent *parent, const struct addr *peer, const char *event);

/* Tells of what was left out; not oftener than once a second. */
void noise_tend(struct parent *parent);
/* The same, at the end. */
void noise_finish(struct parent *parent);

#endif
