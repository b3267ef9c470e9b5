# What the suites share; a suite begins with
#	. "$(dirname "$0")/../lib.sh"
# and then stands in the top folder of the project, with a scratch folder $T of
# its own, which goes away with it, mounts and all. A test is a function that
# fails with its first failing command:
#	it 'says what is proven' FUNCTION [ARG...]
# One that cannot be run here ends with: no 'why'. It has a folder $W of its own,
# its state folder in it. Several may run side by side:
#	also 'says what is proven' FUNCTION [ARG...]
# which wait_also waits for. GARNER is the binary that is tested.
#
# shellcheck shell=bash
set -u
cd "$(dirname "$0")/../.." || exit 1
umask 022
export TZ=UTC LC_ALL=C.UTF-8
PATH=$PATH:/usr/sbin:/sbin
for v in $(env | sed -n 's/^\(RESTIC_[A-Z_]*\)=.*/\1/p; s/^\(GARNER_[A-Z_]*\)=.*/\1/p'); do
	case $v in GARNER_DEV | GARNER_CACHE | GARNER_TEST_*) ;; *) unset "$v" ;; esac
done
unset v PYTHONPATH

GARNER=${GARNER:-build/garner}
case $GARNER in /*) ;; *) GARNER=$PWD/$GARNER ;; esac
top=$PWD
suite=$(basename "$0" .sh)
T=$(mktemp -d "${TMPDIR:-/var/tmp}/garner-$suite.XXXXXX") || exit 1
T=$(cd "$T" && pwd -P)
chmod 755 "$T"
mkdir "$T/log" "$T/w" "$T/tmp" # what changes all the time: trees of $T have its times
export TMPDIR=$T/tmp # restic's packs lie in it
main_pid=$BASHPID

# ---- the end --------------------------------------------------------------
undo() {
	trap - EXIT INT TERM HUP
	cd "$top" || exit 1
	if [ -f "$T/log/pids" ]; then
		while read -r pid; do kill -9 "$pid"; done <"$T/log/pids" 2>/dev/null
	fi
	[ "$(id -u)" != 0 ] || awk -v t="$T/" 'index($2, t) == 1 { print $2 }' \
	    /proc/mounts | sort -r | while read -r m; do umount -l "$m"; done
	[ "$(id -u)" = 0 ] || chmod -R u+rwX "$T" 2>/dev/null
	rm -rf "$T" || { sleep 1; rm -rf "$T"; }
}
trap undo EXIT
trap 'undo; exit 130' INT TERM HUP

# to_end PID...: end these with the suite, however that ends.
to_end() {
	printf '%s\n' "$@" >>"$T/log/pids"
}

# ---- results --------------------------------------------------------------
ok()     { echo "ok $1"; }
not_ok() { echo "not ok $1: $2"; }
skip()   { echo "skip $1: $2"; }

# Inside of a test: end it, with the reason on descriptor 9.
fail() { trap - ERR; echo "$*" >&9; exit 1; }
no()   { trap - ERR; echo "$*" >&9; exit 77; }

# it NAME FUNCTION [ARG...]. ONLY=text runs the tests with it in their name.
it() {
	local name=$1 why code
	shift
	case $name in *"${ONLY-}"*) ;; *) return 0 ;; esac
	local log=$T/log/$BASHPID.$RANDOM started=$SECONDS
	(
		exec 9>"$log.why" >"$log" 2>&1 </dev/null
		trap - EXIT
		set -eE -o pipefail
		trap 'fail "line ${BASH_LINENO[0]}/$LINENO: $BASH_COMMAND"' ERR
		[ -z "${TRACE-}" ] || set -x
		W=$T/w/$BASHPID
		mkdir "$W"
		export GARNER_STATE_DIR=$W/state
		"$@"
		trap - ERR
		set +e
		cd / && rm -rf "$W" 2>&1
		exit 0
	)
	code=$?
	why=$(head -n 1 "$log.why")
	[ $((SECONDS - started)) -lt 5 ] || echo "    $((SECONDS - started)) s: $name"
	case $code in
	0) ok "$name" ;;
	77) skip "$name" "$why" ;;
	*)
		not_ok "$name" "${why:-ended with code $code}"
		tail -n 30 "$log" | cut -c 1-300 | sed 's/^/    /'
		;;
	esac
	rm -f "$log" "$log.why"
}

# The commands wait more than they work.
also() {
	while [ "$(jobs -rp | wc -l)" -ge "${ALSO:-8}" ]; do wait -n; done
	n_also=$((n_also + 1))
	it "$@" >"$T/log/also.$n_also" &
	also_pids="${also_pids-} $!"
}
n_also=0
wait_also() {
	local i
	# shellcheck disable=SC2086 # a list of numbers
	wait ${also_pids-}
	also_pids=
	for ((i = 1; i <= n_also; i++)); do
		cat "$T/log/also.$i"
		rm -f "$T/log/also.$i"
	done
	n_also=0
}

# ---- running and asserting ------------------------------------------------
# run CODE COMMAND...: it must end with CODE; $out and $err hold what it said.
run() {
	local want=$1 code=0
	shift
	out=$T/log/out.$BASHPID err=$T/log/err.$BASHPID
	timeout -k 5 "${LIMIT:-120}" "$@" >"$out" 2>"$err" || code=$?
	last_code=$code
	case $want in
	"$code") return 0 ;;
	any) [ $code != 124 ] && [ $code -lt 129 ] && return 0 ;;
	bad) [ $code != 0 ] && [ $code != 124 ] && [ $code -lt 129 ] && return 0 ;;
	esac
	head -c 3000 "$out"
	head -c 3000 "$err"
	fail "line ${BASH_LINENO[0]}: code $code, not $want: $(echo "${*/"$GARNER"/garner}" |
	    cut -c 1-120): $(head -n 2 "$err" | tr '\n' ' ' | cut -c 1-200)"
}

