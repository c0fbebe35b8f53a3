#!/bin/sh
# Runs every fuzz target of the repository, one after the other, FUZZTIME each
# (default 10m). Arguments: packages, default all.
#
# Inputs that reach new code are kept in FUZZCACHE (default .fuzz in the
# repository) and are where the next run starts. A finding lands in testdata/fuzz
# of its package, where the ordinary tests run it from then on: commit it with
# the fix. Every target is run, whatever the others find; the exit code is 1 when
# one of them found something.
set -eu
cd "$(dirname "$0")/../.."
GO=${GO:-go}
FUZZTIME=${FUZZTIME:-10m}
FUZZCACHE=${FUZZCACHE:-$PWD/.fuzz}
[ $# -gt 0 ] || set -- ./...

# "FuzzX" lines stand before the "ok package" line of their package.
listed=$($GO test -run '^$' -list '^Fuzz' "$@")
targets=$(printf '%s\n' "$listed" | awk '/^Fuzz/ { names = names " " $1; next } /^ok/ { split(names, n, " "); for (i in n) print $2, n[i]; names = "" }')
[ -n "$targets" ] || { echo "fuzz: no target in $*" >&2; exit 2; }

# Go spends up to a minute on making each interesting input smaller, and for whole
# documents that was nearly all of the time: 81 inputs in ten minutes.
MINIMIZE=50x

found=0
total=0
while read -r package name; do
	total=$((total + 1))
	echo "fuzz: $package $name for $FUZZTIME"
	$GO test -run '^$' -fuzz "^$name\$" -fuzztime "$FUZZTIME" -fuzzminimizetime "$MINIMIZE" "$package" "-test.fuzzcachedir=$FUZZCACHE/$package" || found=$((found + 1))
done <<LIST
$targets
LIST
echo "fuzz: $total targets, $found with a finding"
[ "$found" -eq 0 ]
