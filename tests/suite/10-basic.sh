#!/bin/bash
# The commands as their users know them: every option, every exit code, what is
# said and where, and what is never said.
. "$(dirname "$0")/../lib.sh"
tool mktree treecmp

# Made once, only looked at by the tests.
src=$T/fixed/src
mkdir -p "$src"/{docs,music/rock,cache,tagged/sub,deep/a/b/c}
"$tools/mktree" "$src/many" 30 2000
echo 'the first file' >"$src/docs/one.txt"
echo 'the second' >"$src/docs/Two.TXT"
echo note >"$src/music/rock/a.mp3"
echo note >"$src/music/b.ogg"
printf 'Signature: 8a477f597d28d172789f06886806bc55\n' >"$src/cache/CACHEDIR.TAG"
echo rubbish >"$src/cache/rubbish"
echo secret >"$src/tagged/.nobackup"
echo x >"$src/tagged/file"
echo x >"$src/tagged/sub/file"
echo deep >"$src/deep/a/b/c/file"
head -c 300000 /dev/zero | tr '\0' z >"$src/zeds"
touch -d '2001-02-03 04:05:06.789' "$src/docs/one.txt"

mkdir -p "$T/fixed/state"
init "$T/fixed/base" >/dev/null 2>&1 || { not_ok init "the fixture cannot be made"; exit 1; }
base=$T/fixed/base
GARNER_STATE_DIR=$T/state "$GARNER" backup -q --tag one,two --host alpha "$src" &&
    "$GARNER" backup -q --tag two --host beta "$src/docs" ||
    { not_ok backup "the fixture cannot be made"; exit 1; }

