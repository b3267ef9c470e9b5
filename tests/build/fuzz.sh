#!/bin/sh
# Each fuzzer builds and survives FUZZ_RUNS inputs (a minute's worth at most) from
# a fixed seed, so that two runs of one tree agree, beginning with those in
# tests/fuzz/NAME/. A crash leaves its input in build/check/.
set -u
cd "$(dirname "$0")/../.." || exit 1
make fuzz || echo "not ok fuzzers: do not build"
mkdir -p build/check
for file in tests/fuzz/*.c; do
	[ -f "$file" ] || { echo "skip fuzzers: there are none"; break; }
	name=$(basename "$file" .c)
	[ -x "build/fuzz/$name" ] || { echo "not ok fuzz $name: no program"; continue; }
	corpus=$(mktemp -d)
	[ ! -d "tests/fuzz/$name" ] || cp -R "tests/fuzz/$name/." "$corpus"
	if "build/fuzz/$name" -seed=1 -runs="${FUZZ_RUNS:-30000}" \
	    -max_total_time=60 -timeout=10 -rss_limit_mb=1024 -verbosity=0 \
	    -artifact_prefix="build/check/$name-" "$corpus"; then
		echo "ok fuzz $name"
	else
		echo "not ok fuzz $name: $(ls build/check/"$name"-* 2>/dev/null | tail -n 1)"
	fi
	rm -rf "$corpus"
done
