#!/bin/bash
# With the real restic, the distribution's and the newest, in both directions, on
# a tree of everything that a backup stumbles over.
#
# What they cannot do and is not asked of them: paths beyond PATH_MAX and sparse
# files of a terabyte (both: in time), links to other things than files and times
# beyond 2262 (when restoring), targets that are not UTF-8 and attributes of
# symlinks (0.14). GARNER_TEST_MILLION=1 makes a folder of a million entries.
. "$(dirname "$0")/../lib.sh"
tool hostile treecmp mktree

need_new_restic || skip 'the newest restic' 'it cannot be fetched: no network, or no apt'
[ -n "$restic_new" ] && echo "    $("$restic_new" version)"
[ -n "$restic_old" ] && echo "    $("$restic_old" version)"
: "${restic_new:=$restic_old}"
[ -n "$restic_new" ] || { skip interop 'no restic at all'; exit 0; }

# Go cannot hold times before 1678; two restics look at one repository only.
src=$T/fixed/hostile
mkdir "$T/fixed"
"$tools/hostile" "$src" plain 3000 >"$T/log/hostile" || { not_ok hostile 'cannot be made'; exit 1; }
cat "$T/log/hostile" | sed 's/^/    /'
if command -v setfacl >/dev/null; then
	setfacl -m u:1234:rwx,g:55:r "$src/attrs/acl" &&
	    setfacl -m d:u:77:rx,u:3:x "$src/attrs/acl folder" || echo '    no ACLs here'
	touch -d @1600000000 "$src/attrs"
fi
new_cmp="$tools/treecmp -r" old_cmp="$tools/treecmp -ryq"
unless_root=
is_root || { unless_root=-o; new_cmp="$new_cmp -o" old_cmp="$old_cmp -o"; }

modern() { [ "$restic_new" != "$restic_old" ]; }

# Snapshots' root trees, by time.
trees() { "$GARNER" snapshots --json --no-lock | jq -r 'sort_by(.time) | .[].tree'; }

# same_tree OPTION-OR-PATH...: both back up with these words; the trees are one.
# Folders above the source may change meanwhile (there is a world around us): then
# once more.
same_tree() {
	local try two ours
	modern || no 'only with the newest restic'
	for try in 1 2 3 4; do
		g any backup --no-lock "$@"
		ours=$last_code
		r any "$restic_new" backup --force "$@"
		same "$ours" "$last_code" "exit code of $*"
		[ "$ours" = 0 ] || [ "$ours" = 3 ] || return 0
		two=$(trees | tail -n 2)
		[ "$(echo "$two" | sort -u | wc -l)" != 1 ] || return 0
	done
	fail "other root trees: $*"
}

# adds FILE FIELD: a number of a backup's summary.
adds() { jq -s last "$1" | jq -r ".$2"; }

# ---- ours, read by them ---------------------------------------------------
t_ours() {
	init "$W/r"
	cd "$T/fixed"	# what is above it changes
	g 0 backup --json hostile
	same "$(adds "$out" error_count)" 0
	r 0 "$restic_new" check --read-data
	says "$out" 'no errors'
	if modern; then
		r 0 "$restic_new" backup --force --json hostile
		same "$(trees | sort -u | wc -l)" 1 'different root trees'
		same "$(adds "$out" data_blobs)" 0 'data blobs that restic adds'
		same "$(adds "$out" tree_blobs)" 0 'tree blobs that restic adds'
		r 0 "$restic_new" backup --json hostile
		same "$(adds "$out" files_unmodified)" "$(adds "$out" total_files_processed)"
		g 0 backup --json hostile
		same "$(adds "$out" files_unmodified)" "$(adds "$out" total_files_processed)"
		same "$(adds "$out" data_added)" 0
		# It encodes every tree again, and refuses one with other bytes.
		r 0 "$restic_new" rewrite --exclude 'never to be found' latest
		hushes "$err" 'cannot encode'
	fi
	r 0 "$restic_new" restore latest --target "$W/new"
	$new_cmp "$src" "$W/new/hostile"
	g 0 restore latest --target "$W/own"
	"$tools/treecmp" -hT $unless_root "$src" "$W/own/hostile"
	same_tree "$src"
}

