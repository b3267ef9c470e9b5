#!/bin/sh
# The same tree gives the same bytes, wherever it lies and whoever asks; and what
# is built again is what changed.
set -u
cd "$(dirname "$0")/../.." || exit 1
here=$PWD
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

mkdir "$tmp/elsewhere"
cp -R Makefile Kconfig LICENSE boards src tools "$tmp/elsewhere"
unset CI # it makes warnings errors, which is another command line
make || exit 1
cd "$tmp/elsewhere" || exit 1
env LC_ALL=C TZ=Asia/Kathmandu make || exit 1

board=$(basename "$(dirname build/*/garner.debug)")
mine=$(sha256sum <"$here/build/$board/garner")
theirs=$(sha256sum <"build/$board/garner")
if [ "$mine" = "$theirs" ]; then
	echo "ok two folders, the same bytes ($mine)"
else
	echo "not ok two folders, the same bytes: they differ"
fi
if strings -a "build/$board/garner" | grep -F -e "$tmp" -e "$here" -e "${HOME:-/nobody}/"; then
	echo "not ok no path of the machine in the binary: see the log"
else
	echo "ok no path of the machine in the binary"
fi

again=$(make 2>&1)
if [ -z "$again" ]; then
	echo "ok nothing changed, nothing is done"
else
	echo "not ok nothing changed, nothing is done: $again" | tr '\n' ' '
	echo
fi
sed -i 's/^\(CONFIG_SPILL_KIB\)=.*/\1=64/' "build/$board/.config"
make >log 2>&1
if grep '^cc  .*spill' log && grep 'SPILL_KIB 64' "build/$board/autoconf.h"; then
	echo "ok an option that changes is compiled in"
else
	echo "not ok an option that changes is compiled in: it is not"
fi
rm "build/$board/.config"
make >/dev/null
if [ "$mine" = "$(sha256sum <"build/$board/garner")" ]; then
	echo "ok back to the defconfig, back to the same bytes"
else
	echo "not ok back to the defconfig, back to the same bytes: they differ"
fi
