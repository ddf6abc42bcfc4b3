#!/bin/sh
# Scripts by shellcheck: whatever has a shell in its first line.
set -u
find . -name build -prune -o -name .git -prune -o -type f -print |
    while read -r file; do
	head -n 1 "$file" | grep -aqE '^#!.*/(env )?(ba|da)?sh( |$)' &&
	    printf '%s\n' "$file"
    done | xargs -r shellcheck
