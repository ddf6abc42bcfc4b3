#ifndef CORE_MESSAGE_H
#define CORE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/name.h"

/*
 * The four messages between the rooms, one a SOCK_SEQPACKET datagram, all
 * numbers little-endian (core/wire.h). A message is taken only if its length
 * is exactly what its count says. There is no fifth.
 */

/* As many connections as one HANDOVER carries, and one VERDICT answers. */
#define BATCH_MAX 32u

/* HANDOVER, parent to parser: as many sockets by SCM_RIGHTS as entries. */
#define HANDOVER_FINAL 0x01u /* the client's FIN stands behind these bytes */
#define HANDOVER_LENIENT_LF 0x02u /* its listener takes a bare LF */
#define HANDOVER_FLAGS (HANDOVER_FINAL | HANDOVER_LENIENT_LF)

struct handover {
	uint32_t slot;
	uint64_t generation;
	uint8_t flags;
};

#define HANDOVER_BYTES 13u
#define HANDOVER_MESSAGE_MAX (BATCH_MAX * HANDOVER_BYTES)

/* Writes count <= BATCH_MAX entries; returns the message's length. */
size_t handover_encode(uint8_t bytes[HANDOVER_MESSAGE_MAX],
    const struct handover entries[], size_t count);

/*
 * Reads a message of 1 to BATCH_MAX entries; returns how many, or -1 if it
 * is of any other length or carries an unknown flag.
 */
int handover_decode(
    struct handover entries[BATCH_MAX], const uint8_t *bytes, size_t length);

/* VERDICT, parser to parent: one entry for each of the HANDOVER, in order. */
enum outcome {
	OUTCOME_MORE = 1, /* undecided; length: the bytes seen so far */
	OUTCOME_NAME, /* a name of the table: index; length: of the line */
	OUTCOME_HELP, /* length: of the line */
	OUTCOME_UNKNOWN, /* a line, but no such name; claimed: the name */
	OUTCOME_MALFORMED, /* not a line */
	OUTCOME_CLOSED, /* closed without a byte, or the socket is in error */
};

#define VERDICT_NO_NAME UINT32_MAX
#define VERDICT_CLAIMED_BYTES 128u

/* As it came off the wire: integers yet, checked by core/verdict. */
struct verdict {
	uint32_t slot;
	uint64_t generation;
	uint8_t outcome; /* enum outcome, as claimed */
	uint32_t name; /* index in the names table, or VERDICT_NO_NAME */
	uint16_t length;
	uint8_t claimed[VERDICT_CLAIMED_BYTES]; /* a length byte, the name */
};

#define VERDICT_BYTES (19u + VERDICT_CLAIMED_BYTES)
#define VERDICT_MESSAGE_MAX (BATCH_MAX * VERDICT_BYTES)
/* A parser's first message: one byte, once its room is closed behind it. */
#define VERDICT_GREETING_BYTES 1u

/* Writes count <= BATCH_MAX entries; returns the message's length. */
size_t verdict_encode(uint8_t bytes[VERDICT_MESSAGE_MAX],
    const struct verdict entries[], size_t count);

/*
 * Reads one entry at bytes[0..VERDICT_BYTES). Any bytes give some entry: it
 * is core/verdict that judges it.
 */
void verdict_decode(struct verdict *entry, const uint8_t *bytes);

/*
 * LAUNCH, parent to launcher: SCM_RIGHTS socket, status pipe[, stderr]
 * [, cgroup].
 */
#define LAUNCH_STDERR 0x01u /* the service's stderr is there */
#define LAUNCH_CGROUP 0x02u /* and the session's cgroup */
#define LAUNCH_BORN 0x04u /* in which it can be made */
#define LAUNCH_FLAGS (LAUNCH_STDERR | LAUNCH_CGROUP | LAUNCH_BORN)

struct launch {
	uint64_t session;
	uint32_t service; /* index in the image */
	uint8_t flags;
	struct addr peer;
	struct addr local;
};

#define LAUNCH_ADDR_BYTES 23u
#define LAUNCH_BYTES (13u + 2u * LAUNCH_ADDR_BYTES)
#define LAUNCH_FDS_MAX 4u

void launch_encode(uint8_t bytes[LAUNCH_BYTES], const struct launch *launch);

/* False if the length, a flag or an address family is not a launch's. */
bool launch_decode(struct launch *launch, const uint8_t *bytes, size_t length);

/* LAUNCHED, launched child to parent: who it is, by SCM_CREDENTIALS. */
#define LAUNCHED_BYTES 8u

void launched_encode(uint8_t bytes[LAUNCHED_BYTES], uint64_t session);
bool launched_decode(uint64_t *session, const uint8_t *bytes, size_t length);

#endif
