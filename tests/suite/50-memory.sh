#!/bin/bash
# Memory does not follow the data: ten times the files, or the bytes, or the names
# in one folder cost as much as a tenth of it, up to what buffers that fill up
# later cost. And what need not be read is not read. Needs 2.5 GB in $TMPDIR for a
# minute.
. "$(dirname "$0")/../lib.sh"
tool mktree treecmp

traced=(env "ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0" strace)
MOST=16384	# KiB that any command may have at its peak
MORE=2048	# KiB that ten times the data may cost

# peak WORD COMMAND...: run it; its peak is noted under that word, if there was no
# higher one. seconds: of the processors, that it took.
peak() {
	local word=$1
	shift
	run 0 /usr/bin/time -q -f '%M %U %S' -o "$W/cost" "$@"
	cut -d' ' -f1 "$W/cost" >"$W/peak"
	[ -f "$W/peak.$word" ] && [ "$(cat "$W/peak.$word")" -gt "$(cat "$W/peak")" ] ||
	    cp "$W/peak" "$W/peak.$word"
	echo "$(cat "$W/peak") KiB: ${*:2}" | cut -c 1-100
	sanitized || at_most "$(cat "$W/peak")" $MOST "KiB of $word"
}
seconds() { awk '{ printf "%d", $2 + $3 }' "$W/cost"; }

# steady WORD: of "WORD.tenth" and "WORD.whole".
steady() {
	local tenth=$(cat "$W/peak.$1.tenth") whole=$(cat "$W/peak.$1.whole")
	figures="${figures-}$1 $tenth $whole, "
	sanitized || at_most $((whole - tenth)) $MORE "KiB more for ten times as much: $1: $tenth, $whole"
}

# What every command needs for a tree; WHICH is "tenth" or "whole".
t_tree() { # WHICH FOLDER
	local which=$1 s=$2
	use "$W/r.$which"
	run 0 "$GARNER" init $quick
	peak "backup.$which" "$GARNER" backup -q "$s"
	peak "unchanged.$which" "$GARNER" backup -q "$s"
	peak "force.$which" "$GARNER" backup -q --force "$s"
	peak "check.$which" "$GARNER" check -q --read-data
	peak "restore.$which" "$GARNER" restore -q latest --target "$W/o"
	"$tools/treecmp" "$s" "$W/o$s"
	peak "again.$which" "$GARNER" restore -q latest --target "$W/o" --overwrite if-changed
	rm -rf "$W/o"
	peak "ls.$which" "$GARNER" ls latest
	peak "find.$which" "$GARNER" find 'f*7'
	peak "stats.$which" "$GARNER" stats --mode raw-data
	peak "dump.$which" "$GARNER" dump -a tar latest /
	rm -f "$out"
	peak "diff.$which" "$GARNER" diff "$("$GARNER" snapshots --json --no-lock | jq -r '.[0].id')" latest
	rm -rf "$W/r.$which"
}
commands='backup unchanged force check restore again ls find stats dump diff'

# compare WHAT: the figures are printed at the end.
compare() {
	local c
	for c in $commands; do
		steady $c
	done
	echo "    $1, KiB at a tenth and at the whole: ${figures%, }" >>"$T/log/figures"
}

t_files() {
	"$tools/mktree" "$W/tenth" 3000 4000
	"$tools/mktree" "$W/whole" 30000 4000
	t_tree tenth "$W/tenth"
	t_tree whole "$W/whole"
	compare 'files'
}

# One folder, with one name in a thousand that has bytes.
names() { # FOLDER COUNT
	mkdir "$1"
	(cd "$1" && seq -f 'a name of some length f%g' 1 "$2" | tr '\n' '\0' | xargs -0 touch -d '2020-01-02 03:04:05')
	local i
	for ((i = 1; i <= $2; i += 1000)); do echo "$i" >"$1/a name of some length f$i"; done
}

t_names() {
	names "$W/tenth" 10000
	names "$W/whole" 100000
	t_tree tenth "$W/tenth"
	t_tree whole "$W/whole"
	compare 'names in a folder'
}

# A path that the kernel takes as one, and a tenth of it.
t_deep() {
	local d i
	d=$(printf 'd/%.0s' $(seq 170))
	mkdir -p "$W/tenth/$d"
	echo x >"$W/tenth/${d}f7"
	d=$(printf "$d%.0s" 1 2 3 4 5 6 7 8 9 10)
	mkdir -p "$W/whole/$d"
	echo x >"$W/whole/${d}f7"
	t_tree tenth "$W/tenth"
	t_tree whole "$W/whole"
	compare 'folders in a path'
}

