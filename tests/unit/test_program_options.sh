#!/bin/sh
# What each program says about itself, without privileges: a version and a help with status 0, and one line that names an
# option that is not known. Arguments: the status of wrong usage and a program, again and again.
set -u

fail() {
	echo "$1" >&2
	exit 1
}

while [ $# -gt 0 ]; do
	status=$1 program=$2
	name=$(basename "$program")
	shift 2
	version=$("$program" --version 2>&1) || fail "$name --version: status $?"
	echo "$version" | grep -Eqx "$name [0-9][0-9.]*" || fail "$name --version: $version"
	help=$("$program" --help 2>&1) || fail "$name --help: status $?"
	echo "$help" | head -n 1 | grep -q "^usage: $name " || fail "$name --help: $help"
	echo "$help" | grep -q -e '^  --version ' || fail "$name --help does not name --version: $help"
	said=$("$program" --frob 2>&1)
	found=$?
	[ $found -eq "$status" ] || fail "$name --frob: status $found"
	[ "$(echo "$said" | wc -l)" -eq 1 ] || fail "$name --frob: $said"
	echo "$said" | grep -q "^$name: .*--frob" || fail "$name --frob: $said"
done
