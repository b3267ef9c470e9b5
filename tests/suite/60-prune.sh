#!/bin/bash
# Prune, repair and migrate: nothing that is needed goes, all else does; whatever
# happens on the way, both restics find the repository whole, and the next run goes
# on. What is decided is held against what restic decides.
. "$(dirname "$0")/../lib.sh"
tool mktree treecmp peak

need_new_restic || skip 'the newest restic' 'it cannot be fetched: no network, or no apt'
[ -n "$restic_new" ] && echo "    $("$restic_new" version)"
[ -n "$restic_old" ] && echo "    $("$restic_old" version)"
: "${restic_new:=$restic_old}"
[ -n "$restic_new" ] || { skip prune 'no restic at all'; exit 0; }
modern() { [ "$restic_new" != "$restic_old" ]; }

# ---- repositories that have a past ----------------------------------------
# Six versions of a tree; each changes and loses some files of the one before.
versions='0 1 2 3 4 5'
mkdir -p "$T/fixed/state"
"$tools/mktree" "$T/fixed/src" 300 20000 || exit 1
change() { # FOLDER SEED
	local f i=0
	while read -r f; do
		i=$((i + 1))
		case $(((i * 7 + $2 * 13) % 20)) in
		0 | 1 | 2) head -c $((i * 211 % 30000 + 1)) /dev/urandom >"$f" ;;
		3) rm "$f" ;;
		4) echo "$2 $i" >>"$f" ;;
		esac
	done < <(find "$1" -type f | LC_ALL=C sort)
}
for v in $versions; do
	[ "$v" = 0 ] || change "$T/fixed/src" "$v"
	cp -a "$T/fixed/src" "$T/fixed/v$v"
done

# past FOLDER COMMAND...: a repository with a snapshot of each version, by COMMAND.
past() {
	local repo=$1 v
	shift
	use "$repo"
	for v in $versions; do
		(cd "$T/fixed/v$v" && "$@" .) || return 1
	done
}
GARNER_STATE_DIR=$T/fixed/state
init "$T/fixed/base" >/dev/null 2>&1 &&
    past "$T/fixed/base" "$GARNER" --pack-size 4 backup -q --host h ||
    { not_ok fixture 'cannot be made'; exit 1; }
GARNER_STATE_DIR=$T/state
base=$T/fixed/base

