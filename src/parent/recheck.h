#ifndef PARENT_RECHECK_H
#define PARENT_RECHECK_H

#include "core/access.h"
#include "core/message.h"
#include "core/verdict.h"

struct parent;
struct session;
struct worker;

/*
 * Decides a connection again, for itself, after the worker said what its line
 * is. The answer has passed core/verdict; asked is the handover it answers.
 * For a name or HELP the line is compared with the parent's own policy, byte
 * by byte, before anything else is believed, and exactly that line is taken
 * out of the stream. Returns VIOLATION_NONE, or what the parser did: then
 * nothing was done with the connection.
 */
enum violation recheck_answer(struct parent *parent, struct worker *worker,
    const struct handover *asked, const struct verdict *answer);

/* Who it is, as core/access asks: its peer and listener, and this minute. */
struct asker
recheck_asker(const struct parent *parent, const struct session *session);

/* The next peek at the connection begins at its first byte again. */
void recheck_rewind(const struct parent *parent, const struct session *session);

/* A connection that waited for more bytes has some, or its end. */
void recheck_wake(struct parent *parent, uint32_t slot, uint32_t events);

#endif
