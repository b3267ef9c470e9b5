#!/bin/sh
# The boards of CI are built, and each binary tries itself (garner selftest), the
# foreign ones in an emulator. All of them: make boards.
set -u
cd "$(dirname "$0")/../.." || exit 1
mkdir -p build/check
for board in ${BOARDS:-x86_64 aarch64 armv7 tiny}; do
	log=build/check/board-$board.log
	make boards BOARDS="$board" >"$log" 2>&1
	code=$?
	sed 's/^/    /' "$log" # its lines are not ours
	if [ $code = 0 ]; then
		echo "ok board $board, $(wc -c <"build/$board/garner") bytes"
	else
		echo "not ok board $board: does not build or its selftest fails"
		continue
	fi
	# No interpreter, no stack that can be executed.
	if readelf -lW "build/$board/garner" | grep 'INTERP\|GNU_STACK.*E'; then
		echo "not ok board $board is static: see the log"
	else
		echo "ok board $board is static"
	fi
done
