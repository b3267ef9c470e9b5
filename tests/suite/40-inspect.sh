#!/bin/bash
# What looks into a repository: stats, find, diff and dump. restic is asked the
# same of the same repositories, made by either of the two, and must say the same.
. "$(dirname "$0")/../lib.sh"
tool mktree hostile treecmp

# Made once: two snapshots by garner, and two of the same by restic.
mkdir -p "$T/fixed"
src=$T/fixed/src
"$tools/hostile" "$src" plain 200 >/dev/null || { not_ok hostile 'no tree'; exit 1; }
rm -rf "$src/holes"
mkdir -p "$src/docs/old" "$src/gone/below"
echo one >"$src/docs/one.txt"
echo one >"$src/docs/the same"
echo two >"$src/docs/Two.TXT"
echo old >"$src/docs/old/three.txt"
echo gone >"$src/gone/below/file"
echo changes >"$src/changes"
echo becomes >"$src/becomes a link"
echo only >"$src/only mode"
"$tools/mktree" -f "$src/large" 9000000
truncate -s 3000000 "$src/sparse"
touch -d '2001-02-03 04:05:06.789' "$src/docs/one.txt"

need_new_restic
restic=$restic_new
at() { (cd "$src" && "$@"); }
both_back_up() { # OPTION...
	at "$GARNER" -r "$T/fixed/garner" backup -q "$@" . || return 1
	[ -z "$restic" ] || at "$restic" --no-cache -r "$T/fixed/restic" backup -q "$@" .
}
(
	init "$T/fixed/garner"
	init "$T/fixed/restic"	# whose keys would open slowly
	both_back_up --host alpha --tag one || exit 1
	cp -a "$src" "$T/fixed/first"
	echo changed >>"$src/changes"
	rm -r "$src/gone" "$src/becomes a link"
	ln -s changes "$src/becomes a link"
	chmod 640 "$src/only mode"
	mkdir -p "$src/new/below"
	echo new >"$src/new/below/file"
	mkfifo "$src/new/fifo"
	printf x | dd of="$src/large" bs=1 seek=5000000 conv=notrunc status=none
	both_back_up --host beta --tag two
) >"$T/log/fixture" 2>&1 || { not_ok backup "$(head -n 1 "$T/log/fixture")"; exit 1; }
repos="garner${restic:+ restic}"
use "$T/fixed/garner"

# nth N: the id of the Nth snapshot of the repository in use.
nth() { "$GARNER" snapshots --json --no-lock | jq -r "sort_by(.time)[$1 - 1].id"; }

# agree ARG...: the same words make both say the same.
agree() {
	[ -n "$restic" ] || no 'no newer restic to be had'
	local code=0
	"$restic" --no-cache --no-lock "$@" >"$W/theirs" 2>/dev/null || code=$?
	g "$code" --no-lock "$@"
	sed -i '/^scanning\.\.\.$/d; /^\[[0-9:]*\]/d' "$W/theirs" "$out"
	diff -u "$W/theirs" "$out" || fail "they say something else: $*"
}
each_repo() { # COMMAND...
	local repo
	for repo in $repos; do
		use "$T/fixed/$repo"
		"$@"
	done
}

# ---- stats ----------------------------------------------------------------
stats_agree() {
	local mode
	for mode in restore-size files-by-contents blobs-per-file raw-data; do
		agree stats --mode $mode
		agree stats --json --mode $mode
		agree stats --json --mode $mode latest
		agree stats --json --mode $mode --host alpha
		agree stats --json --mode $mode --tag two,nosuch
		agree stats --mode $mode "$(nth 1 | cut -c 1-8)" "$(nth 1)" "$(nth 2)"
	done
	agree stats -q
}
t_stats() { each_repo stats_agree; }

t_stats_codes() {
	g 2 stats --mode nonsense
	says "$err" raw-data
	g 1 stats --json nosuch
	jq_is "$out" '.snapshots_count == 0 and .total_size == 0'
	jq_is "$err" '.message_type == "error"'
	g 1 stats nosuch latest
	says "$out" 'Snapshots processed:  1'
	g 0 stats --json latest
	jq_is "$out" '.snapshots_count == 1'
}

# Version 1 has no compression to speak of.
t_stats_v1() {
	init "$W/r" --repository-version 1
	g 0 backup -q "$src/docs"
	agree stats --mode raw-data
	agree stats --mode raw-data --json
	g 0 stats --mode raw-data --json
	jq_is "$out" 'has("compression_ratio") | not'
}

