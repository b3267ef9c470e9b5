#!/bin/sh
# Every board's defconfig takes effect, line by line, and one that does not is
# refused. (In a copy: the tree stays as it is.)
set -u
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cp -R Makefile Kconfig boards "$tmp"
mkdir -p "$tmp/tools/deps"
cp tools/deps/toolchain.mk "$tmp/tools/deps"
for f in src/*/Kconfig src/*/Makefile; do
	mkdir -p "$tmp/${f%/*}"
	cp "$f" "$tmp/$f"
done
cd "$tmp" || exit 1

for board in boards/*/defconfig; do
	board=$(basename "$(dirname "$board")")
	if why=$(make -s BOARD="$board" VARIANT=musl config 2>&1); then
		echo "ok defconfig of $board"
	else
		echo "not ok defconfig of $board: $why"
	fi
done

refused() { # LINE WHAT
	cp boards/tiny/defconfig kept
	echo "$1" >>boards/tiny/defconfig
	if make -s BOARD=tiny VARIANT=musl config >out 2>&1; then
		echo "not ok $2 in a defconfig: was dropped silently"
	elif grep -Fqx "$1" out; then
		echo "ok $2 in a defconfig is refused by name"
	else
		echo "not ok $2 in a defconfig: the line is not shown"
	fi
	cp kept boards/tiny/defconfig
}
refused 'CONFIG_NO_SUCH_THING=y' 'an unknown symbol'
refused 'CONFIG_PACK_MIB=100000' 'a number out of range'
refused 'CONFIG_STORE_LOCAL=m' 'a value that is none'

# What the C side is told of an option that is off.
echo '# CONFIG_ACCEL is not set' >>boards/tiny/defconfig
make -s BOARD=tiny VARIANT=musl config >/dev/null
printf '%s\n' '#include "base/enabled.h"' \
    '_Static_assert(IS_ENABLED(CONFIG_STORE_LOCAL) == 1, "on");' \
    '#if IS_ENABLED(CONFIG_ACCEL)' '#error "off"' '#endif' \
    '_Static_assert(IS_ENABLED(CONFIG_ACCEL) == 0, "off");' >t.c
if gcc -std=c11 -Wall -Wundef -Werror -I"$OLDPWD/src" -include build/tiny/autoconf.h \
    -fsyntax-only t.c; then
	echo "ok IS_ENABLED"
else
	echo "not ok IS_ENABLED: see the log"
fi
