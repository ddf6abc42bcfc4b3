#ifndef PARENT_PROGRAMS_H
#define PARENT_PROGRAMS_H

/*
 * The parser and the launcher are opened once, at start, so that a package
 * upgrade cannot mix versions: beside tcpmuxd's own executable, else in
 * libexec. `own` is a path that the policy gives instead; or "". Each returns a
 * descriptor the caller owns, or -1 after logging.
 */
int programs_open_parser(const char *own);
int programs_open_launcher(void);

#endif
