#!/bin/sh
# The manual pages as mandoc wants them.
set -u
set -- man/*.[158]
mandoc -Tlint -W warning "$@"