# The buffers are full at some time of every run, and hold the largest chunks: what
# repeats itself has no place to cut at, and is stored as it is. How full they are
# else is a matter of luck, which the tenth gets more often.
t_bytes() {
	! sanitized || no 'the sanitizers need their own'
	local which size i again=3
	for which in tenth whole; do
		use "$W/r"
		run 0 "$GARNER" init $quick
		size=1000000000
		[ $which = whole ] || size=100000000
		"$tools/mktree" -f "$W/file" $((size - 60000000))
		{ yes 'a line of forty-seven bytes, the last of them nl' || :; } | head -c 60000000 >"$W/repeats"
		for ((i = 0; i < again; i++)); do
			rm -rf "$W/r"/snapshots/* "$W/r"/index/* "$W/r"/data/??/*
			g 0 backup -q --compression off "$W/repeats"
			peak backup.$which "$GARNER" backup -q "$W/repeats" "$W/file"
			peak unchanged.$which "$GARNER" backup -q "$W/repeats" "$W/file"
			peak force.$which "$GARNER" backup -q --force "$W/repeats" "$W/file"
		done
		rm "$W/file" "$W/repeats"
		for ((i = 0; i < again; i++)); do
			peak restore.$which "$GARNER" restore -q latest --target "$W/o" --verify
			rm -rf "$W/o"
			peak check.$which "$GARNER" check -q --read-data
		done
		rm -rf "$W/r"
		again=1
	done
	commands='backup unchanged force restore check'
	compare 'bytes'
}

# Nothing in it is opened but folders, and what they say is enough.
t_unread() {
	can_trace
	local n
	init "$W/r"
	"$tools/mktree" "$W/s" 2000 2000
	g 0 backup -q "$W/s"
	run 0 "${traced[@]}" -f -o "$W/trace" -e trace=open,openat,openat2 "$GARNER" backup -q "$W/s"
	grep -q '"e19"' "$W/trace" || fail 'its folders are not read'
	n=$(grep -cE '"f[0-9]+"' "$W/trace" || :)
	same "$n" 0 'regular files that were opened'
	# One that changed, and that alone.
	echo more >>"$W/s/d0/e7/f777"
	run 0 "${traced[@]}" -f -o "$W/trace" -e trace=open,openat,openat2 "$GARNER" backup -q "$W/s"
	same "$(grep -cE '"f[0-9]+"' "$W/trace")" 1 'regular files that were opened'
	grep -q '"f777"' "$W/trace"
}

# A terabyte of nothing: seconds, some KiB read, and nothing but holes restored.
t_sparse() {
	local n few=5
	! sanitized || few=60
	truncate -s 1T "$W/file" 2>/dev/null || no 'no file can be as large here'
	echo begin | dd of="$W/file" conv=notrunc status=none
	echo middle | dd of="$W/file" conv=notrunc bs=1M seek=500000 status=none
	at_most "$(du -k "$W/file" | cut -f 1)" 1000 'KiB of the file'
	init "$W/r"
	peak sparse "$GARNER" backup -q "$W/file"
	at_most "$(seconds)" $few 'seconds of a backup'
	at_most "$(du -sk "$W/r" | cut -f 1)" 20000 'KiB of the repository'
	peak sparse2 "$GARNER" backup -q "$W/file"
	at_most "$(seconds)" $few 'seconds of the next one'
	peak sparse3 "$GARNER" restore -q latest --target "$W/o"
	at_most "$(seconds)" $few 'seconds of a restore'
	same "$(stat -c %s "$W/o$W/file")" 1099511627776
	at_most "$(du -k "$W/o$W/file" | cut -f 1)" 3000 'KiB of what is restored'
	same "$(dd if="$W/o$W/file" bs=1M skip=500000 count=1 status=none | tr -d '\0')" middle
	peak sparse4 "$GARNER" check -q --read-data
	at_most "$(seconds)" $few 'seconds of a check'
	if (can_trace) 9>/dev/null; then
		truncate -s 10G "$W/file"	# tracing looks at every call
		run 0 "${traced[@]}" -f -o "$W/trace" -P "$W/file" -e trace=pread64,read \
		    "$GARNER" backup -q --force "$W/file"
		n=$(grep -c 'read' "$W/trace")
		at_most "$n" 30 'pieces that are read of it'
	fi
	echo "    a terabyte of holes, KiB: backup $(cat "$W/peak.sparse"), restore $(cat "$W/peak.sparse3")" >>"$T/log/figures"
}

also '1 GB and 100 MB: memory is the same' t_bytes
also '30,000 files and 3,000: memory is the same' t_files
also 'a folder of 100,000 entries and of 10,000: memory is the same' t_names
also 'a path of 1,700 folders and of 170: memory is the same' t_deep
also 'an unchanged tree: no file is opened' t_unread
also 'a terabyte of holes: seconds' t_sparse
wait_also
[ ! -f "$T/log/figures" ] || cat "$T/log/figures"