# g CODE ARG...: run garner.
g() {
	local code=$1
	shift
	run "$code" "$GARNER" "$@"
}

# says FILE TEXT, hushes FILE TEXT: the file has the text; it has it not.
says() {
	grep -qF -e "$2" "$1" && return 0
	head -c 2000 "$1"
	fail "line ${BASH_LINENO[0]}: '$2' is not said, but: $(head -n 3 "$1" | tr '\n' ' ' |
	    cut -c 1-200)"
}
hushes() {
	! grep -qF -e "$2" "$1" || fail "line ${BASH_LINENO[0]}: '$2' is said"
}

# same GOT WANT [WHAT]
same() {
	[ "$1" = "$2" ] || fail "line ${BASH_LINENO[0]}: ${3:-value} is '$1', not '$2'"
}

# at_most GOT LIMIT WHAT
at_most() {
	[ "$1" -le "$2" ] || fail "line ${BASH_LINENO[0]}: $3 is $1, more than $2"
}

# jq_is FILE EXPRESSION: it holds for the JSON in the file.
jq_is() {
	jq -e "$2" "$1" >/dev/null ||
	    fail "line ${BASH_LINENO[0]}: not true: $2: $(head -c 300 "$1")"
}

# wait_for SECONDS COMMAND...
wait_for() {
	local n=$(($1 * 20))
	shift
	until "$@"; do
		[ $((n -= 1)) -gt 0 ] || return 1
		sleep 0.05
	done
}

# ---- who and what is here -------------------------------------------------
is_root() { [ "$(id -u)" = 0 ]; }
sanitized() { grep -qa __asan_init "$GARNER"; }

# "${user[@]}" COMMAND...: as nobody in particular, when root runs the suite.
user=()
! is_root || user=(setpriv --reuid=65534 --regid=65534 --clear-groups)

# small_disk FOLDER KIB: mount a small disk there; no: not permitted.
small_disk() {
	mkdir -p "$1"
	mount -t tmpfs -o "size=$2k" none "$1" 2>/dev/null || no 'mounts are not permitted'
}

# A leak check needs ptrace for itself.
traced() {
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 strace "$@"
}
can_trace() {
	command -v strace >/dev/null || no 'no strace here'
	strace -o /dev/null true 2>/dev/null || no 'tracing is not permitted'
}

