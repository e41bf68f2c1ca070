#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each fuzz target over its corpus, over real files of its format, and over the empty input, with the
# address and undefined behaviour sanitizers: what was found once stays mended.
set -euo pipefail
# shellcheck source=tests/fuzz/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/lib/report.sh
. "$fuzz/../lib/report.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What this machine and the repository have of a target's format.
real_files() { # TARGET
	case $1 in
	cache) printf '%s\n' "$fuzz/../fixture/captured/ld.so.cache" /etc/ld.so.cache ;;
	config) printf '%s\n' "$fuzz/../../config/config.json" ;;
	elf) printf '%s\n' "$(command -v clang)" "$(command -v ninja)" ;;
	mountinfo) printf '%s\n' /proc/self/mountinfo ;;
	cgroup) printf '%s\n' /proc/self/cgroup ;;
	idmap) printf '%s\n' /proc/self/uid_map ;;
	esac
}

replay() { # TARGET
	local target=$1 options=() output file inputs=("$work/empty")
	[ "$target" != elf ] || options=(-malloc_limit_mb=1)
	while read -r file; do
		# Through a copy: files of /proc have no size.
		[ ! -e "$file" ] || cat "$file" > "$work/$target-${file##*/}"
	done < <(real_files "$target")
	for file in "$work/$target"-* "$fuzz/corpus/$target"/*; do
		[ ! -f "$file" ] || inputs+=("$file")
	done
	if output=$("$fuzz_build/fuzz_$target" -timeout=20 -malloc_limit_mb=128 "${options[@]}" \
		-artifact_prefix="$work/" "${inputs[@]}" 2>&1); then
		ok "fuzz $target: ${#inputs[@]} inputs"
	else
		file=$(sed -n 's/^Running: //p' <<< "$output" | tail -n 1)
		fail "fuzz $target" "it breaks at ${file#"$fuzz/"}" "$(tail -n 40 <<< "$output")"
	fi
}

if ! printf 'int LLVMFuzzerTestOneInput(const char *, long);\nint LLVMFuzzerTestOneInput(const char *d, long n) { return d && n && 0; }\n' |
	clang -x c -fsanitize=fuzzer,address,undefined -o "$work/probe" - 2> "$work/errors"; then
	skip 'fuzz' "clang can't build a fuzz target here: install clang and libclang-rt-14-dev"
	report_exit
fi
if ! output=$(fuzz_build 2>&1); then
	fail 'fuzz: build' 'it does not build' "$output"
	report_exit
fi
: > "$work/empty"
while read -r target; do
	replay "$target"
done < <(fuzz_targets)
report_exit
