#!/bin/bash
# Snapshots made of snapshots: tag, rewrite and repair snapshots. The real restic
# does the same with a copy of the repository, and must come to the same trees.
. "$(dirname "$0")/../lib.sh"
tool mktree hostile treecmp
need_new_restic

# Made once: two snapshots of an odd tree, a third of something else.
mkdir -p "$T/fixed"
src=$T/fixed/src
"$tools/hostile" "$src" plain 100 >/dev/null || { not_ok hostile 'no tree'; exit 1; }
rm -rf "$src/holes"
mkdir -p "$src/docs/old" "$src/docs/new" "$src/keep/deep/er"
echo one >"$src/docs/one.txt"
echo two >"$src/docs/Two.TXT"
echo old >"$src/docs/old/three.txt"
echo new >"$src/docs/new/four"
echo kept >"$src/keep/deep/er/file"
"$tools/mktree" -f "$src/large" 5000000
(
	init "$T/fixed/r"
	cd "$src" || exit 1
	g 0 --no-lock backup -q --host alpha --tag one .
	echo more >>"$src/docs/one.txt"
	g 0 --no-lock backup -q --host alpha --tag two .
	g 0 --no-lock backup -q --host beta docs
) >"$T/log/fixture" 2>&1 || { not_ok backup "$(head -n 1 "$T/log/fixture")"; exit 1; }

# fresh NAME: a copy of it in the folder of the test, which is now in use.
fresh() {
	cp -a "$T/fixed/r" "$W/$1"
	use "$W/$1"
}
# snap N [FILTER]: the Nth snapshot by time and id, as JSON.
snaps() { "$GARNER" snapshots --json --no-lock | jq -c 'sort_by(.time, .tree) | .[]'; }
ids() { snaps | jq -r .id | sort; }
# Everything but the data that locks leave.
files() { find "$GARNER_REPOSITORY"/{data,index,snapshots,keys} -type f | sort; }

# What two repositories must agree on, whatever the ids.
essence() {
	snaps | jq -c '[.time, .tree, .hostname, (.tags // [] | sort), .paths, .summary.total_files_processed,
	    .summary.total_bytes_processed, (.original // "none")]' | sort
}

# both WORDS...: ours with ours/, theirs with theirs/; the same must come of it.
both() {
	[ -n "$restic_new" ] || no 'no newer restic to be had'
	rm -rf "$W/ours" "$W/theirs"
	fresh theirs
	r 0 "$restic_new" "$@"
	essence >"$W/want"
	fresh ours
	g 0 "$@"
	essence >"$W/got"
	diff "$W/want" "$W/got" || fail "they come to something else: $*"
	g 0 check
	r 0 "$restic_new" check
}

# ---- tag ------------------------------------------------------------------
t_tag() {
	both tag --add three
	both tag --add three,one --remove two
	both tag --set four --tag one
	both tag --set four,five --host beta
	both tag --remove one --remove two
	both tag --add nine latest
}

t_tag_words() {
	local first second
	fresh r
	first=$(snaps | jq -r 'select(.tags == ["one"]) | .id')
	g 0 tag --json --tag one --add x
	jq -se 'length == 2 and .[0].message_type == "changed" and
	    .[0].old_snapshot_id == "'"$first"'" and .[1] ==
	    {"message_type":"summary","changed_snapshots":1}' "$out" >/dev/null
	second=$(jq -r '.new_snapshot_id // empty' "$out")
	same "$("$GARNER" cat --no-lock snapshot "$second" | jq -r .original)" "$first"
	# The first id stays, however often it is tagged.
	g 0 tag "$second" --add y -v
	says "$out" "old snapshot ID: $second -> new snapshot ID: "
	says "$out" 'modified 1 snapshots'
	same "$(snaps | jq -r 'select(.tags == ["one", "x", "y"]) | .original')" "$first"
	# What changes nothing writes nothing.
	ids >"$W/before"
	g 0 tag --tag one --set one,x,y
	says "$out" 'no snapshots were modified'
	g 0 tag --tag one --add x --remove nosuch
	ids | diff - "$W/before"
	g 0 tag --tag one --set ''
	same "$(snaps | jq -c 'select(.original == "'"$first"'") | .tags')" null
	g 2 tag
	g 2 tag --set a --add b
	g 1 tag --add z nosuch
	g 0 check
}

# ---- rewrite --------------------------------------------------------------
t_rewrite() {
	both rewrite --exclude '*.txt'
	both rewrite --exclude /docs/old --exclude '/names/*'
	both rewrite --iexclude '*.txt' --exclude keep --forget
	both rewrite --exclude '*' --host beta
	both rewrite --exclude '!docs' --exclude 'd*' --exclude '!docs'
	printf '%s\n' '# words' 'large' '*/er' >"$W/patterns"
	both rewrite --exclude-file "$W/patterns" --tag two --forget
	both rewrite --iexclude-file "$W/patterns" latest
}
t_rewrite_include() {
	both rewrite --include '*.txt'
	both rewrite --include /docs/old --forget
	both rewrite --iinclude 'T*' --include /keep/deep
	both rewrite --include nosuch
	both rewrite --include /docs/new --include '/keep/**/file' --tag one,two --tag two
}
t_rewrite_words() {
	both rewrite --new-host gamma
	both rewrite --new-time '2020-01-02 03:04:05' --forget --tag one
	TZ=Europe/Berlin both rewrite --new-time '2020-07-02 03:04:05' --new-host delta
	both rewrite --exclude large --new-host gamma --forget
}

t_rewrite_tells() {
	local old
	fresh r
	[ -n "$restic_new" ] || no 'no newer restic to be had'
	old=$(snaps | jq -r 'select(.hostname == "beta") | .id')
	for words in '--exclude *.txt -n' '--exclude *.txt -n --forget --new-host x' \
	    '--exclude nosuch -n' '--include nosuch' '--include *.txt -n -v -v' \
	    '--exclude t*.txt -n -v -v' '--new-host x --new-time 2020-01-02T03:04:05 -n'; do
		set -f
		# shellcheck disable=SC2086 # words
		set -- rewrite ${words/T03/ 03} "$old"
		case $words in *T03*) set -- rewrite --new-host x --new-time '2020-01-02 03:04:05' -n "$old" ;; esac
		set +f
		r 0 "$restic_new" "$@"
		cp "$out" "$W/theirs"
		g 0 "$@"
		diff "$W/theirs" "$out" || fail "they say something else: $*"
	done
	g 0 rewrite --json --exclude '*.txt' "$old"
	jq -se '.[0].old_snapshot_id == "'"$old"'" and .[1].changed_snapshots == 1' "$out" >/dev/null
}

