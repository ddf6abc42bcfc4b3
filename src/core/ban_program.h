#ifndef CORE_BAN_PROGRAM_H
#define CORE_BAN_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/filter.h>

#include "core/addr.h"

/*
 * A classic BPF program for a listening socket of one family: packets from
 * some ranges of addresses are dropped, all others let through whole. It looks
 * at the source in the network header and at nothing else, by binary search.
 */
#define BAN_PROGRAM_MAX 4096u /* BPF_MAXINSNS */
#define BAN_RANGES_MAX 500u

/*
 * Both ends inclusive. An IPv4 address as a number in host order, or the first
 * 64 bits of an IPv6 address: nothing smaller than a /64 can be named.
 */
struct ban_range {
	uint64_t first, last;
};

/* What has its upper 32 bits in one range and its lower in another. */
struct ban_piece {
	uint32_t high_first, high_last;
	uint32_t low_first, low_last;
};

/* Large (60 KiB), so that making one needs no other memory. */
struct ban_program {
	struct sock_filter code[BAN_PROGRAM_MAX];
	uint32_t first; /* where it begins: it is written from its end */
	uint32_t answers[2]; /* the last written; BAN_PROGRAM_MAX: none yet */
	size_t kernel_bytes;
	bool is_full;
	struct ban_piece pieces[3 * BAN_RANGES_MAX];
};

/*
 * Writes the program for `count` ranges, 1 to BAN_RANGES_MAX, sorted and not
 * overlapping, of a family. False if it would be too long, or if the kernel
 * would count more than limit_bytes for it (an upper bound, by how Linux
 * translates it).
 */
bool ban_program_make(struct ban_program *program, enum addr_family family,
    const struct ban_range *ranges, uint32_t count, size_t limit_bytes);

/* What was made: its instructions, and how many. */
const struct sock_filter *
ban_program_code(const struct ban_program *program, uint32_t *count);

#endif
