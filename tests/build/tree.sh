#!/bin/sh
# What the tree may hold: nobody's machine, nobody else's source, and no file
# that the build does not know.
set -u
cd "$(dirname "$0")/../.." || exit 1

# All files that git has or would take; in an unpacked archive, all.
files() {
	git ls-files -co --exclude-standard -- "$@" 2>/dev/null |
	    while read -r file; do [ ! -f "$file" ] || echo "$file"; done | sort -u
}
[ -n "$(files)" ] || files() {
	find "${@:-.}" -path ./build -prune -o -type f -print | sed 's,^\./,,' | sort
}

bad=0
wrong() {
	echo "not ok $1: $2"
	bad=$((bad + 1))
}
verdict() { # NAME: ok unless something was wrong since the last one
	[ "$bad" != 0 ] || echo "ok $1"
	bad=0
}

# The patterns are written so that they do not find themselves.
for file in $(files | grep -v '^tests/vectors/'); do
	hit=$(grep -InE -m1 '/(home|Users)[/][a-z]+/|/(root|work)[/][.a-z]' "$file") &&
		wrong "$file" "a path of somebody's machine, $hit"
	hit=$(grep -InE -m1 '(deb|security|archive|ftp)[.](debian|ubuntu)[.]|[.]pkg[.]dev|registry[.]npmjs' "$file") &&
		wrong "$file" "the name of a package server, $hit"
done
verdict "no machine's paths or servers"

# Theirs is fetched, pinned, by tools/deps; the tree has only what we wrote.
for file in $(files | grep -E '[.]([chSs]|cc|cpp|py|sh|patch)$'); do
	case $file in
	tools/deps/patches/*) continue ;;
	esac
	hit=$(grep -IinE -m1 'copyright (\(c\)|[0-9]{4})|SPDX-License' "$file" | grep -v 'garner authors') &&
		wrong "$file" "somebody else's, by its words $hit"
done
for package in $(sed '/^#/d; s/ .*//' tools/deps/sources.lock | sort -u); do
	hit=$(files | grep -m1 "/$package/.*[.][chSs]\$" | grep -v '^tools/deps/patches/\|^src/\|^tests/') &&
		wrong "$hit" "source of $package"
done
verdict "no third-party source"

# A header that its own file includes first stands on its own feet.
for file in $(files src | grep '[.]c$'); do
	own=${file%.c}.h
	[ -f "$own" ] || continue
	first=$(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*//p' "$file" | sed 1q)
	[ "$first" = "\"${own#src/}\"" ] ||
		wrong "$file" "includes $first before its own header"
done
verdict "own headers come first"

# A file that is on no list is compiled by nobody.
for file in $(files src | grep '^src/.*/.*[.]c$'); do
	name=$(basename "$file" .c)
	sed '/^#/d; /^lib-/d; /^cflags-/d' "$(dirname "$file")/Makefile" |
	    grep -qw "${name#cmd_}" ||
		wrong "$file" "is on no list of $(dirname "$file")/Makefile"
done
for file in $(files src tools tests | grep '[.]c$\|[.]h$'); do
	hit=$(awk '{ gsub(/\t/, "        ") } length > 90 { print FNR; exit }' "$file")
	[ -z "$hit" ] || wrong "$file" "line $hit is wider than 90 columns"
done
verdict "every file is on a list, no line is wide"

for file in $(files .ci tools tests); do
	[ "$(head -c 2 "$file" | tr -d '\0')" = '#!' ] || continue
	[ -x "$file" ] || wrong "$file" "is a script that cannot be run"
done
verdict "scripts can be run"