# Where nothing changes nothing is written, and a dry run writes nothing at all.
t_rewrite_nothing() {
	fresh r
	files >"$W/before"
	g 0 rewrite --exclude nosuch
	says "$out" 'no snapshots were modified'
	g 0 rewrite --exclude nosuch --forget
	g 0 rewrite --include '/**'
	g 0 rewrite --snapshot-summary
	g 0 rewrite --exclude '*.txt' --dry-run --forget
	says "$out" 'would modify 3 snapshots'
	g 0 rewrite --new-host x -n --forget
	g 0 repair snapshots
	says "$out" 'no snapshots were modified'
	g 0 repair snapshots --forget
	files | diff - "$W/before"
	g 2 rewrite
	g 2 rewrite --exclude a --include b
	g 2 rewrite --new-time tomorrow
	says "$err" '--new-time'
	g 2 rewrite --exclude '[a'
	g 1 rewrite --exclude a nosuch
	files | diff - "$W/before"
}

# What lies beside is the same tree as before; what was left out is not restored.
t_rewrite_trees() {
	local root
	fresh r
	root=$(snaps | jq -r 'select(.tags == ["two"]) | .tree')
	"$GARNER" cat --no-lock blob "$root" >"$W/old"
	g 0 rewrite --tag two --exclude /docs/old --forget
	"$GARNER" cat --no-lock blob "$(snaps | jq -r 'select(.tags == ["two"]) | .tree')" >"$W/new"
	jq -c '.nodes[] | select(.name != "docs")' "$W/old" >"$W/a"
	jq -c '.nodes[] | select(.name != "docs")' "$W/new" >"$W/b"
	cmp "$W/a" "$W/b"
	! cmp -s "$W/old" "$W/new"
	g 0 restore --tag two latest --target "$W/o"
	cp -a "$src" "$W/want"
	rm -r "$W/want/docs/old"
	touch -r "$src/docs" "$W/want/docs"
	"$tools/treecmp" "$W/want" "$W/o"
}

