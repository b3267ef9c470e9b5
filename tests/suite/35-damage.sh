#!/bin/bash
# What a repository may hold that no honest program put there: rot, torn files,
# lies under a good seal (tests/tools/forge.c). Whatever it is, it is named, what
# is whole is served, and nothing is written outside of a target.
#
# Where each trap of the format (restic-format 14) has its test:
#  1 names quoted twice	unit/base/text goname_*; 20-interop 'ours: checked ...'
#  2 absent content, empty blobs, links without inode	here: 'trap 2', 'trees: sizes
#	and contents', 'trees: hard links', 'snapshots that are none' (tree null)
#  3 Go's FileMode	here: 'trap 3', 'trees: devices, modes, owners'; 20-interop
#	'ours: checked ...' (the same root tree as restic's)
#  4 strict parsers	here: 'trees: extended attributes' (value null), 'snapshots
#	that are none' (S30: a summary of one unknown member), 'an index that lies:
#	documents, and odd truths'
#  5 time zones, device_id	20-interop 'lists of sources, time zones, devices';
#	10-basic 'backup: inodes, devices, access times'
#  6 deleting without a lock	10-basic 'unlock leaves the living alone'; 20-interop
#	'restic prunes, garner goes on'; here: packs that vanished, in 'a data pack
#	is harmed', 'with a bad data pack'
#  7 final names without temporary ones	unit/store/local full, order, cut (of
#	faces/store_suite)
#  8 SIGHUP	here: 'trap 8'
#  9 one bad key	here: 'a key is harmed', 'keys that are none'
# 10 two repositories of one id	here: 'trap 10'
# 11 no padding in packs	here: 'packs that lie about themselves' (gap); 20-interop,
#	each 'ours' (restic checks sizes)
# 12 whole before they are listed	unit/store/local unseen, cut, race (of
#	faces/store_suite)
# 13 not UTF-8	here: 'trap 13'; names and targets: 20-interop 'ours: checked ...'
# 14 version 1	here: 'trap 14'; 20-interop 'ours: version 1'
# 15 REST	there is no such store
# 16 trees half understood	nothing rewrites trees; what is printed is what is stored
#	(here: 'trees: as they are')
. "$(dirname "$0")/../lib.sh"
own_tool forge
ALSO=12 # they wait for locks and disks more than they work

# ---- an honest repository, made once, to do harm to copies of it ----------
quick='--kdf-n 2 --kdf-r 1 --kdf-p 1' # nobody waits for a key here
src=$T/fixed/src
mkdir -p "$src"/{one,two/deep}
for i in 1 2 3 4 5; do head -c 3000 /dev/urandom >"$src/one/f$i"; done
head -c 9000 /dev/urandom >"$src/two/big"
echo deep >"$src/two/deep/file"
: >"$src/two/empty"

base=$T/fixed/base
echo other-password >"$T/other"
(
	export GARNER_STATE_DIR=$T/fixed/state
	# shellcheck disable=SC2086 # words
	"$GARNER" init -q -r "$base" $quick && cd "$src" &&
	    "$GARNER" backup -q -r "$base" one && "$GARNER" backup -q -r "$base" two &&
	    "$GARNER" key add -q -r "$base" --new-password-file "$T/other" $quick
) >/dev/null || { not_ok fixture 'cannot be made'; exit 1; }

export GARNER_REPOSITORY=$base
GARNER_STATE_DIR=$T/fixed/state
# snap NAME, tree_of NAME: the snapshot of that source, its root tree.
snap() { "$GARNER" snapshots --no-lock --json | jq -r ".[] | select(.paths[0] | endswith(\"/$1\")) | .id"; }
one=$(snap one) two=$(snap two)
# pack_with --blob ID, pack_with --tree ID: where it lies.
pack_with() {
	"$GARNER" find --no-lock "$1" "$2" --show-pack-id |
	    sed -n 's/^Object belongs to pack //p' | head -n 1
}
big_blob=$(sha256sum <"$src/two/big" | cut -c 1-64)
big_pack=$(pack_with --blob "$big_blob")
f1_blob=$(sha256sum <"$src/one/f1" | cut -c 1-64)
f1_pack=$(pack_with --blob "$f1_blob")
one_tree=$(root_tree "$one") two_tree=$(root_tree "$two")
two_tree_pack=$(pack_with --tree "$two_tree")
for i in "$base"/index/*; do
	"$GARNER" cat --no-lock index "${i##*/}" | grep -qF "$big_pack" && two_index=${i##*/} || one_index=${i##*/}
done
good_key=$("$GARNER" key list --no-lock --json --key-hint none | jq -r '.[] | select(.current).id')
for i in "$base"/keys/*; do
	case ${i##*/} in "$good_key"*) good_key=${i##*/} ;; *) other_key=${i##*/} ;; esac
done
unset GARNER_REPOSITORY
GARNER_STATE_DIR=$T/state

own_base() { cp -a "$base" "$W/r" && use "$W/r"; }
pack_at() { echo "data/${1:0:2}/$1"; }

flip() { # FILE OFFSET: one bit of it
	local b
	b=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059 # it is the byte
	printf "\\x$(printf %02x $((b ^ 16)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
harm() { # FILE HOW [OTHER]
	local n
	n=$(stat -c %s "$1")
	chmod u+w "$1"
	case $2 in
	first) flip "$1" 0 ;;
	middle) flip "$1" $((n / 2)) ;;
	last) flip "$1" $((n - 1)) ;;
	cut) truncate -s $((n / 2)) "$1" ;;
	emptied) : >"$1" ;;
	missing) rm -f "$1" ;;
	swapped) cat "$3" >"$1" ;;
	longer) printf 'garbage behind it' >>"$1" ;;
	esac
}

# q CODE ARG...: garner without a lock, which takes 0.2 s.
q() {
	local code=$1
	shift
	g "$code" "$@" --no-lock
}

# restored: what of both snapshots can be restored is what was saved; what cannot
# is named. ${1-}: files that must be missing.
restored() {
	local s f code=0
	for s in one two; do
		g any restore --no-lock "$([ $s = one ] && echo "$one" || echo "$two")" --target "$W/o"
		[ "$last_code" = 0 ] || code=1
		[ "$last_code" = 0 ] || cat "$err" >>"$W/said"
		for f in $(cd "$src" && find $s -type f); do
			if [ -e "$W/o/$f" ]; then
				cmp "$W/o/$f" "$src/$f"
			else
				echo "$f" >>"$W/lost"
			fi
		done
	done
	[ -z "$(find "$W/o" -name '.garner-tmp*')" ]
	last_code=$code
}

# ---- each kind of file in each way ----------------------------------------
# It is named and the code is 1, with each command that needs it.
t_stored() { # FILE OTHER
	local how
	for how in first middle last cut emptied swapped longer ${3-missing}; do
		own_base
		harm "$W/r/$1" $how "$base/$2"
		q 1 check -q --read-data
		says "$err" "${1##*/}"
		echo "$how:"; cat "$err"
		# And again, with all that a state folder remembers of it.
		q 1 check -q --read-data
		says "$err" "${1##*/}"
		rm -rf "$W/r"
	done
}

t_config() {
	local how c
	for how in first middle last cut emptied swapped longer; do
		own_base
		harm "$W/r/config" $how "$base/snapshots/$one"
		for c in check snapshots 'ls latest' "restore latest --target $W/o" "backup $src"; do
			# shellcheck disable=SC2086 # words
			q 1 $c
			says "$err" config
			says "$err" 'copy of the repository'
		done
		g 1 init $quick
		rm -rf "$W/r"
	done
	own_base
	rm -f "$W/r/config"
	q 10 snapshots
	says "$err" 'config'
	hushes "$err" 'init'
	[ ! -e "$W/o" ]
}

t_keys() {
	local how
	for how in first middle last cut emptied swapped longer; do
		own_base
		harm "$W/r/keys/$other_key" $how "$base/keys/$good_key"
		q 0 snapshots --key-hint "$other_key"
		says "$err" "$other_key"
		q 0 restore "$two" --target "$W/o"
		cmp "$src/two/big" "$W/o/two/big"
		g 0 key list
		g 12 -p <(echo nonsense) snapshots
		says "$err" 'wrong password'
		# Who has the password of the bad one is told why it does not open.
		g 12 -p "$T/other" snapshots
		says "$err" "$other_key"
		# restic stops at the first bad one that it lists.
		q 1 check
		says "$err" "$other_key"
		says "$err" 'key remove'
		harm "$W/r/keys/$good_key" emptied
		[ $how = emptied ] || { q 1 snapshots; says "$err" 'no usable key'; }
		rm -rf "$W/r" "$W/o"
	done
	own_base
	harm "$W/r/keys/$other_key" missing
	q 0 check --read-data
	harm "$W/r/keys/$good_key" missing
	q 1 snapshots
	says "$err" 'no usable key'
	g 10 -r "$W/none" snapshots
}

