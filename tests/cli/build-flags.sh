#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The programs' own code is built with what hardens it. (A property of a whole static program needs
# that of every object in it, the C library's too: so it is looked for in our objects.)
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"

if [ "$(uname -m)" = x86_64 ]; then
	# Those of today's sources: a folder that is built in again and again keeps others.
	missing=$(ninja -C "$DAVIT_BUILD" -t commands davit davit-hook davit-runtime davit-container-cli davit-nvml |
			grep -oE -- '-o src/[^ ]+\.c\.o' | cut -c4- | grep -v make_filter | sort -u | while read -r object; do
			readelf -n "$DAVIT_BUILD/$object" 2> /dev/null | grep -q 'IBT, SHSTK' || echo "$object"
		done)
	equal 'every object has control flow protection' '' "$missing"
fi
for program in davit davit-hook davit-runtime davit-container-cli davit-nvml; do
	matches "$program: its relocations are read-only, its stack isn't executable" '^RELRO RW$' \
		"$(readelf -lW "$DAVIT_BUILD/$program" | awk '/GNU_RELRO/ { relro = "RELRO" } /GNU_STACK/ { stack = $7 } END { print relro, stack }')"
done
matches 'the compiler has FORTIFY 3 and stack clash protection where it knows them' ' -fstack-clash-protection' \
	"$(ninja -C "$DAVIT_BUILD" -t commands davit-hook | grep -m 1 'sys/spawn.c.o')"
report_exit
