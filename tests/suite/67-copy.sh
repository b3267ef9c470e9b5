#!/bin/bash
# Copies of snapshots in another repository: whole, once, and no more than whole.
# restic reads what we copied, copies what we read, and knows our copies again.
. "$(dirname "$0")/../lib.sh"
tool mktree hostile treecmp
need_new_restic
restic=$restic_new

# Made once: three snapshots; the last one is of something else.
mkdir -p "$T/fixed"
src=$T/fixed/src
"$tools/hostile" "$src" plain 150 >/dev/null || { not_ok hostile 'no tree'; exit 1; }
rm -rf "$src/holes"
mkdir -p "$src/docs"
echo one >"$src/docs/one.txt"
"$tools/mktree" -f "$src/large" 9000000
yes 'squeeze me' | head -c 3000000 >"$src/wordy"
export GARNER_FROM_PASSWORD=$PW RESTIC_FROM_PASSWORD=$PW
(
	init "$T/fixed/r"
	cd "$src" || exit 1
	g 0 --no-lock backup -q --host alpha --tag one --exclude '*.none' .
	echo more >>"$src/docs/one.txt"
	g 0 --no-lock backup -q --host alpha --tag two .
	g 0 --no-lock backup -q --host beta docs
) >"$T/log/fixture" 2>&1 || { not_ok backup "$(head -n 1 "$T/log/fixture")"; exit 1; }
from=$T/fixed/r
pristine=$T/fixed/p # nobody locks it: to be copied
cp -a "$from" "$pristine"

snaps() { "$GARNER" -r "${1-$GARNER_REPOSITORY}" snapshots --json --no-lock | jq -c 'sort_by(.time, .tree) | .[]'; }
files() { find "$GARNER_REPOSITORY"/{data,index,snapshots} -type f | sort; }
# All that a copy has in common with its original.
essence() { snaps "$@" | jq -c 'del(.id, .short_id, .parent, .original)'; }
originals() { snaps "$@" | jq -r '.original // .id' | sort; }
# whole: the repository in use is, says restic, too.
whole() {
	g 0 check --read-data
	[ -z "$restic" ] || r 0 "$restic" check --read-data
}
# copied REPOSITORY: all of its snapshots are here, as they were.
copied() {
	essence "$1" >"$W/a"
	essence >"$W/b"
	diff "$W/a" "$W/b"
	originals "$1" >"$W/a"
	originals >"$W/b"
	diff "$W/a" "$W/b"
}

# ---- whole ----------------------------------------------------------------
t_copy() {
	init "$W/r"
	g 0 copy --from-repo "$from"
	says "$out" '  copy started, this may take a while...'
	says "$out" ' saved, copied from source snapshot '
	same "$(grep -c 'cut files differently' "$out")" 1
	copied "$from"
	whole
	g 0 restore --tag two latest --target "$W/o"
	"$tools/treecmp" "$src" "$W/o"
	# Once is enough.
	files >"$W/before"
	g 0 copy --from-repo "$from"
	[ ! -s "$out" ]
	g 0 copy --from-repo "$from" -v
	same "$(grep -c 'skipping source snapshot .*, was already copied to snapshot ' "$out")" 3
	g 0 copy --from-repo "$W/r"
	files | diff - "$W/before"
	# A copy of the copy knows its original, and the way back is no news.
	init "$W/r2"
	g 0 copy --from-repo "$W/r"
	originals "$from" >"$W/a"
	originals | diff - "$W/a"
	g 0 copy --from-repo "$from" --json
	jq -se 'last | .snapshots_copied == 0 and .snapshots_skipped == 3' "$out" >/dev/null
	cp -a "$pristine" "$W/back"
	use "$W/back"
	g 0 copy --from-repo "$W/r2" --json
	jq -se 'last | .snapshots_copied == 0' "$out" >/dev/null
	# Other words make another snapshot.
	use "$W/r"
	g 0 tag --tag one --add new
	g 0 copy --from-repo "$from" --json
	jq -se 'last | .snapshots_copied == 1 and .blobs == 0' "$out" >/dev/null
}

