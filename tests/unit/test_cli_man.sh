#!/bin/sh
# The man page without a warning of groff; skipped where man is not installed.
command -v man >/dev/null && command -v groff >/dev/null || exit 77
warnings=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l "$1" 2>&1 >/dev/null)
[ -z "$warnings" ] || {
	echo "$warnings"
	exit 1
}