t_ours_old() {
	[ -n "$restic_old" ] || no 'no old restic'
	init "$W/r"
	g 0 backup "$src"
	r 0 "$restic_old" check --read-data
	says "$out" 'no errors'
	r 0 "$restic_old" restore latest --target "$W/old"
	$old_cmp "$src" "$W/old$src"
	r 0 "$restic_old" backup --json "$src"
	g 0 check --read-data
	g 0 restore latest --target "$W/own"
	$old_cmp "$src" "$W/own$src"
	r 0 "$restic_old" prune --max-unused 0
	r 0 "$restic_old" rebuild-index --read-all-packs
	r 0 "$restic_old" check --read-data
	g 0 check --read-data
}

# ours_as OPTION...: written in some way, it is whole for them.
ours_as() {
	local version=$1
	shift
	init "$W/r" --repository-version "$version"
	g 0 backup "$@" "$src"
	g 0 backup "$@" --force "$src/sizes"
	r 0 "$restic_new" check --read-data
	says "$out" 'no errors'
	[ -z "$restic_old" ] || r 0 "$restic_old" check --read-data
	r 0 "$restic_new" prune --max-unused 0
	r 0 "$restic_new" check --read-data
	g 0 check --read-data
	g 0 restore latest --target "$W/own"
	"$tools/treecmp" -h $unless_root "$src/sizes" "$W/own$src/sizes"
}

# ---- theirs, read by us ---------------------------------------------------
# theirs RESTIC VERSION COMPRESSION
theirs() {
	local bin=$1 cmp="$tools/treecmp -h $unless_root"
	[ -n "$bin" ] || no 'no such restic'
	[ "$bin" = "$restic_new" ] || cmp="$old_cmp -h"
	use "$W/r"
	r 0 "$bin" init --repository-version "$2"
	r any "$bin" backup --compression "$3" --json "$src"
	g 0 check --read-data
	g 0 restore latest --target "$W/own"
	$cmp "$src" "$W/own$src"
	g 0 ls latest --json
	jq -s length "$out" >/dev/null
	# Saved again, read anew: nothing comes to it.
	g 0 backup --force --json "$src"
	same "$(adds "$out" data_blobs)" 0 'data blobs that garner adds'
	echo "data added: $(adds "$out" data_added) of $(adds "$out" total_bytes_processed)"
	# Every file unmodified, of those that have the same nodes in both.
	r any "$bin" backup --json "$src"
	g 0 backup --json "$src"
	same "$(adds "$out" files_unmodified)" "$(adds "$out" total_files_processed)" 'unmodified files'
	r 0 "$bin" backup --json "$src"
	same "$(adds "$out" files_unmodified)" "$(adds "$out" total_files_processed)" \
	    'files unmodified for restic'
	r 0 "$bin" check --read-data
	says "$out" 'no errors'
	r 0 "$bin" snapshots --json
	jq_is "$out" 'length == 5'
}

# ---- changes --------------------------------------------------------------
t_changes() {
	init "$W/r"
	"$tools/mktree" "$W/s" 300 3000
	g 0 backup -q "$W/s"
	echo more >>"$W/s/d0/e0/f7"
	rm "$W/s/d0/e1/f105"
	touch "$W/s/d0/e2/f201"
	mv "$W/s/d0/e2/f202" "$W/s/d0/e2/other"
	echo new >"$W/s/d0/new"
	ln -s new "$W/s/d0/link"
	r 0 "$restic_new" backup --json --parent latest "$W/s" --dry-run
	local want="$(adds "$out" files_new) $(adds "$out" files_changed) $(adds "$out" files_unmodified)"
	g 0 backup --json "$W/s"
	same "$(adds "$out" files_new) $(adds "$out" files_changed) $(adds "$out" files_unmodified)" "$want"
	! modern || same_tree "$W/s"
	g 0 restore latest --target "$W/o"
	"$tools/treecmp" "$W/s" "$W/o$W/s"
	# Blobs of a lost pack are stored again although the parent has them.
	local pack=$("$GARNER" list packs | while read -r p; do
		stat -c '%s %n' "$W/r/data/${p:0:2}/$p"; done | sort -n | sed -n '$s/.* //p')
	rm -f "$pack"
	r 0 "$restic_new" repair index || r 0 "$restic_new" rebuild-index
	g 0 backup "$W/s"
	g 0 restore latest --target "$W/o2"
	"$tools/treecmp" "$W/s" "$W/o2$W/s"
}

