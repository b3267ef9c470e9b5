#!/bin/sh
# Every header compiles alone, and twice.
set -u
cd "$(dirname "$0")/../.." || exit 1
make -s VARIANT=dev config || { echo "not ok headers: no configuration"; exit; }
dev=$(make -s VARIANT=dev where)
deps=$(for lib in "$dev"/deps/*/; do printf ' -isystem %sinclude' "$lib"; done)

for header in $(find src -name '*.h' | sort); do
	name=${header#src/}
	# shellcheck disable=SC2086 # a list of flags
	if why=$(printf '#include "%s"\n#include "%s"\n' "$name" "$name" |
	    gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wundef -Werror \
	    -Isrc $deps -include "$dev/autoconf.h" \
	    -fsyntax-only -x c - 2>&1); then
		echo "ok $name"
	else
		echo "not ok $name: $(echo "$why" | grep -m1 error)"
	fi
done
