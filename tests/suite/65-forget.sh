#!/bin/bash
# Forgetting: random policies over random snapshots must keep and remove what the
# real restic does, and tell it in the same words; then what only we must do.
. "$(dirname "$0")/../lib.sh"
need_new_restic

src=$T/src
mkdir -p "$src/a" "$src/b" "$src/c"
echo 1 >"$src/a/1"
echo 2 >"$src/b/2"

RANDOM=20
rnd() { echo $((RANDOM % $1)); }
pick() { # WORD...
	shift "$(rnd $#)"
	echo "$1"
}

# Made once: snapshots of two hosts, three sets of paths, some tags, in zones with
# and without summer, around its beginning and end, years back and some ahead.
zones='UTC0 CET-1CEST,M3.5.0,M10.5.0/3 EST5EDT,M3.2.0,M11.1.0 <+0545>-5:45 <+14>-14'
spans='3000 90000 700000 3000000 40000000 90000000'
make_snapshots() { # N
	local i e now zone tags paths second=()
	now=$(date +%s)
	for ((i = 0; i < $1; i++)); do
		case $(rnd 8) in
		0) e=$((now + RANDOM * 30)) ;;                      # ahead
		1) e=$((1711846800 + RANDOM - 16384)) ;;            # March 31, 2024
		2) e=$((1729990800 + RANDOM - 16384)) ;;            # October 27, 2024
		*) e=$((now - (RANDOM * 32768 + RANDOM) % $(pick $spans))) ;;
		esac
		# No two at the same time, nor when the clock strikes twice: nobody
		# says which of them comes first.
		while [ -n "${second[e % 3600]-}" ]; do e=$((e - 1)); done
		second[e % 3600]=taken
		# shellcheck disable=SC2086 # words
		zone=$(pick $zones)
		case $(rnd 5) in
		0) tags="--tag one" ;;
		1) tags="--tag two,one" ;;
		2) tags="--tag two --tag three" ;;
		*) tags= ;;
		esac
		case $(rnd 4) in
		0) paths="$src/b $src/a" ;;
		1) paths=$src/c ;;
		*) paths=$src/a ;;
		esac
		# shellcheck disable=SC2086 # words
		TZ=$zone "$GARNER" --no-lock backup -q --host "$(pick alpha beta)" \
		    --time "$(TZ=$zone date -d "@$e" '+%F %T')" $tags $paths || return 1
	done
}
(
	init "$T/many"
	make_snapshots 300
	init "$T/few"
	make_snapshots 12
) >"$T/log/fixture" 2>&1 || { not_ok backup "$(head -n 1 "$T/log/fixture")"; exit 1; }
use "$T/many"

# Random words of a policy, with at least one rule that keeps something.
policy() {
	local kind words=
	while [ -z "$words" ]; do
		for kind in last hourly daily weekly monthly yearly; do
			[ "$(rnd 3)" != 0 ] || words="$words --keep-$kind $(pick 1 2 3 5 7 12 30 100)"
		done
		for kind in '' -hourly -daily -weekly -monthly -yearly; do
			[ "$(rnd 5)" != 0 ] ||
			    words="$words --keep-within$kind $(pick 1h 30h 3d 1m 1m3d 2y 1y2m3d4h 14m)"
		done
	done
	for kind in one two,one three,two,one; do
		[ "$(rnd 8)" != 0 ] || words="$words --keep-tag $kind"
	done
	echo "$words --group-by $(pick host,paths host,paths host paths tags host,tags paths,tags,host '')"
}

# What is in a group, whatever the order of groups.
all='sort_by([.host, .paths, .tags])'
# Of it what versions before 0.16 would keep: the oldest has no privilege.
as_old='map([.host, .paths, .tags, ([.reasons[]? |
    select(any(.matches[]; startswith("oldest") | not)) | .snapshot.id] | sort)]) | sort'
of_old='map([.host, .paths, .tags, ([.keep[]?.id] | sort)]) | sort'