# ---- the same choice ------------------------------------------------------
t_choices() {
	modern || no 'only with the newest restic'
	init "$W/r"
	local s=$W/s f
	mkdir -p "$s"/{a/b/c,A/B,x/y,cache/in,marked/sub,.hid/den,'sp ace'}
	for f in a/one.txt a/two.TXT a/b/three.txt a/b/c/four.log A/B/five.txt x/y/six.o x/seven.O \
	    cache/in/tmp marked/f marked/sub/f .hid/den/f 'sp ace/f' 'a/[odd]' 'a/st*r' 'a/back\slash' 'x/$HOME' \
	    '!bang' '#hash' top.txt; do
		echo "$f" >"$s/$f"
	done
	printf 'Signature: 8a477f597d28d172789f06886806bc55 more\n' >"$s/cache/CACHEDIR.TAG"
	echo 'keep out' >"$s/marked/.no"
	truncate -s 5000 "$s/x/big"
	touch -d 2001-01-01 "$s/x/y/six.o"
	printf '%s\n' '# c' '' '*.log' '  *.O  ' '!a/b/c/four.log' '$$x' '${HOME}/nothing' >"$W/list"
	for f in '*.txt' '*.TXT' 'a' '/a' "$s/a" "$s/a/b" 'a/b' 'b/c' '**/c' 'a/**' 'a/**/four.log' '**/*.txt' \
	    "$s/**/c" '*' '**' '?' '[ab]' '[^a]*' 'a/[[]odd]' 'a/st\*r' '.*' '.hid' 'sp ace' '*/y' 'x/*' 'x/y/' \
	    "$s/x/" './a' '../s' 'back\\slash' '*\\*' '[!a]' 'a*' '*b*' '/*/*/*/w/*'; do
		same_tree "$s" --exclude "$f"
		[ -z "${GARNER_TEST_ALL-}" ] || same_tree "$s" --iexclude "$f"
	done
	same_tree "$s" --exclude 'a/*' --exclude '!a/b' --exclude 'a/b/c'
	same_tree "$s" --exclude '*.txt' --exclude '!three.txt' --exclude '!/nothing'
	same_tree "$s" --exclude 'a' --exclude '!a/b/three.txt'
	same_tree "$s" --iexclude '*.TxT' --iexclude A
	same_tree "$s" --exclude-file "$W/list"
	same_tree "$s" --iexclude-file "$W/list"
	same_tree "$s" --exclude-caches
	same_tree "$s" --exclude-if-present .no
	same_tree "$s" --exclude-if-present '.no:keep'
	same_tree "$s" --exclude-if-present '.no:other' --exclude-if-present nothere
	same_tree "$s" --exclude-larger-than 4999
	same_tree "$s" --exclude-larger-than 5000
	same_tree "$s" --exclude-larger-than 1K
	# What is named stays; "." is only a folder.
	same_tree "$s" --exclude "$s"
	same_tree "$s/top.txt" --exclude '*.txt'
	same_tree "$s" "$s/x/big" --exclude-larger-than 4999
	same_tree "$s" "$s/x/y" --exclude x
	same_tree "$s" "$s/cache/in/tmp" --exclude-caches
	same_tree "$s" "$s/marked/sub" --exclude-if-present .no
	cd "$s"
	same_tree . --exclude a
	same_tree . --exclude '*.txt' --exclude-caches
	same_tree . a/b/c --exclude a
	cd marked
	same_tree . --exclude-if-present .no
}

t_sources() {
	modern || no 'only with the newest restic'
	init "$W/r"
	mkdir -p "$W/s/d/e" "$W/s/d2" "$W/t"
	echo 1 >"$W/s/f"
	echo 2 >"$W/s/d/g"
	echo 3 >"$W/s/d/e/h"
	ln -s d "$W/s/link"
	ln -s "$W/s/d" "$W/t/away"
	mkfifo "$W/s/d2/p"
	cd "$W/s"
	same_tree "$W/s"
	same_tree "$W/s/"
	same_tree .
	same_tree ./
	same_tree d
	same_tree ./d/
	same_tree d f
	same_tree d/e f
	same_tree d d/e
	same_tree d/e d
	same_tree d2/p
	same_tree link
	same_tree "$W/s/f" "$W/s/d/e"
	same_tree "$W/t" "$W/s"
	same_tree "$W/t/away/e"
	cd d
	same_tree ../f
	same_tree ..
	same_tree ../d2 e
	same_tree ../../t
	same_tree ../d/../d2
	same_tree e/..
	same_tree "$W/s/d/../f"
}

