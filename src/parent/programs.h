#ifndef PARENT_PROGRAMS_H
#define PARENT_PROGRAMS_H

struct parent;

/*
 * The parser and the launcher are opened once, at start, so that a package
 * upgrade cannot mix versions: beside tcpmuxd's own executable, else in
 * libexec. Each returns a descriptor the caller owns, or -1 after logging.
 */
int programs_open_parser(struct parent *parent);
int programs_open_launcher(void);

#endif