t_restic() {
	[ -n "$restic" ] || no 'no newer restic to be had'
	init "$W/theirs"
	r 0 "$restic" copy --from-repo "$from"
	init "$W/ours"
	g 0 copy --from-repo "$W/theirs" "$(snaps "$W/theirs" | jq -r 'select(.host != "beta") | .id' | head -n 1)"
	g 0 copy --from-repo "$W/theirs"
	copied "$from"
	whole
	# Each takes the other's copies for what they are.
	g 0 copy --from-repo "$from" --json
	jq -se 'last | .snapshots_copied == 0 and .snapshots_skipped == 3' "$out" >/dev/null
	files >"$W/before"
	r 0 "$restic" copy --from-repo "$from"
	hushes "$out" 'copy started'
	files | diff - "$W/before"
	# And from a repository of restic's own.
	init "$W/own"
	(cd "$src" && r 0 "$restic" backup -q . && r 0 "$restic" backup -q --tag x docs)
	init "$W/again"
	g 0 copy --from-repo "$W/own"
	copied "$W/own"
	whole
	g 0 restore latest --tag '' --target "$W/o"
	"$tools/treecmp" "$src" "$W/o"
}

# ---- which ----------------------------------------------------------------
count() { snaps | wc -l; }
t_which() {
	local ids
	mapfile -t ids < <(snaps "$from" | jq -r .id)
	init "$W/r"
	g 0 copy --from-repo "$from" --host beta
	same "$(count)" 1
	g 0 copy --from-repo "$from" --tag one
	same "$(count)" 2
	g 0 copy --from-repo "$from" --tag nosuch
	same "$(count)" 2
	g 0 copy --from-repo "$from" "${ids[0]:0:8}" "${ids[1]}" "${ids[0]}"
	same "$(count)" 3
	init "$W/r2"
	g 0 copy --from-repo "$from" latest
	same "$(snaps | jq -r .original)" "${ids[2]}"
	g 0 copy --from-repo "$from" --path "$src/docs"
	same "$(count)" 1
	RESTIC_HOST=alpha g 0 copy --from-repo "$from" latest
	same "$(count)" 2
	g 1 copy --from-repo "$from" nosuch "${ids[0]}"
	says "$err" nosuch
	same "$(count)" 3
	whole
}

# What the target has is not read again.
t_lacking() {
	local all
	init "$W/r"
	g 0 copy --from-repo "$from" --json --tag one
	all=$(jq -s 'last.bytes' "$out")
	[ "$all" -gt 9000000 ]
	g 0 copy --from-repo "$from" --json --tag two
	at_most "$(jq -s 'last.bytes' "$out")" 20000 'bytes of what is new'
	# It has the same files on its own, and cuts alike.
	init "$W/r2" --from-repo "$from" --copy-chunker-params
	(cd "$src" && g 0 --no-lock backup -q large wordy)
	g 0 copy --from-repo "$from" --json
	hushes "$err" 'cut files'
	at_most "$(jq -s 'last.bytes' "$out")" $((all - 8900000)) 'bytes not there'
	hushes "$out" 'cut files differently'
	whole
	# A blob that only an index of the source still names is not missed.
	# shellcheck disable=SC2046 # ids
	g 0 forget -q $(snaps | jq -r .id)
	g 0 copy --from-repo "$from" --json
	jq -se 'last | .snapshots_copied == 3 and .blobs == 0' "$out" >/dev/null
}

# Each pack of the source is asked for once, but for the trees that were looked at
# before to know what is needed.
t_once() {
	local pack
	can_trace
	init "$W/r"
	traced -f -o "$W/log" -e trace=openat "$GARNER" copy --from-repo "$from" --json >"$W/out"
	jq -se "last.packs_read == $(find "$from/data" -type f | wc -l)" "$W/out" >/dev/null
	for pack in $(find "$from/data" -type f -size +200k -printf '%f\n'); do
		same "$(grep -c "$pack\", O_RDONLY" "$W/log")" 1 "times that $pack is opened"
	done
}

# ---- versions and compression ---------------------------------------------
t_versions() {
	local v1=$W/v1 how
	init "$v1" --repository-version 1
	g 0 copy --from-repo "$from"
	copied "$from"
	whole
	g 0 restore --tag two latest --target "$W/o"
	"$tools/treecmp" "$src" "$W/o"
	rm -rf "$W/o"
	for how in off auto max; do
		init "$W/$how"
		g 0 --compression $how copy --from-repo "$v1"
		copied "$from"
		whole
		# Trees are compressed in any case: nothing is left to do.
		[ -z "$restic" ] || [ $how = off ] || {
			r 0 "$restic" prune --dry-run --json --repack-uncompressed
			tail -n 1 "$out" | jq -e '.bytes.uncompressed // 0 | . == 0' >/dev/null
		}
	done
	[ "$(du -s "$W/auto/data" | cut -f 1)" -lt "$(du -s "$W/off/data" | cut -f 1)" ]
	# What is compressed stays as it is, whatever is asked.
	init "$W/kept"
	g 0 --compression off copy --from-repo "$from"
	whole
	at_most "$(du -s "$W/kept/data" | cut -f 1)" $(($(du -s "$from/data" | cut -f 1) + 64)) KiB
}