# ---- locks ----------------------------------------------------------------
# A lock that cannot be read may be of somebody who is at work: it is a lock.
t_locks() {
	local how lock
	for how in first middle last cut emptied swapped longer; do
		own_base
		"$T/forge" >"$W/ids" <<-END
			doc locks L : {"time":"2099-01-01T00:00:00Z","exclusive":false,"hostname":"h","username":"u","pid":1}
			doc locks M : {"time":"2099-01-01T00:00:00Z","exclusive":false,"hostname":"i","username":"u","pid":1}
		END
		lock=$(made L)
		harm "$W/r/locks/$lock" $how "$W/r/locks/$(made M)"
		rm -f "$W/r/locks/$(made M)"
		if [ $how = emptied ]; then # the rest of a crash, as every restic thinks
			g 0 check
		else
			for c in check snapshots "backup $src"; do
				g 11 $c
				says "$err" "$lock"
				says "$err" 'unlock --remove-all'
			done
			g 0 snapshots --no-lock
			g 0 unlock
			says "$err" "$lock"
			[ -e "$W/r/locks/$lock" ]
		fi
		g 0 unlock --remove-all
		[ -z "$(ls "$W/r/locks")" ]
		g 0 check
		rm -rf "$W/r"
	done
	# What is sealed well and says nothing.
	own_base
	for text in '{}' '[]' '{"time":7}' '{"time":"yesterday"}' '{"time":"2024-01-01T00:00:00Z"' 'null' \
	    '{"time":"2024-01-01T00:00:00Z","pid":-5,"exclusive":"yes","hostname":7,"username":[]}' \
	    '{"time":"2024-01-01T00:00:00Z","pid":1e300}'; do
		echo "doc locks L : $text" | "$T/forge" >"$W/ids"
		g any snapshots
		[ "$last_code" = 0 ] || says "$err" "$(made L)"
		rm -f "$W/r/locks/$(made L)"
	done
	echo 'doc locks L packed fill=100000000 : {"time":"2024-01-01T00:00:00Z"}' | "$T/forge" >"$W/ids"
	g 11 snapshots
	says "$err" "$(made L)"
	g 0 unlock --remove-all
	g 0 snapshots
}

# ---- snapshots ------------------------------------------------------------
t_snapshots() {
	local how
	for how in first middle last cut emptied swapped longer; do
		own_base
		harm "$W/r/snapshots/$two" $how "$base/snapshots/$one"
		q any snapshots --json
		jq_is "$out" 'length == 1 and .[0].id == "'"$one"'"'
		says "$err" "$two"
		q 0 restore latest --target "$W/o"	# the newest that can be read
		says "$err" "$two"
		cmp "$src/one/f1" "$W/o/one/f1"
		q 1 restore "$two" --target "$W/p"
		says "$err" "$two"
		q 1 ls "$two"
		q 1 cat snapshot "$two"
		says "$err" "$two"
		g 0 backup "$src/one"
		q 1 check
		says "$err" "$two"
		rm -rf "$W/r" "$W/o"
	done
	own_base
	harm "$W/r/snapshots/$two" missing	# as if it were forgotten
	q 0 check --read-data
}

