#!/bin/bash
# What happens to a box in the field: power cuts, signals, full and broken disks,
# files that change while they are read, others at work in the same repository.
# Whatever it is, earlier snapshots stay whole, the message names the thing and
# the way out, and the next run goes on.
. "$(dirname "$0")/../lib.sh"
tool mktree treecmp

# Two packs' worth of one file, and small ones; each SEED gives others.
vary() { # FOLDER SEED
	"$tools/mktree" "$1" 300 3000 "$2"
	"$tools/mktree" -f "$1/big" 9000000 "$2"
}

# What a test looks at that needs no more than a few files.
few=$T/fixed/few
mkdir -p "$T/fixed"
"$tools/mktree" "$few" 20 3000
"$tools/mktree" -f "$few/big" 5000000

# start COMMAND...: in the background, as $pid, reading $input; what it says is in
# $W/out and $W/err.
start() {
	"$@" <"${input:-/dev/null}" >"$W/out" 2>"$W/err" &
	pid=$!
	to_end $pid
}

# locked REPOSITORY: is there a lock?
locked() { [ -n "$(ls "$1/locks")" ]; }

# ended CODE: $pid ends with it, within the time that a clean end may take.
ended() {
	local code=0
	wait_for 20 not kill -0 "$pid" 2>/dev/null || fail "line ${BASH_LINENO[0]}: it does not end"
	wait "$pid" || code=$?
	[ "$code" = "$1" ] || fail "line ${BASH_LINENO[0]}: ended with code $code, not $1: $(
	    head -n 2 "$W/err" | tr '\n' ' ')"
}
not() { ! "$@"; }

# no_traces: neither locks nor temporary files are in $GARNER_REPOSITORY, nor notes
# of locks in the state folder.
no_traces() {
	same "$(find "$GARNER_REPOSITORY" "$GARNER_STATE_DIR" -path '*/locks/*' -o \
	    -name '*garner-tmp*' -o -name '*garner-scratch*')" '' 'what is left behind'
}

# whole [OPTION...]: what both tools say of the repository.
whole() {
	g 0 check "$@"
	says "$out" 'no errors'
	[ -z "$restic_old" ] || r 0 "$restic_old" check "$@"
}

# restores SNAPSHOT PATH FOLDER: that path of it is what the folder is.
restores() {
	g 0 restore "$1:$2" --target "$W/o"
	"$tools/treecmp" "$3" "$W/o"
	rm -rf "$W/o"
}

added() { jq -s 'last | .data_added' "$1"; }

# ---- kill -9 --------------------------------------------------------------
# Most of them after it has its lock, spread over what it does then, as far as that
# can be foreseen.
t_killed_backups() { # ROUNDS
	local i ms work began seed=$RANDOM killed=0 earlier=0 code
	echo "seed $seed"
	RANDOM=$seed
	init "$W/r"
	cd "$W"	# what is above the source changes
	vary s "$RANDOM"
	began=$(date +%s%N)
	g 0 backup -q s --pack-size 4
	work=$((($(date +%s%N) - began) / 1000000 - 210))
	for ((i = 0; i < $1; i++)); do
		if [ $((i % 9)) = 0 ]; then
			g 0 backup -q s --pack-size 4
			earlier=$((earlier + 1))
			cp -a s keep$earlier
			latest >keep$earlier.id
		fi
		[ $work -gt 20 ] || work=20
		vary s "$RANDOM"
		start "$GARNER" backup s --pack-size 4
		if [ $((i % 5)) = 0 ]; then
			ms=$((RANDOM % 220))
		else
			wait_for 10 locked "$W/r"
			ms=$((180 + RANDOM % work))
		fi
		sleep "$(printf %d.%03d $((ms / 1000)) $((ms % 1000)))"
		kill -9 $pid 2>/dev/null || :
		code=0
		wait $pid || code=$?
		case $code in
		0) work=$((work * 4 / 5)) ;;
		137) killed=$((killed + 1)) work=$((work + work / 20)) ;;
		*) fail "round $i: code $code: $(cat err)" ;;
		esac
		echo "$ms ms: code $code, $(find "$W/r/data" -type f | wc -l) packs," \
		    "$(ls "$W/r/index" | wc -l) indexes, $(ls "$W/r/snapshots" | wc -l) snapshots"
		# Its lock is removed by hand, or by whoever meets it on this box.
		[ $((i % 2)) = 0 ] || g 0 unlock
		g 0 check
		says "$out" 'no errors'
		! locked "$W/r" || fail "a lock is left, round $i"
		[ $((i % 6)) != 5 ] || [ -z "$restic_old" ] || r 0 "$restic_old" check
	done
	[ $killed -ge $(($1 / 2)) ] || fail "only $killed were killed in time"
	g 0 backup -q s
	g 0 backup --json s
	same "$(added "$out")" 0 'added by a backup of what is there'
	no_traces
	whole --read-data
	for ((i = 1; i <= earlier; i++)); do
		restores "$(cat keep$i.id)" /s keep$i
	done
}

names='?rename,?renameat,?renameat2,?linkat'

# cut_at CALLS N COMMAND...: end it with the Nth of these system calls, as a power cut
# would. False when there were less.
cut_at() {
	local calls=$1 n=$2 code=0
	shift 2
	traced -f -o "$W/trace" -e trace="$calls" -e inject="$calls":signal=KILL:when="$n" \
	    "$@" >"$W/out" 2>"$W/err" || code=$?
	[ $code = 0 ] || [ $code = 137 ] || fail "cut at $n: code $code: $(head -n 1 "$W/err")"
	grep -q 'killed by SIGKILL' "$W/trace"
}

t_cut_backups() {
	can_trace
	local calls n cuts=0
	init "$W/r"
	cd "$W"
	cp -a "$few" s
	g 0 backup -q s
	cp -a s keep
	local id=$(latest)
	for calls in "$names" fsync unlinkat ftruncate fchmod; do
		for ((n = 1; n < 12; n++)); do
			"$tools/mktree" -f s/big 5000000 $RANDOM
			cut_at "$calls" $n "$GARNER" backup -q --pack-size 4 s || break
			cuts=$((cuts + 1))
			g 0 check
			! locked "$W/r" || fail "cut at $calls $n: a lock is left"
		done
	done
	echo "$cuts cuts"
	[ $cuts -ge 12 ]
	g 0 backup -q s
	no_traces
	whole --read-data
	restores "$id" /s keep
	restores latest /s s
}