# A summary for those of other programs that have none.
t_rewrite_summary() {
	local n bytes
	[ -x "$restic_old" ] || no 'no old restic here'
	init "$W/r"
	r 0 "$restic_old" backup -q "$src/docs"
	n=$(find "$src/docs" -type f | wc -l)
	bytes=$(find "$src/docs" -type f -printf '%s\n' | awk '{ s += $1 } END { print s }')
	same "$(snaps | jq -c .summary)" null
	g 0 rewrite --snapshot-summary --forget
	same "$(snaps | jq -c '[.summary.total_files_processed, .summary.total_bytes_processed]')" \
	    "[$n,$bytes]"
	same "$(snaps | jq -r .summary.backup_start)" 0001-01-01T00:00:00Z
	g 0 rewrite --snapshot-summary --forget
	says "$out" 'no snapshots were modified'
	[ -z "$restic_new" ] || r 0 "$restic_new" snapshots
}

# Shared lock beside a backup; exclusive when snapshots go.
locked() { [ -n "$(ls "$W/r/locks")" ]; }
t_locks() {
	fresh r
	mkfifo "$W/f"
	"$GARNER" backup --stdin <"$W/f" >/dev/null 2>&1 &
	local pid=$!
	to_end $pid
	exec 7>"$W/f"
	wait_for 10 locked
	g 11 rewrite --exclude '*.txt' --forget
	g 11 tag --add x
	g 11 tag --add x --no-lock
	g 11 repair snapshots
	g 0 rewrite --exclude '*.txt' --forget --dry-run
	g 0 repair snapshots --dry-run
	g 0 rewrite --exclude '*.txt'
	exec 7>&-
	wait $pid
	same "$(ls "$W/r/locks")" '' locks
}

# A snapshot that cannot be read through is told, the others are rewritten.
t_rewrite_damaged() {
	fresh r
	lose_trees "$(snaps | jq -r 'select(.hostname == "beta") | .tree')"
	g 1 rewrite --exclude nosuch
	says "$err" "$(snaps | jq -r 'select(.hostname == "beta") | .id[:8]')"
	g 1 rewrite --exclude large
	says "$out" 'modified 2 snapshots'
}

# ---- repair snapshots -----------------------------------------------------
# lose PACKS...: they are gone, and the index knows.
lose() {
	local id
	for id; do rm -f "$GARNER_REPOSITORY/data/${id:0:2}/$id"; done
	r 0 "$restic_new" repair index
}
# The packs that hold these blobs.
packs_of() { # TYPE ID...
	local type=$1 id
	shift
	for id; do
		"$GARNER" --no-lock find "--$type" "$id" --show-pack-id 2>/dev/null |
		    sed -n 's/.*[Pp]ack \([0-9a-f]\{64\}\).*/\1/p'
	done | sort -u
}
lose_trees() {
	# shellcheck disable=SC2046 # ids
	lose $(packs_of tree "$@")
}

# A repository with a blob in each pack: so that any can be lost alone.
scattered() { # NAME
	local f
	init "$W/$1"
	for f in docs/one.txt docs/Two.TXT docs/old/three.txt docs/new/four keep/deep/er/file large; do
		(cd "$src" && g 0 --no-lock backup -q --tag small "$f")
	done
	(cd "$src" && g 0 --no-lock backup -q --tag all docs keep large)
}
nodes() { "$GARNER" --no-lock ls --json "$1" | jq -c 'select(.struct_type == "node")'; }

t_repair() {
	local all lost n=0
	[ -n "$restic_new" ] || no 'no newer restic to be had'
	scattered r
	all=$(latest)
	lost=$("$GARNER" --no-lock cat snapshot "$all" | jq -r .tree)
	# Of each kind, and several at once.
	for what in /docs/one.txt '/docs/one.txt /keep/deep/er/file' /large dir:/docs/old \
	    'dir:/keep /docs/new/four' "root:$lost" 'dir:/docs dir:/keep/deep'; do
		n=$((n + 1))
		damage "$n" "$what"
		cp -a "$W/d$n" "$W/t$n"
		use "$W/t$n"
		r 0 "$restic_new" repair snapshots
		essence >"$W/want"
		use "$W/d$n"
		g 0 repair snapshots --dry-run
		files >"$W/before"
		g 0 repair snapshots
		essence >"$W/got"
		diff "$W/want" "$W/got" || fail "they repair it otherwise: $what"
		g 0 repair snapshots --forget
		g 0 check
		r 0 "$restic_new" check
		rm -rf "$W/t$n" "$W/d$n"
	done
}
# damage N WORDS: a copy d$N of $W/r without what the words name in its last snapshot.
damage() {
	local w packs=
	cp -a "$W/r" "$W/d$1"
	use "$W/d$1"
	for w in $2; do
		case $w in
		root:*) packs="$packs $(packs_of tree "${w#root:}")" ;;
		dir:*) packs="$packs $(packs_of tree "$("$GARNER" --no-lock cat tree "latest:${w#dir:}" 2>/dev/null | sha256sum | cut -c 1-64)")" ;;
		*) packs="$packs $(packs_of blob "$(sha256sum <"$src$w" | cut -c 1-64)")" ;;
		esac
	done
	[ "$w" = /large ] && packs=$(biggest)
	# shellcheck disable=SC2086 # ids
	lose $packs
}
biggest() { find "$GARNER_REPOSITORY/data" -type f -size +1M -printf '%f\n'; }

