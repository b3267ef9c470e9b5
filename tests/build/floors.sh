#!/bin/sh
# The picture in src/README.md, held against the #include lines: a file names
# things of its own folder and of floors below, and a kind of a face (a line
# like store-$(CONFIG_STORE_LOCAL) += local) never names another kind.
set -u
cd "$(dirname "$0")/../.." || exit 1

# "FLOOR FOLDER" for each folder: in the first block of the page a line begins
# with its floor or goes on with the last one's, and the words that are folders
# are the folders. src itself is the composition root, with cli.
floors=$(awk '
    /^```/ { if (inside++) exit; next }
    inside {
	if ($1 ~ /^[0-9]+$/) floor = $1
	for (i = 1; i <= NF; i++) print floor, $i
    }' src/README.md | while read -r floor word; do
	[ ! -d "src/$word" ] || echo "$floor $word"
done | sort -u)

floor_of() {
	echo "$floors" | awk -v folder="$1" '$2 == folder { print $1 }'
}

# The files NAME of a face's kinds, as FACE/NAME.
kinds=$(for face in store source; do
	sed -n "s/^$face-.*+= *//p" "src/$face/Makefile" | tr ' ' '\n' |
	    sed "/./s,^,$face/,"
done)
is_kind() {
	echo "$kinds" | grep -Fqx "$1"
}

bad=0
wrong() { # FILE WHY
	echo "not ok $1: $2"
	bad=$((bad + 1))
}

for folder in src/*/; do
	folder=$(basename "$folder")
	case $(floor_of "$folder" | wc -l) in
	1) ;;
	0) wrong "src/$folder" "src/README.md gives it no floor" ;;
	*) wrong "src/$folder" "src/README.md names it on two floors" ;;
	esac
done

n=0
for file in $(find src -name '*.[ch]' | sort); do
	n=$((n + 1))
	path=${file#src/}
	folder=${path%/*}
	case $path in
	*/*) mine=$(floor_of "$folder") ;;
	*)   mine=$(floor_of cli) folder=cli ;;
	esac
	for include in $(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$file"); do
		theirs=${include%/*}
		if [ "$theirs" = "$include" ]; then
			wrong "$file" "\"$include\" does not say its folder"
			continue
		fi
		floor=$(floor_of "$theirs")
		if [ -z "$floor" ]; then
			wrong "$file" "\"$include\" is on no floor"
		elif [ "$theirs" != "$folder" ] && [ "$floor" -ge "${mine:-0}" ]; then
			wrong "$file" "$folder is on floor $mine, \"$include\" on $floor"
		elif is_kind "${path%.[ch]}" && is_kind "${include%.h}" &&
		    [ "${path%.[ch]}" != "${include%.h}" ]; then
			wrong "$file" "is one kind and names another, \"$include\""
		fi
	done
done
[ "$bad" != 0 ] || echo "ok includes of $n files point down"