# ---- the policies ---------------------------------------------------------
policies_agree() { # ZONE WORDS...
	export TZ=$1
	shift
	g 0 forget --json --no-lock --dry-run "$@"
	cp "$out" "$W/ours"
	r 0 "$restic" forget --json --no-lock --dry-run "$@"
	if [ "$restic" = "$restic_new" ]; then
		jq -S "$all" "$W/ours" >"$W/a"
		jq -S "$all" "$out" >"$W/b"
	else
		jq -c "$as_old" "$W/ours" >"$W/a"
		jq -c "$of_old" "$out" >"$W/b"
	fi
	diff "$W/a" "$W/b" >"$W/diff" || {
		head -n 20 "$W/diff" | cut -c 1-200
		fail "TZ=$TZ: they decide otherwise: $*"
	}
}
t_policies() { # SEED N
	local i
	[ -x "$restic" ] || no 'not to be had here'
	RANDOM=$1
	for ((i = 0; i < $2; i++)); do
		# shellcheck disable=SC2046 # words; the last may be empty
		eval "policies_agree $(pick UTC Europe/Berlin America/New_York) $(policy |
		    sed "s/--group-by \$/--group-by ''/")"
	done
}
t_policies_new() { restic=$restic_new t_policies "$@"; }
t_policies_old() { restic=$restic_old t_policies "$@"; }

# Words that old versions do not know.
t_policies_words() {
	restic=$restic_new
	[ -n "$restic" ] || no 'no newer restic to be had'
	policies_agree UTC --keep-last unlimited
	policies_agree UTC --keep-daily unlimited --keep-monthly 3
	policies_agree UTC --keep-yearly unlimited --keep-weekly 5 -g ''
	policies_agree UTC -l 1 -H 2 -d 3 -w 4 -m 5 -y 6
	policies_agree UTC --keep-tag '' --keep-last 1
	policies_agree UTC --keep-tag ' one , two' --keep-last 1
	policies_agree UTC --keep-last 2 --host alpha
	policies_agree UTC --keep-last 2 --hostname beta --tag one
	policies_agree UTC --keep-last 2 --tag '' --path "$src/a"
	policies_agree UTC --keep-last 2 --tag two,one --tag three --path "$src/a" --path "$src/b"
	policies_agree UTC --unsafe-allow-remove-all --host alpha --group-by paths
	policies_agree Europe/Berlin --keep-within 1m2d
	policies_agree UTC --keep-last 0 --keep-daily 2
	policies_agree UTC --keep-last 1 -g hosts,path,tag
	RESTIC_HOST=beta policies_agree UTC --keep-last 2
	RESTIC_HOST=beta policies_agree UTC --keep-last 2 --host alpha
	RESTIC_HOST=beta policies_agree UTC --keep-last 2 --host ''
}

# The host of the environment counts wherever one can be given.
t_host() {
	init "$W/r"
	GARNER_HOST=gamma g 0 --no-lock backup -q "$src/a"
	GARNER_HOST=gamma g 0 --no-lock backup -q --host delta "$src/a"
	g 0 snapshots --json
	jq_is "$out" '[.[].hostname] | sort == ["delta", "gamma"]'
	GARNER_HOST=gamma g 0 snapshots --json
	jq_is "$out" '[.[].hostname] == ["gamma"]'
	GARNER_HOST=gamma g 0 snapshots --json --host ''
	jq_is "$out" 'length == 2'
}

# ---- the words ------------------------------------------------------------
agree() { # ARG...
	local code=0
	"$restic_new" --no-cache "$@" >"$W/theirs" 2>/dev/null || code=$?
	g "$code" "$@"
	diff -u "$W/theirs" "$out" || fail "they say something else: $*"
}
t_words() {
	local zone
	[ -n "$restic_new" ] || no 'no newer restic to be had'
	use "$T/few"
	for zone in UTC Europe/Berlin; do
		export TZ=$zone
		agree --no-lock forget -n -g '' --keep-last 3
		agree --no-lock forget -n -g '' --keep-last 3 --compact
		agree --no-lock forget -n -g '' --keep-daily 3 --keep-within-weekly 1y --keep-tag one -v
		agree --no-lock forget -n -g '' --keep-last 30
		agree --no-lock forget -n --host nosuch --keep-last 1
		agree --no-lock forget -n --host nosuch --keep-last 1 --json
		agree --no-lock forget -n -g host --host alpha --keep-last 3 -v
		agree --no-lock forget -n -g tags,host --host alpha --tag one,two --keep-last 2 -v
		agree --no-lock forget -n -g paths --path "$src/b" --keep-yearly 1 -v
		agree --no-lock forget -n -q -g '' --keep-last 3
		agree --no-lock forget -n -g '' --unsafe-allow-remove-all --tag one
	done
	unset TZ
	agree --no-lock forget -n -g '' --keep-last 3
	set -- $("$GARNER" snapshots --json --no-lock | jq -r '.[].id')
	agree --no-lock forget -n "$1" "${2:0:8}" "$1" latest
	agree --no-lock forget -n -q "$1"
	agree --no-lock forget -n --json "$1"
}

