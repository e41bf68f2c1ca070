# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # variables of the scripts
# What the scripts here share: where things are, and the build.

fuzz=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
DAVIT_BUILD=${DAVIT_BUILD:-build}
case $DAVIT_BUILD in /*) ;; *) DAVIT_BUILD=$fuzz/../../$DAVIT_BUILD ;; esac
fuzz_build=$DAVIT_BUILD-fuzz
export UBSAN_OPTIONS=print_stacktrace=1

fuzz_targets() {
	local source
	for source in "$fuzz"/fuzz_*.c; do
		source=${source##*/fuzz_}
		printf '%s\n' "${source%.c}"
	done
}

fuzz_build() {
	local output
	if ! output=$(CC=clang cmake -G Ninja -S "$fuzz" -B "$fuzz_build" \
		-DCMAKE_BUILD_TYPE=None 2>&1 && cmake --build "$fuzz_build" 2>&1); then
		printf '%s\n' "$output" | tail -n 40 >&2
		return 1
	fi
}