# Well sealed, and no snapshot.
t_odd_snapshots() {
	local i=0 text
	own_base
	{
		while read -r text; do
			echo "doc snapshots S$((i += 1)) : $text"
		done <<-END
			{}
			[]
			null
			{"time":"2024-01-01T00:00:00Z"}
			{"time":"2024-01-01T00:00:00Z","tree":null,"paths":["/x"]}
			{"time":"2024-01-01T00:00:00Z","tree":"xyz","paths":["/x"]}
			{"time":"2024-01-01T00:00:00Z","tree":"$two_tree","paths":"/x"}
			{"time":"2024-01-01T00:00:00Z","tree":"$two_tree","paths":[7]}
			{"time":"when","tree":"$two_tree","paths":["/x"]}
			{"time":"12024-01-01T00:00:00Z","tree":"$two_tree","paths":["/x"]}
			{"tree":"$two_tree","paths":["/x"]}
			{"time":"2024-01-01T00:00:00Z","tree":"$two_tree","paths":["/x"]} more
			{"time":"2024-01-01T00:00:00Z","tree":"$two_tree","paths":["/x"]
			"time"
			{"time":"2024-01-01T00:00:00Z","tree":"$two_tree","summary":[]}
		END
		echo 'doc snapshots S20 packed fill=100000000 : {}'
		echo "doc snapshots S21 packed window=28 : {}"
		echo "doc snapshots S22 packed cut=2 : {}"
		echo "doc snapshots S23 packed tail=9 : {}"
		echo "doc snapshots S24 broken : {}"
		# Whole, and odd.
		echo 'doc snapshots S30 : {"time":"2001-01-01T00:00:00+14:00","tree":"'"$two_tree"'","paths":null,"tags":null,"new":{"x":[1,{}]},"uid":-1,"gid":1e99,"hostname":"a\u0000b","summary":{"new":1}}'
		echo 'doc snapshots S31 packed : {"tree":"'"$two_tree"'","tree":"'"$two_tree"'","time":"0000-01-01T00:00:00Z","parent":null}'
	} >"$W/in"
	"$T/forge" <"$W/in" >"$W/ids"
	q any snapshots --json
	jq_is "$out" 'length == 4'
	for i in {1..15} 20 21 22 23 24; do says "$err" "$(made S$i)"; done
	q any snapshots
	q 0 restore latest --target "$W/o"
	cmp "$src/two/big" "$W/o/two/big"
	for i in {1..15} 20 21 22 23 24; do
		q 1 ls "$(made S$i)"
		says "$err" "$(made S$i)"
	done
	for i in 30 31; do
		q 0 restore "$(made S$i)" --target "$W/o$i"
		cmp "$src/two/big" "$W/o$i/two/big"
	done
	q 1 check
	for i in {1..15} 20 21 22 23 24; do says "$err" "$(made S$i)"; done
	g 0 backup "$src/one"
}

# made NAME: the id of something that forge made.
made() { sed -n "s/^$1 //p" "$W/ids"; }

# ---- packs ----------------------------------------------------------------
t_bad_data_pack() {
	local how
	for how in first middle cut emptied missing swapped; do
		own_base
		harm "$W/r/$(pack_at "$big_pack")" $how "$base/$(pack_at "$f1_pack")"
		rm -f "$W/lost"
		restored
		same "$last_code" 1
		says "$W/lost" two/big
		grep -q '^one' "$W/lost" && fail 'files of another pack are lost'
		for f in $(cat "$W/lost"); do says "$W/said" "/$f"; done
		says "$W/said" "$big_pack"
		q 1 dump "$two" /two/big
		says "$err" /two/big
		says "$err" "$big_pack"
		q 1 cat blob "$big_blob"
		says "$err" "$big_pack"
		q 0 ls "$two"
		says "$out" /two/big
		q 0 diff "$one" "$two"
		q any find --blob "$big_blob"
		q any stats --mode raw-data
		# What is there already stays: nothing is better than nothing.
		mkdir -p "$W/q/two"
		echo old >"$W/q/two/big"
		q 1 restore "$two" --target "$W/q"
		same "$(cat "$W/q/two/big")" old
		rm -rf "$W/r" "$W/o" "$W/q"
	done
}

t_bad_tree_pack() {
	local how c
	for how in first middle cut emptied missing swapped; do
		own_base
		harm "$W/r/$(pack_at "$two_tree_pack")" $how "$base/$(pack_at "$f1_pack")"
		restored
		for c in "ls $two" "dump $two /two/big" "diff $one $two" "find big -s $two" "stats $two" \
		    "cat tree $two_tree" "restore $two --target $W/p"; do
			# shellcheck disable=SC2086 # words
			q any $c
			[ "$last_code" = 0 ] || says "$err" "$two_tree_pack"
		done
		# In the middle there may be another tree than the root's.
		[ $how = middle ] || same "$last_code" 1
		q 0 restore "$one" --target "$W/p"
		cmp "$src/one/f5" "$W/p/one/f5"
		# A new backup does not build on it.
		g 0 backup "$src/two"
		rm -rf "$W/r" "$W/o" "$W/p" "$W/lost"
	done
}

# The same blob in two packs, and one of them is bad: it is not lost.
t_second_copy() {
	local how pack
	for how in first cut missing; do
		init "$W/r"
		"$T/forge" >"$W/ids" <<-END
			data A : the only text
			pack P
			index I
			data B : the only text
			data H : another
			pack Q
			tree T : {"nodes":[$(file a 13 '"@A@"'),$(file h 7 '"@H@"')]}
			pack R
			tree T : {"nodes":[$(file a 13 '"@A@"'),$(file h 7 '"@H@"')]}
			pack S
			index J
			doc snapshots N : {"time":"2024-01-01T00:00:00Z","tree":"@T@","paths":["/x"]}
		END
		for pack in P Q; do
			cp -a "$W/r" "$W/x"
			use "$W/x"
			harm "$W/x/$(pack_at "$(made $pack)")" $how
			harm "$W/x/$(pack_at "$(made $([ $pack = P ] && echo R || echo S))")" $how
			q any restore latest --target "$W/o"
			same "$(cat "$W/o/a")" 'the only text'
			q any dump latest /a
			same "$(cat "$out")" 'the only text'
			q 0 cat blob "$(made A)"
			q 0 ls latest
			q 1 check --read-data
			says "$err" "$(made $pack)"
			[ $pack = Q ] || { q 0 restore latest --target "$W/o"; same "$(cat "$W/o/h")" another; }
			rm -rf "$W/x" "$W/o"
		done
		rm -rf "$W/r"
	done
}

# Packs that lie about themselves: with a true index they serve, and check says
# what is wrong; without one, what they say first counts.
t_odd_packs() {
	local words n=0
	while read -r words; do
		n=$((n + 1))
		init "$W/r"
		"$T/forge" >"$W/ids" <<-END
			data A : text
			pack P $words
			tree T : {"nodes":[$(file a 4 '"@A@"')]}
			pack Q
			index I
			doc snapshots N : {"time":"2024-01-01T00:00:00Z","tree":"@T@","paths":["/x"]}
		END
		echo "$n $words"
		q 1 check --read-data
		says "$err" "$(made P)"
		cat "$err"
		q any restore latest --target "$W/o"
		[ ! -e "$W/o/a" ] || same "$(cat "$W/o/a")" text
		[ -e "$W/o/a" ] || same "$last_code" 1
		# From the headers alone.
		harm "$W/r/index/$(made I)" first
		q any restore latest --target "$W/p"
		[ ! -e "$W/p/a" ] || same "$(cat "$W/p/a")" text
		q 1 check --read-data
		rm -rf "$W/r" "$W/o" "$W/p"
	done <<-END
		size=0
		size=1
		size=3
		size=4
		size=35
		size=36
		size=40
		length=0
		length=31
		length=32
		length=33
		length=72
		length=1000
		length=16777217
		length=2147483648
		length=4294967295
		torn=1
		torn=37
		torn=40
		torn=41
		gap=1
		gap=5000
		type=4
		type=255
		type=0
		type=1
		type=3
		broken
	END
}

# ---- the index ------------------------------------------------------------
t_bad_index() {
	local how
	for how in first middle last cut emptied swapped longer; do
		own_base
		harm "$W/r/index/$two_index" $how "$base/index/$one_index"
		rm -f "$W/lost"
		restored
		same "$last_code" 0	# from the headers of the packs
		[ ! -e "$W/lost" ]
		q 0 ls "$two"
		says "$err" "$two_index"
		# What the index named must not count as stored.
		g 1 backup "$src/two"
		says "$err" 'repair index'
		says "$err" "$two_index"
		same "$("$GARNER" snapshots --no-lock --json | jq length)" 2
		q 1 cat index "$two_index"
		says "$err" "$two_index"
		rm -rf "$W/r" "$W/o"
	done
	own_base
	rm "$W/r/index/$two_index"
	q 1 restore "$two" --target "$W/o"
	says "$err" 'repair index'
	q 0 restore "$one" --target "$W/o"
	for c in "ls $two" "dump $two /two/big" "cat tree $two_tree" "cat blob $big_blob" "stats $two"; do
		# shellcheck disable=SC2086 # words
		q 1 $c
		says "$err" 'repair index'
	done
	q 1 check
	says "$err" 'repair index'
	g 0 backup "$src/two"	# all of it is stored again
	q 0 restore latest --target "$W/o"
	cmp "$src/two/big" "$W/o$src/two/big"
	rm -f "$W/r/index"/*
	q 1 restore latest --target "$W/o"
	says "$err" 'repair index'
}

# A state folder that holds what the index said is no reason to believe in it.
t_known_index() {
	own_base
	g 0 ls "$two"
	g 0 check
	harm "$W/r/index/$two_index" middle
	g 1 check
	says "$err" "$two_index"
	g 0 restore "$two" --target "$W/o"
	cmp "$src/two/big" "$W/o/two/big"
	g 1 check
	says "$err" "$two_index"
}

# file NAME SIZE CONTENT [MORE], folder NAME SUBTREE [MORE], node NAME TYPE [MORE]
times='"mtime":"2020-01-02T03:04:05Z","atime":"2020-01-02T03:04:05Z","ctime":"2020-01-02T03:04:05Z"'
times="$times,\"uid\":$(id -u),\"gid\":$(id -g)"
file() { printf '%s' "{\"name\":\"$1\",\"type\":\"file\",\"mode\":420,$times,\"size\":$2,\"content\":[$3]${4-}}"; }
folder() { printf '%s' "{\"name\":\"$1\",\"type\":\"dir\",\"mode\":2147484141,$times,\"subtree\":\"$2\",\"content\":null${3-}}"; }
node() { printf '%s' "{\"name\":\"$1\",\"type\":\"$2\",\"mode\":420,$times${3-}}"; }

# An index that lies of pack P, which holds A and B; the truth would be:
# "packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":0,"length":@A.len@,"uncompressed_length":5},...
lies() {
	cat <<-'END'
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":4000000000,"length":@A.len@,"uncompressed_length":5},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":4294967290,"length":@A.len@,"uncompressed_length":5},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":1,"length":@A.len@,"uncompressed_length":5},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":@B.at@,"length":@B.len@,"uncompressed_length":5},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":0,"length":32,"uncompressed_length":5},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":0,"length":32},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":0,"length":33,"uncompressed_length":5},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":0,"length":4294967295,"uncompressed_length":5},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":0,"length":100000000,"uncompressed_length":5},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":0,"length":@A.len@,"uncompressed_length":4294967295},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":0,"length":@A.len@,"uncompressed_length":1},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":0,"length":@A.len@},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":0,"length":@A.len@,"uncompressed_length":0},@b@]}]}
		1 {"packs":[{"id":"0000000000000000000000000000000000000000000000000000000000000000","blobs":[@a@,@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"tree","offset":0,"length":@A.len@,"uncompressed_length":5},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[@a@,@a@,@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[@a@]},{"id":"@P@","blobs":[@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":0,"length":0},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":0,"length":31},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":9007199254740993,"length":@A.len@},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":18446744073709551616,"length":@A.len@},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":-1,"length":@A.len@},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":0.5,"length":@A.len@},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":0,"length":4.6e1},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":0,"length":1e3},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":0,"length":"46"},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":0,"length":null},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"data","offset":0},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","offset":0,"length":@A.len@},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"@A@","type":"blob","offset":0,"length":@A.len@},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"id":"xyz","type":"data","offset":0,"length":@A.len@},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[{"type":"data","offset":0,"length":@A.len@},@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":[null,@b@]}]}
		1 {"packs":[{"id":"@P@","blobs":{}}]}
		1 {"packs":[{"id":"@P@","blobs":null}]}
		1 {"packs":[{"id":"@P@"}]}
		1 {"packs":[{"blobs":[@a@,@b@]}]}
		1 {"packs":[{"id":7,"blobs":[@a@,@b@]}]}
		1 {"packs":[[]]}
		1 {"packs":7}
		1 {"packs":null}
		1 {}
		1 []
		1 [{"id":"@P@","blobs":[@a@,@b@]}]
		1 {"packs":[{"id":"@P@","blobs":[@a@,@b@]}]
		1 {"packs":[{"id":"@P@","blobs":[@a@,@b@]}]} {}
		0 {"packs":[{"blobs":[@a@,@b@],"id":"@P@"}]}
		0 {"supersedes":["@P@","@A@"],"packs":[{"id":"@P@","blobs":[@a@,@b@]}]}
		0 {"other":{"a":[1,2,{"b":[]}]},"new":true,"packs":[{"new":{"x":[[]]},"id":"@P@","blobs":[@b@,@a@]}]}
		0 {"packs":[{"id":"@P@","blobs":[@a@,@b@]},{"id":"@P@","blobs":[@a@,@b@]}]}
		0 {"packs":[{"id":"0000000000000000000000000000000000000000000000000000000000000000","blobs":[]},{"id":"@P@","blobs":[@a@,@b@]}]}
	END
}

t_lying_index() { # FIRST LAST: of these lies
	local code lie a b
	a='{"id":"@A@","type":"data","offset":0,"length":@A.len@,"uncompressed_length":5}'
	b='{"id":"@B@","type":"data","offset":@B.at@,"length":@B.len@,"uncompressed_length":4}'
	init "$W/r0"
	while read -r code lie; do
		cp -a "$W/r0" "$W/r"
		use "$W/r"
		lie=${lie//@a@/$a}
		"$T/forge" >"$W/ids" <<-END
			data A : hello
			data B : true
			pack P hidden
			data H : healthy
			pack Q
			tree T : {"nodes":[$(file a 5 '"@A@"'),$(file b 4 '"@B@"'),$(file h 7 '"@H@"'),$(file i 7 '"@H@"')]}
			pack R
			index I
			doc index X : ${lie//@b@/$b}
			doc snapshots N : {"time":"2024-01-01T00:00:00Z","tree":"@T@","paths":["/x"]}
		END
		echo "$lie"
		q $code check --read-data
		cat "$err"
		q any restore latest --target "$W/o"
		cat "$err"
		same "$(cat "$W/o/h" "$W/o/i")" healthyhealthy
		[ -e "$W/o/a" ] && same "$(cat "$W/o/a")" hello || { same "$last_code" 1; says "$err" /a; }
		[ -e "$W/o/b" ] && same "$(cat "$W/o/b")" true || { same "$last_code" 1; says "$err" /b; }
		q any dump latest /a
		q any stats --mode raw-data
		q any cat blob "$(made A)"
		[ "$last_code" != 0 ] || same "$(cat "$out")" hello
		q 0 ls latest
		rm -rf "$W/r" "$W/o"
	done < <(lies | sed -n "$1,$2p")
}

# Two indexes, one true and one lying: what can be read is.
t_second_index() {
	local code lie a b
	a='{"id":"@A@","type":"data","offset":0,"length":@A.len@,"uncompressed_length":5}'
	b='{"id":"@B@","type":"data","offset":@B.at@,"length":@B.len@,"uncompressed_length":4}'
	init "$W/r0"
	while read -r code lie; do
		cp -a "$W/r0" "$W/r"
		use "$W/r"
		lie=${lie//@a@/$a}
		"$T/forge" >"$W/ids" <<-END
			data A : hello
			data B : true
			pack P
			tree T : {"nodes":[$(file a 5 '"@A@"'),$(file b 4 '"@B@"')]}
			pack R
			index I
			doc index X : ${lie//@b@/$b}
			doc snapshots N : {"time":"2024-01-01T00:00:00Z","tree":"@T@","paths":["/x"]}
		END
		echo "$lie"
		q any check --read-data
		q any restore latest --target "$W/o"
		cat "$err"
		same "$(cat "$W/o/b")" true
		case $lie in
		*'"offset":@B.at@,"length":@B.len@,"uncompressed_length":5'*) ;; # well sealed, and another
		*'"id":"@A@"'*'"uncompressed_length":5}'*) same "$(cat "$W/o/a")" hello ;;
		*) [ ! -e "$W/o/a" ] || same "$(cat "$W/o/a")" hello ;; # two lengths: which is it?
		esac
		rm -rf "$W/r" "$W/o"
	done < <(lies | head -n 18)
}

# ---- trees ----------------------------------------------------------------
# plant LABEL NODES: a snapshot of these nodes and, before and behind them, healthy
# ones; grow: make what was planted. text: what the healthy files hold.
plant() {
	printf '%s\n' "tree t_$1 : {\"nodes\":[$(file -first 7 '"@H@"'),${2:+$2,}$(folder zz-last @Z@)]}" >>"$W/in"
	printf '%s\n' "doc snapshots $1 : {\"time\":\"2024-01-01T00:00:00Z\",\"tree\":\"@t_$1@\",\"paths\":[\"/x\"]}" >>"$W/in"
}
grow() {
	init "$W/r"
	{
		echo 'data H : healthy'
		echo 'data E : evil'
		echo 'pack P'
		echo "tree Z : {\"nodes\":[$(file last 7 '"@H@"')]}"
		echo "tree S : {\"nodes\":[$(file evil 4 '"@E@"')]}"
		cat "$W/in"
		echo 'pack Q'
		echo 'index I'
	} | "$T/forge" >"$W/ids"
}

# Everything that lies around the target.
around() {
	(cd "$W/t/$1" && find . -path ./in -prune -o -printf '%P %y %m %U:%G %s %T@ %n %l\n' |
	    sort && cat out/file out/inner/file)
}

# reap CODE LABEL [OPTION...]: restore it. What is healthy is there, what lies
# around the target is as it was; prepare LABEL may have laid out things before.
reap() {
	local code=$1 l=$2
	shift 2
	[ -d "$W/t/$l" ] || prepare "$l"
	around "$l" >"$W/before"
	LIMIT=60 g "$code" restore --no-lock "$(made "$l")" --target "$W/t/$l/in" "$@"
	cat "$err"
	around "$l" >"$W/after"
	diff "$W/before" "$W/after" || fail "something changed around the target of $l"
	same "$(cat "$W/t/$l/in/-first" "$W/t/$l/in/zz-last/last")" healthyhealthy "what is healthy in $l"
	[ -z "$(find "$W/t/$l" -name '.garner-tmp*')" ] || fail "rests of $l"
}
prepare() {
	mkdir -p "$W/t/$1"/{in,out/inner}
	echo canary >"$W/t/$1/out/file"
	echo canary >"$W/t/$1/out/inner/file"
	chmod 640 "$W/t/$1/out/file"
	touch -d 2001-01-01 "$W/t/$1"/out/{inner/file,file,inner,} "$W/t/$1"
}

t_names() {
	local i=0 n bad long
	long=$(printf '%01200d' 0)
	mkdir -p "$W"
	for n in '..' '.' '' 'a/b' '../out/file' '/etc/evil' 'x/../../out/file' 'nul\\x00' 'nul\u0000' '\\x2e\\x2e' '..\\x2fout' \
	    "$long" '\\q' 'a\"' '\\ud800' '\\400'; do
		i=$((i + 1))
		plant n$i "$(file "$n" 4 '"@E@"'),$(folder "$n" @S@),$(node "$n" symlink ',"linktarget":"../out"')"
	done
	plant none '{"type":"file","content":[]}'
	plant seven '{"name":7,"type":"file","content":[]}'
	plant null '{"name":null,"type":"file","content":[]}'
	plant list '{"name":["x"],"type":"file","content":[]}'
	plant tall "$(file "${long:0:300}" 4 '"@E@"')"
	plant odd "$(file 'esc\\x1b[31m\\n\\xff' 4 '"@E@"'),$(file '-rf' 4 '"@E@"'),$(file '...' 4 '"@E@"'),$(file ' ' 4 '"@E@"')"
	grow
	for ((; i > 0; i--)); do
		reap 1 n$i
		same "$(find "$W/t/n$i/in" -mindepth 1 | wc -l)" 3 "what is in n$i"
		[ "$(grep -c ^error: "$err")" -ge 3 ] || fail "n$i: not all three are named"
	done
	for n in none seven null list tall; do
		reap 1 $n
		same "$(find "$W/t/$n/in" -mindepth 1 | wc -l)" 3 "what is in $n"
	done
	# Archives lead nowhere, either.
	for n in n1 n2 n5 n6 n7 n11; do
		q 1 dump -a tar "$(made $n)" /
		tar -tf "$out" >"$W/names"
		q 1 dump -a zip "$(made $n)" /
		python3 -c 'import sys, zipfile; print(*zipfile.ZipFile(sys.argv[1]).namelist(), sep="\n")' "$out" >>"$W/names"
		same "$(grep -c . "$W/names")" 6
		! grep -E '(^|/)\.\.?(/|$)|^/' "$W/names" || fail "$n: an archive that leads out"
	done
	reap 0 odd
	same "$(cat "$W/t/odd/in/"$'esc\x1b[31m\n\xff')" evil
	q 1 check
	hushes "$err" $'\x1b'
	# Names that were saved by force are shown in a way that a terminal survives.
	for n in ls 'find *' stats; do
		# shellcheck disable=SC2086 # words
		g any $n --no-lock "$(made odd)"
		hushes "$out" $'\x1b'
		hushes "$err" $'\x1b'
	done
}

# What is shown of a bad entry cannot move the terminal.
t_escapes() {
	plant a "$(file 'esc\\x1b[31m' 5 '"@H@"'),$(folder 'esc\\x1b]0;x\\x07' ''),$(node 'esc\\x1b[2J' what)"
	echo 'doc snapshots SN : {"time":"2024-01-01T00:00:00Z","tree":"@t_a@","paths":["/\u001b[2J"],"hostname":"h\u001b[2J","username":"\u001b","tags":["t\u001b[2J"],"program_version":"\u001b"}' >>"$W/in"
	echo 'doc locks L : {"time":"2024-01-01T00:00:00Z","exclusive":true,"hostname":"h\u001b[2J","username":"u\u001b[2J","pid":1}' >>"$W/in"
	grow
	for c in check 'snapshots'; do
		g 11 $c
		hushes "$err" $'\x1b'
	done
	g 0 unlock --remove-all
	for c in snapshots 'snapshots --compact' 'snapshots --json' 'snapshots --group-by host,tags,paths' "ls $(made SN)"; do
		# shellcheck disable=SC2086 # words
		g any $c
		hushes "$out" $'\x1b'
		hushes "$err" $'\x1b'
	done
	g 1 restore "$(made SN)" --target "$W/o" --json
	hushes "$err" $'\x1b'
	jq -e . "$err" >/dev/null || fail 'problems are not told in JSON'
	reap 1 a
	hushes "$err" $'\x1b'
	q 1 check
	hushes "$err" $'\x1b'
	for c in 'ls -l' find\ x stats 'dump -a tar'; do
		# shellcheck disable=SC2086 # words
		q any $c "$(made a)" $([ "${c:0:4}" != dump ] || echo /)
		hushes "$err" $'\x1b'
	done
}

t_links() {
	local out
	plant over "$(node d symlink ',"linktarget":"../out"'),$(folder d @S@),$(node e symlink ',"linktarget":"../out/file"'),$(file e 4 '"@E@"')"
	plant under "$(folder d @S@),$(node d symlink ',"linktarget":"../out"'),$(folder d @S@)"
	plant abs "$(node d symlink ",\"linktarget\":\"$W/t/abs/out\""),$(folder d @S@),$(file d 4 '"@E@"')"
	plant there "$(folder d @S@),$(folder deep @D@),$(file e 4 '"@E@"'),$(node g fifo)"
	plant twice "$(file d 4 '"@E@"'),$(file d 7 '"@H@"'),$(folder d @S@),$(file d 4 '"@E@"')"
	plant unsorted "$(file zz 4 '"@E@"'),$(file b 4 '"@E@"'),$(file a 4 '"@E@"'),$(folder ab @S@)"
	plant missing "$(node a symlink)"
	plant empty "$(node a symlink ',"linktarget":""')"
	plant nul "$(node a symlink ',"linktarget":"x\u0000y"')"
	plant raw "$(node a symlink ',"linktarget":"x","linktarget_raw":"!!!"')"
	plant huge "$(node a symlink ",\"linktarget\":\"$(printf '%09000d' 0)\"")"
	plant long "$(node a symlink ",\"linktarget\":\"$(printf '%04096d' 0)\"")"
	plant number "$(node a symlink ',"linktarget":7')"
	sed -i '1i tree D : {"nodes":['"$(folder inner @S@)"']}' "$W/in"
	# S is made before, by grow.
	grow
	reap any over
	[ ! -L "$W/t/over/in/d" ]
	same "$(cat "$W/t/over/in/d/evil" "$W/t/over/in/e")" evilevil
	reap 1 under
	reap 1 abs
	# Links lie in the target already, where folders and files are to be.
	for how in always if-changed if-newer never; do
		rm -rf "$W/t/there"
		prepare there
		ln -s ../out "$W/t/there/in/d"
		ln -s ../out "$W/t/there/in/deep"
		ln -s ../out/file "$W/t/there/in/e"
		ln -s ../out/file "$W/t/there/in/g"
		touch -hd 2001-01-01 "$W/t/there/in"/{d,deep,e,g}
		reap any there --overwrite $how
		case $how in
		never) same "$last_code" 1 ;;
		*) same "$(cat "$W/t/there/in/deep/inner/evil" "$W/t/there/in/e")" evilevil ;;
		esac
		reap any there --overwrite $how --verify
	done
	reap any twice
	reap 0 unsorted
	same "$(cat "$W/t/unsorted/in"/{a,b,zz,ab/evil})" evilevilevilevil
	for how in missing empty nul raw huge long number; do
		reap 1 $how
		says "$err" /a
		[ ! -L "$W/t/$how/in/a" ]
	done
}

t_hard_links() {
	local two='"links":2,"inode":5,"device_id":7'
	plant other "$(file a 4 '"@E@"' ",$two"),$(node b symlink ",\"linktarget\":\"../out/file\",$two"),$(node c fifo ",$two"),$(file d 4 '"@E@"' ",$two")"
	plant first "$(node a symlink ",\"linktarget\":\"../out/file\",$two"),$(file b 4 '"@E@"' ",$two"),$(file c 4 '"@E@"' ",$two")"
	plant zero "$(file a 4 '"@E@"' ',"links":2'),$(file b 7 '"@H@"' ',"links":2'),$(file c 4 '"@E@"' ',"links":3,"inode":0,"device_id":7')"
	plant differ "$(file a 4 '"@E@"' ",$two"),$(file b 7 '"@H@"' ",$two"),$(file c 0 '' ",$two")"
	plant gone "$(file a 4 '"0000000000000000000000000000000000000000000000000000000000000000"' ",$two"),$(file b 4 '"@E@"' ",$two")"
	plant replaced "$(file a 4 '"@E@"' ",$two"),$(node a symlink ',"linktarget":"../out/file"'),$(file b 4 '"@E@"' ",$two")"
	plant same "$(file a 4 '"@E@"' ",$two"),$(file b 4 '"@E@"' ",$two"),$(file c 4 '"@E@"' ',"links":18446744073709551615,"inode":18446744073709551615,"device_id":18446744073709551615')"
	plant folder "$(folder a @S@ ",$two"),$(file b 4 '"@E@"' ",$two")"
	grow
	reap 0 other
	same "$(stat -c %F "$W/t/other/in"/{a,b,c,d} | tr '\n' ,)" 'regular file,symbolic link,fifo,regular file,'
	[ "$W/t/other/in/a" -ef "$W/t/other/in/d" ]
	reap 0 first
	same "$(cat "$W/t/first/in"/{b,c})" evilevil
	same "$(stat -c %F "$W/t/first/in"/{a,b,c} | tr '\n' ,)" 'symbolic link,regular file,regular file,'
	reap 0 zero
	same "$(cat "$W/t/zero/in"/{a,b,c})" evilhealthyevil
	# Files that were not one are not made one.
	reap 0 differ
	same "$(cat "$W/t/differ/in"/{a,b,c})" evilhealthy
	# One that cannot be made is not found in what was there before.
	prepare gone
	echo stale >"$W/t/gone/in/a"
	reap 1 gone
	same "$(cat "$W/t/gone/in"/{a,b} | tr '\n' ,)" stale,evil
	reap any replaced
	[ ! -L "$W/t/replaced/in/b" ]
	same "$(cat "$W/t/replaced/in/b")" evil
	reap 0 same
	[ "$W/t/same/in/a" -ef "$W/t/same/in/b" ]
	same "$(stat -c %h "$W/t/same/in"/{a,c} | tr '\n' ,)" 2,1,
	reap 0 folder
	same "$(cat "$W/t/folder/in/b")" evil
	# Names of an old file of many are not written through.
	prepare same2
	ln "$W/t/same2/out/file" "$W/t/same2/in/a"
	sed -i 's/^same /same2 /' "$W/ids"
	around same2 >/dev/null
	g 0 restore --no-lock "$(made same2)" --target "$W/t/same2/in"
	same "$(cat "$W/t/same2/out/file" "$W/t/same2/in/a")" 'canary
evil'
}

t_sizes() {
	local n i=0
	for n in 1 5 4096 9223372036854775807 9223372036854775808 18446744073709551615; do
		plant none$n "$(file a $n '')"
		plant more$n "$(file a $n '"@E@"')"
	done
	plant less "$(file a 3 '"@E@"')"
	plant nothing "$(file a 0 '"@E@"')"
	for n in -1 1.5 1e3 18446744073709551616 '"4"' null '{}'; do
		plant odd$((i += 1)) "$(file a "$n" '"@E@"')"
	done
	plant null "$(node a file ',"size":4,"content":null')"
	plant null0 "$(node a file ',"content":null')"
	plant absent "$(node a file ',"size":4')"
	plant absent0 "$(node a file)"
	plant text "$(node a file ',"size":4,"content":"@E@"')"
	plant ids "$(file a 4 '"xyz"')"
	plant idn "$(file a 4 '7,null')"
	plant nullid "$(file a 4 'null')"
	plant treeid "$(file a 4 '"@Z@"')"
	grow
	for n in $(sed -n 's/^\([a-z][a-z0-9]*\) .*/\1/p' "$W/ids"); do
		case $n in null0 | absent0) continue ;; esac
		reap 1 "$n"
		says "$err" /a
		[ ! -e "$W/t/$n/in/a" ] || fail "$n: it was made"
		at_most "$(du -sk "$W/t/$n" | cut -f 1)" 100 "KiB that $n takes"
	done
	for n in null0 absent0; do	# what check calls an error, but nothing is lost
		reap any $n
	done
	q 1 check --read-data
}