# Widths: of wide letters, and of what a terminal must not see.
t_table() {
	init "$W/r"
	g 0 --no-lock backup -q --host 'häuschen 家' --tag 'ein,langes wort' "$src/a"
	g 0 --no-lock backup -q --host $'evil\e[31m' "$src/a"
	g 0 forget -n -g '' --keep-last 1 --keep-tag ein
	hushes "$out" $'\e'
	says "$out" 'evil\x1b[31m'
	says "$out" 'häuschen 家   ein,langes wort  has tags [ein]'
}

# ---- removing -------------------------------------------------------------
ids() { "$GARNER" snapshots --json --no-lock | jq -r '.[].id' | sort; }

t_removes() {
	cp -a "$T/many" "$W/ours"
	cp -a "$T/many" "$W/theirs"
	use "$W/ours"
	ids >"$W/before"
	g 0 forget -n --keep-monthly 3 --keep-weekly 5
	ids | diff - "$W/before"
	g 0 forget --json --keep-monthly 3 --keep-weekly 5
	jq -r '.[].keep[].id' "$out" | sort >"$W/keep"
	ids | diff - "$W/keep"
	[ "$(wc -l <"$W/keep")" -gt 10 ] && [ "$(wc -l <"$W/keep")" -lt 100 ]
	g 0 forget --keep-monthly 3 --keep-weekly 5
	ids | diff - "$W/keep"
	hushes "$out" 'files deleted'
	g 0 check
	[ -n "$restic_new" ] || return 0
	use "$W/theirs"
	r 0 "$restic_new" forget --keep-monthly 3 --keep-weekly 5
	ids | diff - "$W/keep"
}

t_named() {
	local a b c
	cp -a "$T/few" "$W/r"
	use "$W/r"
	set -- $(ids)
	a=$1 b=$2 c=$3
	g 0 forget "$a" "${b:0:10}"
	says "$out" '2 / 2 files deleted'
	ids | grep -v -e "$a" -e "$b" >/dev/null
	same "$(ids | wc -l)" 10
	# What is not there is told, all else goes.
	g 1 forget 0000 "$c"
	says "$err" 0000
	same "$(ids | wc -l)" 9
	g 1 forget "$a"
	says "$err" "$a"
	g 0 forget -v -v latest
	says "$out" 'removed snapshot/'
	same "$(ids | wc -l)" 8
	# "latest" of those that the filter means.
	g 0 forget --host alpha -q latest
	[ ! -s "$out" ]
	same "$(ids | wc -l)" 7
}

# With --prune what only they needed goes, too; a dry run says how much.
t_prune() {
	local before
	init "$W/r"
	mkdir "$W/s"
	head -c 3000000 /dev/urandom >"$W/s/large"
	g 0 --no-lock backup -q "$W/s"
	echo small >"$W/s/large"
	g 0 --no-lock backup -q "$W/s"
	before=$(du -s "$W/r/data" | cut -f 1)
	g 0 forget --keep-last 1 --prune --dry-run
	says "$out" '1 snapshots would be removed, running prune dry run'
	says "$out" 'total prune:'
	grep -q '^to delete: .* / 2.8[0-9]* MiB$' "$out"
	same "$(ids | wc -l)" 2
	g 2 forget --keep-last 1 --prune --max-unused lots
	same "$(ids | wc -l)" 2
	g 0 forget --keep-last 2 --prune
	hushes "$out" 'running prune'
	g 0 forget --json --keep-last 1 --prune
	jq -se '(.[0][0].remove | length) == 1 and .[1].message_type == "summary"' "$out" >/dev/null
	at_most "$(du -s "$W/r/data" | cut -f 1)" $((before - 2500)) 'what is left'
	g 0 check --read-data
	g 0 restore latest --target "$W/o"
	same "$(cat "$W/o$W/s/large")" small
}