# own [FROM]: a copy that may be changed, in $W/r.
own() {
	rm -rf "$W/r"
	cp -a "${1:-$base}" "$W/r" && rm -f "$W/r"/locks/* && use "$W/r"
}
# Ids of the snapshots, the oldest first.
snaps() { "$GARNER" snapshots --json --no-lock | jq -r 'sort_by(.time) | .[].id'; }

# drop N...: forget the n-th snapshots (0..5); the state of things is in $left.
drop() {
	local all n id
	all=($(snaps))
	left=
	for n in $versions; do
		case " $* " in *" $n "*) ;; *) left="$left $n" ;; esac
	done
	for n in "$@"; do
		rm -f "$GARNER_REPOSITORY/snapshots/${all[$n]}"
	done
}

# Everything in the repository but locks, by name and size.
listing() { (cd "$GARNER_REPOSITORY" && find . -type f ! -path './locks/*' -printf '%p %s\n' | LC_ALL=C sort); }
size() { du -sb "$GARNER_REPOSITORY/data" | cut -f 1; }
packs() { (cd "$GARNER_REPOSITORY/data" && find . -type f -printf '%f\n'); }

# whole: all agree that it is, and every snapshot that is left is what it was.
whole() {
	g 0 check --read-data
	says "$out" 'no errors'
	hushes "$err" 'named by no index'
	r 0 "$restic_new" check --read-data
	says "$out" 'no errors'
	[ -z "$restic_old" ] || ! modern || r 0 "$restic_old" check --read-data
	restored
}
restored() {
	local n ids=($(snaps)) i=0
	for n in $left; do
		rm -rf "$W/o"
		g 0 restore "${ids[$i]}" --target "$W/o"
		"$tools/treecmp" "$T/fixed/v$n" "$W/o"
		i=$((i + 1))
	done
	same "$i" "${#ids[@]}" 'snapshots that are left'
}
# sound: nothing is wrong with it for anybody, though there may be rests.
sound() {
	g 0 check
	run any "$restic_new" --no-cache unlock
	r 0 "$restic_new" check
}

# What restic leaves of 1, 4 and 5 without tolerance is what these need.
W=$T/fixed own && drop 0 2 3 &&
    "$restic_new" --no-cache -q prune --max-unused 0 >/dev/null 2>&1 &&
    "$restic_new" --no-cache -q list blobs 2>/dev/null | LC_ALL=C sort >"$T/fixed/needed" &&
    [ -s "$T/fixed/needed" ] || { not_ok fixture 'restic cannot prune it'; exit 1; }
rm -rf "$T/fixed/r"
needed() {
	g 0 list blobs
	LC_ALL=C sort "$out" | diff "$T/fixed/needed" -
}

# ---- the work itself -------------------------------------------------------
t_prune() {
	own
	drop 0 2 3
	listing >"$W/before"
	g 0 prune --dry-run
	says "$out" 'to repack:'
	says "$out" 'nothing was changed'
	listing | diff "$W/before" -
	g 0 prune -n --no-lock -v
	says "$out" 'is repacked'
	says "$out" 'partly used packs:'
	listing | diff "$W/before" -
	g 0 prune
	says "$out" 'done'
	[ "$(listing | wc -l)" -lt "$(wc -l <"$W/before")" ] || fail 'nothing went'
	whole
	# Again: there is nothing to do, and nothing is done.
	listing >"$W/before"
	g 0 prune
	listing | diff "$W/before" -
	g 0 prune --max-unused 0
	needed
	whole
	listing >"$W/before"
	g 0 prune --max-unused 0
	listing | diff "$W/before" -
	g 0 -q prune
	same "$(cat "$out" "$err")" ''
	# The last ones go, and everything with them.
	rm -f "$W/r"/snapshots/*
	g 0 prune
	same "$(packs | wc -l)" 0
	same "$(ls "$W/r/index" | wc -l)" 0
	left=
	whole
	g 0 backup -q "$T/fixed/v5"
	g 0 check --read-data
}

t_all_kept() {
	own
	left=$versions
	listing >"$W/before"
	g 0 prune --max-unused 0 --max-repack-size 0
	listing | diff "$W/before" -
	whole
}

# plan FILE: the numbers that both tell, one form for both. What is not compressed is
# copied as it is here; restic compresses whatever it copies.
plan() {
	awk '/^(to repack|this removes|to delete|total prune|remaining|used|unused|total|duplicates|unreferenced): / &&
	    !/ packs$/ { $1 = $1; print }' "$1"
}
# as_restic OPTION...: both plan the same with these.
as_restic() {
	g 0 prune -n -v "$@"
	plan "$out" >"$W/ours"
	r 0 "$restic_new" prune -n -v "$@"
	plan "$out" >"$W/theirs"
	diff "$W/theirs" "$W/ours" || fail "line ${BASH_LINENO[0]}: another plan: $*"
	[ "$(wc -l <"$W/ours")" -ge 8 ] || fail 'no plan'
}
t_beside() {
	modern || no 'only with the newest restic'
	own "${1:-$base}"
	shift || :
	local size_ours d
	for d in '' '0' '0 1 2 3 4' '5' '1 3 5'; do
		own
		drop $d
		as_restic
		as_restic --max-unused 0
		as_restic --max-unused unlimited
		as_restic --max-unused 300k
		as_restic --max-unused 20%
		as_restic --max-repack-size 0
		as_restic --repack-cacheable-only
		as_restic --repack-smaller-than 3M --pack-size 4
		as_restic --repack-small
	done
	# And what is left then.
	for d in '' '--max-unused 0' '--max-unused 40%' '--repack-cacheable-only'; do
		own
		drop 0 2 3
		g 0 prune --pack-size 4 $d
		size_ours=$(size)
		own
		drop 0 2 3
		r 0 "$restic_new" prune --pack-size 4 $d
		at_most $((size_ours * 100 / $(size))) 103 "percent of restic's size after prune $d"
		at_most $(($(size) * 100 / size_ours)) 103 "percent of our size after restic prune $d"
	done
	own
	drop 0 2 3
	g 0 prune --max-unused 0
	needed
}

t_options() {
	own
	drop 0 2 3
	local before
	g 2 prune surplus
	g 2 prune --max-unused 100%
	says "$err" '100%'
	g 2 prune --max-unused many
	g 2 prune --max-repack-size x
	g 2 prune --repack-smaller-than 0
	g 2 prune --repack-smaller-than 1G
	g 2 prune --repack-uncompressed --compression off
	g 2 prune --no-lock
	says "$err" '--dry-run'
	g 2 prune --unsafe-recover-no-free-space x
	says "$err" '--max-repack-size 0'
	g 0 prune -n --json
	jq -s -e length "$out" >/dev/null
	jq_is "$out" '.message_type == "summary" and .blobs.total == .blobs.used + .blobs.unused and
	    .packfiles.total == .packfiles.keep + .packfiles.repack + .packfiles.remove and
	    .bytes.remaining == .bytes.total - .bytes.remove_total'
	g 0 prune -n --max-repack-size 0 --json
	jq_is "$out" '.packfiles.repack == 0'
	g 0 prune --max-repack-size 0
	whole
	g 0 prune --max-repack-size 5M --max-unused 0 --json
	jq_is "$out" '.packfiles.repack > 0 and .bytes.repack < 5242880 and .bytes.remaining_unused > 0'
	whole
	before=$(packs | wc -l)
	g 0 prune --repack-smaller-than 16M --pack-size 16
	[ "$(packs | wc -l)" -lt "$before" ] || fail "no fewer packs than $before"
	whole
	g 0 prune --max-unused 0
	needed
}

# Compressed later, in a repository of version 2 that has nothing compressed.
t_uncompressed() {
	use "$W/r"
	r 0 "$restic_new" init --repository-version 1
	past "$W/r" "$GARNER" backup -q --host h
	g 2 prune --repack-uncompressed
	says "$err" 'migrate upgrade_repo_v2'
	drop 0 2 3
	g 0 prune
	whole
	r 0 "$restic_new" migrate upgrade_repo_v2
	# Trees are compressed always, data when it is asked for.
	g 0 prune -n --json
	jq_is "$out" '.packfiles.repack > 0 and .bytes.uncompressed > 0'
	g 0 prune
	whole
	local before=$(size)
	g 0 prune --repack-uncompressed
	[ "$(size)" -lt $((before * 9 / 10)) ] || fail "still $(size) of $before bytes"
	whole
	g 0 prune -n --repack-uncompressed --json
	jq_is "$out" '.packfiles.repack == 0 and .bytes.uncompressed == 0'
	g 0 stats --mode raw-data --json
	jq_is "$out" '.compression_progress == 100'
	g 0 prune --max-unused 0
	whole
}

# theirs RESTIC VERSION COMPRESSION
theirs() {
	local bin=$1
	[ -n "$bin" ] || no 'no such restic'
	use "$W/r"
	r 0 "$bin" init --repository-version "$2"
	past "$W/r" "$bin" --no-cache backup -q --compression "$3"
	drop 0 2 3
	if [ "$bin" = "$restic_new" ] && modern; then
		as_restic
		as_restic --max-unused 0
	fi
	g 0 prune
	whole
	g 0 prune --max-unused 0
	whole
	r 0 "$bin" prune --max-unused 0
	whole
	g 0 prune --max-unused 0 --json
	jq_is "$out" '.bytes.unused == 0 and .packfiles.repack == 0'
}

# ---- the cached map --------------------------------------------------------
t_cache() {
	can_trace
	own
	g 0 check
	drop 0 2 3
	g 0 prune --max-unused 0
	# What is named by new index files alone is read, nothing else is made anew.
	traced -f -e trace=openat -o "$W/trace" "$GARNER" backup -q --force "$T/fixed/v5"
	at_most "$(grep -c '"index/[0-9a-f]' "$W/trace")" "$(ls "$W/r/index" | wc -l)" 'index files read'
	traced -f -e trace=openat -o "$W/trace" "$GARNER" stats --mode raw-data --no-lock
	at_most "$(grep -c '"index/[0-9a-f]' "$W/trace")" 1 'index files read later'
	g 0 list blobs
	LC_ALL=C sort "$out" >"$W/cached"
	run 0 "$GARNER" --state-dir "$W/other" list blobs
	LC_ALL=C sort "$out" | diff - "$W/cached"
	# Blobs that went are stored again.
	g 0 backup --json "$T/fixed/v0"
	jq_is <(jq -s last "$out") '.data_blobs > 30'
	g 0 check --read-data
	run 0 "$GARNER" --state-dir "$W/other" check --read-data
	# A cache that cannot be written is no reason to fail.
	if is_root; then
		drop 0
		mkdir -p "$W/small"
		small_disk "$W/small" 900
		run any "$GARNER" --state-dir "$W/small" prune --max-unused 0
		g 0 check --read-data
	fi
}

# ---- what cannot be pruned -------------------------------------------------
# refused TEXT [OPTION...]: it is said, and nothing changed.
refused() {
	local text=$1
	shift
	listing >"$W/before"
	g 1 prune "$@"
	says "$err" "$text"
	listing | diff "$W/before" -
	g 1 prune -n "$@"
}
flip() { # FILE OFFSET
	local b
	chmod u+w "$1"
	b=$(od -An -tu1 -j "$2" -N 1 "$1")
	printf "\\x$(printf %02x $((b ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
cut_short() { # FILE BYTES
	chmod u+w "$1"
	truncate -s "$2" "$1"
}
pack_file() { echo "$GARNER_REPOSITORY/data/${1:0:2}/$1"; }
# in_packs data|tree: packs that hold blobs of this type, the largest first.
in_packs() {
	local i
	for i in $(ls "$GARNER_REPOSITORY/index"); do "$GARNER" cat index "$i"; done |
	    jq -r --arg t "$1" '.packs[] | select(any(.blobs[]; .type == $t)) |
	    "\([.blobs[].length] | add) \(.id)"' | sort -rn | sed 's/.* //'
}

t_refuses() {
	local p f
	own
	drop 0 2
	# A needed pack is missing, is cut.
	p=$(in_packs data | head -n 1)
	f=$(pack_file "$p")
	mv "$f" "$W/away"
	refused "pack $p is needed, and missing"
	says "$err" 'garner repair index'
	cp "$W/away" "$f"
	cut_short "$f" 100000
	refused "pack $p is needed, and not what the index says"
	mv -f "$W/away" "$f"
	# Trees.
	cp -a "$W/r/data" "$W/away"
	for p in $(in_packs tree); do
		f=$(pack_file "$p")
		for i in $(seq 100 3000 "$(stat -c %s "$f")"); do flip "$f" "$i"; done
	done
	refused 'missing or damaged: nothing was changed'
	says "$err" 'its seal does not hold'
	rm -rf "$W/r/data"
	mv "$W/away" "$W/r/data"
	# An index file; a snapshot.
	f=$W/r/index/$(ls "$W/r/index" | head -n 1)
	cp -a "$f" "$W/away"
	flip "$f" 100
	rm -rf "$GARNER_STATE_DIR/cache"
	refused 'index/'
	says "$err" 'garner repair index'
	rm "$f"
	rm -rf "$GARNER_STATE_DIR/cache"
	refused 'missing or damaged: nothing was changed'
	mv "$W/away" "$f"
	f=$W/r/snapshots/$(ls "$W/r/snapshots" | head -n 1)
	cp -a "$f" "$W/away"
	flip "$f" 50
	refused 'nothing was changed'
	says "$err" 'snapshot'
	mv -f "$W/away" "$f"
	g 0 prune
	whole
}

# A blob that must be copied is damaged: nothing is removed.
t_damaged_blob() {
	local p f
	own
	drop 0 2 3
	g 0 prune -n -v --max-unused 0
	p=$(sed -n 's/^pack \([0-9a-f]*\) is repacked/\1/p' "$out" | grep -Fx "$(in_packs data)" | head -n 1)
	f=$(pack_file "$p")
	cp -a "$f" "$W/good"
	for i in $(seq 50 9000 $(($(stat -c %s "$f") - 20000))); do flip "$f" "$i"; done
	packs | sort >"$W/before"
	g 1 prune --max-unused 0
	says "$err" "$p"
	says "$err" 'garner repair packs'
	packs | sort | comm -23 "$W/before" - | diff /dev/null -
	mv -f "$W/good" "$f"
	g 0 prune --max-unused 0
	needed
	whole
}

t_unneeded() {
	local p f
	# Packs that no index names go first; missing ones that nobody needs are
	# forgotten, whatever their size was.
	own
	drop 0 1 2 3 4
	head -c 5000 /dev/urandom >"$W/x"
	p=$(sha256sum <"$W/x" | cut -d ' ' -f 1)
	mkdir -p "$W/r/data/${p:0:2}"
	cp "$W/x" "$W/r/data/${p:0:2}/$p"
	echo rubbish >"$W/r/data/rubbish"
	g 0 prune -n -v
	says "$out" "pack $p is named by no index file"
	f=$(sed -n 's/^pack \([0-9a-f]*\) is not needed and removed/\1/p' "$out" | head -n 2)
	[ -n "$f" ] || fail 'every pack is needed'
	set -- $f
	rm -f "$(pack_file "$1")"
	[ $# -lt 2 ] || cut_short "$(pack_file "$2")" 100
	g 0 prune -v
	says "$out" "pack $1 is missing and not needed: forgotten"
	[ ! -e "$(pack_file "$p")" ]
	same "$(cat "$W/r/data/rubbish")" rubbish
	whole
}

t_locks() {
	own
	drop 0
	mkfifo "$W/f"
	"$GARNER" backup --stdin <"$W/f" >/dev/null 2>&1 &
	local pid=$!
	to_end $pid
	exec 8>"$W/f"
	wait_for 5 sh -c "ls '$W/r/locks' | grep -q ."
	listing >"$W/before"
	for c in prune 'repair index' 'repair packs 00' migrate; do
		g 11 $c
		says "$err" 'retry-lock'
	done
	g 0 prune -n --no-lock
	listing | diff "$W/before" -
	exec 8>&-
	wait $pid
	# Its lock is taken from it, while it copies: it removes nothing.
	own
	drop 0 2 3
	can_trace
	packs | sort >"$W/before"
	{
		local code=0
		traced -f -o /dev/null -e trace=fsync -e inject=fsync:delay_enter=300000 \
		    "$GARNER" prune --max-unused 0 >"$W/out" 2>"$W/err" || code=$?
		echo $code >"$W/code"
	} &
	pid=$!
	to_end $pid
	wait_for 20 grep -q repacking "$W/out" || fail 'it does not come to copying'
	rm -f "$W/r"/locks/*
	wait $pid
	same "$(cat "$W/code")" 11 'exit code without a lock'
	says "$W/err" 'lock'
	packs | sort | comm -23 "$W/before" - | diff /dev/null -
	sound
	g 0 prune --max-unused 0
	needed
}

# ---- death, at any moment --------------------------------------------------
# cut_at SYSCALL N: killed as it begins the n-th such call; 1 when there is none.
cut_at() {
	local code=0
	traced -f -o /dev/null -e "trace=$1" -e "inject=$1:signal=KILL:when=$2" \
	    "$GARNER" prune --max-unused 0 >/dev/null 2>&1 || code=$?
	[ $code != 0 ]
}
t_killed_at() {
	local n i=0
	can_trace
	for n in $2; do
		own
		drop 0 2 3
		cut_at "$1" "$n" || break
		i=$((i + 1))
		sound
		g 0 prune --max-unused 0
		needed
	done
	[ $i -ge 3 ] || fail "only $i calls of $1"
	whole
}
t_killed() {
	local i pid took
	own
	drop 0 2 3
	took=$(date +%s%N)
	g 0 prune --max-unused 0
	took=$((($(date +%s%N) - took) / 1000))
	for i in $(seq "${1:-30}"); do
		# Every third goes on with what the one before left.
		if [ $((i % 3)) != 0 ]; then
			own
			drop 0 2 3
		fi
		"$GARNER" prune --max-unused 0 >/dev/null 2>&1 &
		pid=$!
		to_end $pid
		sleep "$(awk "BEGIN { srand($i); printf \"%f\", rand() * $took / 1000000 }")"
		kill -9 $pid 2>/dev/null || :
		wait $pid 2>/dev/null || :
		sound
	done
	g 0 prune --max-unused 0
	needed
	whole
}

# What a prune copied before it was cut is not copied again.
t_resumes() {
	can_trace
	own
	drop 0 2 3
	g 0 prune -n --max-unused 0 --json
	jq .bytes.repack "$out" >"$W/first"
	# The first removal of an index file: all is copied and indexed by then.
	cut_at unlinkat "$(traced -f -e trace=unlinkat -o /dev/stdout "$GARNER" prune -n 2>/dev/null |
	    grep -c unlinkat || :)" || :
	own
	drop 0 2 3
	local n=1
	while :; do
		traced -f -o "$W/trace" -e trace=unlinkat -e inject=unlinkat:signal=KILL:when=$n \
		    "$GARNER" prune --max-unused 0 >/dev/null 2>&1 || :
		# 64 hex digits and no folder: of the store's own folder index/.
		tail -n 5 "$W/trace" | grep -q 'unlinkat([0-9]*, "[0-9a-f]\{64\}"' && break
		n=$((n + 1))
		[ $n -lt 60 ] || fail 'no index file is removed'
		own
		drop 0 2 3
	done
	sound
	g 0 prune -n --max-unused 0 --json
	at_most "$(jq .bytes.repack "$out")" $(($(cat "$W/first") / 10)) 'bytes to be copied again'
	jq_is "$out" '.blobs.duplicate > 0'
	g 0 prune --max-unused 0
	needed
	whole
}

# ---- a failing world -------------------------------------------------------
# failing SYSCALL ERROR: the n-th such call fails, for each n.
t_failing() {
	local n code failed=0
	can_trace
	for n in $3; do
		own
		drop 0 2 3
		code=0
		traced -f -o "$W/trace" -e "trace=$1" -e "inject=$1:error=$2:when=$n" \
		    "$GARNER" prune --max-unused 0 >"$W/out" 2>"$W/err" || code=$?
		grep -q INJECTED "$W/trace" || break
		case $code in 0 | 1) ;; *) fail "$1 $n: code $code" ;; esac
		failed=$((failed + code))
		[ $code = 0 ] || [ -s "$W/err" ] || fail "$1 $n: not a word"
		sound
		g 0 prune --max-unused 0
		needed
	done
	[ $failed -ge "${4:-1}" ] || fail "only $failed failures of $1 told"
	whole
}

t_full() {
	is_root || no 'not root'
	own
	drop 0 2 3
	local k=$(du -sk "$W/r" | cut -f 1) n
	for n in 100 1500 3000 6000; do
		small_disk "$W/d" $((k + n))
		cp -a "$W/r" "$W/d/r"
		use "$W/d/r"
		packs | sort >"$W/before"
		g any prune --max-unused 0 --pack-size 4
		if [ "$last_code" != 0 ]; then
			says "$err" 'No space left'
			says "$err" '--max-repack-size 0'
			packs | sort | comm -23 "$W/before" - | diff /dev/null -
			g 0 check
		fi
		# What needs no room.
		g 0 prune --max-repack-size 0
		g 0 check --read-data
		restored
		umount "$W/d"
	done
	use "$W/r"
	g 0 prune --max-unused 0
	needed
}

# ---- repair index ----------------------------------------------------------
# index_like FOLDER: the index names what that repository's names.
index_dump() {
	local i
	for i in $(ls "$1/index"); do "$GARNER" -r "$1" cat index "$i"; done |
	    jq -c '.packs[] | {id, blobs: (.blobs | sort_by(.offset))}' | LC_ALL=C sort -u
}
t_repair_index() {
	local f p q want
	own
	left=$versions
	index_dump "$base" >"$W/want"
	# Nothing is wrong: nothing is changed.
	listing >"$W/before"
	g 0 repair index
	says "$out" 'as it should be'
	listing | diff "$W/before" -
	# All of it is gone.
	rm -f "$W/r"/index/*
	g 0 repair index
	says "$err" 'named by no index file'
	index_dump "$W/r" | diff "$W/want" -
	whole
	# From the headers alone.
	g 0 repair index --read-all-packs
	index_dump "$W/r" | diff "$W/want" -
	whole
	[ -z "$restic_old" ] || r 0 "$restic_old" rebuild-index
	# One file is damaged, one is gone, one is there twice.
	own
	set -- $(ls "$W/r/index")
	flip "$W/r/index/$1" 60
	rm "$W/r/index/$2"
	g 0 repair index
	says "$err" "$1"
	index_dump "$W/r" | diff "$W/want" -
	[ ! -e "$W/r/index/$1" ]
	whole
	# A pack is missing: forgotten; it comes back: found.
	own
	p=$(in_packs data | tail -n 1)
	f=$(pack_file "$p")
	mv "$f" "$W/away"
	g 0 repair index
	says "$err" "pack $p is missing"
	index_dump "$W/r" | grep -v "$p" | diff <(grep -v "$p" "$W/want") -
	g 1 check
	r 1 "$restic_new" check
	mv "$W/away" "$f"
	g 0 repair index --json
	jq_is <(jq -s last "$out") '.packs_added == 1 and .packs_forgotten == 0'
	index_dump "$W/r" | diff "$W/want" -
	whole
	g 2 repair index surplus
	g 2 repair
	g 2 repair nonsense
}

t_repair_index_damaged() {
	local p f
	own
	left=$versions
	index_dump "$base" >"$W/want"
	# A pack is cut: what the index knows of it stays, to save the rest by.
	p=$(in_packs data | head -n 1)
	f=$(pack_file "$p")
	cut_short "$f" 1000000
	g 1 repair index
	says "$err" "pack $p has 1000000 bytes"
	says "$err" 'garner repair packs'
	index_dump "$W/r" | diff "$W/want" -
	g 1 repair index --read-all-packs
	index_dump "$W/r" | diff "$W/want" -
	# Rubbish that looks like a pack is said, and not indexed.
	own
	head -c 5000 /dev/urandom >"$W/x"
	q=$(sha256sum <"$W/x" | cut -d ' ' -f 1)
	mkdir -p "$W/r/data/${q:0:2}"
	cp "$W/x" "$W/r/data/${q:0:2}/$q"
	g 0 repair index
	says "$err" "$q"
	index_dump "$W/r" | diff "$W/want" -
	g 0 repair index --read-all-packs
	index_dump "$W/r" | diff "$W/want" -
	g 0 prune
	[ ! -e "$(pack_file "$q")" ]
	left=$versions
	whole
	# An index that lies about a pack: its header knows.
	modern || return 0
	own
	left=$versions
	p=$(in_packs data | head -n 1)
	q=$(in_packs data | sed -n 2p)
	cp -a "$(pack_file "$q")" "$W/q"
	rm -f "$(pack_file "$q")"
	cp "$(pack_file "$p")" "$(pack_file "$q")"
	g 0 repair index
	says "$err" "pack $q has"
	mv -f "$W/q" "$(pack_file "$q")"
	g 0 repair index
	index_dump "$W/r" | diff "$W/want" -
	whole
}

t_repair_killed() {
	local n i=0 code
	can_trace
	index_dump "$base" >"$W/want"
	left=$versions
	for n in 1 2 3 4 5 6; do
		own
		set -- $(ls "$W/r/index")
		rm "$W/r/index/$2"
		code=0
		traced -f -o /dev/null -e trace=renameat,unlinkat \
		    -e inject=renameat,unlinkat:signal=KILL:when=$n "$GARNER" repair index >/dev/null 2>&1 || code=$?
		[ $code != 0 ] || break
		i=$((i + 1))
		g 0 repair index
		index_dump "$W/r" | diff "$W/want" -
		sound
	done
	[ $i -ge 3 ] || fail "only $i steps"
	whole
}

# ---- repair packs ----------------------------------------------------------
t_repair_packs() {
	local p f n
	own
	left=$versions
	cd "$W"
	# A pack that is whole: all of it is saved.
	p=$(in_packs data | head -n 1)
	f=$(pack_file "$p")
	cp "$f" "$W/good"
	g 0 repair packs "${p:0:12}" "$p"
	cmp "pack-$p" "$W/good"
	[ ! -e "$f" ]
	says "$out" ' 0 are lost'
	whole
	g 2 repair packs
	g 1 repair packs "$p"
	says "$err" "$p"
	g 1 repair packs ffffffffffff
	# One bit: one blob is lost.
	own
	rm -f pack-*
	flip "$f" 5000
	cp "$f" "$W/bad"
	g 0 repair packs "$p" --json
	jq_is <(jq -s last "$out") '.blobs_saved > 10 and .blobs_lost == 1 and .packs_removed == 1'
	cmp "pack-$p" "$W/bad"
	g 1 check
	r any "$restic_new" check
	n=$(grep -c 'is missing' "$err" || :)
	# The copy from before is not written over.
	own
	listing >"$W/before"
	g 1 repair packs "$p"
	says "$err" 'pack-'
	listing | diff "$W/before" -
	# Cut: what is before that is saved, by the index.
	rm -f pack-*
	cut_short "$f" 1500000
	g 0 repair packs "$p" --json
	jq_is <(jq -s last "$out") '.blobs_saved > 10 and .blobs_lost > 10'
	# Its header alone: nothing is lost.
	own
	rm -f pack-*
	flip "$f" $(($(stat -c %s "$f") - 40))
	g 0 repair packs "$p"
	says "$out" ' 0 are lost'
	whole
	# No index names it: its header does.
	own
	rm -f pack-* "$W/r"/index/*
	g 0 repair packs "$p"
	says "$out" ' 0 are lost'
	g 0 repair index
	whole
	# Missing: forgotten.
	own
	rm -f pack-* "$f"
	g 0 repair packs "$p" --json
	jq_is <(jq -s last "$out") '.blobs_saved == 0 and .blobs_lost > 10'
	! ls pack-* 2>/dev/null || fail 'a copy of nothing'
	g 1 check
	says "$err" 'blob'
	hushes "$err" "pack $p"
	# Trees, too; and several at once.
	own
	set -- $(packs)
	g 0 repair packs "$@"
	same "$(ls pack-* | wc -l)" $#
	whole
}

# ---- migrate ---------------------------------------------------------------
t_migrate() {
	use "$W/r"
	r 0 "$restic_new" init --repository-version 1
	past "$W/r" "$GARNER" backup -q --host h
	left=$versions
	g 0 migrate
	says "$out" upgrade_repo_v2
	g 2 migrate nonsense
	# Not when something is wrong.
	local p=$(packs | head -n 1) mode
	mv "$(pack_file "$p")" "$W/away"
	g 1 migrate upgrade_repo_v2
	says "$err" 'nothing was changed'
	g 0 cat config
	jq_is "$out" '.version == 1'
	mv "$W/away" "$(pack_file "$p")"
	mode=$(stat -c %a "$W/r/config")
	g 0 cat config
	jq -c 'del(.version)' "$out" >"$W/before"
	g 0 migrate upgrade_repo_v2
	g 0 cat config
	jq_is "$out" '.version == 2'
	jq -c 'del(.version)' "$out" | diff "$W/before" -
	same "$(stat -c %a "$W/r/config")" "$mode"
	r 0 "$restic_new" cat config
	jq_is "$out" '.version == 2'
	whole
	g 0 migrate
	says "$out" 'no migrations found'
	g 0 migrate upgrade_repo_v2
	says "$err" 'already'
	g 0 migrate -f upgrade_repo_v2
	g 0 backup -q "$T/fixed/v5"
	g 0 prune --repack-uncompressed
	r 0 "$restic_new" check --read-data
	g 0 check --read-data
}

# ---- memory ----------------------------------------------------------------
t_memory() {
	local n small=0 kib bigrepo
	sanitized && no 'sanitizers have memory of their own'
	bigrepo=$top/$(make -s -C "$top" where)/bench/bigrepo
	[ -x "$bigrepo" ] || make -s -C "$top" "${bigrepo#"$top/"}" >/dev/null 2>&1 || no 'bigrepo does not build'
	for n in 30000 300000; do
		init "$W/r$n"
		"$bigrepo" "$W/r$n" "$GARNER_STATE_DIR" $n $((n / 20)) 50
		snaps | head -n 25 | while read -r id; do rm -f "$W/r$n/snapshots/$id"; done
		run 0 "$tools/peak" "$W/kib" "$GARNER" prune --max-unused 0
		kib=$(cat "$W/kib")
		echo "prune of $n blobs: $kib KiB"
		at_most "$kib" 16384 "KiB for $n blobs"
		# 30,000 do not quite fill what there is for any number.
		[ "$small" = 0 ] || at_most "$kib" $((small + 1024)) "KiB for 300,000 blobs instead of 30,000"
		small=$kib
		run 0 "$tools/peak" "$W/kib" "$GARNER" repair index --read-all-packs
		at_most "$(cat "$W/kib")" 16384 "KiB of repair index for $n blobs"
		g 0 check --read-data
		r 0 "$restic_new" check
	done
}

also 'prune: what is not needed goes, what is stays' t_prune
also 'prune: nothing to do is nothing done' t_all_kept
also 'prune: decides as restic does' t_beside
also 'prune: options' t_options
also 'prune: compresses what is not' t_uncompressed
also 'prune: the cached blob map follows' t_cache
also 'prune: of the newest restic, version 2' theirs "$restic_new" 2 auto
also 'prune: of the newest restic, not compressed' theirs "$restic_new" 2 off
also 'prune: of the newest restic, version 1' theirs "$restic_new" 1 auto
also 'prune: of the old restic, version 2' theirs "$restic_old" 2 auto
also 'prune: of the old restic, version 1' theirs "$restic_old" 1 auto
also 'prune: refuses what it cannot know' t_refuses
also 'prune: a damaged blob is not copied' t_damaged_blob
also 'prune: orphans, and packs that nobody misses' t_unneeded
also 'prune: locks' t_locks
also 'prune: a full disk' t_full
also 'repair index' t_repair_index
also 'repair index: what cannot be read' t_repair_index_damaged
also 'repair index: killed' t_repair_killed
also 'repair packs' t_repair_packs
also 'migrate' t_migrate
wait_also
also 'prune: goes on where it was cut' t_resumes
also 'prune: killed at 30 moments' t_killed 30
also 'prune: killed at each rename' t_killed_at renameat '1 2 3 4 5 6 7 8 9 10 11 12'
also 'prune: killed at removals' t_killed_at unlinkat '1 2 3 4 5 6 7 8 9 10 12 14 16 18 20 24 28'
also 'prune: failing renames' t_failing renameat EIO '1 2 3 4 5 6 7 8 9 10 11 12' 3
also 'prune: failing removals' t_failing unlinkat EIO '1 2 3 4 5 6 7 8 9 10 12 14 16 20 24' 3
also 'prune: failing syncs' t_failing fsync EIO '1 2 3 4 5 6 7 8 9 10 12 14 16 18 20' 3
also 'prune, repair index: memory' t_memory
wait_also