t_trees() {
	plant none "$(node a dir)"
	plant null "$(node a dir ',"subtree":null')"
	plant lost "$(folder a 0000000000000000000000000000000000000000000000000000000000000000)"
	plant odd "$(folder a xyz)"
	plant data "$(folder a @E@)"
	plant what "$(node a what),$(node b ''),{\"name\":\"c\"},$(node d '\u0000dir')"
	plant type "$(node a '" ,"type":7,"x":"')"
	plant sock "$(node a socket)"
	plant broken "$(folder a @B1@),$(folder b @B2@),$(folder c @B3@),$(folder d @B4@),$(folder e @B5@),$(folder f @S@)"
	plant some "$(folder a @M@)"
	plant brackets "{\"name\":\"a\",\"type\":\"fifo\",\"x\":$(printf '%050d' 0 | tr 0 '[')$(printf '%050d' 0 | tr 0 ']')}"
	{
		echo 'tree B1 : {"nodes":7}'
		echo 'tree B2 : []'
		echo 'tree B3 : {"nodes":['
		echo 'tree B4 : '
		echo 'tree B5 : {}'
		echo "tree M : {\"nodes\":[$(file a 4 '"@E@"'),7,$(file b 4 '"@E@"'),{\"name\":\"c\" \"d\"},$(file e 4 '"@E@"')]}"
	} >>"$W/in.0"
	cat "$W/in" >>"$W/in.0"
	mv "$W/in.0" "$W/in"
	grow
	for n in none null lost odd data; do
		reap 1 $n
		says "$err" /a
	done
	reap 1 what
	same "$(find "$W/t/what/in" | wc -l)" 4
	reap 1 type
	reap any sock
	[ ! -e "$W/t/sock/in/a" ]
	reap 1 broken
	for n in a b c d e; do says "$err" "/$n"; done
	same "$(cat "$W/t/broken/in/f/evil")" evil
	reap 1 some
	same "$(cat "$W/t/some/in/a/a")" evil
	says "$err" '/a'
	reap 0 brackets
	[ -p "$W/t/brackets/in/a" ]
	q 1 check
	cat "$err"
	cp "$err" "$W/errors"
	for n in none null lost odd data what type broken some; do
		says "$W/errors" "$(made $n | cut -c 1-8)"
		for c in ls "stats" "dump -a tar" "find evil -s"; do
			# shellcheck disable=SC2086 # words
			q any $c "$(made $n)" $([ "${c:0:4}" != dump ] || echo /)
		done
		q any diff "$(made $n)" "$(made sock)"
	done
	# What cannot be listed does not end the list.
	q 1 ls "$(made broken)"
	same "$(tr '\n' , <"$out")" '/-first,/a,/b,/c,/d,/e,/f,/f/evil,/zz-last,/zz-last/last,'
	for n in a b c d e; do says "$err" "/$n: "; done
}