# ---- find -----------------------------------------------------------------
names_agree() {
	local p
	for p in '*.txt' docs '/docs/*' '/d*/**/three.txt' 'docs/**/t*' '' nosuch 'l*e'; do
		agree find --json "$p"
		agree find --json -i -R "$p"
	done
	agree find '*.txt'
	agree find -q '*.txt'
	agree find -l 'docs'
	agree find -l --human-readable large 'becomes*'
	agree find -i '*.TXT'
	agree find -l /specials
	agree find --json '*'
	agree find --json names modes attrs times links specials
	agree find '*.txt' changes -R
	agree find --tag one changes
	agree find --json --host beta --path "$src" changes
	agree find -s latest -s "$(nth 1)" changes
	agree find '!changes'
	agree find nosuch
}
t_find() { each_repo names_agree; }

t_find_times() {
	local t
	for t in 2001-02-03 '2001-02-03 04:05' '2001-02-03 04:05:06' '2001-02-03 04:05:07' \
	    03.02.2001 '03.02.2001 5:00' '2001-02-03 06:05:06 +0200' '2001-02-03 04:05:06 UTC' \
	    'Sat Feb 3 04:05:07 +0000 UTC 2001' '2001-02-03 04:05:06.789' '2001-02-03 04:05:06.79'; do
		agree find --json -O "$t" one.txt
		agree find --json -N "$t" one.txt
	done
	TZ=America/New_York agree find --json -N '2001-02-02 23:05:07' one.txt
	TZ=America/New_York agree find -l -O '2001-02-02 23:05:07' one.txt
	agree find -O 2001-01-01 -N 2002-01-01 one.txt
	for t in x 2001 2001-02-30 2001-13-01 '2001-02-03 24:00' '2001-02-03 04:05:06 EST' \
	    '2001-02-03 04:05:06 +02' '03.02.01' ''; do
		g 2 find -O "$t" x
	done
	g 2 find -O 2002-01-01 -N 2001-01-01 x
}

ids_agree() {
	local tree data pack
	"$restic" --no-cache --no-lock list blobs >"$W/blobs"
	for tree in $(awk '/^tree/ { print $2 }' "$W/blobs" | head -n 8); do
		agree find --json --tree "$tree"
		agree find --tree "$tree" --show-pack-id
		agree find --json --tree "$(echo "$tree" | cut -c 1-8)"
	done
	for data in $(awk '/^data/ { print $2 }' "$W/blobs" | head -n 20); do
		agree find --json --blob "$data"
		agree find --json --blob "$(echo "$data" | cut -c 1-8)" --show-pack-id
	done
	agree find --json --blob $(awk '/^data/ { print $2 }' "$W/blobs")
	for pack in $(ls "$GARNER_REPOSITORY"/data/*); do
		case $pack in */*) continue ;; esac
		agree find --json --pack "$pack"
		agree find --json --pack "$(echo "$pack" | cut -c 1-8)"
		"$restic" --no-cache find -s latest --pack "$pack" --show-pack-id | grep Pack |
		    sort >"$W/theirs"
		"$GARNER" find -s latest --pack "$pack" --show-pack-id | grep Pack | sort >"$W/ours"
		diff "$W/theirs" "$W/ours"
	done
}
t_find_ids() {
	[ -n "$restic" ] || no 'no newer restic to be had'
	each_repo ids_agree
}

t_find_codes() {
	g 2 find
	g 2 find --blob --tree x
	g 2 find '[a-'
	g 2 find --blob xyz
	g 1 find --pack 0123456789abcdef
	says "$err" 0123456789abcdef
	g 1 find -s nosuch -s latest changes
	says "$out" /changes
	g 0 find nosuch --json
	same "$(cat "$out")" '[]'
	# Who has seen enough hears nothing.
	"$GARNER" find '*' 2>"$W/err" | head -n 1 >/dev/null || :
	same "$(cat "$W/err")" ''
}

# A pack that is gone is found by the index.
t_find_lost_pack() {
	local pack
	cp -a "$T/fixed/garner" "$W/r"
	use "$W/r"
	pack=$("$GARNER" find --blob "$(sha256sum <"$src/changes" | cut -c 1-64)" --show-pack-id |
	    sed -n 's/^Object belongs to pack //p')
	[ -n "$pack" ]
	g 0 find --json --pack "$pack"
	cp "$out" "$W/before"
	rm -f "$W/r/data/${pack:0:2}/$pack"
	g 0 find --json --pack "$pack"
	cmp "$out" "$W/before"
}