# A policy that would keep nothing of a group, and none at all: nothing goes.
t_refuses() {
	cp -a "$T/few" "$W/r"
	use "$W/r"
	g 1 forget -g host --keep-tag nosuch
	says "$err" 'refusing to delete last snapshot'
	says "$err" 'of host '
	g 1 forget --json --keep-tag nosuch
	[ ! -s "$out" ]
	g 2 forget
	says "$err" 'no policy was specified'
	g 2 forget --keep-last 0
	g 2 forget --unsafe-allow-remove-all
	says "$err" 'unless a snapshot filter'
	g 2 forget --no-lock --keep-last 1
	says "$err" '--dry-run'
	g 2 forget --keep-last x
	says "$err" '--keep-last'
	g 2 forget --keep-weekly -2
	says "$err" '--keep-weekly'
	g 2 forget --keep-within 3w
	says "$err" '1y5m7d2h'
	g 2 forget --keep-last 1 --group-by hots
	says "$err" hots
	same "$(ids | wc -l)" 12
	g 0 forget --unsafe-allow-remove-all --tag one --tag two -q
	g 0 snapshots --tag one --tag two --json
	jq_is "$out" 'length == 0'
	[ "$(ids | wc -l)" -gt 0 ]
}

locked() { [ -n "$(ls "$W/r/locks")" ]; }
# Who removes is alone; who only looks may be told to care for nobody.
t_lock() {
	cp -a "$T/few" "$W/r"
	use "$W/r"
	mkfifo "$W/f"
	"$GARNER" backup --stdin <"$W/f" >/dev/null 2>&1 &
	local pid=$!
	to_end $pid
	exec 7>"$W/f"
	wait_for 10 locked
	g 11 forget --keep-last 1
	g 11 forget --keep-last 1 --dry-run
	g 0 forget --keep-last 1 --dry-run --no-lock
	exec 7>&-
	wait $pid
	g 0 forget --keep-last 1 -g ''
	same "$(ids | wc -l)" 1
	same "$(ls "$W/r/locks")" '' locks
}

# A damaged snapshot is told and left alone, the others are decided.
t_damaged() {
	cp -a "$T/few" "$W/r"
	use "$W/r"
	set -- $(ids)
	chmod u+w "$W/r/snapshots/$1"
	printf x | dd of="$W/r/snapshots/$1" bs=1 seek=30 conv=notrunc status=none
	g 1 forget --keep-last 1 -g ''
	says "$err" "$1"
	says "$err" 'repair snapshots'
	same "$(ls "$W/r/snapshots" | wc -l)" 2
	g 1 forget "$1"
	[ -e "$W/r/snapshots/$1" ]
}

# One that cannot be removed does not keep the others; the exit code tells.
t_stuck() {
	can_trace
	cp -a "$T/few" "$W/r"
	use "$W/r"
	set -- $(ids)
	traced -o "$W/log" -f -e trace=unlinkat \
	    -e inject=unlinkat:error=EIO:when=2 "$GARNER" forget "$1" "$2" "$3" "$4" \
	    >"$W/out" 2>"$W/err" && fail 'no failure' || same $? 3
	err=$W/err
	says "$err" 'unable to remove'
	same "$(ids | wc -l)" 9
}

# Snapshots with more paths than a record of the sorter holds.
t_long() {
	local i long
	init "$W/r"
	long=$(printf 'x%.0s' {1..200})
	for ((i = 0; i < 30; i++)); do
		mkdir -p "$W/s/$long/$long$i"
	done
	for i in 1 2 3; do
		g 0 --no-lock backup -q --time "2024-01-0$i 00:00:00" "$W/s/$long"/*
	done
	g 0 forget -n --json --keep-last 2
	jq_is "$out" 'length == 1 and (.[0].keep | length) == 2 and (.[0].paths | length) == 30'
	jq_is "$out" '.[0].keep[0].time[:10] == "2024-01-03"'
	jq_is "$out" '.[0].remove[0].paths == .[0].paths'
	[ -z "$restic_new" ] || policies_agree_here
}
policies_agree_here() { restic=$restic_new policies_agree UTC --keep-last 2; }

also 'random policies, as the newest restic decides' t_policies_new 1 35
also 'more of them' t_policies_new 2 35
also 'random policies, as restic 0.14 decides' t_policies_old 3 35
also 'unlimited, filters and groups' t_policies_words
also 'the host of the environment, for backups too' t_host
also 'the same words and tables' t_words
also 'tables keep their columns, and their terminal' t_table
also 'what is removed is what was told' t_removes
also 'and with --prune their data' t_prune
also 'snapshots by name' t_named
also 'a policy that keeps nothing is refused' t_refuses
also 'exclusive lock, and none for a look' t_lock
also 'a damaged snapshot is told and stays' t_damaged
also 'one that cannot be removed' t_stuck
also 'snapshots with long lists' t_long
wait_also
