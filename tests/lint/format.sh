#!/bin/sh
# .clang-format decides how C looks; the difference is shown.
set -u
status=0
for file in $(find src tests fuzz -name '*.[ch]' 2>/dev/null | sort); do
	clang-format "$file" | diff -u --label "$file" --label "$file, formatted" \
	    "$file" - || status=1
done
exit $status
