#!/bin/sh
# The manual pages as mandoc wants them, but for what manuals this machine has.
set -u
set -- man/*.[158]
found=$(mandoc -Tlint -W style "$@" 2>&1 |
	grep -v -e 'referenced manual not found' -e 'outdated mandoc.db')
[ -z "$found" ] || {
	echo "$found"
	exit 1
}