t_special() {
	is_root || no 'not root'
	plant nodes "$(node a dev ',"device":1792'),$(node b chardev ',"device":259'),$(node c chardev ',"device":18446744073709551615'),$(node d dev),$(node e fifo ',"device":5')"
	plant modes "{\"name\":\"a\",\"type\":\"file\",\"mode\":18446744073709551615,$times,\"size\":4,\"content\":[\"@E@\"]},{\"name\":\"b\",\"type\":\"dir\",\"mode\":511,$times,\"subtree\":\"@S@\",\"content\":null},{\"name\":\"c\",\"type\":\"file\",\"mode\":2147484141,$times,\"size\":4,\"content\":[\"@E@\"]}"
	plant owners "$(file a 4 '"@E@"' ',"uid":4294967296')"
	plant ownern "$(file a 4 '"@E@"' ',"uid":-1')"
	plant ownerx "$(file a 4 '"@E@"' ',"uid":4294967295,"gid":4294967295')"
	grow
	chmod -R a+rX "$W/r"
	reap any nodes
	same "$(stat -c '%F %t:%T' "$W/t/nodes/in"/{a,b} | tr '\n' ,)" 'block special file 7:0,character special file 1:3,'
	reap 0 modes
	same "$(stat -c %a "$W/t/modes/in"/{a,b,c} | tr '\n' ' ')" '7777 777 755 '
	# An owner that cannot be is nobody, not root.
	for n in owners ownern; do
		reap 1 $n
		[ ! -e "$W/t/$n/in/a" ]
	done
	reap any ownerx
	# Who is not root makes none of it, and everything else.
	mkdir "$W/u"
	chmod 777 "$W" "$W/u"
	GARNER_STATE_DIR=$W/u/state run 1 "${user[@]}" "$GARNER" restore --no-lock "$(made nodes)" --target "$W/u/o"
	for n in a b; do says "$err" "/$n"; done
	same "$(cat "$W/u/o/-first" "$W/u/o/zz-last/last")" healthyhealthy
	[ ! -e "$W/u/o/a" ] && [ ! -e "$W/u/o/b" ] && [ -p "$W/u/o/e" ]
}