# ---- diff -----------------------------------------------------------------
diffs_agree() {
	local a b
	a=$(nth 1) b=$(nth 2)
	agree diff "$a" "$b"
	agree diff --metadata "$a" "$b"
	agree diff --json "$a" "$b"
	agree diff --json --metadata "$b" "$a"
	agree diff -q "$a" "$b"
	agree diff "$a" "$a"
	agree diff --json --metadata "$a:docs" "$b:/docs/"
	agree diff --json "$a:docs" "$b"
	agree diff --json "$a" "$b:docs"
	agree diff --json "$a:names" "$b:links"
	agree diff "$a:nosuch" "$b"
	agree diff "$a:changes" "$b"
}
t_diff() { each_repo diffs_agree; }

t_diff_says() {
	g 0 diff "$(nth 1)" latest
	says "$out" 'M    /changes'
	says "$out" 'T    /becomes a link'
	says "$out" '-    /gone/below/file'
	says "$out" '+    /new/below/'
	hushes "$out" 'only mode'
	g 0 diff --metadata "$(nth 1)" latest
	says "$out" 'U    /only mode'
	g 2 diff latest
	g 1 diff latest 0123456789abcdef
	g 1 diff latest latest:nosuch
}

# ---- dump -----------------------------------------------------------------
t_dump_file() {
	local f
	for f in changes large sparse 'docs/Two.TXT' 'becomes a link'; do
		[ -L "$src/$f" ] && continue
		"$GARNER" dump latest "/$f" | cmp - "$src/$f"
	done
	"$GARNER" dump latest:docs one.txt | cmp - "$src/docs/one.txt"
	"$GARNER" dump latest docs/./old//../one.txt | cmp - "$src/docs/one.txt"
	"$GARNER" dump --host alpha latest gone/below/file | cmp - "$T/fixed/first/gone/below/file"
	find "$src/names" -type f -print0 | while IFS= read -r -d '' f; do
		"$GARNER" --no-lock dump latest "${f#"$src"}" | cmp - "$f"
	done
	g 0 dump latest large -t "$W/large"
	cmp "$W/large" "$src/large"
	g 1 dump latest changes --target /dev/full
	g 1 dump latest changes --target "$W/no/such/folder"
}

t_dump_codes() {
	[ -z "$restic" ] || { agree dump latest nosuch; agree dump latest changes/x; }
	g 1 dump latest nosuch
	says "$err" nosuch
	g 1 dump latest changes/x
	says "$err" folder
	g 1 dump latest 'becomes a link'
	says "$err" symlink
	g 1 dump latest:nosuch /
	g 2 dump latest
	g 2 dump -a rar latest /
	command -v script >/dev/null || return 0
	script -qec "'$GARNER' dump latest /" "$W/typescript" >/dev/null && fail 'a tar to a terminal'
	says "$W/typescript" redirect
}

# unpacked_is_source REGEX TREECMP-OPTION... FOLDER: but for REGEX, what that tar
# cannot do, and fifos with two names, which restic's format cannot tell.
unpacked_is_source() {
	local but=$1 to=${*: -1}
	set -- "${@:2:$#-2}"
	"$tools/treecmp" -m 1000 "$@" "$src" "$to" |
	    grep -v "^/specials/fifo\|entries, \|$but" >"$W/cmp" || :
	[ ! -s "$W/cmp" ] || { cat "$W/cmp"; fail "unpacked: $(head -n 1 "$W/cmp")"; }
}
root_only() { is_root || no 'for root, who may unpack all of it'; }

