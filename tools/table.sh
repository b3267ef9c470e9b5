#!/bin/sh
# table.sh FACE TYPE HEADER KINDS ABSENT: print the C table of a face: what the
# image contains, and the names of what it could contain and does not. Each kind
# is named here by its symbol, so one that is missing is a link error with its
# name.
set -eu
face=$1 type=$2 header=$3 kinds=$4 absent=$5

cat <<END
/* Made by tools/table.sh from the $face- lines of the folder's Makefile. */

#include <stddef.h>

#include "$header"

END
for kind in $kinds; do
	echo "extern const struct $type ${face}_$kind;"
done
echo
echo "const struct $type *const ${face}_kinds[] = {"
for kind in $kinds; do
	echo "	&${face}_$kind,"
done
echo "	NULL"
echo "};"
echo
echo "const char *const ${face}_absent[] = {"
for kind in $absent; do
	echo "	\"$kind\","
done
echo "	NULL"
echo "};"