t_xattrs() {
	local n
	xattr() { plant "$1" "$(file a 4 '"@E@"' ",\"extended_attributes\":$2")"; }
	xattr ok '[{"name":"user.n","value":null},{"name":"user.v","value":"dmFsdWU="}]'
	xattr acl '[{"name":"system.posix_acl_access","value":"Z2FyYmFnZQ=="},{"name":"user.v","value":"dmFsdWU="}]'
	xattr caps '[{"name":"security.capability","value":"Z2FyYmFnZQ=="},{"name":"user.v","value":"dmFsdWU="}]'
	xattr huge "[{\"name\":\"user.h\",\"value\":\"$(printf '%0100000d' 0)\"}]"
	xattr many "[$(for n in $(seq 300); do printf '%s' "{\"name\":\"user.$n\",\"value\":\"$(printf '%01000d' 0)\"},"; done){\"name\":\"user.v\",\"value\":\"\"}]"
	xattr bytes "[$(for n in $(seq 100); do printf '%s' "{\"name\":\"user.$n\",\"value\":\"$(printf '%080000d' 0)\"},"; done){\"name\":\"user.v\",\"value\":\"\"}]"
	xattr long "[{\"name\":\"user.$(printf '%0300d' 0)\",\"value\":\"\"}]"
	xattr empty '[{"name":"","value":""}]'
	xattr nameless '[{"value":""}]'
	xattr nul '[{"name":"user.a\u0000b","value":""}]'
	xattr dots '[{"name":"../../x","value":""}]'
	xattr b64 '[{"name":"user.v","value":"!"}]'
	xattr number '[{"name":"user.v","value":7}]'
	xattr list '{"user.v":""}'
	xattr nulls '[null]'
	xattr trusted '[{"name":"trusted.x","value":"eA=="}]'
	plant dir "$(folder a @S@ ',"extended_attributes":[{"name":"system.posix_acl_default","value":"Z2FyYmFnZQ=="}]')"
	plant link "$(node a symlink ',"linktarget":"x","extended_attributes":[{"name":"user.v","value":"eA=="}]')"
	grow
	is_root || unset user_xattr
	for n in ok acl caps huge many bytes long empty nameless nul dots b64 number nulls trusted; do
		reap any $n
		# It is the attribute that is refused, not the bytes.
		same "$(cat "$W/t/$n/in/a")" evil "the file of $n"
		case $n in
		ok | trusted | many | dots | acl) ;;
		caps) ! is_root || same "$last_code" 1 ;;
		*) same "$last_code" 1; says "$err" /a ;;
		esac
	done
	reap 1 list
	reap any dir
	same "$(cat "$W/t/dir/in/a/evil")" evil
	reap any link
	[ -L "$W/t/link/in/a" ]
	[ -z "$(getcap "$W/t/caps/in/a" 2>/dev/null)" ]
}

t_times() {
	local i=0 n
	for n in 0000-01-01T00:00:00Z 9999-12-31T23:59:59.999999999Z 1969-12-31T23:59:59.5Z 2020-01-01T00:00:00+23:59; do
		plant ok$((i += 1)) "{\"name\":\"a\",\"type\":\"file\",\"mode\":420,\"mtime\":\"$n\",\"atime\":\"$n\",\"size\":4,\"content\":[\"@E@\"]}"
		plant dir$i "{\"name\":\"a\",\"type\":\"dir\",\"mode\":493,\"mtime\":\"$n\",\"subtree\":\"@S@\"}"
	done
	i=0
	for n in 10000-01-01T00:00:00Z 2020-13-01T00:00:00Z 2020-02-30T00:00:00Z 2020-01-01 '' -1 2020-01-01T00:00:00+99:00 \
	    2020-01-01T24:00:00Z 2020-01-01T00:00:00; do
		plant bad$((i += 1)) "{\"name\":\"a\",\"type\":\"file\",\"mode\":420,\"mtime\":\"$n\",\"size\":4,\"content\":[\"@E@\"]}"
	done
	plant number '{"name":"a","type":"file","mtime":7,"size":4,"content":["@E@"]}'
	plant none '{"name":"a","type":"file","size":4,"content":["@E@"]}'
	grow
	for n in 1 2 3 4; do
		reap 0 ok$n
		same "$(cat "$W/t/ok$n/in/a")" evil
		reap 0 dir$n
	done
	reap 0 none
	for ((; i > 0; i--)); do
		reap 1 bad$i
		[ ! -e "$W/t/bad$i/in/a" ]
	done
	reap 1 number
	q any check
}

# A parent may lie about what is in a file that did not change since: what cannot
# be so is read anew.
t_parent() {
	local n i=0 when same
	mkdir "$W/s"
	echo -n hello >"$W/s/a"
	when=$(date -u -d "$(stat -c %z "$W/s/a")" +%FT%T.%NZ)
	touch -d "$when" "$W/s/a"
	when=$(date -u -d "$(stat -c %z "$W/s/a")" +%FT%T.%NZ)
	same="\"mtime\":\"$(date -u -d "$(stat -c %y "$W/s/a")" +%FT%T.%NZ)\",\"ctime\":\"$when\",\"inode\":$(stat -c %i "$W/s/a")"
	for n in '[]' null '["@E@"]' '["@H@"]' '["@Z@"]' \
	    '["0000000000000000000000000000000000000000000000000000000000000000"]' '[7]' '{}' \
	    '["@O@"]'; do
		echo "tree p$((i += 1)) : {\"nodes\":[$(node '..' file),{\"name\":\"a\",\"type\":\"file\",\"mode\":420,$same,\"size\":5,\"content\":$n},$(node '' what)]}" >>"$W/in"
		plant l$i "$(folder s @p$i@)"
	done
	echo 'tree px : {"nodes":[' >>"$W/in"
	plant lx "$(folder s @px@)"
	plant ly "$(folder s 0000000000000000000000000000000000000000000000000000000000000000)"
	plant lz "$(file s 5 '"@E@"')"
	sed -i '1i data O : hello' "$W/in"
	grow
	cd "$W"
	for n in $(seq $i) x y z; do
		g 0 backup --parent "$(made l$n)" s
		g 0 restore latest --target "$W/o$n"
		cmp "$W/s/a" "$W/o$n/s/a"
	done
	g 0 backup --parent "$(made l9)" --json s	# a whole one is believed
	jq_is <(jq -s last "$out") '.files_unmodified == 1'
}

# What another writer put into a tree is not lost on the way: its bytes are its id.
t_as_it_is() {
	local odd='{ "other" : [1, {"x":"\u00e9"}],"nodes":[{"name":"a","new":{"deep":[1e400]},"type":"file","content":[] , "size":0}],"more":null }'
	init "$W/r"
	"$T/forge" >"$W/ids" <<-END
		tree T : $odd
		pack P
		index I
		doc snapshots N : {"time":"2024-01-01T00:00:00Z","tree":"@T@","paths":["/x"],"unknown":1}
	END
	g 0 cat tree latest
	same "$(cat "$out")" "$odd"
	same "$(sha256sum <"$out" | cut -c 1-64)" "$(made T)"
	g 0 cat blob "$(made T)"
	same "$(cat "$out")" "$odd"
	g 0 ls latest
	same "$(cat "$out")" /a
	g 0 restore latest --target "$W/o"
	[ -f "$W/o/a" ] && [ ! -s "$W/o/a" ]
	g 0 check --read-data
}

# ---- more than fits -------------------------------------------------------
# measured KIB CODE ARG...: garner, in so much memory at most.
measured() {
	local kib=$1 code=$2
	shift 2
	if sanitized; then
		LIMIT=300 g "$code" "$@"
	else
		LIMIT=100 run "$code" /usr/bin/time -q -f %M -o "$W/time" "$GARNER" "$@"
		echo "$(tail -n 1 "$W/time") KiB: $*"
		at_most "$(tail -n 1 "$W/time")" "$kib" "KiB for garner $1"
	fi
}

t_deep() { # NAME-LENGTH CODE
	local i name nodes
	name=$(printf "%0$1d" 0)
	nodes="$(folder "$name" @TX@),$(file z 7 '"@H@"')"
	init "$W/r"
	{
		echo 'data H : healthy'
		echo 'pack P'
		echo "tree T0 : {\"nodes\":[$(file bottom 7 '"@H@"')]}"
		for ((i = 1; i <= 5000; i++)); do
			echo "tree T$i : {\"nodes\":[${nodes/@TX@/@T$((i - 1))@}]}"
		done
		echo 'pack Q'
		echo 'index I'
		echo 'doc snapshots N : {"time":"2024-01-01T00:00:00Z","tree":"@T5000@","paths":["/x"]}'
	} | "$T/forge" >"$W/ids"
	measured 16384 $2 restore latest --target "$W/o"
	same "$(cat "$W/o/z" "$W/o/$name/$name/z")" healthyhealthy
	measured 16384 any check
	measured 16384 any stats
	measured 16384 any find bottom
	rm -rf "$W/o"
	[ $1 -lt 100 ] || return 0	# as text they are gigabytes
	measured 16384 0 ls latest
	same "$(wc -l <"$out")" 10001
	measured 16384 0 dump latest /
}

