#!/bin/sh
# A second compiler's warnings; gcc's are errors of every build. CPPFLAGS and
# WARN are those of the Makefile; an offset into a string is no mistake here.
set -u

flags="-std=c11 -fsyntax-only -Wunreachable-code"
eval "set -- $CPPFLAGS"
# shellcheck disable=SC2086 # words on purpose
find src -name '*.c' -print0 |
    xargs -0 -n 16 -P "$(nproc)" clang $flags $WARN -Wno-string-plus-int \
	"$@" || exit 1
# shellcheck disable=SC2086
find tests fuzz -name '*.c' -print0 2>/dev/null |
    xargs -0 -r -n 16 -P "$(nproc)" clang $flags $WARN -Wno-string-plus-int \
	-Wno-missing-prototypes "$@"
