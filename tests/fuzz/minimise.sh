#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Takes into the repository's corpora what run.sh found beside: per target, the smallest inputs that
# reach code which those here don't. Inputs with a name of their own stay.
set -euo pipefail
# shellcheck source=tests/fuzz/common.sh
. "$(dirname "$0")/common.sh"

targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(fuzz_targets)
fuzz_build
for target in "${targets[@]}"; do
	[ -d "$fuzz_build/corpus/$target" ] || continue
	# Named by their hash: what an earlier run added may not be needed any more.
	find "$fuzz/corpus/$target" -type f -regextype posix-extended -regex '.*/[0-9a-f]{40}' -delete
	# Edges alone, not how often each is taken: a tenth of the files.
	"$fuzz_build/fuzz_$target" -set_cover_merge=1 -use_counters=0 -max_len=8192 "$fuzz/corpus/$target" \
		"$fuzz_build/corpus/$target" 2> /dev/null
	printf '%s: %d files, %d bytes\n' "$target" "$(find "$fuzz/corpus/$target" -type f | wc -l)" \
		"$(find "$fuzz/corpus/$target" -type f -printf '%s\n' | paste -sd + | bc)"
done