t_source_lists() {
	modern || no 'only with the newest restic'
	init "$W/r"
	mkdir -p "$W/s/d"
	echo x >"$W/s/d/f"
	cd "$W/s"
	printf '%s\n' "$W/s/d" "# no" "$W/s/none" "$W/s/[d]" >"$W/list"
	same_tree --files-from "$W/list"
	printf '%s\n' "$W/s/d" "" >"$W/list"
	same_tree --files-from-verbatim "$W/list"
	printf '%s\0' d >"$W/list"
	same_tree --files-from-raw "$W/list"
	same_tree --with-atime "$W/s"
	ln "$W/s/d/f" "$W/s/d/g"
	g 0 backup --ignore-device-id "$W/s"
	run 0 env RESTIC_FEATURES=device-id-for-hardlinks=true "$restic_new" --no-cache backup --force "$W/s"
	same "$(trees | tail -n 1)" "$(trees | tail -n 2 | head -n 1)" 'root tree without device ids'
	# Another time zone writes the same trees.
	run 0 env TZ=Asia/Kolkata "$GARNER" backup d
	run 0 env TZ=UTC "$GARNER" backup d
	same "$(trees | tail -n 1)" "$(trees | tail -n 2 | head -n 1)" 'root tree in India'
	says <("$GARNER" snapshots --json) '+05:30'
}

t_mounts() {
	modern || no 'only with the newest restic'
	is_root || no 'not root'
	init "$W/r"
	mkdir -p "$W/s/mnt/under" "$W/s/plain"
	echo x >"$W/s/plain/f"
	small_disk "$W/s/mnt" 200
	mkdir -p "$W/s/mnt/x/y" "$W/s/mnt/z"
	echo x | tee "$W/s/mnt/file" "$W/s/mnt/x/no" "$W/s/mnt/x/y/f" >/dev/null
	mkdir -p "$W/s/mnt/z/deeper"
	small_disk "$W/s/mnt/z/deeper" 100
	echo x >"$W/s/mnt/z/deeper/f"
	cd "$W"
	same_tree -x s
	same_tree -x s s/mnt
	same_tree -x s s/mnt/x/y
	same_tree -x s/mnt/x s
	same_tree -x s s/mnt/file s/mnt/x
	same_tree -x s s/mnt/z/deeper
	same_tree -x "$W/s/mnt" "$W/s/plain"
	same_tree s
	cd s
	same_tree -x .
	same_tree -x . mnt/x
	umount "$W/s/mnt/z/deeper" "$W/s/mnt"
}

# Somebody who may not read everything: named, and otherwise the same for both.
t_unreadable() {
	modern || no 'only with the newest restic'
	chmod 755 "$W"
	mkdir -p "$W/s/closed/in" "$W/s/open" "$W/s/nolist"
	echo x | tee "$W/s/closed/f" "$W/s/open/secret" "$W/s/open/f" "$W/s/nolist/f" >/dev/null
	chmod 000 "$W/s/closed" "$W/s/open/secret"
	chmod 311 "$W/s/nolist"
	chmod 777 "$W"
	export TMPDIR=$W/tmp
	mkdir -m 777 "$TMPDIR"
	cp "$GARNER" "$W/garner"
	cp "$restic_new" "$W/restic"
	is_root && chown -R 65534:65534 "$W/s"
	use "$W/r"
	cd "$W"
	run 0 "${user[@]}" "$W/garner" init $quick
	run 3 "${user[@]}" "$W/garner" backup --json s
	says "$err" "$W/s/closed"
	says "$err" "$W/s/open/secret"
	says "$err" "$W/s/nolist"
	hushes "$err" "$W/s/open/f"
	cp "$out" "$W/summary"
	jq_is <(jq -s last "$W/summary") '.error_count == 3'
	run 3 "${user[@]}" "$W/restic" --no-cache backup --force s
	same "$("${user[@]}" "$W/garner" snapshots --json | jq -r '.[].tree' | sort -u | wc -l)" 1 'different root trees'
	run 0 "${user[@]}" "$W/garner" restore latest --target "$W/o"
	same "$(cat "$W/o/s/open/f")" x
}

