#!/bin/sh
# core/ is pure: what libcore.a needs from outside is this list and no more.
set -u

allowed='
__assert_fail		assert: our own bugs end us
__stack_chk_fail	-fstack-protector
memchr memcmp memcpy memmove memset strchr strlen strnlen	bytes only
__memcpy_chk __memmove_chk __memset_chk				-D_FORTIFY_SOURCE
inet_ntop inet_pton	text and bytes of addresses
crypto_shorthash	libsodium: a keyed hash, no state
'
library=$BUILD/libcore.a
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
nm --defined-only "$library" | awk 'NF == 3 { print $3 }' |
    sort -u >"$work/own"
nm -u "$library" | awk '$1 == "U" { print $2 }' | sort -u >"$work/needed"
echo "$allowed" | cut -f 1 | tr ' ' '\n' | sort -u >"$work/allowed"
[ -s "$work/own" ] || exit 1

sort -u "$work/own" "$work/allowed" | comm -13 - "$work/needed" >"$work/bad"
sed 's/^/core is not pure: it needs /' "$work/bad"
# What can be written to is state; .data.rel.ro is constant once loaded.
objdump -t "$library" | awk '/ O / && $0 ~ / (\.(data|bss|tdata|tbss)|\*COM\*)	/ {
	print "core has a variable: " $NF
}' >"$work/state"
cat "$work/state"
[ ! -s "$work/bad" ] && [ ! -s "$work/state" ]