# 30 folders in each of 20 levels, all the same: 20 trees, and 30^20 folders.
t_wide() {
	local i j c pid nodes
	init "$W/r"
	{
		echo 'data H : healthy'
		echo 'pack P'
		echo "tree T0 : {\"nodes\":[$(file a 7 '"@H@"')]}"
		nodes=$(file a 7 '"@H@"')
		for ((j = 10; j < 40; j++)); do nodes="$nodes,$(folder $j @TX@)"; done
		for ((i = 1; i <= 20; i++)); do
			echo "tree T$i : {\"nodes\":[${nodes//@TX@/@T$((i - 1))@}]}"
		done
		echo 'pack Q'
		echo 'index I'
		echo 'doc snapshots N : {"time":"2024-01-01T00:00:00Z","tree":"@T20@","paths":["/x"]}'
	} | "$T/forge" >"$W/ids"
	measured 16384 0 check
	measured 16384 0 stats --mode raw-data
	measured 16384 0 backup "$src/one"
	# The others have to be stopped, and can be.
	for c in "restore latest --target $W/o --no-lock" 'ls latest' 'find nothing' stats 'dump latest /'; do
		# shellcheck disable=SC2086 # words
		"$GARNER" ${c/latest/$(made N)} >/dev/null 2>"$W/err" &
		pid=$!
		sleep 1
		kill -0 $pid
		sanitized || at_most "$(awk '/^VmHWM/ { print $2 }' /proc/$pid/status)" 16384 "KiB for $c"
		kill -INT $pid
		code=0
		wait $pid || code=$?
		same $code 130 "the code of $c"
	done
	rm -rf "$W/o"
	[ -z "$(ls "$W/r/locks")" ]
}

# ---- bombs ----------------------------------------------------------------
t_bombs() {
	local i=0 words size code l kib
	while read -r code size words; do
		i=$((i + 1))
		echo "data B$i $words : b$((i + 100))" >>"$W/in"
		plant c${code}_$i "$(file a $size "\"@B$i@\"")"
	done <<-END
		1 50 fill=1000000 plain=50
		1 10 fill=2000000000 plain=10
		1 100 plain=100
		1 4294967295 plain=4294967295
		1 2000000004 says=2000000004 plain=2000000004
		1 4 says=2000000004
		1 4 says=3
		1 4 cut=1
		1 4 cut=3
		1 4 cut=8
		1 4 tail=1
		1 4 tail=7
		1 4 broken
		0 104 fill=100
		0 3000004 fill=3000000
		0 4 window=21
		0 20000004 window=27 fill=20000000
		0 4 window=29
		1 5 window=27 plain=5
		1 4294967295 window=27 plain=4294967295
		1 4294967295 window=27 fill=5000000 plain=4294967295
		1 50 window=27 fill=1000000 plain=50
		1 4 window=27 cut=1
		1 4 window=27 tail=1
		1 4 window=41
		0 20000004 stored fill=20000000
		1 20000004 stored broken fill=20000000
	END
	grow
	for l in $(sed -n 's/^\(c[01]_[0-9]*\) .*/\1/p' "$W/ids"); do
		prepare $l
		# Pages of a mapped scratch file count, though they can be had back.
		[ $l = c0_17 ] && kib=40960 || kib=16384
		measured $kib "${l:1:1}" restore --no-lock "$(made $l)" --target "$W/t/$l/in"
		cat "$err"
		[ "${l:1:1}" = 0 ] && same "$(head -c 4 "$W/t/$l/in/a")" "b$((${l#*_} + 100))" || {
			[ ! -e "$W/t/$l/in/a" ]
			says "$err" /a
			says "$err" "$(made B${l#*_} | cut -c 1-16)"
		}
		same "$(cat "$W/t/$l/in/-first")" healthy
		rm -rf "$W/t/$l"
	done
	measured 40960 1 check --read-data
}