# ---- many, long, huge -----------------------------------------------------
t_many() {
	init "$W/r"
	"$tools/hostile" "$W/h" plain "$1" >/dev/null
	cd "$W/h"
	g 0 backup --json many
	same "$(adds "$out" files_new)" "$1"
	g 0 backup --json many
	same "$(adds "$out" files_unmodified)" "$1"
	g 0 check
	if modern; then
		LIMIT=600 r 0 "$restic_new" backup --force --json many
		same "$(trees | sort -u | wc -l)" 1 'different root trees'
	fi
	g 0 restore latest --target "$W/o"
	"$tools/treecmp" "$W/h/many" "$W/o/many"
}

# What only we can do in time.
t_alone() {
	init "$W/r"
	"$tools/hostile" "$W/h" all 10 >/dev/null
	g 0 backup --json "$W/h"
	same "$(adds "$out" error_count)" 0
	[ "$(adds "$out" total_bytes_processed)" -gt 1103806595072 ] || fail 'less than the holes'
	g 0 backup --json "$W/h"
	same "$(adds "$out" files_changed)" 0
	g 0 check
	g 0 restore latest --target "$W/o" --verify
	"$tools/treecmp" -h $unless_root "$W/h" "$W/o$W/h"
	at_most "$(du -s "$W/o" | cut -f1)" 200000 'KiB on disk'
	r 0 "$restic_new" check
}

# ---- the whole life of a repository ---------------------------------------
t_prune() {
	init "$W/r"
	"$tools/mktree" "$W/a" 200 4000 1
	"$tools/mktree" "$W/b" 200 4000 2
	g 0 backup -q "$W/a"
	g 0 backup -q "$W/b"
	local id=$("$GARNER" snapshots --json --path "$W/a" | jq -r '.[0].id')
	r 0 "$restic_new" forget "$id" --prune --max-unused 0
	# The blob map here still knew what is gone.
	g 0 backup --json "$W/a"
	[ "$(adds "$out" data_blobs)" -ge 190 ] || fail 'blobs that were pruned are not stored again'
	g 0 check --read-data
	g 0 restore latest --target "$W/o"
	"$tools/treecmp" "$W/a" "$W/o$W/a"
	r 0 "$restic_new" check --read-data
	# Everything moved to other packs and another index.
	r 0 "$restic_new" prune --max-unused 0 --repack-small || r 0 "$restic_new" prune --max-unused 0
	r 0 "$restic_new" repair index --read-all-packs || r 0 "$restic_new" rebuild-index --read-all-packs
	g 0 restore latest --target "$W/o2"
	"$tools/treecmp" "$W/a" "$W/o2$W/a"
	g 0 backup --json "$W/a"
	same "$(adds "$out" data_blobs)" 0
	r 0 "$restic_new" tag --add kept latest
	g 0 snapshots --json --tag kept
	jq_is "$out" 'length == 1'
	g 0 restore latest --tag kept --target "$W/o3"
	r 0 "$restic_new" forget --keep-last 1 --prune
	g 0 check --read-data
	g 0 backup -q "$W/b"
	r 0 "$restic_new" check --read-data
}

t_keys() {
	init "$W/r"
	echo pw-two >"$W/two"
	echo pw-three >"$W/three"
	r 0 "$restic_new" key add --new-password-file "$W/two"
	g 0 -p "$W/two" snapshots
	g 0 -p "$W/two" key passwd --new-password-file "$W/three" $quick
	r 0 "$restic_new" -p "$W/three" snapshots
	g 0 key add --appliance
	r 0 "$restic_new" key list --json
	jq_is "$out" 'length == 3'
	r 0 "$restic_new" -p "$W/three" check
	local e="env -u GARNER_PASSWORD -u RESTIC_PASSWORD setsid"
	run 0 $e "$GARNER" snapshots
	g 0 key list
	# The default key, as restic makes it.
	use "$W/r2"
	g 0 init
	r 0 "$restic_new" snapshots
	[ -z "$restic_old" ] || r 0 "$restic_old" snapshots
	use "$W/r3"
	r 0 "$restic_new" init --insecure-no-password -p /dev/null 2>/dev/null ||
	    run 0 env -u RESTIC_PASSWORD "$restic_new" --no-cache init --insecure-no-password || no 'no empty passwords'
	run 0 env -u GARNER_PASSWORD -u RESTIC_PASSWORD "$GARNER" --insecure-no-password snapshots
}

