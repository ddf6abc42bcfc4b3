#ifndef LAUNCHER_PROGRAM_H
#define LAUNCHER_PROGRAM_H

#include "launcher/child.h"

#define PROGRAM_PATH_BYTES 512u /* of a path in PT_INTERP: none is as long */
/* `#!` that names a `#!`: the kernel follows as many. */
#define PROGRAM_SCRIPTS_MAX 5

enum program_kind {
	PROGRAM_UNREADABLE, /* to the caller: it may be executable */
	PROGRAM_ALONE, /* needs no other file to be executed */
	PROGRAM_LOADED, /* by the loader that its PT_INTERP names */
	PROGRAM_SCRIPT, /* of the interpreter that its `#!` names */
};

/* How open(2) opens a file to be looked at: never waiting for it. */
#define PROGRAM_OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

/*
 * What kind of program a regular file is, and what execve would open next;
 * reads a bounded number of its bytes. fd is what opening it returned: if it
 * is -1, errno still says why; else it is closed. Async-signal-safe. 0, or -1
 * with errno: ENOEXEC if it is no program.
 */
int
program_look(int fd, enum program_kind *kind, char next[PROGRAM_PATH_BYTES]);

#endif