t_tar_gnu() {
	root_only
	mkdir "$W/x"
	"$GARNER" dump latest / >"$W/tar"
	tar -C "$W/x" -xpf "$W/tar" --xattrs --xattrs-include='*' --acls 2>"$W/err"
	! grep -v 'time stamp' "$W/err" || fail "tar says $(grep -v -m1 'time stamp' "$W/err")"
	unpacked_is_source '^$' "$W/x"
	tar -C "$src" --xattrs --acls -df "$W/tar" >"$W/diff" 2>&1 || :
	! grep -v 'time stamp' "$W/diff" || fail "tar -d says $(grep -v -m1 'time stamp' "$W/diff")"
	same "$(tail -c 1024 "$W/tar" | tr -d '\0' | wc -c)" 0
	[ $(($(stat -c %s "$W/tar") % 512)) = 0 ]
}
t_tar_bsd() {
	root_only
	command -v bsdtar >/dev/null || no 'no bsdtar here'
	mkdir "$W/x"
	"$GARNER" dump latest / | bsdtar -C "$W/x" -xpf -
	# It takes a fraction before 1970 for one behind the second.
	unpacked_is_source '^/times/' "$W/x"
}
t_tar_busybox() {
	root_only
	busybox tar --help >/dev/null 2>&1 || no 'no busybox here'
	mkdir "$W/x"
	"$GARNER" dump latest / | (cd "$W/x" && busybox tar -xpf -)
	unpacked_is_source '^/modes/their link: owner' -t -x "$W/x"
}
t_tar_python() {
	"$GARNER" dump latest / >"$W/tar"
	python3 - "$W/tar" "$src" <<-'END'
	import os, sys, tarfile
	n = 0
	for m in tarfile.open(sys.argv[1], errors='surrogateescape'):
	    s = os.lstat(os.path.join(sys.argv[2], m.name))
	    n += 1
	    assert abs(m.mtime - s.st_mtime) < 1e-3, (m.name, m.mtime)
	    assert (m.uid, m.gid) == (s.st_uid, s.st_gid), m.name
	    if m.issym():
	        assert os.readlink(os.path.join(sys.argv[2], m.name)) == m.linkname, m.name
	    elif m.isreg():
	        assert m.size == s.st_size and m.mode == s.st_mode & 0o7777, m.name
	assert n > 300
	END
}

# Its own: restic's archive has the same files, and fewer other things.
t_tar_restic() {
	[ -n "$restic" ] || no 'no newer restic to be had'
	local repo
	for repo in $repos; do
		use "$T/fixed/$repo"
		for what in / docs names new; do
			"$restic" --no-cache dump latest $what | tar -tf - | sort >"$W/theirs"
			"$GARNER" dump latest $what | tar -tf - | sort >"$W/ours"
			[ -s "$W/theirs" ]
			same "$(comm -23 "$W/theirs" "$W/ours")" ''
		done
		"$restic" --no-cache dump latest:docs / | tar -tf - >"$W/theirs"
		"$GARNER" dump latest:docs / | tar -tf - | diff - "$W/theirs"
	done
}

t_zip() {
	"$GARNER" dump -a zip latest / >"$W/zip" 2>"$W/err"
	python3 - "$W/zip" "$src" <<-'END'
	import os, stat, sys, zipfile
	z = zipfile.ZipFile(sys.argv[1])
	assert z.testzip() is None
	n = 0
	for i in z.infolist():
	    n += 1
	    name = i.filename if i.flag_bits & 0x800 else os.fsdecode(i.filename.encode('cp437'))
	    p = os.path.join(sys.argv[2], name)
	    s = os.lstat(p.rstrip('/'))
	    assert i.external_attr >> 16 == s.st_mode, name
	    if stat.S_ISLNK(s.st_mode):
	        assert z.read(i) == os.readlink(os.fsencode(p)), name
	    elif stat.S_ISDIR(s.st_mode):
	        assert i.is_dir(), name
	    else:
	        assert z.read(i) == open(p, 'rb').read(), name
	want = sum(1 for d, ds, fs in os.walk(sys.argv[2]) for f in ds + fs
	    if stat.S_IFMT(os.lstat(os.path.join(d, f)).st_mode) in
	    (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK))
	assert n == want, (n, want)
	END
	! command -v unzip >/dev/null || unzip -tq "$W/zip" >/dev/null
	command -v bsdtar >/dev/null || return 0
	mkdir "$W/x" "$W/y"
	bsdtar -C "$W/x" -xpf "$W/zip"
	cmp "$W/x/large" "$src/large"
	# Without a way back: where a file ends must be said before it has begun.
	bsdtar -C "$W/y" -xf - <"$W/zip"
	cmp "$W/y/large" "$src/large"
	cmp "$W/y/sparse" "$src/sparse"
}