# ---- what is damaged ------------------------------------------------------
# of REPOSITORY KIND ID: the pack that holds a blob or tree.
pack_of() {
	"$GARNER" -r "$1" --no-lock find "--$2" "$3" --show-pack-id 2>/dev/null |
	    sed -n 's/.*[Pp]ack \([0-9a-f]\{64\}\).*/\1/p' | head -n 1
}
spoil() { # FILE OFFSET
	chmod u+w "$1"
	printf '\xff\xfe\xfd' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
t_damaged() {
	local pack
	cp -a "$pristine" "$W/bad"
	pack=$(find "$W/bad/data" -type f -size +5M | head -n 1)
	cp "$pack" "$W/pack"
	spoil "$pack" 3000000
	init "$W/r"
	g 1 copy --from-repo "$W/bad"
	says "$err" "$(basename "$pack")"
	says "$err" 'seal does not hold'
	says "$err" ': its blob '
	says "$err" ' could not be copied'
	same "$(snaps | jq -r .hostname)" beta
	whole
	g 1 copy --from-repo "$W/bad" --json
	jq -se 'last | .snapshots_copied == 0 and .snapshots_failed == 2' "$out" >/dev/null
	# With the pack back, only what is missing is copied.
	cat "$W/pack" >"$pack"
	g 0 copy --from-repo "$W/bad" --json
	jq -se 'last | .snapshots_copied == 2' "$out" >/dev/null
	at_most "$(jq -s 'last.bytes' "$out")" 9000000 'bytes copied anew'
	copied "$from"
	whole
}

# A pack that is gone, an unreadable folder, a lost root: each is named, and the
# snapshots that do not need it are copied.
t_lost() {
	local pack root
	cp -a "$pristine" "$W/bad"
	pack=$(find "$W/bad/data" -type f -size +5M | head -n 1)
	rm -f "$pack"
	init "$W/r"
	g 1 copy --from-repo "$W/bad"
	says "$err" "$(basename "$pack") is missing"
	same "$(snaps | jq -r .hostname)" beta
	whole
	cp -a "$pristine" "$W/bad2"
	root=$(snaps "$from" | jq -r 'select(.hostname == "beta") | .tree')
	pack=$(pack_of "$from" tree "$root")
	spoil "$W/bad2/data/${pack:0:2}/$pack" 60
	init "$W/r2"
	g 1 copy --from-repo "$W/bad2"
	says "$err" "snapshot $(snaps "$from" | jq -r 'select(.hostname == "beta") | .short_id')"
	same "$(snaps | jq -r .hostname | sort | uniq -c | tr -s ' ')" ' 2 alpha'
	whole
	# A disk that does not answer is told, too, and changes nothing.
	[ -z "${restic}" ] || r 0 "$restic" snapshots
}
t_silent() {
	local pack
	can_trace
	pack=$(find "$from/data" -type f -size +5M | head -n 1)
	init "$W/once"
	# Once: it is asked again.
	traced -o "$W/log" -f -P "$pack" -e trace=pread64,read,preadv \
	    -e inject=pread64,read,preadv:error=EIO:when=3 "$GARNER" copy --from-repo "$from"
	grep -q INJECTED "$W/log" || fail 'nothing was injected'
	copied "$from"
	whole
	init "$W/r"
	traced -o "$W/log" -f -P "$pack" -e trace=pread64,read,preadv \
	    -e inject=pread64,read,preadv:error=EIO:when=3+ "$GARNER" copy --from-repo "$from" \
	    >"$W/out" 2>"$W/err" && fail 'no failure'
	grep -q INJECTED "$W/log" || fail 'nothing was injected'
	grep -q 'blob .* cannot read .*\(nput/output\|I/O\) error' "$W/err"
	at_most "$(wc -l <"$W/err")" 13 'lines about it'
	same "$(snaps | jq -r .hostname)" beta
	whole
	g 0 copy --from-repo "$from"
	copied "$from"
}

# ---- cut ------------------------------------------------------------------
t_killed() {
	local i pid
	init "$W/r" --from-repo "$from" --copy-chunker-params
	for i in 02 05 08 12 16 20 25 30 40; do
		"$GARNER" copy --from-repo "$from" --pack-size 4 >/dev/null 2>&1 &
		pid=$!
		sleep 0.$i
		kill -9 $pid 2>/dev/null || :
		wait $pid 2>/dev/null || :
		g any unlock
		g 0 check
	done
	g 0 copy --from-repo "$from"
	copied "$from"
	whole
	same "$(ls "$W/r/locks")" '' locks
	! find "$W/r/data" -name '*tmp*' | grep -q . || g 0 prune
}
t_stopped() {
	local pid code=0
	init "$W/r"
	"$GARNER" copy --from-repo "$from" >/dev/null 2>&1 &
	pid=$!
	sleep 0.25
	kill -TERM $pid 2>/dev/null || :
	wait $pid || code=$?
	case $code in 130 | 0) ;; *) fail "code $code" ;; esac
	same "$(ls "$W/r/locks")" '' locks
	g 0 copy --from-repo "$from"
	whole
}