# A repository in the making, keys in the making: some password always opens it.
t_cut_keys() {
	can_trace
	local n
	for n in 1 2 3; do
		rm -rf "$W/r"
		cut_at "$names" $n "$GARNER" init -r "$W/r" $quick || break
		[ ! -e "$W/r/config" ] || { g 0 -r "$W/r" snapshots; continue; }
		# Nothing was stored yet: it says what to remove.
		g 10 -r "$W/r" snapshots
		g any init -r "$W/r" $quick
		[ "$last_code" = 0 ] || says "$err" "$W/r"
	done
	[ "$n" -gt 1 ]
	init "$W/r2"
	g 0 backup -q "$few"
	local pw=$W/pw0
	echo "$PW" >"$W/pw0"
	for n in 1 2 3 4 5; do
		echo "other $n" >"$W/pw$n"
		cut_at "$names,unlinkat" $n "$GARNER" -p "$pw" key passwd $quick \
		    --new-password-file "$W/pw$n" || break
		g any -p "$pw" check
		[ "$last_code" = 0 ] || { pw=$W/pw$n; g 0 -p "$pw" check; }
	done
	[ "$n" -gt 2 ]
}

# A name is given only to what is on the medium, and is on the medium itself before
# anything that relies on it; packs come before the index, that before the snapshot.
t_order() {
	can_trace
	init "$W/r"
	traced -f -y -o "$W/trace" -e trace="fsync,fdatasync,$names" \
	    "$GARNER" backup -q --pack-size 4 "$few"
	awk '
	    function path(s) { sub(/^[^<]*</, "", s); sub(/>.*/, "", s); return s }
	    / fsync\(/ || / fdatasync\(/ {
		p = path($0); synced[p] = 1
		if (p in dirs) { delete dirs[p] }
		next }
	    / (rename|link)[a-z0-9]*\(/ {
		split($0, part, "\""); from = part[2]; to = part[4]
		if (from !~ /garner-tmp/) next
		n++
		dir = path($0)
		if (!((dir "/" from) in synced)) { print "not synced: " $0; bad = 1 }
		into = part[3]; sub(/^[^<]*</, "", into); sub(/>.*/, "", into)
		kind = into; sub(/.*\/r\//, "", kind); sub(/\/.*/, "", kind)
		for (d in dirs) if (kind ~ /index|snapshots/ && d !~ /locks/) {
			print "not synced before " kind ": " d; bad = 1 }
		dirs[into] = 1
		if (kind == "data" && index_seen) { print "a pack behind its index"; bad = 1 }
		if (kind == "index") index_seen = 1
		if (kind == "snapshots") { if (!index_seen) { print "no index before"; bad = 1 } snapshot = 1 }
	    }
	    END {
		for (d in dirs) { print "never synced: " d; bad = 1 }
		if (n < 4 || !snapshot) { print "only " n " names were given"; bad = 1 }
		exit bad }' "$W/trace" || fail "$(cat "$W/trace" | grep -c fsync) syncs are not in order"
}

# Killed in the middle of files: no file is there in part, the next restore
# removes the rests.
t_killed_restores() {
	init "$W/r"
	mkdir "$W/s"
	vary "$W/s/sub" 1
	"$tools/mktree" -f "$W/s/top" 9000000 3
	"$tools/mktree" -f "$W/s/top2" 9000000 4
	cd "$W/s"
	g 0 backup -q --pack-size 4 sub top top2
	local i left=0 f
	mkdir "$W/o"
	for i in 1 2 3 4 5 6 7 8; do
		start "$GARNER" restore latest --target "$W/o"
		wait_for 10 eval '[ -n "$(find "$W/o" -name ".garner-tmp*")" ] || ! kill -0 $pid'
		sleep 0.0$((i / 2))
		kill -9 $pid 2>/dev/null || :
		wait $pid || :
		left=$((left + $(find "$W/o" -name '.garner-tmp*' | wc -l)))
		for f in top top2 sub/big; do
			[ ! -e "$W/o/$f" ] || cmp "$f" "$W/o/$f"
		done
		[ $((i % 4)) != 0 ] || rm -rf "$W/o"
	done
	echo "$left temporary files were left"
	[ $left -gt 0 ]
	# One that nobody was busy with, in the very top and below.
	mkdir -p "$W/o/sub"
	echo rest | tee "$W/o/.garner-tmp-0123456789abcdef" >"$W/o/sub/.garner-tmp-0123456789abcdef"
	g 0 restore latest --target "$W/o"
	"$tools/treecmp" sub "$W/o/sub"
	cmp top "$W/o/top"
	cmp top2 "$W/o/top2"
	same "$(find "$W/o" -name '.garner-tmp*')" '' 'rest of a killed restore'
	echo rest >"$W/o/sub/.garner-tmp-0123456789abcdef"
	g 0 restore latest --target "$W/o" --include '/sub/big'
	same "$(find "$W/o" -name '.garner-tmp*')" '' 'rest of a killed restore'
	g 0 check
	no_traces
}

# ---- locks ----------------------------------------------------------------
# hold ARG...: a garner of this repository that waits for its standard input, and
# holds a lock meanwhile. exec 8>&- lets it go on.
hold() {
	rm -f "$W/fifo"
	mkfifo "$W/fifo"
	input=$W/fifo start "$GARNER" backup --stdin "$@"
	exec 8>"$W/fifo"
	wait_for 10 locked "$GARNER_REPOSITORY"
	sleep 0.4	# it looks twice
}

# "${elsewhere[@]}" COMMAND...: on a host of another name.
elsewhere=(unshare -u sh -c 'hostname elsewhere; exec "$@"' -)
need_elsewhere() {
	"${elsewhere[@]}" true 2>/dev/null || no 'another host name is not permitted'
}

# The note in the state folder tells that it was ours: whatever the host is called
# now, whichever process has the number, whatever boot it was.
t_killed_holder() {
	need_elsewhere
	init "$W/r"
	hold
	kill -9 $pid
	wait $pid || :
	exec 8>&-
	locked "$W/r"
	sed -i 's/boot [^ ]* pid [0-9]*/boot 11111111-2222-3333-4444-555555555555 pid 1/' \
	    "$GARNER_STATE_DIR"/locks/*
	run 0 "${elsewhere[@]}" "$GARNER" check
	no_traces
	# Without the note it is of this host at most, and told so.
	hold
	kill -9 $pid
	wait $pid || :
	exec 8>&-
	rm "$GARNER_STATE_DIR"/locks/*
	run 11 "${elsewhere[@]}" "$GARNER" check
	says "$err" "process $pid"
	says "$err" 'retry-lock'
	g 11 check
	says "$err" 'garner unlock'
	g 0 unlock
	g 0 check
	no_traces
}

t_foreign_lock() {
	need_elsewhere
	init "$W/r"
	g 0 backup -q "$few"
	# Stopped while it holds its lock.
	start "${elsewhere[@]}" "$GARNER" --state-dir "$W/state2" check
	wait_for 10 locked "$W/r"
	kill -STOP $pid
	local holder=$pid
	g 11 backup "$few"
	says "$err" exclusively
	says "$err" elsewhere
	says "$err" "$holder"
	says "$err" root
	says "$err" 'retry-lock'
	g 11 backup --json "$few"
	jq_is "$err" '.code == 11'
	g 11 check
	g 0 unlock
	locked "$W/r" || fail 'unlock removed the lock of another host'
	g 0 snapshots --no-lock
	g 11 backup "$few" --retry-lock 1s
	kill -CONT $holder
	ended 0
	# It goes when its holder goes: waiting helps.
	start "${elsewhere[@]}" "$GARNER" --state-dir "$W/state2" check
	wait_for 10 locked "$W/r"
	kill -STOP $pid
	(sleep 1; kill -CONT $pid) &
	run 0 "$GARNER" backup -q "$few" --retry-lock 1m
	ended 0
	no_traces
}

# Its lock was taken away: it must not write what others cannot know of.
t_lock_removed() {
	init "$W/r"
	g 0 backup -q "$few"
	hold
	head -c 3000000 /dev/urandom >&8
	g 0 unlock --remove-all
	head -c 3000000 /dev/urandom >&8
	exec 8>&-
	ended 11
	says "$W/err" lock
	same "$("$GARNER" list snapshots --no-lock | wc -l)" 1 'snapshots'
	same "$(ls "$W/r/index" | wc -l)" 1 'index files'
	no_traces
	g 0 check
	# It stops even when nothing ends by itself.
	hold
	g 0 unlock --remove-all
	ended 11
	exec 8>&-
	same "$("$GARNER" list snapshots --no-lock | wc -l)" 1 'snapshots'
	no_traces
	g 0 check --read-data
}

# Who removes is told to stop, too, wherever it is.
t_lock_removed_prune() {
	can_trace
	init "$W/r"
	local id i
	vary "$W/s" 1
	g 0 backup -q "$few"
	id=$(latest)
	for i in 1 2 3; do
		vary "$W/s" $i
		g 0 backup -q "$W/s" --pack-size 4
	done
	g 0 forget -q --keep-last 1 --group-by paths
	for i in 0.1 2; do
		slow 100000 "$GARNER" prune --max-unused 0
		wait_for 20 locked "$W/r"
		sleep $i
		g 0 unlock --remove-all
		ended 11
		says "$W/err" lock
		g 0 check --read-data
	done
	restores "$id" "$few" "$few"
	restores latest "$W/s" "$W/s"
	g 0 prune
	no_traces
	whole --read-data
	restores latest "$W/s" "$W/s"
}

t_two_at_once() {
	init "$W/r"
	local i pids=
	vary "$W/s" 5
	for i in 1 2 3; do
		vary "$W/s$i" $((i + 10))
		"$GARNER" backup "$W/s" "$W/s$i" --host "box$i" --pack-size 4 >"$W/out$i" 2>&1 &
		pids="$pids $!"
	done
	for i in $pids; do
		wait "$i" || fail "$(cat "$W"/out?)"
	done
	same "$("$GARNER" snapshots --json | jq length)" 3
	no_traces
	for i in 1 2 3; do
		g 0 restore latest --host "box$i" --target "$W/o$i"
		"$tools/treecmp" "$W/s$i" "$W/o$i$W/s$i"
		"$tools/treecmp" "$W/s" "$W/o$i$W/s"
	done
	whole --read-data
}

# Into the same folder, by mistake: neither removes what the other writes.
t_two_restores() {
	init "$W/r"
	vary "$W/s" 5
	g 0 backup -q "$W/s" --pack-size 4
	local i pids
	for i in 1 2 3 4; do
		pids=
		for i in 1 2 3; do
			"$GARNER" restore latest --target "$W/o" >"$W/out$i" 2>&1 &
			pids="$pids $!"
		done
		for i in $pids; do
			wait "$i" || fail "$(cat "$W"/out?)"
		done
		"$tools/treecmp" "$W/s" "$W/o$W/s"
		same "$(find "$W/o" -name '.garner*')" ''
	done
	no_traces
}

# ---- signals --------------------------------------------------------------
# slow MICROSECONDS COMMAND...: each piece that it reads takes so long; tracee is the
# process that does it.
traced=(env "ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0" strace)
slow() {
	local each=$1
	shift
	rm -f "$W/trace"
	start "${traced[@]}" -f -o "$W/trace" -e trace=execve,pread64 \
	    -e inject=pread64:delay_enter="$each" "$@"
	wait_for 20 test -s "$W/trace"
}
tracee() { sed 's/ .*//; q' "$W/trace"; }

t_stopped_backup() {
	can_trace
	local sig
	init "$W/r"
	g 0 backup -q "$few"
	for sig in INT TERM; do
		vary "$W/s" $RANDOM
		slow 20000 "$GARNER" backup --pack-size 4 "$W/s"
		wait_for 20 eval '[ -n "$(find "$W/r/data" -name "garner-tmp*" -size +1500k)" ]'
		kill -$sig "$(tracee)"
		ended 130
		says "$W/err" stopped
		same "$(cat "$W/err" | wc -l)" 1 'lines of it'
		no_traces
		whole
		# What was whole is kept: the next run need not store it again.
		g 0 backup --json "$W/s"
		at_most "$(added "$out")" 8900000 'added by the next run'
	done
	slow 20000 "$GARNER" backup --json --force "$W/s"
	wait_for 20 locked "$W/r"
	kill -INT "$(tracee)"
	ended 130
	jq_is "$W/err" '.message_type == "exit_error" and .code == 130'
	whole --read-data
}

# A program that gives nothing yet must not keep it.
t_stopped_idle() {
	local sig
	init "$W/r"
	for sig in INT TERM; do
		hold
		kill -$sig $pid
		ended 130
		says "$W/err" stopped
		exec 8>&-
		no_traces
		same "$("$GARNER" list snapshots --no-lock)" ''
	done
}

# Who asks twice is not kept waiting.
t_stopped_twice() {
	init "$W/r"
	start env -u GARNER_PASSWORD -u RESTIC_PASSWORD "$GARNER" backup "$few" \
	    --password-command "touch '$W/asked'; exec sleep 30"
	wait_for 10 test -e "$W/asked"
	kill -INT $pid
	sleep 0.3
	kill -INT $pid
	ended 130
	# Once is enough where nobody else has to end first.
	mkfifo "$W/pw"
	start "$GARNER" -p "$W/pw" backup "$few"
	sleep 0.3
	kill -INT $pid
	ended 130
	no_traces
}

# Whatever it reads from the repository.
t_stopped_others() {
	can_trace
	local c last
	init "$W/r"
	vary "$W/s" 1
	g 0 backup -q "$W/s" --pack-size 4
	last=$(latest)
	g 0 backup -q "$few"
	for c in 'check --read-data' "restore $last --target $W/o" "dump -a tar $last /" \
	    "find --no-lock nowhere" "ls $last" "stats $last"; do
		# shellcheck disable=SC2086 # words
		slow 100000 "$GARNER" $c
		sleep 0.8
		kill -INT "$(tracee)"
		ended 130
		says "$W/err" stopped
		no_traces
	done
	same "$(find "$W/o" -name '.garner-tmp*')" '' 'rest of a restore'
	g 0 restore "$last" --target "$W/o"
	"$tools/treecmp" "$W/s" "$W/o$W/s"
}

# restic asks with it whether the owner of a lock lives; and terminals go away.
t_hangup() {
	init "$W/r"
	local i
	for i in 1 2 3; do
		rm -f "$W/fifo"
		mkfifo "$W/fifo"
		input=$W/fifo start "$GARNER" backup --stdin
		exec 8>"$W/fifo"
		wait_for 10 locked "$W/r"
		kill -HUP $pid
		sleep 0.3
		kill -HUP $pid
		exec 8>&-
		ended 0
	done
	no_traces
	if [ -n "$restic_old" ]; then
		hold
		r 0 "$restic_old" unlock
		locked "$W/r"
		exec 8>&-
		ended 0
		no_traces
	fi
}

t_usr1() {
	init "$W/r"
	hold
	kill -USR1 $pid
	wait_for 10 grep -q '0 files' "$W/err"
	exec 8>&-
	ended 0
	# Before there is any progress it is no reason to die.
	mkfifo "$W/pw"
	start "$GARNER" -p "$W/pw" snapshots
	sleep 0.3
	kill -USR1 $pid
	sleep 0.1
	kill -0 $pid || fail 'it died'
	echo "$PW" >"$W/pw"
	ended 0
	# A storm of them disturbs nothing.
	vary "$W/s" 7
	start "$GARNER" backup "$W/s" --pack-size 4 --compression max
	wait_for 10 locked "$W/r"
	while kill -USR1 $pid 2>/dev/null; do sleep 0.001; done
	ended 0
	start "$GARNER" restore latest --target "$W/o"
	wait_for 10 locked "$W/r"
	while kill -USR1 $pid 2>/dev/null; do sleep 0.001; done
	ended 0
	"$tools/treecmp" "$W/s" "$W/o$W/s"
	whole --read-data
}

# ---- what a parent process leaves us with ---------------------------------
# Closed descriptors would be our own files soon, with messages in them.
t_closed() {
	init "$W/r"
	mkfifo "$W/fifo"
	"$GARNER" backup --stdin <"$W/fifo" >&- 2>&- &
	pid=$!
	to_end $pid
	exec 8>"$W/fifo"
	wait_for 10 locked "$W/r"
	same "$(readlink /proc/$pid/fd/1 /proc/$pid/fd/2 | sort -u)" /dev/null
	exec 8>&-
	ended 0 2>/dev/null
	run 0 bash -c '"$0" backup -v -v "$1" <&- >&- 2>&-' "$GARNER" "$few"
	run 3 bash -c '"$0" backup -v -v "$1" /none <&- >&- 2>&-' "$GARNER" "$few"
	# Nothing to read is not the same as an end.
	local n=$("$GARNER" list snapshots | wc -l)
	run 1 bash -c '"$0" backup --stdin <&-' "$GARNER"
	says "$err" 'standard input'
	run 1 bash -c '"$0" backup --stdin </' "$GARNER"
	says "$err" 'standard input'
	same "$("$GARNER" list snapshots | wc -l)" "$n"
	whole --read-data
}

# A file that we may not open is one thing, that we can open no more is another.
t_descriptors() {
	init "$W/r"
	local deep=$W/s i n last=
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do deep=$deep/d$i; done
	mkdir -p "$deep"
	cp "$few/big" "$deep"
	cp -r "$few" "$W/s/few"
	# The soft limit is raised, the hard one holds.
	run 0 bash -c 'ulimit -S -n 20; exec "$0" backup -q "$1"' "$GARNER" "$W/s"
	for n in 60 50 40 35 32 30 28 26 24 22 20 19 18 17 16 15 14 13 12 11 10 8 6; do
		run any bash -c 'ulimit -n '$n'; exec "$0" backup --force "$1"' "$GARNER" "$W/s"
		[ "$last_code" != 3 ] || fail "$n descriptors: files are left out: $(head -n 1 "$err")"
		[ "$last_code" = 0 ] || last=$n
		no_traces
	done
	[ -n "$last" ]
	for i in $("$GARNER" list snapshots --no-lock); do
		same "$("$GARNER" ls --no-lock "$i" | grep -c "^$W/s/")" "$(find "$W/s" -mindepth 1 | wc -l)"
	done
	for n in 30 20 16 12 8; do
		run any bash -c 'ulimit -n '$n'; exec "$0" restore latest --target "$1"' "$GARNER" "$W/o"
		[ "$last_code" != 0 ] || "$tools/treecmp" "$W/s" "$W/o$W/s"
		rm -rf "$W/o"
	done
	whole
}

# No file may be larger than this: it is said, and nobody is killed.
t_file_size() {
	init "$W/r"
	g 0 backup -q "$few"
	"$tools/mktree" -f "$W/big" 9000000 9
	run 1 env --default-signal=XFSZ bash -c 'ulimit -f 2000; exec "$0" backup "$1"' "$GARNER" "$W/big"
	says "$err" "$W/r"
	says "$err" 'oo large'
	no_traces
	g 0 backup -q "$W/big"
	run 1 env --default-signal=XFSZ bash -c 'ulimit -f 2000; exec "$0" restore latest --target "$1"' "$GARNER" "$W/o"
	says "$err" big
	same "$(find "$W/o" -type f)" ''
	whole
}

t_memory_limit() {
	sanitized && no 'the sanitizers need their room'
	init "$W/r"
	g 0 backup -q "$few"
	local kib some=
	# With less the kernel cannot even begin it.
	for kib in 2500 3000 4000 6000 8000 10000 12000 14000 16000 18000 20000; do
		run any bash -c 'ulimit -v '$kib'; exec "$0" backup --force "$1"' "$GARNER" "$few"
		[ "$last_code" = 0 ] || { some=1; says "$err" garner: ; }
		[ "$last_code" != 3 ]
		no_traces
	done
	[ -n "$some" ]
	whole
}

# ---- full and read-only disks ---------------------------------------------
# larger FOLDER KIB: the small disk there.
larger() { mount -o "remount,size=$2k" "$1"; }

t_full_store() {
	local before total
	small_disk "$W/disk" 14000
	init "$W/disk/r"
	g 0 backup -q "$few"
	vary "$W/s" 1
	vary "$W/s2" 2
	total=$(du -sb "$W/s" "$W/s2" | awk '{ n += $1 } END { print n }')
	# One worker, so that packs are finished one by one.
	run 1 taskset -c 0 "$GARNER" backup --pack-size 4 "$W/s" "$W/s2"
	says "$err" "$W/disk/r"
	says "$err" 'o space left'
	says "$err" 'free space'
	same "$(wc -l <"$err")" 2 'lines'
	no_traces
	# Nothing was lost, and can be read even if not a byte is left.
	whole --read-data
	before=$(latest)
	head -c 20000000 /dev/zero >"$W/disk/fill" 2>/dev/null || :
	g any backup "$few"
	if [ "$last_code" != 0 ]; then
		says "$err" "$W/disk/r"
		says "$err" 'free space'
	fi
	g 0 snapshots --no-lock
	g 0 restore latest --no-lock --target "$W/o"
	"$tools/treecmp" "$few" "$W/o$few"
	rm "$W/disk/fill"
	same "$(latest)" "$before"
	# With room it goes on, from what it stored.
	larger "$W/disk" 60000
	g 0 backup --json --pack-size 4 "$W/s" "$W/s2"
	echo "added $(added "$out") of $total"
	at_most "$(added "$out")" $((total - 2000000)) 'added by the next run'
	no_traces
	whole --read-data
	umount "$W/disk"
}

# The same where space is given out late, and metadata need some, too.
t_full_ext4() {
	is_root && command -v mkfs.ext4 >/dev/null || no 'no mkfs.ext4, or not root'
	truncate -s 16M "$W/image"
	mkfs.ext4 -q -F -m 0 -O ^has_journal "$W/image"
	mkdir "$W/disk"
	mount -o loop "$W/image" "$W/disk" 2>/dev/null || no 'loop mounts are not permitted'
	init "$W/disk/r"
	g 0 backup -q "$few"
	vary "$W/s" 1
	vary "$W/s2" 2
	g 1 backup --pack-size 4 "$W/s" "$W/s2"
	says "$err" "$W/disk/r"
	says "$err" 'free space'
	no_traces
	g 0 check --read-data
	g 0 restore latest --target "$W/o"
	"$tools/treecmp" "$few" "$W/o$few"
	head -c 20000000 /dev/zero >"$W/disk/fill" 2>/dev/null || :
	truncate -s -2M "$W/disk/fill"
	g 1 restore latest --target "$W/disk/o"
	says "$err" "$W/disk/o"
	says "$err" 'free space'
	umount "$W/disk"
}

t_full_state() {
	local kib some=
	small_disk "$W/disk" 4
	init "$W/r"
	vary "$W/s" 1
	g 0 backup -q "$W/s"
	for kib in 4 8 12 16 24 32 48 64 96 128 256; do
		rm -rf "$W/disk"/*
		larger "$W/disk" $kib
		g any --state-dir "$W/disk/state" backup --force "$W/s"
		[ "$last_code" = 0 ] || {
			some=1
			same "$last_code" 1
			says "$err" "$W/disk/state"
			says "$err" 'o space left'
			says "$err" '--state-dir'
		}
		# Nothing stays that is in the way of others.
		[ "$last_code" = 0 ] || same "$(find "$W/disk/state/cache" -type f -size +0)" ''
		g any --state-dir "$W/disk/state" restore latest --target "$W/o"
		[ "$last_code" = 0 ] || says "$err" "$W/disk/state"
		rm -rf "$W/o"
		same "$(ls "$W/r/locks")" ''
	done
	[ -n "$some" ]
	umount "$W/disk"
	rm -rf "$W/state"
	whole --read-data
}

t_full_target() {
	small_disk "$W/disk" 5000
	init "$W/r"
	vary "$W/s" 1
	g 0 backup -q "$W/s"
	g 1 restore latest --target "$W/disk/o"
	says "$err" "$W/disk/o"
	says "$err" "$W/s/"
	says "$err" 'o space left'
	says "$err" 'free space'
	same "$(wc -l <"$err")" 2 'lines'
	same "$(find "$W/disk/o" -name '.garner-tmp*')" ''
	# What has a name there is whole; the rest comes when there is room.
	(cd "$W/disk/o$W/s" && find . -type f) | while read -r f; do
		cmp "$W/s/$f" "$W/disk/o$W/s/$f"
	done
	larger "$W/disk" 20000
	g 0 restore latest --target "$W/disk/o" --overwrite if-changed
	"$tools/treecmp" "$W/s" "$W/disk/o$W/s"
	no_traces
	umount "$W/disk"
	mount -t tmpfs -o size=20000k,nr_inodes=40 none "$W/disk"
	g 1 restore latest --target "$W/disk/o"
	says "$err" "$W/disk/o"
	says "$err" 'free space'
	same "$(wc -l <"$err")" 2 'lines'
	umount "$W/disk"
}

t_read_only() {
	is_root || no 'not root'
	local c
	init "$W/r"
	g 0 backup -q "$few"
	mkdir "$W/ro"
	mount --bind "$W/r" "$W/ro" 2>/dev/null || no 'mounts are not permitted'
	mount -o remount,bind,ro "$W/ro"
	use "$W/ro"
	for c in "backup $few" 'snapshots' 'restore latest --target x' check; do
		# shellcheck disable=SC2086 # words
		g 1 $c
		says "$err" "$W/ro"
		says "$err" 'ead-only'
		says "$err" '--no-lock'
		same "$(wc -l <"$err")" 2 'lines'
	done
	g 1 --no-lock backup "$few"
	says "$err" 'ead-only'
	g 1 key add --new-password-file <(echo x) $quick
	says "$err" 'ead-only'
	g 0 unlock
	for c in snapshots 'ls latest' 'check --read-data' 'stats' 'find big' 'list packs'; do
		# shellcheck disable=SC2086 # words
		g 0 --no-lock $c
	done
	g 0 --no-lock restore latest --target "$W/o"
	"$tools/treecmp" "$few" "$W/o$few"
	umount "$W/ro"
	use "$W/r"
	g 1 restore latest --target /proc/nowhere
	same "$(ls "$W/state/locks")" '' 'notes'
}

# ---- broken disks ---------------------------------------------------------
# inject CALL ERROR WHEN COMMAND...: let the system calls fail; $last_code is what
# came of it. False when there were less.
inject() {
	local call=$1 error=$2 when=$3
	shift 3
	rm -f "$W/trace"
	run any "${traced[@]}" -f -o "$W/trace" -e trace="$call" \
	    -e inject="$call:$error:when=$when" "$@"
	grep -q INJECTED "$W/trace"
}

# Calls that a dynamic libc makes for itself: to load, and to say what is wrong.
not_ours() {
	case $1 in
	write | ?open* | ?mmap*) sanitized ;;
	*) false ;;
	esac
}

# What it says names a file or a folder, and the reason.
names_it() {
	[ "$last_code" != 127 ] || ! sanitized || return 0	# it was not even loaded
	[ "$last_code" = 1 ] || [ "$last_code" = 3 ] || fail "$1: code $last_code"
	grep -qE "/|'[a-z]|^garner: [^ ]*: |index|config|memory|thread|random" "$err" &&
	    grep -qiE "error|space|memory|unavailable|denied|descriptors|many|permitted|implemented" "$err" ||
	    fail "$1: it says '$(head -n 2 "$err")'"
}

t_broken() { # ERROR
	can_trace
	local call when n=0 how
	init "$W/r"
	cd "$W"
	cp -a "$few" s
	g 0 backup -q s
	cp -a s keep
	local id=$(latest)
	for call in write pwrite64 fsync "$names" '?open,openat' unlinkat ?mkdir,mkdirat pread64 \
	    getdents64 '?fstatat64,?newfstatat,?statx' ftruncate fchmod flock ?mmap,?mmap2,?brk; do
		! not_ours "$call" || continue
		for when in 1 2 3 4 5 6 8 11 15 20 27 36 48 3+ 7+; do
			"$tools/mktree" -f s/big 5000000 $RANDOM
			how="$call $when"
			inject "$call" "error=$1" $when "$GARNER" backup --pack-size 4 s || break
			n=$((n + 1))
			case $last_code in
			0) restores latest /s s ;;
			3) says "$err" "$W/s" ;;
			*) names_it "$how: $(grep -m 1 INJECTED trace)" ;;
			esac
			if locked "$W/r"; then
				says "$err" 'garner unlock'
				g 0 unlock
			fi
			! locked "$W/r" || { rm "$W/r/locks"/*; rm -f "$W/state/locks"/*; }
			[ $((n % 10)) != 0 ] || g 0 check
			# Of those that came to be there are many, and all are looked at.
			[ "$(ls "$W/r/snapshots" | wc -l)" -lt 6 ] ||
			    rm -f $(ls -t "$W/r/snapshots"/* | head -n 4 | grep -v "$id")
		done
	done
	echo "$n faults"
	[ $n -ge 50 ]
	g 0 backup -q s
	no_traces
	whole --read-data
	restores "$id" /s keep
	restores latest /s s
}

# A file has its name only when it is whole, whatever fails.
t_broken_restore() { # ERROR
	can_trace
	local call when n=0 f
	init "$W/r"
	cp -a "$few" "$W/s"
	ln -s f0 "$W/s/link"
	ln "$W/s/big" "$W/s/hard"
	mkfifo "$W/s/fifo"
	truncate -s 3M "$W/s/hole"
	cd "$W"
	g 0 backup -q s
	for call in pwrite64 '?open,openat' "$names" ?mkdir,mkdirat ftruncate '?fchmod,?fchmodat' \
	    ?utimensat '?fchown,?fchownat' symlinkat '?link,?linkat' syncfs pread64 ?mknodat,?mknod; do
		! not_ours "$call" || continue
		for when in 1 2 3 4 6 9 14 20 30 3+; do
			rm -rf "$W/o"
			inject "$call" "error=$1" $when "$GARNER" restore latest --target "$W/o" || break
			n=$((n + 1))
			if [ "$last_code" = 0 ]; then
				echo "$call $when: $(grep -m 1 INJECTED trace)"
				"$tools/treecmp" s o/s
			else
				names_it "$call $when: $(grep -m 1 INJECTED trace)"
			fi
			[ ! -d o/s ] || (cd o/s && find . -type f ! -name '.garner*') | while read -r f; do
				cmp "s/$f" "o/s/$f" || fail "$call $when: $f is not whole"
			done
			[ ! -e o ] || same "$(find o -name '.garner-tmp*')" ''
			[ $((n % 8)) != 0 ] || { g 0 restore latest --target o; "$tools/treecmp" s o/s; }
		done
	done
	echo "$n faults"
	[ $n -ge 40 ]
	no_traces
}

# init and key: after a failure it can be tried again, and some password fits.
t_broken_keys() {
	can_trace
	local call when n=0
	for call in fsync "$names" write ?open,openat; do
		! not_ours "$call" || continue
		for when in 1 2 3 4 5 6 7 8; do
			rm -rf "$W/r"
			inject "$call" error=EIO $when "$GARNER" init -r "$W/r" $quick || break
			n=$((n + 1))
			if [ "$last_code" != 0 ]; then
				names_it "init: $call $when"
				g 0 init -r "$W/r" $quick
			fi
			g 0 -r "$W/r" check
			same "$(ls "$W/r/keys" | wc -l)" 1
		done
	done
	init "$W/r1"
	local pw=$W/pw0
	echo "$PW" >"$pw"
	for call in fsync "$names" write unlinkat; do
		! not_ours "$call" || continue
		for when in 1 2 3 4 5 6; do
			echo "other $n" >"$W/pw$n"
			inject "$call" error=EIO $when "$GARNER" -p "$pw" key passwd $quick \
			    --new-password-file "$W/pw$n" || break
			if [ "$last_code" = 0 ]; then
				pw=$W/pw$n
			else
				names_it "key: $call $when"
			fi
			g 0 -p "$pw" unlock --remove-all
			g 0 -p "$pw" check
			[ "$call" = unlinkat ] || same "$(ls "$W/r1/keys" | wc -l)" 1 "keys after $call $when"
			n=$((n + 1))
		done
	done
	echo "$n faults"
	[ $n -ge 12 ]
}

# ---- files that change ----------------------------------------------------
# paused COMMAND...: garner, which waits for 1.5 s behind the second piece of "big"
# that it reads.
paused() {
	rm -f "$W/trace"
	start "${traced[@]}" -f -o "$W/trace" -P "$PWD/s/big" -e trace=pread64 \
	    -e inject=pread64:delay_exit=1500000:when=2 "$@"
	wait_for 20 grep -q 'pread64' "$W/trace"
}

# What happens to big while garner is in the middle of it, and what is saved then.
t_changing() {
	can_trace
	init "$W/r"
	cd "$W"
	cp -a "$few" s
	local size

	# It shrinks: what was there is saved, with the size that it has.
	paused "$GARNER" backup s
	truncate -s 300000 s/big
	ended 0
	g 0 restore latest --target o
	size=$(stat -c %s o/s/big)
	at_most "$size" 1000000 'the size'
	cmp -n 300000 s/big o/s/big
	cmp -n "$size" "$few/big" o/s/big
	whole --read-data
	# And is read again the next time.
	g 0 backup --json s
	jq_is <(jq -s last "$out") '.files_changed == 1'
	rm -rf o

	# It shrinks to nothing, with holes in it.
	cp "$few/big" s/big
	truncate -s 40M s/big
	paused "$GARNER" backup --force s
	: >s/big
	ended 0
	g 0 restore latest --target o
	at_most "$(stat -c %s o/s/big)" 1000000 'the size'
	rm -rf o

	# It grows.
	cp "$few/big" s/big
	paused "$GARNER" backup --force s
	cat "$few/big" >>s/big
	ended 0
	g 0 restore latest --target o
	size=$(stat -c %s o/s/big)
	cmp -n "$size" s/big o/s/big
	[ "$size" -ge "$(stat -c %s "$few/big")" ]
	rm -rf o

	# It is removed: who has it open reads on.
	cp "$few/big" s/big
	paused "$GARNER" backup --force s
	rm s/big
	ended 0
	g 0 restore latest --target o
	cmp "$few/big" o/s/big
	g 0 check --read-data
	rm -rf o
}

# Between the listing of a folder and the opening of what is in it.
t_turning() {
	can_trace
	init "$W/r"
	local what
	(cd "$W" && /usr/bin/python3 -c \
	    'import socket; socket.socket(socket.AF_UNIX).bind("socket")')
	for what in gone folder symlink fifo socket; do
		rm -rf "$W/s" "$W/o"
		cp -a "$few" "$W/s"
		mkdir -p "$W/s/zfolder/sub"
		echo x >"$W/s/zfolder/sub/x"
		echo x >"$W/s/zlast"
		cd "$W"
		# The folder is read, its first entry is looked at.
		rm -f trace
		start "${traced[@]}" -f -o trace -P "$W/s/big" -e trace=pread64 \
		    -e inject=pread64:delay_exit=3000000:when=1 "$GARNER" backup s
		wait_for 20 grep -q pread64 trace
		rm -rf s/zlast s/zfolder
		case $what in
		folder) mkdir s/zlast; echo now a file >s/zfolder ;;
		symlink) ln -s /etc/hostname s/zlast; ln -s /etc s/zfolder ;;
		fifo) mkfifo s/zlast s/zfolder ;;
		socket) mv socket s/zlast; mkfifo s/zfolder ;;
		esac
		case $what in
		gone)
			ended 3
			says "$W/err" /s/zlast
			says "$W/err" /s/zfolder
			says "$W/err" vanished
			says "$W/out" '2 entries'
			;;
		*) ended 0 ;;
		esac
		g 0 restore latest --target o
		[ "$what" = socket ] && rm s/zlast
		"$tools/treecmp" s o/s
	done
	whole
}

# A file that is written all the time is no reason never to end, or to fail; the
# repository is whole whatever was read.
t_mutating() {
	init "$W/r"
	vary "$W/s" 1
	(
		trap - ERR
		set +e
		while :; do
			for f in "$W"/s/d0/e?/f?; do
				case $((RANDOM % 6)) in
				0) truncate -s $((RANDOM % 3000)) "$f" ;;
				1) rm -f "$f" ;;
				2) echo more >>"$f" ;;
				3) mv "$f" "$f.x"; mkdir "$f" ;;
				4) rmdir "$f"; echo new >"$f" ;;
				5) rm -rf "$f"; ln -s "$W" "$f" ;;
				esac
			done
		done
	) 2>/dev/null &
	local mutator=$! i
	to_end $mutator
	for i in 1 2 3 4; do
		g any backup --pack-size 4 "$W/s"
		[ "$last_code" = 0 ] || same "$last_code" 3
	done
	kill $mutator
	wait $mutator || :
	whole --read-data
	g 0 backup "$W/s"
	restores latest "$W/s" "$W/s"
	no_traces
}

# A folder on the way is renamed, or moved elsewhere, while it is walked.
t_moved_folder() {
	can_trace
	init "$W/r"
	cd "$W"
	local deep=s/a i
	for ((i = 0; i < 40; i++)); do deep=$deep/d; done
	mkdir -p $deep
	cp "$few/big" $deep/big
	echo x >s/a/z
	echo x >s/z
	start "${traced[@]}" -f -o trace -P "$W/$deep/big" -e trace=pread64 \
	    -e inject=pread64:delay_exit=1500000:when=1 "$GARNER" backup s
	wait_for 20 grep -q pread64 trace
	mv s/a s/b
	mkdir -p s/a
	echo other >s/a/z
	wait $pid || last_code=$?
	g any ls latest
	says "$out" /s/z
	whole
}

# ---- as somebody else -----------------------------------------------------
t_unreadable() {
	local who=("${user[@]}")
	mkdir -p "$W/s/open" "$W/s/shut"
	echo secret >"$W/s/file"
	echo secret >"$W/s/shut/file"
	echo fine >"$W/s/open/file"
	echo fine >"$W/s/zlast"
	chmod 000 "$W/s/file" "$W/s/shut"
	if is_root; then
		chmod 711 "$T/w"
		chmod 777 "$W"
	fi
	export HOME=$W
	run 0 "${who[@]}" "$GARNER" -r "$W/r" init $quick
	use "$W/r"
	run 3 "${who[@]}" "$GARNER" backup "$W/s"
	says "$err" "$W/s/file"
	says "$err" "$W/s/shut"
	says "$err" 'ermission denied'
	says "$out" '2 entries could not be read'
	says "$out" saved
	run 3 "${who[@]}" "$GARNER" backup --json "$W/s"
	jq_is <(jq -s last "$out") '.error_count == 2'
	jq -s -e '[.[].item] | sort == ["'"$W"'/s/file", "'"$W"'/s/shut"]' "$err"
	run 0 "${who[@]}" "$GARNER" restore latest --target "$W/o"
	cmp "$W/s/open/file" "$W/o$W/s/open/file"
	cmp "$W/s/zlast" "$W/o$W/s/zlast"
	run 0 "${who[@]}" "$GARNER" check --read-data
	# Of a tree that belongs to somebody else all but the owner comes back.
	if is_root; then
		chmod 755 "$W/s/shut"
		chmod 644 "$W/s/file"
		mkdir "$W/s/sticky"
		chmod 3775 "$W/s/sticky"
		cp /bin/true "$W/s/setuid"
		chmod 4755 "$W/s/setuid"
		mknod "$W/s/null" c 1 3
		run 0 "$GARNER" --state-dir "$W/state0" backup --no-lock "$W/s"
		chmod -R a+rX "$W/r"
		run any "${who[@]}" "$GARNER" --no-lock restore latest --target "$W/o2"
		says "$err" 'owners could not be set'
		says "$err" "$W/s/null"
		same "$last_code" 1
		rm "$W/s/null"
		chmod u-s "$W/s/setuid"
		"$tools/treecmp" -o "$W/s/open" "$W/o2$W/s/open"
		cmp "$W/s/setuid" "$W/o2$W/s/setuid"
		same "$(stat -c %a "$W/o2$W/s/setuid")" 755 'the mode of a program without its owner'
		# Nobody's files are in the way of root's.
		run 0 "$GARNER" --state-dir "$W/state0" --no-lock restore latest --target "$W/o2"
	fi
	[ -z "$(find "$W/o" -name '.garner*')" ]
}

# Somebody else's repository, state folder, target.
t_not_mine() {
	is_root || no 'not root'
	init "$W/r"
	g 0 backup -q "$few"
	chmod 711 "$T/w"
	chmod 755 "$W"
	mkdir "$W/mine"
	chown 65534 "$W/mine"
	export GARNER_STATE_DIR=$W/mine/state
	run bad "${user[@]}" "$GARNER" snapshots
	says "$err" "$W/r"
	says "$err" 'ermission denied'
	run bad "${user[@]}" "$GARNER" --state-dir "$W/state" snapshots
	says "$err" "$W/state"
	says "$err" '--state-dir'
	chmod -R a+rX "$W/r"
	run 0 "${user[@]}" "$GARNER" snapshots --no-lock
	run bad "${user[@]}" "$GARNER" backup "$few"
	says "$err" 'ermission denied'
	says "$err" "$W/r"
	says "$err" '--no-lock'
	run bad "${user[@]}" "$GARNER" --no-lock restore latest --target "$W/not here"
	says "$err" "$W/not here"
	mkdir -p "$W/o$few"
	run bad "${user[@]}" "$GARNER" --no-lock restore latest --target "$W/o"
	says "$err" "$few"
	says "$err" 'ermission denied'
	same "$(find "$W/o" ! -type d)" ''
	run 0 "${user[@]}" "$GARNER" --no-lock restore latest --target "$W/mine/o"
	"$tools/treecmp" -o "$few" "$W/mine/o$few"
}

also 'killed at 25 moments: earlier snapshots are whole, the next backup goes on' t_killed_backups 25
also 'killed at 25 more' t_killed_backups 25
also 'cut at each name, sync and removal' t_cut_backups
also 'cut in init and key passwd' t_cut_keys
also 'names are given to what is on the medium, in their order' t_order
also 'killed restores' t_killed_restores
also 'a killed holder of a lock' t_killed_holder
also 'a foreign lock' t_foreign_lock
also 'a lock that was removed' t_lock_removed
also 'a lock that was removed while prune is at work' t_lock_removed_prune
also 'three backups at once' t_two_at_once
also 'three restores at once' t_two_restores
also 'a backup that is stopped' t_stopped_backup
also 'a backup that is stopped while it waits' t_stopped_idle
also 'a backup that is stopped twice' t_stopped_twice
also 'other commands that are stopped' t_stopped_others
also 'a hangup' t_hangup
also 'SIGUSR1 shows where it is' t_usr1
also 'a full store' t_full_store
also 'a full store on ext4' t_full_ext4
also 'a full state folder' t_full_state
also 'a full target' t_full_target
also 'a read-only store' t_read_only
also 'I/O errors' t_broken EIO
also 'I/O errors of a restore' t_broken_restore EIO
also 'no space for a restore' t_broken_restore ENOSPC
also 'I/O errors of init and key' t_broken_keys
also 'a file that changes while it is read' t_changing
also 'entries that turn into others' t_turning
also 'a tree that changes all the time' t_mutating
also 'a folder that is moved away' t_moved_folder
also 'what somebody may not read' t_unreadable
also 'what is somebody else'\''s' t_not_mine
also 'no space, whatever asks for it' t_broken ENOSPC
also 'closed standard descriptors' t_closed
also 'few descriptors' t_descriptors
also 'a limit for the size of files' t_file_size
also 'a limit for memory' t_memory_limit
wait_also
