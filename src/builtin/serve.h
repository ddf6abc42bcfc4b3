#ifndef BUILTIN_SERVE_H
#define BUILTIN_SERVE_H

#include <stdbool.h>

#include "core/builtin.h"

/*
 * Serves the client until it leaves or has got all there is. True, unless
 * there is no connection: who leaves, in whatever way, is no failure.
 */
bool serve(enum builtin builtin);

#endif
