#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fuzzes: tests/fuzz/run.sh [SECONDS] [TARGET...]; 600 seconds and all targets unless said
# otherwise, $JOBS (2) at a time. Corpora grow in $DAVIT_BUILD-fuzz/corpus from those of the
# repository; what breaks a target is kept in $DAVIT_BUILD-fuzz/findings. Prints a table; fails when
# there was a finding.
set -euo pipefail
# shellcheck source=tests/fuzz/common.sh
. "$(dirname "$0")/common.sh"

seconds=600
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
	seconds=$1
	shift
fi
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(fuzz_targets)
for target in "${targets[@]}"; do
	if [ ! -e "$fuzz/fuzz_$target.c" ]; then
		printf 'there is no target %s: %s\n' "$target" "$(fuzz_targets | paste -sd ' ')" >&2
		exit 2
	fi
done
fuzz_build
mkdir -p "$fuzz_build/findings" "$fuzz_build/logs"

run_target() { # TARGET
	local target=$1 options=()
	mkdir -p "$fuzz_build/corpus/$target"
	case $target in
	# Formats of numbers: comparisons lead the way. A library's reader needs little memory.
	cache) options=(-use_value_profile=1) ;;
	elf) options=(-use_value_profile=1 -malloc_limit_mb=1) ;;
	esac
	nice -n 19 "$fuzz_build/fuzz_$target" -max_total_time="$seconds" -max_len=8192 -timeout=10 \
		-rss_limit_mb=2048 -malloc_limit_mb=128 "${options[@]}" -dict="$fuzz/$target.dict" \
		-print_final_stats=1 -artifact_prefix="$fuzz_build/findings/$target-" \
		"$fuzz_build/corpus/$target" "$fuzz/corpus/$target" > "$fuzz_build/logs/$target" 2>&1
}

# The last status line has the coverage; a finding ends a run without the line DONE.
row() { # TARGET
	awk -v target="$1" '
		/PC tables/ { match($0, /[0-9]+ PCs/); all = substr($0, RSTART, RLENGTH) + 0 }
		/ cov: / { match($0, /cov: [0-9]+/); cov = substr($0, RSTART + 5, RLENGTH - 5) }
		/\tDONE / { result = "none" }
		/ run interrupted/ { result = "none: it was stopped" }
		/^stat::number_of_executed_units/ { units = $2 }
		/^stat::average_exec_per_sec/ { rate = $2 }
		END {
			printf "| %s | %d | %d | %d of %d | %s |\n", target, units, rate, cov, all,
				result ? result : "see the log"
			exit result != "none"
		}' "$fuzz_build/logs/$1"
}

for target in "${targets[@]}"; do
	while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-2}" ]; do
		wait -n || true
	done
	run_target "$target" &
done
wait || true
rc=0
printf '| target | executions | a second | edges covered | findings |\n| --- | --- | --- | --- | --- |\n'
for target in "${targets[@]}"; do
	row "$target" || rc=1
done
exit $rc
