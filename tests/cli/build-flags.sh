#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The programs' own code is built with what hardens it. (A property of a whole static program needs
# that of every object in it, the C library's too: so it is looked for in our objects.)
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
needs readelf ninja

case $(uname -m) in
	x86_64) property='IBT, SHSTK' ;;
	aarch64) property='BTI, PAC' ;;
	*) property='' ;;
esac
# Those of today's sources: a folder that is built in again and again keeps others.
missing=$(ninja -C "$DAVIT_BUILD" -t commands davit davit-hook davit-runtime davit-container-cli davit-nvml |
		grep -oE -- '-o src/[^ ]+\.c\.o' | cut -c4- | grep -v make_filter | sort -u | while read -r object; do
		readelf -n "$DAVIT_BUILD/$object" 2> /dev/null | grep -q "$property" || echo "$object"
	done)
[ -z "$property" ] || equal 'every object has control flow protection' '' "$missing"
for program in davit davit-hook davit-runtime davit-container-cli davit-nvml; do
	matches "$program: its relocations are read-only, its stack isn't executable" '^RELRO RW$' \
		"$(readelf -lW "$DAVIT_BUILD/$program" | awk '/GNU_RELRO/ { relro = "RELRO" } /GNU_STACK/ { stack = $7 } END { print relro, stack }')"
done
# What the compiler and the C library know is what every file of theirs is built with.
compiler=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$DAVIT_BUILD/CMakeCache.txt")
level=2
macros=$("$compiler" -O2 -D_FORTIFY_SOURCE=3 -Werror -E -dM -include features.h -x c /dev/null 2> /dev/null || true)
[[ $macros != *'__USE_FORTIFY_LEVEL 3'* ]] || level=3
commands=$(ninja -C "$DAVIT_BUILD" -t commands davit davit-hook davit-runtime davit-container-cli davit-nvml |
	grep -E -- ' -c [^ ]*/src/[^ ]+\.c$' | grep -v make_filter)
for flag in "-D_FORTIFY_SOURCE=$level" -fstack-clash-protection -fstack-protector-strong; do
	equal "every file is compiled with $flag" '' "$(grep -v -- " $flag " <<< "$commands" || true)"
done
count=$(wc -l <<< "$commands")
equal 'files are compiled at all' 1 "$((count > 50))"
report_exit
