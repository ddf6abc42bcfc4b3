#ifndef PARSER_CONFINE_H
#define PARSER_CONFINE_H

#include "core/step.h"
#include "parser/serve.h"
#include "sys/identity.h"
#include "sys/room.h"

/* A parser, from the arguments it was started with to what it serves. */
struct parser {
	enum room_kind kind;
	struct identity identity; /* uid and gid: as it shall be */
	struct serve serve; /* filled by parser_confine */
};

/*
 * Takes every step of the room of this kind, in order: maps the names, goes
 * where nothing is, becomes nobody, asks the kernel whether all of that is
 * so, closes every descriptor but the channel and ROOM_STATUS_FD, and loads
 * the filter of parser/allowed. Returns STEP_NONE, or the step that failed,
 * with errno; then the room is half built and the process must end.
 */
enum step parser_confine(struct parser *parser);

#endif