# A full disk is no disaster either.
t_full() {
	small_disk "$W/disk" 6000
	init "$W/disk/r"
	g 1 copy --from-repo "$from"
	says "$err" 'No space left'
	same "$(count)" 0
	mount -o remount,size=60000k "$W/disk"
	g 0 check
	g 0 copy --from-repo "$from"
	copied "$from"
	whole
}

# ---- words ----------------------------------------------------------------
t_words() {
	unset GARNER_FROM_PASSWORD RESTIC_FROM_PASSWORD
	echo "$PW" >"$W/pw"
	echo "$from" >"$W/where"
	init "$W/r"
	g 2 copy
	says "$err" '--from-repo'
	g 12 copy --from-repo "$from"
	says "$err" '--from-password-file'
	g 10 copy --from-repo "$W/nosuch" --from-password-file "$W/pw"
	echo wrong >"$W/wrong"
	g 12 copy --from-repo "$from" --from-password-file "$W/wrong"
	same "$(count)" 0
	g 0 copy --from-repo "$from" --from-password-file "$W/pw" --host beta
	same "$(count)" 1
	g 0 copy --from-repository-file "$W/where" --from-password-command "cat $W/pw" --tag one
	same "$(count)" 2
	GARNER_FROM_REPOSITORY=$from RESTIC_FROM_PASSWORD_FILE=$W/pw g 0 copy
	same "$(count)" 3
	# Two passwords are two things.
	use "$W/empty"
	run 0 env -u GARNER_PASSWORD -u RESTIC_PASSWORD "$GARNER" init $quick --insecure-no-password
	run 0 env -u GARNER_PASSWORD -u RESTIC_PASSWORD "$GARNER" --insecure-no-password \
	    copy --from-repo "$from" --from-password-file "$W/pw"
	init "$W/r2"
	g 0 copy --from-repo "$W/empty" --from-insecure-no-password
	copied "$from"
}

locked() { [ -n "$(ls "$1/locks")" ]; }
# hold REPOSITORY: somebody has it for himself alone, until let_go.
hold() {
	"$GARNER" -r "$1" prune >/dev/null 2>&1 &
	holder=$!
	to_end $holder
	wait_for 10 locked "$1"
	kill -STOP $holder
}
let_go() {
	kill -CONT $holder
	wait $holder
}
t_locks() {
	local pid
	cp -a "$pristine" "$W/from"
	init "$W/r"
	# While something writes to the source it can be copied.
	mkfifo "$W/f"
	"$GARNER" -r "$W/from" backup --stdin <"$W/f" >/dev/null 2>&1 &
	pid=$!
	to_end $pid
	exec 7>"$W/f"
	wait_for 10 locked "$W/from"
	g 0 copy --from-repo "$W/from" --host beta
	exec 7>&-
	wait $pid
	# Not while somebody removes from it, nor from the target.
	hold "$W/from"
	g 11 copy --from-repo "$W/from"
	let_go
	hold "$W/r"
	g 11 copy --from-repo "$W/from"
	g 11 copy --from-repo "$W/from" --no-lock
	let_go
	same "$(ls "$W/from/locks" "$W/r/locks" | grep -c '^[0-9a-f]\{64\}' || :)" 0 locks
	# A source that nobody may write to.
	chmod -R a-w "$W/from"
	is_root || g bad copy --from-repo "$W/from"
	g 0 copy --from-repo "$W/from" --no-lock
	chmod -R u+w "$W/from"
	whole
}

also 'a copy is whole, and made once' t_copy
also 'with restic, to and fro' t_restic
also 'which snapshots' t_which
also 'only what is not there' t_lacking
also 'packs are read once' t_once
also 'between versions, and compressed' t_versions
also 'a damaged blob is named, what needs it is not copied' t_damaged
also 'lost packs, folders, roots' t_lost
also 'a disk that does not answer' t_silent
also 'killed at any time, it goes on' t_killed
also 'stopped, it ends cleanly' t_stopped
also 'a full disk' t_full
also 'words and the environment' t_words
also 'locks of both' t_locks
wait_also
