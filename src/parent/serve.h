#ifndef PARENT_SERVE_H
#define PARENT_SERVE_H

struct parent;

/*
 * Serves until told to end. Returns 0, or -1 if tcpmuxd cannot go on: why is
 * in the log. All rooms are prepared; the parser's workers and the launchers
 * are started here, and nobody is listened to before they are ready.
 */
int serve(struct parent *parent);

#endif