# ---- damage ---------------------------------------------------------------
t_lost_data() {
	local pack
	cp -a "$T/fixed/garner" "$W/r"
	use "$W/r"
	pack=$("$GARNER" find --blob "$(sha256sum <"$src/changes" | cut -c 1-64)" --show-pack-id |
	    sed -n 's/^Object belongs to pack //p')
	rm -f "$W/r/data/${pack:0:2}/$pack"
	g 1 dump latest changes
	says "$err" changes
	mkdir "$W/x"
	run 1 "$GARNER" dump latest /
	says "$err" /changes
	tar -C "$W/x" -xf "$out" docs changes
	cmp "$W/x/docs/one.txt" "$src/docs/one.txt"
	same "$(tr -d '\0' <"$W/x/changes" | wc -c)" 0
	same "$(stat -c %s "$W/x/changes")" "$(stat -c %s "$src/changes")"
	run 1 "$GARNER" dump -a zip latest /
	python3 -c 'import sys, zipfile; assert zipfile.ZipFile(sys.argv[1]).testzip() is None' "$out"
}

# One folder's list is gone: the rest of it all is still there.
t_lost_tree() {
	local tree pack id
	cp -a "$T/fixed/garner" "$W/r"
	use "$W/r"
	tree=$("$GARNER" cat tree latest:new | sha256sum | cut -c 1-64)
	pack=$("$GARNER" find --tree "$tree" --show-pack-id |
	    sed -n 's/^Object belongs to pack //p')
	rm -f "$W/r/data/${pack:0:2}/$pack"
	id=$(nth 2)
	g 1 find changes
	says "$out" "from $("$GARNER" snapshots --json | jq -r '.[0].time' | cut -c 1-10)"
	says "$err" "${id:0:8}"
	g 1 find changes --json
	jq_is "$out" 'length >= 1'
	for mode in restore-size files-by-contents blobs-per-file raw-data; do
		g 1 stats --mode $mode
		says "$out" 'Snapshots processed:  2'
		says "$err" "${id:0:8}"
	done
	g any diff "$(nth 1)" "$id"
	[ "$last_code" = 1 ]
	g any dump "$id" /
	[ "$last_code" = 1 ]
	# A snapshot that cannot be read at all.
	echo rubbish >"$W/r/snapshots/$id"
	g 1 find changes
	says "$out" /changes
	g 1 stats
	says "$out" 'Snapshots processed:  1'
}

# ---- memory ---------------------------------------------------------------
t_memory() {
	! sanitized || no 'sanitizers take memory of their own'
	local n a b
	for n in 3000 30000; do
		init "$W/r$n"
		"$tools/mktree" "$W/tree" $n 40
		at_tree() { (cd "$W/tree" && "$GARNER" backup -q .); }
		at_tree
		find "$W/tree" -type f -name '*3' -delete
		at_tree
		rm -rf "$W/tree"
		a=$(nth 1) b=$(nth 2)
		for what in 'stats' 'stats --mode raw-data' 'stats --mode blobs-per-file' 'find 1*' \
		    "find --json --pack $(basename "$(ls -d "$W/r$n"/data/*/* | head -n 1)")" \
		    "diff $a $b" "dump $a /" "dump -a zip $a /"; do
			# shellcheck disable=SC2086 # words
			/usr/bin/time -f %M -o "$W/time" "$GARNER" $what >/dev/null
			echo "$n $what: $(cat "$W/time") KiB"
			at_most "$(cat "$W/time")" 16384 "KiB for $what of $n files"
		done
	done
}

also 'stats: restic counts the same in every mode' t_stats
also 'stats: exit codes and what is said' t_stats_codes
also 'stats: a repository of version 1' t_stats_v1
also 'find: restic finds the same names' t_find
also 'find: points in time' t_find_times
also 'find: restic finds the same blobs, trees and packs' t_find_ids
also 'find: exit codes and what is said' t_find_codes
also 'find: a lost pack is found by the index' t_find_lost_pack
also 'diff: restic sees the same differences' t_diff
also 'diff: what is said' t_diff_says
also 'dump: a file is the file' t_dump_file
also 'dump: exit codes and what is said' t_dump_codes
also 'dump: GNU tar unpacks what was saved' t_tar_gnu
also 'dump: bsdtar unpacks what was saved' t_tar_bsd
also 'dump: BusyBox unpacks what was saved' t_tar_busybox
also 'dump: python reads the tar' t_tar_python
also 'dump: the tar has all that is in one by restic' t_tar_restic
also 'dump: a ZIP that can be read from a pipe' t_zip
also 'damage: files without their data' t_lost_data
also 'damage: folders without their lists' t_lost_tree
also 'memory does not follow the number of files' t_memory
wait_also