# The words, and what is left of the files.
t_repair_tells() {
	[ -n "$restic_new" ] || no 'no newer restic to be had'
	scattered r
	damage 1 '/docs/one.txt dir:/keep/deep'
	g 0 repair snapshots --tag all
	says "$out" '  file "/docs/one.txt": removed missing content'
	says "$out" '  dir "/keep": replaced with empty directory'
	says "$out" 'modified 1 snapshots'
	same "$(snaps | jq -c 'select(.tags == ["all", "repaired"]) | .tags')" '["all","repaired"]'
	g 0 restore --tag repaired latest --target "$W/o"
	same "$(stat -c %s "$W/o/docs/one.txt")" 0
	cmp "$W/o/docs/Two.TXT" "$src/docs/Two.TXT"
	same "$(ls "$W/o/keep")" ''
	g 0 repair snapshots --forget
	same "$(snaps | jq -c 'select(.original != null) | select(.tags == ["all"])' | wc -l)" 1
	g 0 check
}

# A disk that does not answer is no reason to give anything up.
t_repair_stubborn() {
	local pack
	can_trace
	fresh r
	files >"$W/before"
	pack=$(packs_of tree "$(snaps | jq -r 'select(.hostname == "beta") | .tree')")
	pack=$(echo "$W"/r/data/*/"${pack%% *}")
	traced -o "$W/log" -f -P "$pack" -e trace=pread64,read,preadv \
	    -e inject=pread64,read,preadv:error=EIO "$GARNER" repair snapshots --forget \
	    >"$W/out" 2>"$W/err" && fail 'no failure'
	grep -q INJECTED "$W/log" || fail 'nothing was injected'
	files | diff - "$W/before"
}

# The file of a snapshot itself.
t_repair_file() {
	local id
	fresh r
	id=$(latest)
	chmod u+w "$W/r/snapshots/$id"
	printf x | dd of="$W/r/snapshots/$id" bs=1 seek=30 conv=notrunc status=none
	g 1 repair snapshots
	g 1 repair snapshots "$id"
	g 1 repair snapshots --forget
	[ -e "$W/r/snapshots/$id" ]
	g 0 repair snapshots --forget -n "${id:0:8}"
	says "$out" "would remove unreadable snapshot $id"
	[ -e "$W/r/snapshots/$id" ]
	g 0 repair snapshots --forget "${id:0:8}"
	says "$out" "removed unreadable snapshot $id"
	[ ! -e "$W/r/snapshots/$id" ]
	same "$(ids | wc -l)" 2
	g 2 repair
	g 2 repair nonsense
}

also 'tags come out as with restic' t_tag
also 'tag keeps the first id, and does nothing for nothing' t_tag_words
also 'exclude patterns leave the same trees as with restic' t_rewrite
also 'include patterns take the same' t_rewrite_include
also 'new times and hosts' t_rewrite_words
also 'the same words' t_rewrite_tells
also 'what changes nothing writes nothing' t_rewrite_nothing
also 'trees beside the change are the same' t_rewrite_trees
also 'a summary for those without' t_rewrite_summary
also 'locks' t_locks
also 'a damaged snapshot does not keep the others' t_rewrite_damaged
also 'repairs come out as with restic' t_repair
also 'repairs are told' t_repair_tells
also 'a disk that does not answer is no loss' t_repair_stubborn
also 'a damaged file of a snapshot' t_repair_file
wait_also