# own_base: a copy to lock exclusively.
own_base() { cp -a "$base" "$W/r" && rm -f "$W/r"/locks/* && use "$W/r"; }

# paths [SNAPSHOT]: what is in the snapshot, below the source.
paths() { "$GARNER" ls "${1:-latest}" | sed -n "s,^$src/,,p" | LC_ALL=C sort; }

# ---- init -----------------------------------------------------------------
t_init() {
	g 0 init -r "$W/r" $quick
	says "$out" 'created repository'
	same "$(stat -c %a "$W/r" "$W/r/data" "$W/r/config" "$W/r"/keys/* | tr '\n' ' ')" '700 700 400 400 '
	same "$(ls "$W/r" | tr '\n' ' ')" 'config data index keys locks snapshots '
	g 1 init -r "$W/r" $quick
	says "$err" "$W/r"
	g 0 cat config -r "$W/r"
	jq_is "$out" '.version == 2 and (.id | length == 64) and (.chunker_polynomial | length == 14)'
	g 0 init -r "$W/r1" --repository-version 1 $quick
	g 0 cat config -r "$W/r1"
	jq_is "$out" '.version == 1'
	g 0 init -r "$W/r2" --repository-version stable --json $quick
	jq_is "$out" '.message_type == "initialized" and (.id | length == 64)'
	g 2 init -r "$W/r3" --repository-version 3 $quick
	[ ! -e "$W/r3" ]
	g 0 init -r "local:$W/r4" $quick
	[ -f "$W/r4/config" ]
	# Somebody's folder is not a place for one.
	mkdir -p "$W/r5/snapshots"
	echo x >"$W/r5/snapshots/x"
	g any init -r "$W/r5" $quick
	same "$(cat "$W/r5/snapshots/x")" x
	# Nobody can open it: no password was given.
	run 2 env -u GARNER_PASSWORD -u RESTIC_PASSWORD setsid "$GARNER" init -r "$W/r6"
	says "$err" password
	[ ! -e "$W/r6/config" ]
}

t_init_kdf() {
	local began=$(date +%s%N)
	g 0 init -r "$W/r"
	[ $((($(date +%s%N) - began) / 1000000)) -lt 8000 ] || fail 'took longer than 8 s'
	g 0 key list -r "$W/r" --json
	jq_is "$out" '.[0].N == 8192 and .[0].r == 8 and .[0].p >= 1'
	g 0 init -r "$W/r1" --kdf-n 2048 --kdf-r 4 --kdf-time 30
	g 0 key list -r "$W/r1" --json
	jq_is "$out" '.[0].N == 2048 and .[0].r == 4 and .[0].p >= 1'
	g 2 init -r "$W/r2" --kdf-n 1000
	g 2 init -r "$W/r2" --kdf-n 1
	[ ! -e "$W/r2/config" ]
}

t_copy_params() {
	echo "$PW" >"$W/pw"
	g 0 init -r "$W/r" --from-repo "$base" --from-password-file "$W/pw" --copy-chunker-params $quick
	same "$("$GARNER" cat config -r "$W/r" | jq -r .chunker_polynomial)" \
	    "$("$GARNER" cat config -r "$base" | jq -r .chunker_polynomial)"
	same "$("$GARNER" cat config -r "$W/r" | jq -r '.id | length')" 64
	[ "$("$GARNER" cat config -r "$W/r" | jq -r .id)" != "$("$GARNER" cat config -r "$base" | jq -r .id)" ]
	g 10 init -r "$W/r2" --from-repo "$W/none" --from-password-file "$W/pw" --copy-chunker-params $quick
	echo wrong >"$W/pw"
	g 12 init -r "$W/r2" --from-repo "$base" --from-password-file "$W/pw" --copy-chunker-params $quick
	g 2 init -r "$W/r2" --copy-chunker-params $quick
	[ ! -e "$W/r2/config" ]
}

# ---- the way in -----------------------------------------------------------
t_codes() {
	g 0 snapshots
	g 1 ls 0123456789abcdef
	g 2 nosuchcommand
	g 2
	g 2 backup --nosuchoption
	says "$err" nosuchoption
	g 2 backup
	g 2 restore latest
	g 2 restore --target "$W/x"
	g 2 backup -r
	g 2 --compression nonsense backup "$src"
	g 2 --pack-size 3 backup "$src"
	g 2 --pack-size 129 backup "$src"
	g 2 --pack-size x backup "$src"
	g 2 --retry-lock soon snapshots
	g 2 check --read-data --read-data-subset 1/2
	g 2 check surplus
	g 2 snapshots --latest x
	g 2 cat
	g 2 cat nonsense
	g 2 list nonsense
	g 2 list
	g 2 key nonsense
	g 2 restore latest --target "$W/x" --include a --exclude b
	g 2 restore latest --target "$W/x" --overwrite sometimes
	[ ! -e "$W/x" ]
	g 2 backup --exclude-larger-than big "$src"
	g 2 backup --newer-than yesterday-ish "$src"
	g 2 backup --time tomorrow "$src"
	g 2 backup --stdin "$src"
	g 10 -r "$W/none" snapshots
	says "$err" "$W/none"
	says "$err" init
	mkdir "$W/empty"
	g 10 -r "$W/empty" backup "$src"
	g 12 -p <(echo wrong) snapshots
	says "$err" 'wrong password'
	run 2 env -u GARNER_REPOSITORY -u RESTIC_REPOSITORY "$GARNER" snapshots
	says "$err" GARNER_REPOSITORY
	run 12 env -u GARNER_PASSWORD -u RESTIC_PASSWORD setsid "$GARNER" snapshots
	says "$err" password
	g bad -r nonsense:thing snapshots
	says "$err" nonsense
}

t_typos() {
	g 2 snapshot
	says "$err" "'snapshots'"
	g 2 backup --exlude x "$src"
	says "$err" exclude
}

t_env() {
	local e="env -u GARNER_PASSWORD -u GARNER_REPOSITORY -u RESTIC_PASSWORD -u RESTIC_REPOSITORY"
	printf '\n  %s\t\n\n' "$PW" >"$W/pw"
	echo "$base" >"$W/repo"
	run 0 $e GARNER_REPOSITORY="$base" GARNER_PASSWORD="$PW" "$GARNER" snapshots
	run 0 $e RESTIC_REPOSITORY="$base" RESTIC_PASSWORD="$PW" "$GARNER" snapshots
	run 0 $e RESTIC_REPOSITORY_FILE="$W/repo" RESTIC_PASSWORD_FILE="$W/pw" "$GARNER" snapshots
	run 0 $e GARNER_REPOSITORY_FILE="$W/repo" GARNER_PASSWORD_FILE="$W/pw" "$GARNER" snapshots
	run 0 $e GARNER_REPOSITORY="$base" RESTIC_PASSWORD_COMMAND="cat $W/pw" "$GARNER" snapshots
	run 0 $e "$GARNER" snapshots --repo="$base" --password-command "cat $W/pw"
	run 0 $e "$GARNER" -r"$base" -p"$W/pw" snapshots
	run 0 $e "$GARNER" -r "$base" snapshots -p "$W/pw"
	# Ours before restic's, the option before both.
	run 0 $e GARNER_REPOSITORY="$base" RESTIC_REPOSITORY=/none GARNER_PASSWORD="$PW" \
	    RESTIC_PASSWORD=wrong "$GARNER" snapshots
	run 12 $e GARNER_REPOSITORY="$base" GARNER_PASSWORD=wrong RESTIC_PASSWORD="$PW" "$GARNER" snapshots
	run 0 $e GARNER_REPOSITORY=/none GARNER_PASSWORD=wrong "$GARNER" -r "$base" -p "$W/pw" snapshots
	run 10 $e GARNER_REPOSITORY=/none RESTIC_REPOSITORY="$base" GARNER_PASSWORD="$PW" "$GARNER" snapshots
	# Set but empty is not set.
	run 0 $e GARNER_REPOSITORY= RESTIC_REPOSITORY="$base" GARNER_PASSWORD= RESTIC_PASSWORD="$PW" \
	    "$GARNER" snapshots
	: >"$W/nothing"
	g bad -p "$W/nothing" snapshots
	g bad -p "$W/notthere" snapshots
	says "$err" "$W/notthere"
	g bad --password-command 'exit 3' snapshots
	says "$err" command
	run 0 $e GARNER_REPOSITORY="$base" GARNER_PASSWORD="$PW" RESTIC_COMPRESSION=off "$GARNER" snapshots
	run 2 $e GARNER_REPOSITORY="$base" GARNER_PASSWORD="$PW" RESTIC_COMPRESSION=odd "$GARNER" backup -n "$src"
	run 0 env -u GARNER_STATE_DIR HOME="$W" XDG_CACHE_HOME="$W/xdg" "$GARNER" snapshots
	run 0 "$GARNER" snapshots --state-dir "$W/other state"
	[ -d "$W/other state" ]
}

t_no_password() {
	g 0 init -r "$W/r" --insecure-no-password $quick
	run 0 env -u GARNER_PASSWORD -u RESTIC_PASSWORD "$GARNER" -r "$W/r" --insecure-no-password snapshots
	g 12 -r "$W/r" snapshots
}

# A terminal is asked, shows no password, and may be wrong twice.
t_terminal() {
	cat >"$W/ask.py" <<'END'
import os, pty, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.environ.pop('GARNER_PASSWORD', None)
    os.environ.pop('RESTIC_PASSWORD', None)
    os.execv(sys.argv[1], sys.argv[1:2] + sys.argv[3:])
answers = sys.argv[2].split(',')
seen = b''
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    seen += data
    if answers and (seen.rstrip().endswith(b':')):
        time.sleep(0.1)
        os.write(fd, answers.pop(0).encode() + b'\n')
        seen += b'<sent>'
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
	local ask="/usr/bin/python3 $W/ask.py $GARNER"
	run 0 $ask "$PW" snapshots
	says "$out" 'password'
	hushes "$out" "$PW"
	run 12 $ask nonsense snapshots
	run 0 $ask "$PW,$PW" init -r "$W/r" $quick
	hushes "$out" "$PW"
	run bad $ask "$PW,other" init -r "$W/r2" $quick
	[ ! -e "$W/r2/config" ]
	# Two long-lived lines: a progress line with its numbers.
	export GARNER_PASSWORD=$PW
	sed -i "/environ.pop/d" "$W/ask.py"
	mkdir "$W/slow"
	"$tools/mktree" -f "$W/slow/big" 150000000
	init "$W/r3"
	run 0 $ask '' backup "$W/slow" --compression max
	says "$out" '%'
	says "$out" 'MiB'
	run 0 $ask '' restore latest --target "$W/o"
	says "$out" '%'
	run 0 $ask '' -q backup "$W/slow"
	same "$(tr -d '\r\n' <"$out")" ''
}

# ---- backup ---------------------------------------------------------------
t_backup_json() {
	init "$W/r"
	g 0 backup --json "$src"
	jq -e . "$out" >/dev/null
	jq -s 'last' "$out" >"$W/last"
	jq_is "$W/last" '.message_type == "summary" and .files_new > 40 and .files_changed == 0 and
	    .data_blobs > 0 and .tree_blobs > 0 and .total_bytes_processed > 300000 and
	    (.snapshot_id | length == 64) and (.data_added | type == "number")'
	same "$(jq -r .snapshot_id "$W/last")" "$(latest)"
	g 0 backup --json "$src"
	jq -s 'last' "$out" >"$W/last"
	jq_is "$W/last" '.files_new == 0 and .files_changed == 0 and .files_unmodified > 40 and .data_blobs == 0'
	g 0 snapshots --json
	jq_is "$out" 'length == 2 and .[1].parent == .[0].id'
	g 3 backup --json "$src" "$W/not there"
	jq -e . "$out" >/dev/null
	jq -s '[.[] | select(.message_type == "error")] | .[0]' "$err" >"$W/error"
	jq_is "$W/error" '.item | endswith("not there")'
	g 12 snapshots --json -p <(echo wrong)
	jq_is "$err" '.message_type == "exit_error" and .code == 12 and (.message | length > 0)'
	same "$(cat "$out")" ''
}

t_excludes() {
	init "$W/r"
	g 0 backup "$src" --exclude '*.mp3' --exclude "$src/docs/one.txt" -e 'many/**' --iexclude '*.txt'
	says "$out" 'snapshot'
	paths >"$W/got"
	hushes "$W/got" a.mp3
	hushes "$W/got" Two.TXT
	hushes "$W/got" one.txt
	hushes "$W/got" many/d0
	says "$W/got" music/b.ogg
	g 0 snapshots --json
	jq_is "$out" '.[0].excludes | length >= 4'
	printf '# a comment\n\n*.ogg\n  %s/zeds  \n!/music/x\n' "$src" >"$W/list"
	g 0 backup "$src" --exclude-file "$W/list"
	paths >"$W/got"
	hushes "$W/got" b.ogg
	hushes "$W/got" zeds
	says "$W/got" a.mp3
	echo '*.MP3' >"$W/list"
	g 0 backup "$src" --iexclude-file "$W/list"
	paths >"$W/got"
	hushes "$W/got" a.mp3
	g bad backup "$src" --exclude-file "$W/none"
	says "$err" "$W/none"
	g bad backup "$src" --exclude '[bad'
	says "$err" '[bad'
	# The last pattern that matches counts.
	g 0 backup "$src" --exclude 'docs/*' --exclude '!docs/one.txt'
	paths >"$W/got"
	says "$W/got" docs/one.txt
	hushes "$W/got" docs/Two.TXT
}

t_marked() {
	init "$W/r"
	g 0 backup "$src" --exclude-caches
	paths >"$W/got"
	says "$W/got" cache/CACHEDIR.TAG
	hushes "$W/got" rubbish
	g 0 backup "$src" --exclude-if-present .nobackup
	paths >"$W/got"
	says "$W/got" tagged/.nobackup
	hushes "$W/got" tagged/sub
	g 0 backup "$src" --exclude-if-present .nobackup:secret
	hushes <(paths) tagged/file
	g 0 backup "$src" --exclude-if-present .nobackup:other
	says <(paths) tagged/file
	g 0 backup "$src" --exclude-larger-than 100K
	hushes <(paths) zeds
	says <(paths) music/b.ogg
	g 0 backup "$src" --newer-than 1h
	hushes <(paths) docs/one.txt
	says <(paths) docs/Two.TXT
}

t_one_fs() {
	is_root || no 'not root'
	init "$W/r"
	mkdir -p "$W/s/mnt"
	echo x >"$W/s/file"
	small_disk "$W/s/mnt" 100
	echo x >"$W/s/mnt/file"
	g 0 backup --one-file-system "$W/s"
	g 0 ls latest
	says "$out" "$W/s/mnt"
	hushes "$out" "$W/s/mnt/file"
	g 0 backup "$W/s" "$W/s/mnt" -x
	says <("$GARNER" ls latest) "$W/s/mnt/file"
	g 0 backup "$W/s"
	says <("$GARNER" ls latest) "$W/s/mnt/file"
	umount "$W/s/mnt"
}

t_lists() {
	init "$W/r"
	printf '%s\n' "# comment" "" "$src/docs" "$src/mu*" >"$W/patterns"
	g 0 backup --files-from "$W/patterns"
	paths >"$W/got"
	says "$W/got" docs/one.txt
	says "$W/got" music/rock/a.mp3
	hushes "$W/got" zeds
	printf '%s\n' "$src/docs" "$W/# odd*" >"$W/verbatim"
	echo x >"$W/# odd*"
	g 0 backup --files-from-verbatim "$W/verbatim"
	says <("$GARNER" ls latest) '# odd*'
	printf '%s\0' "$src/docs" "$W/new
line" >"$W/raw"
	echo x >"$W/new
line"
	g 0 backup --files-from-raw "$W/raw"
	g 0 ls latest
	says "$out" docs
	[ "$(grep -c . "$out")" -gt 3 ]
	g 0 backup --files-from - <"$W/patterns"
	g bad backup --files-from "$W/none"
	says "$err" "$W/none"
	g bad backup --files-from /dev/null
	printf '%s' "$src/docs" >"$W/raw"   # no NUL at the end
	g bad backup --files-from-raw "$W/raw"
}

t_snapshot_words() {
	init "$W/r"
	g 0 backup "$src/docs" --tag a,b --tag c --host box --time '2020-01-02 03:04:05'
	g 0 snapshots --json
	jq_is "$out" '.[0].tags == ["a","b","c"] and .[0].hostname == "box" and
	    (.[0].time | startswith("2020-01-02T03:04:05")) and (.[0].program_version | startswith("garner"))
	    and (.[0].paths | length == 1)'
	g 0 backup "$src/docs" --host box
	g 0 snapshots --json
	jq_is "$out" '.[1].parent == .[0].id'
	g 0 backup "$src/docs" --host other
	g 0 snapshots --json
	jq_is "$out" '[.[] | select(.hostname == "other")][0].parent == null'
	local id=$("$GARNER" snapshots --json | jq -r '.[0].id')
	g 0 backup "$src/docs" --host other --parent "${id:0:8}"
	jq_is <("$GARNER" snapshots --json --host other) 'sort_by(.time) | last | .parent == "'$id'"'
	g 1 backup "$src/docs" --parent ffffffff
	g 0 backup --json --force "$src/docs" --host box
	jq -s last "$out" >"$W/last"
	jq_is "$W/last" '.files_unmodified == 0 and .files_new == 2'
	cd "$src"
	g 0 backup --skip-if-unchanged docs --tag first
	g 0 backup --json --skip-if-unchanged docs
	jq -s last "$out" >"$W/last"
	jq_is "$W/last" '.snapshot_id == null or .snapshot_id == ""'
	same "$("$GARNER" snapshots --json | jq length)" 6
}

t_ignore() {
	init "$W/r"
	mkdir "$W/s"
	echo one >"$W/s/f"
	echo two >"$W/s/g"
	ln "$W/s/g" "$W/s/h"
	g 0 backup "$W/s"
	cp -p "$W/s/f" "$W/s/f2"
	mv "$W/s/f2" "$W/s/f"
	g 0 backup --json "$W/s"
	jq_is <(jq -s last "$out") '.files_changed == 1'
	cp -p "$W/s/f" "$W/s/f2"
	mv "$W/s/f2" "$W/s/f"
	g 0 backup --json --ignore-ctime --ignore-inode "$W/s"
	jq_is <(jq -s last "$out") '.files_changed == 0'
	g 0 backup --ignore-device-id "$W/s"
	g 0 ls latest --json
	local tree=$(root_tree) name
	for name in $(echo "$W/s" | tr / ' '); do
		tree=$("$GARNER" cat tree "$tree" | jq -r ".nodes[] | select(.name == \"$name\") | .subtree")
	done
	g 0 cat tree "$tree"
	jq_is "$out" '[.nodes[] | select(.links > 1) | .device_id] | all(. > 0)'
	jq_is "$out" '[.nodes[] | select(.links == 1) | .device_id] | all(. == null)'
	g 0 backup --with-atime "$W/s"
	touch -a -d 2010-01-01 "$W/s/f"
	g 0 backup --with-atime "$W/s" --force
	says <("$GARNER" ls latest --json) '"atime":"2010-01-01'
}

t_dry() {
	init "$W/r"
	find "$W/r" -printf '%P %s %T@\n' | sort >"$W/before"
	g 0 backup --dry-run --json "$src"
	jq_is <(jq -s last "$out") '.files_new > 40 and .data_added > 0'
	# Its lock came and went; nothing else did.
	find "$W/r" -printf '%P %s %T@\n' | sort | grep -v '^locks ' >"$W/after"
	diff <(grep -v '^locks ' "$W/before") "$W/after"
	g 0 backup -n -v -v "$src"
	says "$out" one.txt
}

t_stdin() {
	init "$W/r"
	head -c 3000000 /dev/urandom >"$W/data"
	run 0 bash -c '"$0" backup --stdin --stdin-filename dir/dump.sql <"$1"' "$GARNER" "$W/data"
	says <("$GARNER" ls latest) dump.sql
	g 0 restore latest --target "$W/o"
	cmp "$W/data" "$(find "$W/o" -name dump.sql)"
	run 0 bash -c '"$0" backup --stdin </dev/null' "$GARNER"
	g 0 restore latest --target "$W/o2"
	same "$(stat -c %s "$W/o2/stdin")" 0
}

# Chunks of 8 MiB go in pieces through a pool that is smaller; known ones are cut
# out of the pack again.
t_long_chunks() {
	local i
	init "$W/r"
	mkdir "$W/in"
	for i in 1 2 3; do
		awk -v i="$i" 'BEGIN { while (n++ < 3e6) print "line", i }' >"$W/in/long$i"
		head -c 5000000 /dev/urandom >"$W/in/noise$i"
		cp "$W/in/long1" "$W/in/same$i"
	done
	g 0 backup "$W/in"
	g 0 check --read-data
	g 0 stats --mode raw-data --json
	jq_is "$out" '.total_size < 16000000'
	[ "$(du -sb "$W/r/data" | cut -f1)" -lt 16500000 ] # nothing cut is left
	g 0 restore latest --target "$W/o"
	diff -r "$W/in" "$W/o$W/in"
	touch "$W/in"/*
	g 0 backup --json "$W/in"
	jq_is <(tail -n 1 "$out") '.data_blobs == 0 and .files_changed == 9'
}

t_compression() {
	local mode size
	for mode in off auto max; do
		init "$W/$mode"
		g 0 --compression $mode backup "$src"
		g 0 check --read-data
		size=$(du -sb "$W/$mode/data" | cut -f1)
		echo "$mode $size"
		eval "size_$mode=$size"
	done
	# shellcheck disable=SC2154 # by eval
	[ "$size_max" -le "$size_auto" ] && [ "$size_auto" -lt "$size_off" ]
	init "$W/v1" --repository-version 1
	g 0 --compression max backup "$src"
	g 0 check --read-data
	[ "$(du -sb "$W/v1/data" | cut -f1)" -ge "$size_off" ]
	for index in $("$GARNER" list index); do
		hushes <("$GARNER" cat index "$index") uncompressed
	done
	"$tools/mktree" -f "$W/big" 20000000
	init "$W/small"
	g 0 --pack-size 4 backup "$W/big"
	at_most "$(find "$W/small/data" -type f -printf '%s\n' | sort -n | tail -n 1)" 13000000 'a pack'
	[ "$(find "$W/small/data" -type f | wc -l)" -ge 3 ]
	init "$W/large"
	g 0 --pack-size 64 backup "$W/big" --compression off
	[ "$(find "$W/large/data" -type f | wc -l)" -le 4 ]
}

t_sources() {
	init "$W/r"
	mkdir "$W/s"
	cd "$W/s"
	echo x >f
	mkdir d
	echo y >d/g
	g 0 backup f d
	same "$("$GARNER" ls latest | grep -v '^snapshot' | sort | tr '\n' ' ')" '/d /d/g /f '
	g 0 backup .
	same "$("$GARNER" ls latest | grep -v '^snapshot' | sort | tr '\n' ' ')" '/d /d/g /f '
	cd d
	g 0 backup ../f
	same "$("$GARNER" ls latest | grep -v '^snapshot' | tr '\n' ' ')" '/f '
	g 0 backup "$W/s/f" "$W/s/f" "$W/s//d/./../f" "$W/s"
	same "$("$GARNER" ls latest | grep -c "$W/s/f")" 1
	g 3 backup "$W/s" "$W/missing"
	says "$err" "$W/missing"
	g bad backup "$W/missing"
	says "$err" "$W/missing"
	g bad backup ''
	# A snapshot of nothing is no success.
	mkdir "$W/empty"
	cd "$W/empty"
	g 0 backup "$W/empty"
	local n=$("$GARNER" list snapshots | wc -l)
	g 1 backup .
	says "$err" 'nothing'
	echo x >"$W/empty/left out"
	g 1 backup . --exclude 'left*'
	same "$("$GARNER" list snapshots | wc -l)" "$n"
}

# ---- restore --------------------------------------------------------------
restore_from() { use "$base"; snap=$("$GARNER" snapshots --json --host alpha | jq -r '.[0].id'); }

t_restore() {
	restore_from
	g 0 restore "$snap" --target "$W/o"
	same "$(cat "$out" "$err" | grep -ci warn || :)" 0
	"$tools/treecmp" -T "$src" "$W/o$src"
	g 0 restore "$snap" --target "$W/o" --json --verify
	jq -e . "$out" >/dev/null
	jq_is <(jq -s last "$out") '.message_type == "summary" and .files_verified > 40'
	g 0 restore "${snap:0:10}:$src/docs" --target "$W/o2"
	"$tools/treecmp" "$src/docs" "$W/o2"
	g 0 restore latest --host beta --target "$W/o3"
	"$tools/treecmp" -T "$src/docs" "$W/o3$src/docs"
	g 0 restore latest --tag one --target "$W/o4"
	"$tools/treecmp" "$src" "$W/o4$src"
	g 0 restore latest --path "$src" --target "$W/o5"
	g 1 restore latest --path /nowhere --target "$W/o6"
	g 1 restore "$snap:/nowhere" --target "$W/o6"
	says "$err" /nowhere
	g bad restore "$snap:$src/zeds" --target "$W/o6"
	says "$err" include
	g bad restore "$snap" --target "$src/zeds"
	says "$err" "$src/zeds"
	g bad restore "$snap" --target /proc/none
	says "$err" /proc/none
}

t_restore_some() {
	restore_from
	g 0 restore "$snap" --target "$W/o" --include '*.txt' --include "$src/music"
	same "$(cd "$W/o$src" && find . -type f | sort | tr '\n' ' ')" \
	    './docs/one.txt ./music/b.ogg ./music/rock/a.mp3 '
	g 0 restore "$snap" --target "$W/o2" --iinclude '*.txt'
	same "$(cd "$W/o2$src" && find . -type f | sort | tr '\n' ' ')" './docs/Two.TXT ./docs/one.txt '
	g 0 restore "$snap" --target "$W/o3" --exclude many --exclude '*.mp3' --iexclude ZEDS
	[ ! -e "$W/o3$src/many" ] && [ ! -e "$W/o3$src/zeds" ]
	[ -e "$W/o3$src/deep/a/b/c/file" ] && [ ! -e "$W/o3$src/music/rock/a.mp3" ]
	echo '*.mp3' >"$W/list"
	g 0 restore "$snap" --target "$W/o4" --include-file "$W/list"
	same "$(cd "$W/o4" && find . -type f | wc -l)" 1
	g 0 restore "$snap" --target "$W/o5" --exclude-file "$W/list"
	[ ! -e "$W/o5$src/music/rock/a.mp3" ]
	g 0 restore "$snap" --target "$W/o6" --dry-run -v
	says "$out" one.txt
	[ ! -e "$W/o6" ]
}

t_overwrite() {
	restore_from
	local f="$W/o$src/docs/one.txt" g="$W/o$src/docs/Two.TXT"
	g 0 restore "$snap" --target "$W/o"
	echo changed >"$f"
	echo more >"$W/o$src/docs/more"
	g 0 restore "$snap" --target "$W/o" --overwrite never
	same "$(cat "$f")" changed
	g 0 restore "$snap" --target "$W/o" --overwrite if-newer
	same "$(cat "$f")" changed
	g 0 restore "$snap" --target "$W/o" --overwrite if-changed
	same "$(cat "$f")" 'the first file'
	same "$(cat "$W/o$src/docs/more")" more
	touch -d 1999-01-01 "$f" "$g"
	echo older >"$f"
	touch -d 1999-01-01 "$f"
	g 0 restore "$snap" --target "$W/o" --overwrite if-newer
	same "$(cat "$f")" 'the first file'
	echo xxx >"$f"
	chmod 000 "$g"
	rm "$W/o$src/docs/more"
	g 0 restore "$snap" --target "$W/o"
	"$tools/treecmp" -T "$src" "$W/o$src"
	# What is no file makes way for one, and a link is not followed.
	rm -r "$f" "$W/o$src/music"
	ln -s /dev/null "$f"
	mkdir "$W/away"
	ln -s "$W/away" "$W/o$src/music"
	g 0 restore "$snap" --target "$W/o"
	"$tools/treecmp" -T "$src" "$W/o$src"
	same "$(ls -A "$W/away")" ''
	# A folder full of somebody's files does not.
	rm "$f"
	mkdir "$f"
	echo precious >"$f/keep"
	g bad restore "$snap" --target "$W/o"
	same "$(cat "$f/keep")" precious
	says "$err" one.txt
	# Never means never, for a folder in place of a file too.
	rm -r "$W/o"
	mkdir -p "$W/o$src"
	echo precious >"$W/o$src/docs"
	g 1 restore "$snap" --target "$W/o" --overwrite never
	says "$err" "$src/docs"
	same "$(cat "$W/o$src/docs")" precious
	[ -e "$W/o$src/music/b.ogg" ]
}

# ---- looking --------------------------------------------------------------
t_snapshots() {
	use "$base"
	g 0 snapshots
	says "$out" alpha
	says "$out" one
	g 0 snapshots --json
	jq_is "$out" 'length == 2 and all(.[]; .short_id == .id[0:8])'
	g 0 snapshots --json --host alpha
	jq_is "$out" 'length == 1'
	g 0 snapshots --json --tag two
	jq_is "$out" 'length == 2'
	g 0 snapshots --json --tag one,two
	jq_is "$out" 'length == 1'
	g 0 snapshots --json --tag one --tag two
	jq_is "$out" 'length == 2'
	g 0 snapshots --json --path "$src/docs"
	jq_is "$out" 'length == 1'
	g 0 snapshots --json --host nobody
	jq_is "$out" 'length == 0'
	g 0 snapshots --json --latest 1
	jq_is "$out" 'length == 2'
	g 0 snapshots --compact
	says "$out" alpha
	local id=$(latest)
	g 0 snapshots --json "${id:0:6}"
	jq_is "$out" 'length == 1'
	g 0 snapshots --json latest
	jq_is "$out" 'length == 1 and .[0].id == "'$id'"'
	g 0 -q snapshots
}

t_ambiguous() {
	init "$W/r"
	local i one
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do
		g 0 backup --no-lock -q "$src/docs"
	done
	# Of seventeen ids two begin alike.
	one=$("$GARNER" list snapshots | cut -c1 | sort | uniq -d | head -n 1)
	g bad ls "$one"
	says "$err" 'snapshots'
}

t_ls() {
	restore_from
	g 0 ls "$snap"
	says "$out" "$src/docs/one.txt"
	g 0 ls -l "$snap" "$src/docs"
	says "$out" '2001-02-03 04:05:06'
	says "$out" one.txt
	hushes "$out" a.mp3
	g 0 ls "$snap" "$src/music"
	hushes "$out" a.mp3
	g 0 ls --recursive "$snap" "$src/music"
	says "$out" a.mp3
	g 0 ls --human-readable -l "$snap"
	says "$out" KiB
	g 0 ls --json "$snap"
	jq_is <(jq -s . "$out") '.[0].struct_type == "snapshot" and .[1].struct_type == "node" and
	    ([.[] | select(.path == "'"$src"'/docs/one.txt")][0] | .size == 15 and .type == "file" and
	    .mtime == "2001-02-03T04:05:06.789Z")'
	g 1 ls "$snap" /nowhere
	says "$err" /nowhere
	g 1 ls ffffffffff
	g 2 ls
	# A terminal survives odd names.
	init "$W/r"
	mkdir "$W/s"
	echo x >"$W/s/$(printf 'esc\033[31m\nnew\r')"
	echo x >"$W/s/$(printf 'caf\351')"
	g 0 backup -v -v "$W/s"
	[ "$(tr -d '\n\40-\176\200-\377' <"$out" | wc -c)" = 0 ] || fail 'backup -vv prints control characters'
	g 0 ls latest
	[ "$(tr -d '\n\40-\176\200-\377' <"$out" | wc -c)" = 0 ] || fail 'ls prints control characters'
	same "$(grep -c . "$out")" "$(($(echo "$W/s" | tr -dc / | wc -c) + 2))" 'lines of ls'
	g 0 ls --json latest
	jq -e . "$out" >/dev/null
}

t_cat_list() {
	use "$base"
	local kind id
	for kind in snapshots keys index packs blobs locks; do
		g 0 list $kind
		[ $kind = locks ] || grep -qE '(^| )[0-9a-f]{64}$' "$out"
	done
	same "$("$GARNER" list packs | sort)" "$(find "$base/data" -type f -printf '%f\n' | sort)"
	same "$("$GARNER" list index | sort)" "$(ls "$base/index" | sort)"
	for kind in snapshots:snapshot keys:key index:index; do
		for id in $("$GARNER" list "${kind%:*}"); do
			g 0 cat "${kind#*:}" "$id"
			jq -e . "$out" >/dev/null
		done
	done
	id=$("$GARNER" list packs | sed -n 1p)
	g 0 cat pack "$id"
	same "$(sha256sum <"$out" | cut -d' ' -f1)" "$id"
	"$GARNER" list blobs | while read -r kind id; do
		g 0 cat --no-lock blob "$id"
		same "$(sha256sum <"$out" | cut -d' ' -f1)" "$id"
		[ "$kind" = data ] || g 0 cat --no-lock tree "$id"
	done
	g 0 cat config
	jq_is "$out" '.version == 2'
	g 0 cat masterkey
	jq_is "$out" '.encrypt | length == 44'
	g 0 cat tree "latest:$src/docs" 2>/dev/null || g any cat tree "$(root_tree)"
	g bad cat blob "$(printf %064d 0)"
	says "$err" 0000
	g bad cat snapshot ffffffff
	g bad cat blob nonsense
}

# ---- keys -----------------------------------------------------------------
t_keys() {
	init "$W/r"
	echo second-pw >"$W/pw2"
	echo third-pw >"$W/pw3"
	g 0 key add --new-password-file "$W/pw2" $quick --user somebody --host somewhere
	g 0 key list --json
	jq_is "$out" 'length == 2 and ([.[] | select(.userName == "somebody" and .hostName == "somewhere")] |
	    length == 1) and ([.[] | select(.current)] | length == 1)'
	local own=$(jq -r '.[] | select(.current) | .id' "$out")
	local other=$(jq -r '.[] | select(.current | not) | .id' "$out")
	g 0 -p "$W/pw2" snapshots
	g 0 snapshots
	g bad key remove "$own"
	says "$err" "$own"
	g 0 -p "$W/pw2" key passwd --new-password-file "$W/pw3" $quick
	g 12 -p "$W/pw2" snapshots
	g 0 -p "$W/pw3" snapshots
	other=$("$GARNER" key list --json | jq -r '.[] | select(.current | not) | .id')
	g 0 key remove "$other"
	g 12 -p "$W/pw3" snapshots
	same "$(ls "$W/r/keys" | wc -l)" 1
	g bad key remove ffffffff
	g 2 key remove
	run bad setsid "$GARNER" key add </dev/null
	: >"$W/none"
	g bad key add --new-password-file "$W/none"
	same "$(ls "$W/r/keys" | wc -l)" 1
	# The hint is only a hint.
	g 0 --key-hint "$own" snapshots
	g 0 --key-hint 1234567890 snapshots
}

t_appliance() {
	init "$W/r"
	g 0 backup -q "$src/docs"
	g 0 key add --appliance
	same "$(ls "$W/r/keys" | wc -l)" 2
	local none="env -u GARNER_PASSWORD -u RESTIC_PASSWORD setsid"
	run 0 $none "$GARNER" snapshots
	says "$out" docs
	# Nobody but its owner reads the secret.
	same "$(find "$W/state" -type f -perm /077 | wc -l)" 0
	run 12 $none "$GARNER" --state-dir "$W/other" snapshots
	g 0 --state-dir "$W/other" snapshots
	# It opens in little memory, at once.
	if ! sanitized; then
		run 0 $none /usr/bin/time -f %M "$GARNER" snapshots
		at_most "$(tail -n 1 "$err")" 9000 'KiB to open'
	fi
	# With the wrong password given, the secret must not help.
	g 12 -p <(echo wrong) snapshots
	# A slot that was removed elsewhere is no obstacle.
	local id=$("$GARNER" key list --json | jq -r '.[] | select(.current | not) | .id')
	g 0 key remove "$id"
	run 12 $none "$GARNER" snapshots
	g 0 snapshots
}

# ---- check, unlock --------------------------------------------------------
t_check() {
	own_base
	g 0 check
	says "$out" 'no errors'
	g 0 check --read-data
	g 0 check --read-data --json
	jq -e . "$out" >/dev/null
	jq_is <(jq -s last "$out") '.message_type == "summary" and .num_errors == 0 and .packs_read > 0'
	local part
	for part in 1/1 1/2 2/2 50% 2.5% 100% 1K 10M; do
		g 0 check --read-data-subset $part
	done
	for part in 0/2 3/2 0% 101% x -1 1/0 1/; do
		g 2 check --read-data-subset=$part
	done
	g 0 -q check
	same "$(cat "$out" "$err")" ''
}

t_unlock() {
	init "$W/r"
	g 0 unlock
	mkfifo "$W/f"
	"$GARNER" backup --stdin <"$W/f" >/dev/null 2>&1 &
	local pid=$!
	exec 8>"$W/f"
	wait_for 5 sh -c "ls '$W/r/locks' | grep -q ."
	g 11 check
	says "$err" "$pid"
	says "$err" 'retry-lock'
	g 0 snapshots
	g 0 list locks
	[ "$(grep -c . "$out")" -ge 1 ]
	local lock=$(head -n 1 "$out")
	g 0 cat lock "$lock"
	jq_is "$out" ".pid == $pid and .exclusive == false"
	g 0 unlock
	[ -n "$(ls "$W/r/locks")" ] || fail 'unlock removed the lock of a living process'
	exec 8>&-
	wait $pid
	same "$(ls "$W/r/locks")" ''
}

# ---- words ----------------------------------------------------------------
commands='init backup restore snapshots ls cat list key check unlock version selftest'

t_help() {
	local c o
	g 0 --help
	says "$out" usage
	g 0 help
	cp "$out" "$W/all"
	for c in $commands; do
		says "$W/all" "  $c "
		run 0 "$GARNER" $c --help
		says "$out" "usage: garner $c"
		same "$(cat "$err")" ''
		cp "$out" "$W/1"
		run 0 "$GARNER" help $c
		cmp "$out" "$W/1"
		run 0 "$GARNER" $c -h
		awk 'length > 85 { exit 1 }' "$out" || fail "$c: wide help"
	done
	g 2 help nonsense
	g 0 --version
	says "$out" garner
}

t_json_everywhere() {
	own_base
	local c
	for c in snapshots 'ls latest' 'key list' check unlock version selftest \
	    'list snapshots' 'list keys' 'cat config'; do
		g 0 $c --json
		[ "$c" = 'list snapshots' ] || [ "$c" = 'list keys' ] ||
		    jq -e . "$out" >/dev/null || fail "$c --json does not parse: $(head -n 1 "$out")"
	done
	g 10 -r "$W/none" --json backup "$src"
	jq_is "$err" '.code == 10'
	g 2 --json nonsense
	jq_is "$err" '.code == 2'
}

t_quiet() {
	init "$W/r" -q
	same "$(cat "$out")" ''
	g 0 -q backup "$src"
	same "$(cat "$out" "$err")" ''
	g 0 -q restore latest --target "$W/o"
	same "$(cat "$out" "$err")" ''
	g 3 -q backup "$src" "$W/none"
	says "$err" "$W/none"
	g 10 -r "$W/none" backup "$src"
	same "$(cat "$out")" '' 'standard output of a failure'
}

# Passwords, keys: nowhere but in masterkey.
t_secrets() {
	init "$W/r"
	local enc k c
	enc=$("$GARNER" cat masterkey | jq -r .encrypt)
	k=$("$GARNER" cat masterkey | jq -r .mac.k)
	echo "$PW" >"$W/pw"
	for c in "backup $src" snapshots 'ls latest' 'key list' check "restore latest --target $W/o" unlock \
	    'list keys' "cat snapshot latest" 'nonsense' 'backup --nosuch' "backup $W/none" \
	    "-r $W/none snapshots"; do
		run any "$GARNER" -v -v -p "$W/pw" $c
		hushes "$out" "$PW"
		hushes "$err" "$PW"
		hushes "$out" "$enc"
		hushes "$err" "$k"
	done
	run 12 "$GARNER" -v -v -p <(echo wrong-"$PW") snapshots
	hushes "$err" "$PW"
	run 2 "$GARNER" "--password=$PW" snapshots
	hushes "$err" "$PW"
	! grep -rqF "$PW" "$W/state" "$W/r" || fail 'the password lies in a file'
	! grep -rqF "$enc" "$W/state" "$W/r" || fail 'the master key lies in a file'
	# Core files would hold them.
	run 0 bash -c 'ulimit -c unlimited; "$0" cat --no-lock config; true' "$GARNER"
}

t_stdout() {
	use "$base"
	run 1 bash -c '"$0" snapshots >/dev/full' "$GARNER"
	says "$err" 'standard output'
	run 1 bash -c '"$0" ls latest --host alpha >/dev/full' "$GARNER"
	# A reader that has seen enough is no failure worth a word.
	run any bash -c '"$0" ls latest --host alpha | head -n 1' "$GARNER"
	same "$(cat "$err")" ''
}

t_state() {
	is_root || chmod 700 "$W"
	: >"$W/file"
	g bad --state-dir "$W/file" snapshots
	says "$err" "$W/file"
	g bad --state-dir /proc/none snapshots
	says "$err" /proc/none
	# It is only a cache: without it, or with rubbish in it, all works.
	init "$W/r"
	g 0 backup -q "$src"
	find "$W/state" -type f | while read -r f; do echo rubbish >"$f"; done
	g 0 backup --json "$src"
	jq_is <(jq -s last "$out") '.files_unmodified > 40 and .data_blobs == 0'
	rm -rf "$W/state"
	g 0 backup --json "$src"
	jq_is <(jq -s last "$out") '.files_unmodified > 40 and .data_blobs == 0'
	find "$W/state" -type f -size +0 | while read -r f; do truncate -s -1 "$f"; done
	g 0 check --read-data
	g 0 restore latest --target "$W/o"
	"$tools/treecmp" "$src" "$W/o$src"
	same "$(find "$W/state" -perm /077 ! -type l | wc -l)" 0 'files of the state folder that others may see'
}

t_version() {
	g 0 version
	says "$out" 'garner '
	g 0 version --licenses
	local word
	for word in bearssl zstd cjson sodium musl; do
		sanitized && [ $word = musl ] && continue
		says "$out" "$word"
	done
	g 0 selftest
	says "$out" sha
	hushes "$out" 'not ok'
}

also 'init: versions, modes, refusals' t_init
also 'init: the cost of a key' t_init_kdf
also 'a terminal is asked, and shown progress' t_terminal
also 'init: parameters of another repository' t_copy_params
also 'exit codes and usage' t_codes
also 'a typo is met with the right word' t_typos
also 'options, GARNER_ and RESTIC_ variables, in that order' t_env
also 'no password' t_no_password
also 'backup: json, changed and unchanged' t_backup_json
also 'backup: excludes' t_excludes
also 'backup: marked, large, old' t_marked
also 'backup: one file system' t_one_fs
also 'backup: lists of paths' t_lists
also 'backup: tags, hosts, times, parents' t_snapshot_words
also 'backup: inodes, devices, access times' t_ignore
also 'backup: a dry run writes nothing' t_dry
also 'backup: standard input' t_stdin
also 'backup: chunks larger than the pool' t_long_chunks
also 'backup: compression and pack sizes' t_compression
also 'backup: sources' t_sources
also 'restore: whole, parts, filters' t_restore
also 'restore: includes and excludes' t_restore_some
also 'restore: what is there already' t_overwrite
also 'snapshots: filters' t_snapshots
also 'ids that are too short' t_ambiguous
also 'ls' t_ls
also 'cat and list' t_cat_list
also 'key: add, list, passwd, remove' t_keys
also 'key: the appliance slot' t_appliance
also 'check: options' t_check
also 'unlock leaves the living alone' t_unlock
also 'help for every command' t_help
also 'json everywhere' t_json_everywhere
also 'quiet' t_quiet
also 'nothing secret is said or left' t_secrets
also 'a full standard output' t_stdout
also 'the state folder' t_state
also 'version, licences, self test' t_version
wait_also
