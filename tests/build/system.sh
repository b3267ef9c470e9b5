#!/bin/sh
# What packages build: with the toolchain and the libraries of the machine.
set -u
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
if make DEPS=system install DESTDIR="$tmp" PREFIX=/usr; then
	echo "ok builds with the libraries of the machine"
else
	echo "not ok builds with the libraries of the machine: see the log"
	exit
fi
if "$tmp/usr/bin/garner" selftest >"$tmp/log"; then
	echo "ok runs with the libraries of the machine"
else
	echo "not ok runs with the libraries of the machine: $(tail -n 1 "$tmp/log")"
fi
