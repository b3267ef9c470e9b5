#!/bin/sh
# licenses.sh LIBRARY...: print licenses_text as C: our licence, and the notices
# of the libraries, each the folder of a built one.
set -eu
cd "$(dirname "$0")/.."

text() {
	echo "garner"
	echo
	cat LICENSE
	for lib in "$@"; do
		package=$(sed -n 's/^package := //p' "tools/deps/${lib##*/}.mk")
		echo
		echo "----"
		awk -v p="$package" '$1 == p { print $1, $2; exit }' tools/deps/sources.lock
		echo
		cat "$lib/NOTICE"
	done
}

echo "/* Made by tools/licenses.sh. */"
echo
echo "extern const char licenses_text[];"
echo "const char licenses_text[] ="
# A ? is written as \? because two of them may begin a trigraph.
text "$@" | sed 's/[\\"?]/\\&/g; s/.*/    "&\\n"/; $s/$/;/'