t_tree_bombs() {
	init "$W/r"
	"$T/forge" >"$W/ids" <<-END
		data H : healthy
		pack P
		tree A fill=100000000 : {"nodes":[$(file a 7 '"@H@"')]}
		tree B fill=100000000 plain=500 : {"nodes":[$(file b 7 '"@H@"')]}
		tree C fill=100000000 : {"nodes":[{"name":"
		tree D fill=100000000 : {"nodes":[{"x":"
		pack Q
		index I
		doc index J packed fill=100000000 : {"packs":[]}
		doc snapshots A1 : {"time":"2024-01-01T00:00:00Z","tree":"@A@","paths":["/x"]}
		doc snapshots B1 : {"time":"2024-01-01T00:00:00Z","tree":"@B@","paths":["/x"]}
		doc snapshots C1 : {"time":"2024-01-01T00:00:00Z","tree":"@C@","paths":["/x"]}
		doc snapshots D1 : {"time":"2024-01-01T00:00:00Z","tree":"@D@","paths":["/x"]}
	END
	measured 16384 any restore "$(made A1)" --target "$W/o"
	same "$(cat "$W/o/a")" healthy
	measured 16384 1 restore "$(made B1)" --target "$W/p"
	measured 16384 1 restore "$(made C1)" --target "$W/p"
	measured 16384 1 restore "$(made D1)" --target "$W/p"
	measured 16384 1 check --read-data
	echo 'doc index K packed fill=100000000 : {"packs":[{"id":"' | "$T/forge" >"$W/ids"
	measured 16384 1 check
	says "$err" "$(made K)"
}

# A full disk where scratch files lie is told, and is no reason to die.
t_small_scratch() {
	is_root || no 'not root'
	small_disk "$W/small" 4096
	echo 'data B window=27 fill=50000000 : bomb' >"$W/in"
	plant a "$(file a 50000004 '"@B@"')"
	grow
	prepare a
	g 1 restore --state-dir "$W/small" --no-lock "$(made a)" --target "$W/t/a/in"
	cat "$err"
	says "$err" /a
	same "$(cat "$W/t/a/in/-first" "$W/t/a/in/zz-last/last")" healthyhealthy
	umount "$W/small"
}

# ---- hostile keys ---------------------------------------------------------
t_odd_keys() {
	local text i=0 salt data
	own_base
	salt=$(jq -r .salt "$base/keys/$good_key")
	data=$(jq -r .data "$base/keys/$good_key")
	while read -r text; do
		echo "file keys K$((i += 1)) : $text"
	done >"$W/in" <<-END
		{"kdf":"scrypt","N":2,"r":8,"p":100000000,"salt":"$salt","data":"$data"}
		{"kdf":"scrypt","N":2097152,"r":7,"p":100000000,"salt":"$salt","data":"$data"}
		{"kdf":"scrypt","N":2147483648,"r":1,"p":1,"salt":"$salt","data":"$data"}
		{"kdf":"scrypt","N":3,"r":1,"p":1,"salt":"$salt","data":"$data"}
		{"kdf":"scrypt","N":0,"r":0,"p":0,"salt":"$salt","data":"$data"}
		{"kdf":"scrypt","N":1e300,"r":-1,"p":0.5,"salt":"$salt","data":"$data"}
		{"kdf":"scrypt","N":2,"r":1073741824,"p":1,"salt":"$salt","data":"$data"}
		{"kdf":"scrypt","N":2,"r":1,"p":1,"salt":"","data":"$data"}
		{"kdf":"scrypt","N":2,"r":1,"p":1,"salt":"$salt$salt","data":"$data"}
		{"kdf":"scrypt","N":2,"r":1,"p":1,"salt":"$salt","data":""}
		{"kdf":"scrypt","N":2,"r":1,"p":1,"salt":"$salt","data":"!!"}
		{"kdf":"scrypt","N":2,"r":1,"p":1,"salt":"$salt","data":"${data:0:40}"}
		{"kdf":"argon2","N":2,"r":1,"p":1,"salt":"$salt","data":"$data"}
		{"kdf":"scrypt","N":2,"r":1,"p":1,"salt":"$salt"}
		{"kdf":"scrypt"}
		{}
		[]
		null
		7
		{"kdf":"scrypt","N":2,"r":1,"p":1,"salt":"$salt","data":"$data"
		$(printf '%08000d' 0 | tr 0 '[')
		$(printf '%020000d' 0)
	END
	"$T/forge" <"$W/in" >"$W/ids"
	for ((; i > 0; i--)); do
		LIMIT=20 q 0 snapshots --no-lock --key-hint "$(made K$i)"
		says "$err" "$(made K$i)"
		cat "$err"
	done
	LIMIT=60 g any key list
	LIMIT=60 q 1 check
	for i in {4..22}; do says "$err" "$(made K$i)"; done
}

# ---- restic's opinion -----------------------------------------------------
# The old one is asked, which gives up at once; the new one tries for minutes.
t_restic() {
	[ -n "$restic_old" ] || no 'no restic'
	local what how
	own_base
	r 0 "$restic_old" check --read-data
	for what in "index/$two_index" "snapshots/$two" config "$(pack_at "$big_pack")" "$(pack_at "$two_tree_pack")"; do
		for how in middle longer; do
			cp -af "$W/r/$what" "$W/file"
			harm "$W/r/$what" $how
			g 1 check --read-data
			LIMIT=60 r bad "$restic_old" check --read-data
			cp -af "$W/file" "$W/r/$what"
			rm -f "$W/r/locks"/*
		done
	done
	g 0 check --read-data
	r 0 "$restic_old" check --read-data
}

# What we take for a truth in an odd form is one for restic.
t_restic_truths() {
	[ -n "$restic_old" ] || no 'no restic'
	local code lie a b n=0
	a='{"id":"@A@","type":"data","offset":0,"length":@A.len@,"uncompressed_length":5}'
	b='{"id":"@B@","type":"data","offset":@B.at@,"length":@B.len@,"uncompressed_length":4}'
	while read -r code lie; do
		[ "$code" = 0 ] || continue
		init "$W/r$((n += 1))"
		lie=${lie//@a@/$a}
		"$T/forge" >"$W/ids" <<-END
			data A : hello
			data B : true
			pack P hidden
			tree T : {"nodes":[$(file a 5 '"@A@"'),$(file b 9 '"@A@","@B@"')]}
			pack R
			index I
			doc index X : ${lie//@b@/$b}
			doc snapshots N : {"time":"2024-01-01T00:00:00Z","tree":"@T@","paths":["/x"]}
		END
	done < <(lies)
	for ((; n > 0; n--)); do
		use "$W/r$n"
		g 0 check --read-data
		r 0 "$restic_old" check --read-data
		g 0 restore latest --target "$W/o"
		r 0 "$restic_old" restore latest --target "$W/p"
		cmp "$W/o/b" "$W/p/b"
	done
}

# ---- traps that no other suite has (see the table above) ------------------
# 2: what other writers leave out or put in too much.
t_absences() {
	plant zero "$(file a 0 '"@V@"'),$(file b 7 '"@V@","@H@","@V@"')"
	plant empty "$(file a 0 '')"
	sed -i '1i data V stored :' "$W/in"
	grow
	reap 0 zero
	same "$(cat "$W/t/zero/in/a" "$W/t/zero/in/b")" healthy
	reap 0 empty
	[ -e "$W/t/empty/in/a" ] && [ ! -s "$W/t/empty/in/a" ]
	# Ours leave nothing out.
	mkdir "$W/s"
	: >"$W/s/empty"
	echo x >"$W/s/x"
	ln "$W/s/x" "$W/s/y"
	cd "$W"
	g 0 backup s
	g 0 cat tree latest:s
	jq_is "$out" '[.nodes[] | select(.name == "empty")] | .[0].content == [] and .[0].size == null and .[0].links == 1'
	jq_is "$out" '[.nodes[] | select(.links == 2)] | length == 2 and all(.inode > 0 and .device_id > 0)'
	# No blob is empty, and no snapshot without a tree.
	: | g 0 backup --stdin --stdin-filename nothing
	g 0 check --read-data
	same "$(for i in "$W/r"/index/*; do "$GARNER" cat --no-lock index "${i##*/}"; done |
	    jq '.packs[].blobs[] | select(.uncompressed_length == 0 or .length <= 32)' | grep -c id)" 1 # that of forge
	jq_is <("$GARNER" cat --no-lock snapshot latest) '.tree | length == 64'
	# One that is compressed to something is read by nobody.
	init "$W/r2"
	"$T/forge" >"$W/ids" <<-END
		data Y :
		pack P
		tree T : {"nodes":[$(file a 0 '"@Y@"')]}
		pack Q
		index I
		doc snapshots N : {"time":"2024-01-01T00:00:00Z","tree":"@T@","paths":["/x"]}
	END
	g 1 check --read-data
	g 1 restore latest --target "$W/o"
	says "$err" /a
	[ ! -e "$W/o/a" ]
}

# 3: Go's FileMode, not st_mode.
t_modes() {
	local f
	init "$W/r"
	mkdir "$W/s"
	cd "$W/s"
	: >f644 && : >f4755 && : >f000 && mkdir d755 d1777 d2750 && ln -s x link && mkfifo p644
	for f in f644 f4755 f000 d755 d1777 d2750 p644; do chmod "${f:1}" $f; done
	is_root || rm -f f000	# nobody can read it
	g 0 backup .
	g 0 cat tree latest
	same "$(jq -c '[.nodes[] | select(.name != "f000") | [.name, .mode]]' "$out")" \
	    '[["d1777",2148532735],["d2750",2151678440],["d755",2147484141],["f4755",8389101],["f644",420],["link",134218239],["p644",33554852]]'
	jq_is "$out" '[.nodes[] | select(.name == "f000") | has("mode")] | any | not'
}

# 8: restic's unlock asks with a SIGHUP whether the holder of a lock lives.
t_hang_up() {
	init "$W/r"
	mkfifo "$W/f"
	"$GARNER" backup --stdin <"$W/f" >/dev/null 2>"$W/err" &
	local pid=$! n
	to_end $pid
	exec 8>"$W/f"
	wait_for 5 sh -c "ls '$W/r/locks' | grep -q ."
	sleep 0.5
	for n in 1 2 3; do kill -HUP $pid; done
	if [ -n "$restic_old" ]; then
		r 0 "$restic_old" unlock
		[ -n "$(ls "$W/r/locks")" ] || fail 'unlock removed the lock of a living process'
	fi
	echo bytes >&8
	exec 8>&-
	wait $pid
	g 0 dump latest /stdin
	same "$(cat "$out")" bytes
}

# 10: copies of a repository have its id, and share what a state folder knows.
t_same_id() {
	local n
	init "$W/r1"
	mkdir "$W/s"
	cd "$W"
	echo common >s/f0
	g 0 backup s
	cp -a r1 r2
	for n in 1 2 3; do
		head -c 5000 /dev/urandom >s/f$n
		use "$W/r$((n % 2 + 1))"
		g 0 backup s
		use "$W/r$(((n + 1) % 2 + 1))"
		echo $n >>s/g
		g 0 backup s
	done
	for n in 1 2; do
		use "$W/r$n"
		g 0 check --read-data
		g 0 restore latest --target "$W/o$n"
		cmp s/f0 "$W/o$n/s/f0"
		g 0 cat config
	done
}

# 13: the format keeps only names and targets byte for byte; the rest must not
# break what is written.
t_not_utf8() {
	local bad=$'caf\xe9'
	init "$W/r"
	mkdir "$W/s"
	echo x >"$W/s/$bad"
	ln -s "$bad" "$W/s/l"
	setfattr -n "user.$bad" -v x "$W/s/$bad" 2>/dev/null || echo 'no attributes here'
	g 0 backup --tag "$bad" --host "$bad" "$W/s" "$W/s/$bad"
	g 0 snapshots --json
	jq_is "$out" 'length == 1 and (.[0].tags | length == 1)'
	g 0 ls latest --json
	jq -s length "$out"
	g 0 check --read-data
	g 0 restore latest --target "$W/o"
	same "$(cat "$W/o$W/s/$bad")" x
	same "$(readlink "$W/o$W/s/l")" "$bad"
	[ -z "$restic_old" ] || r 0 "$restic_old" check --read-data
}

# 14: in a repository of version 1 nothing is compressed, neither by us nor as
# far as we read.
t_version_1() {
	local f
	init "$W/r" --repository-version 1
	g 0 backup --compression max "$src"
	for f in "$W/r"/index/*; do
		g 0 cat index "${f##*/}"
		hushes "$out" uncompressed_length
	done
	[ -z "$restic_old" ] || r 0 "$restic_old" check --read-data
	"$T/forge" >"$W/ids" <<-END
		data A : compressed
		pack P
		tree T stored : {"nodes":[$(file a 10 '"@A@"')]}
		pack Q hidden
		index I
		doc index J : {"packs":[{"id":"@Q@","blobs":[{"id":"@T@","type":"tree","offset":0,"length":@T.len@}]}]}
		doc snapshots N : {"time":"2099-01-01T00:00:00Z","tree":"@T@","paths":["/x"]}
	END
	g 1 check --read-data
	says "$err" "$(made I)"
	says "$err" 'version 1'
	g 1 backup "$src"
	says "$err" "$(made I)"
}

also 'a data pack is harmed' t_stored "$(pack_at "$big_pack")" "$(pack_at "$f1_pack")"
also 'a tree pack is harmed' t_stored "$(pack_at "$two_tree_pack")" "$(pack_at "$f1_pack")"
also 'an index file is harmed' t_stored "index/$two_index" "index/$one_index" ''
also 'the config is harmed' t_config
also 'a key is harmed' t_keys
also 'a lock is harmed' t_locks
also 'a snapshot is harmed' t_snapshots
also 'snapshots that are none' t_odd_snapshots
also 'with a bad data pack' t_bad_data_pack
also 'with a bad tree pack' t_bad_tree_pack
also 'a blob that lies twice is found once' t_second_copy
also 'packs that lie about themselves' t_odd_packs
also 'with a bad index' t_bad_index
also 'an index that was known before' t_known_index
also 'an index that lies: places and lengths' t_lying_index 1 20
also 'an index that lies: numbers, types, lists' t_lying_index 21 38
also 'an index that lies: documents, and odd truths' t_lying_index 39 99
also 'an index that lies beside a true one' t_second_index
also 'keys that are none' t_odd_keys
also 'trees: names' t_names
also 'trees: what is shown of them' t_escapes
also 'trees: symbolic links' t_links
also 'trees: hard links' t_hard_links
also 'trees: sizes and contents' t_sizes
also 'trees: types and lists' t_trees
also 'trees: devices, modes, owners' t_special
also 'trees: extended attributes' t_xattrs
also 'trees: times' t_times
also 'trees: parents of a backup' t_parent
also 'trees: as they are' t_as_it_is
also 'trees: 5,000 levels' t_deep 1 0
also 'trees: 5,000 levels of long names' t_deep 220 1
also 'trees: 30^20 folders' t_wide
also 'blobs that are bombs' t_bombs
also 'trees and documents that are bombs' t_tree_bombs
also 'no room for scratch files' t_small_scratch
also 'restic finds the same damage' t_restic
also 'restic finds the same truths' t_restic_truths
also 'trap 2: content, blobs, inodes that are absent' t_absences
also 'trap 3: modes as Go has them' t_modes
also 'trap 8: a hang-up ends nobody' t_hang_up
also 'trap 10: two repositories of one id' t_same_id
also 'trap 13: what is not UTF-8' t_not_utf8
also 'trap 14: version 1 compresses nothing' t_version_1
wait_also