# Their other commands on what we wrote, and what both print.
t_commands() {
	modern || no 'only with the newest restic'
	init "$W/r"
	g 0 backup "$src/names" --tag t --host h
	g 0 backup "$src/links" --tag t --host h
	local a=$(trees | wc -l) c f
	r 0 "$restic_new" ls latest --json
	jq -c 'select(.struct_type == "node") | [.path, .type, .mode, .mtime, .size, .uid]' "$out" | sort >"$W/theirs"
	g 0 ls latest --json
	jq -c 'select(.struct_type == "node") | [.path, .type, .mode, .mtime, .size, .uid]' "$out" | sort >"$W/ours"
	diff "$W/theirs" "$W/ours"
	r 0 "$restic_new" snapshots --json
	jq -S '[.[] | del(.program_version)]' "$out" >"$W/theirs"
	g 0 snapshots --json
	jq -S '[.[] | del(.program_version)]' "$out" >"$W/ours"
	diff "$W/theirs" "$W/ours"
	for c in 'stats latest' 'stats --mode raw-data' 'find h1' 'dump latest /' "diff $(latest) $(latest)" 'list blobs' \
	    'cat config' 'repair snapshots --dry-run' 'recover' 'repair index'; do
		r 0 "$restic_new" $c
	done
	use "$W/r2"
	GARNER_REPOSITORY=$W/r2 g 0 init --from-repo "$W/r" --from-password-file <(echo "$PW") --copy-chunker-params $quick
	r 0 "$restic_new" copy --from-repo "$W/r" --from-password-file <(echo "$PW")
	g 0 check --read-data
	g 0 snapshots --json
	jq_is "$out" "length >= $a"
	r 0 "$restic_new" -r "$W/r" migrate
}

# Version 1 becomes version 2 under our feet.
t_migrate() {
	init "$W/r" --repository-version 1
	g 0 backup -q "$src/sizes"
	r 0 "$restic_new" migrate upgrade_repo_v2
	g 0 backup --json --force "$src/sizes"
	same "$(adds "$out" data_blobs)" 0
	g 0 backup -q "$src/names"
	g 0 check --read-data
	r 0 "$restic_new" check --read-data
}

also 'ours: checked, restored and continued by the newest restic' t_ours
also 'ours: checked, restored and continued by the old restic' t_ours_old
also 'theirs: newest, version 2, auto' theirs "$restic_new" 2 auto
also 'theirs: newest, version 2, off' theirs "$restic_new" 2 off
also 'theirs: newest, version 2, max' theirs "$restic_new" 2 max
also 'theirs: newest, version 1' theirs "$restic_new" 1 auto
also 'theirs: old, version 2, auto' theirs "$restic_old" 2 auto
also 'theirs: old, version 2, off' theirs "$restic_old" 2 off
also 'theirs: old, version 1' theirs "$restic_old" 1 auto
also 'ours: version 1' ours_as 1
also 'ours: not compressed, large packs' ours_as 2 --compression off --pack-size 128
also 'ours: compressed most, small packs' ours_as 2 --compression max --pack-size 4
wait_also
also 'what changed' t_changes
also 'patterns choose the same' t_choices
also 'sources have the same place' t_sources
also 'lists of sources, time zones, devices' t_source_lists
also 'mount points' t_mounts
also 'who may not read everything' t_unreadable
also 'restic prunes, garner goes on' t_prune
also 'keys of both' t_keys
also 'commands of both' t_commands
also 'a repository is upgraded' t_migrate
also '100,000 entries in a folder' t_many 100000
also 'a terabyte of hole, a path beyond PATH_MAX' t_alone
wait_also
if [ -n "${GARNER_TEST_MILLION-}" ]; then
	it 'a million entries in a folder' t_many 1000000
else
	skip 'a million entries in a folder' 'GARNER_TEST_MILLION is not set'
fi
