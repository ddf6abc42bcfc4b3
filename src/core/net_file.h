#ifndef CORE_NET_FILE_H
#define CORE_NET_FILE_H

#include <stdint.h>

#include "core/addr.h"
#include "core/policy.h"

/*
 * The file of a `net NAME file PATH`: a prefix or address a line. Blank lines
 * mean nothing; a comment begins with `#` or `;`, at the start of a line or
 * behind a blank, and may hold any bytes; lines may end with CR LF. So the
 * usual published lists can be used as they are.
 */
struct net_file_reader {
	/* The zone is empty for most; it is of the text. */
	void (*prefix)(void *context, const struct prefix *prefix,
	    struct text zone, struct place place);
	/* Of each line that is none; the message is printable ASCII. */
	void (*problem)(void *context, struct place place, const char *message);
	void *context;
};

/* Tells the reader of every line of the text; `file` is put in the places. */
void net_file_read(
    struct text text, uint32_t file, const struct net_file_reader *reader);

#endif