# tool NAME: build tests/tools/NAME.c, $tools/NAME is it.
tools=$top/build/tests
mkdir -p "$tools" 2>/dev/null && [ -w "$tools" ] || { tools=$T/tools; mkdir -p "$tools"; }
tool() {
	local name
	for name in "$@"; do
		[ "$tools/$name" -nt "tests/tools/$name.c" ] && continue
		cc -std=gnu11 -O2 -Wall -Wextra -Wno-unused-parameter \
		    -o "$tools/$name.$$" "tests/tools/$name.c" &&
		    mv "$tools/$name.$$" "$tools/$name" ||
		    { not_ok "tool $name" 'does not build'; exit 1; }
	done
}

# own_tool NAME: the same for one that is linked with the program's own objects; it
# is $T/NAME.
own_tool() {
	local where
	where=$(make -s where 2>"$T/log/make") && { [ ! -w "$where" ] ||
	    make -s "$1" >"$T/log/make" 2>&1; } && cp "$where/tools/$1" "$T/$1" && return
	not_ok "tool $1" "does not build: $(tail -n 1 "$T/log/make")"
	exit 1
}

# ---- repositories ---------------------------------------------------------
# A password that opens quickly; messages must never hold it.
PW=correct-horse-hunter2
quick='--kdf-n 1024 --kdf-r 8 --kdf-p 1'
export GARNER_PASSWORD=$PW GARNER_STATE_DIR=$T/state
export RESTIC_PASSWORD=$PW RESTIC_CACHE_DIR=$T/restic-cache RESTIC_PROGRESS_FPS=0.01

# init FOLDER [OPTION...]: a fresh repository, which is now $GARNER_REPOSITORY.
init() {
	export GARNER_REPOSITORY=$1 RESTIC_REPOSITORY=$1
	shift
	# shellcheck disable=SC2086 # words
	g 0 init $quick "$@"
}
use() { export GARNER_REPOSITORY=$1 RESTIC_REPOSITORY=$1; }

# latest: the id of the newest snapshot; root_tree: of its tree.
latest() { "$GARNER" snapshots --json --no-lock | jq -r 'sort_by(.time) | last | .id'; }
root_tree() { "$GARNER" cat --no-lock snapshot "${1:-$(latest)}" | jq -r .tree; }

# ---- restic ---------------------------------------------------------------
restic_old=$(command -v restic || :)

# get_restic SUITE: fetch the restic of a newer Debian into the cache, by apt with
# folders of its own: nothing of the system changes, signatures are checked.
get_restic() {
	local peers=${GARNER_CACHE:-$HOME/.cache/garner}/peers s=$1 d o
	restic_new=$peers/restic-$s
	[ ! -x "$restic_new" ] || return 0
	command -v apt-get >/dev/null && [ -f /etc/apt/sources.list.d/debian.sources ] || return 1
	d=$T/apt-$s
	mkdir -p "$peers" "$d"/{lists/partial,cache/archives/partial,etc,x} || return 1
	awk -v s="$s" 'BEGIN { RS = ""; ORS = "\n\n" }
	    !/security/ { sub(/Suites:[^\n]*/, "Suites: " s); print }' \
	    /etc/apt/sources.list.d/debian.sources >"$d/etc/x.sources"
	o="-q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=$d/etc
	    -o Dir::State::lists=$d/lists -o Dir::Cache=$d/cache -o APT::Sandbox::User=
	    -o Dir::Etc::preferencesparts=/dev/null -o Acquire::Languages=none
	    -o Acquire::Retries=1 -o Debug::NoLocking=1"
	(
		cd "$d" || exit 1
		# shellcheck disable=SC2086 # words
		timeout 120 apt-get $o update && timeout 60 apt-get $o download restic &&
		    dpkg-deb -x restic_*.deb x
	) >"$d/log" 2>&1 && "$d/x/usr/bin/restic" version >>"$d/log" 2>&1 &&
	    cp "$d/x/usr/bin/restic" "$restic_new.$$" && mv "$restic_new.$$" "$restic_new" ||
	    return 1
	rm -rf "$d"
}

# need_new_restic: $restic_new is the newest that can be had.
need_new_restic() {
	local s
	for s in sid testing trixie; do
		get_restic $s && return 0
	done
	restic_new=
	return 1
}

# r CODE RESTIC ARG...: run this restic, without its cache.
r() {
	local code=$1 bin=$2
	shift 2
	run "$code" "$bin" --no-cache "$@"
}
