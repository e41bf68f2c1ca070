#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Many containers at once, started by runc with the hook: none fails, and nothing is left of them.
# CONTAINERS (60) of them, AT_ONCE (16) at a time; the full run is CONTAINERS=500. Prints the hook's
# time at its median and 99th percentile.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
# shellcheck source=tests/lib/timing.sh
. "$repository/tests/lib/timing.sh"
enter_namespace "$@"
attack_place
containers=${CONTAINERS:-60} at_once=${AT_ONCE:-16}

# One bundle a slot, each with a root of its own; the hook's time goes to a file of the container.
mkdir -p "$work/times" "$work/failures" "$work/state"
write_timed_hook "$work/timed-hook" "$hook" "$config" "$work/times/all"
for ((slot = 0; slot < at_once; slot++)); do
	new_bundle debian NVIDIA_VISIBLE_DEVICES=all
	edit_bundle '.hooks.prestart[0].path = $p | .process.args = ["/usr/bin/nvidia-smi", "-L"] |
		.linux.cgroupsPath = $c' --arg p "$work/timed-hook" --arg c "/davit-load-$unique-$slot"
	bundles[slot]=$bundle
done
wanted=$(smi_line 0 "$uuid0"; smi_line 1 "$uuid1")

# Of this session's processes and of the containers' own: others' containers come and go meanwhile.
programs() {
	local pid
	for pid in $(pgrep -s 0; pgrep -f "davit-load-$unique-"); do
		grep -l prog_id "/proc/$pid/fdinfo"/* 2> /dev/null || true
	done | wc -l
}
cgroups() { find /sys/fs/cgroup -type d -name "davit-load-$unique-*" | wc -l; }
: > "$work/times/all"
left_before="$(wc -l < /proc/self/mountinfo) $(programs) $(find "$work" -maxdepth 1 | wc -l)"

# shellcheck disable=SC2317 # called in the background
slot_runs() { # SLOT
	local number output
	for ((number = $1; number < containers; number += at_once)); do
		output=$(runc --root "$work/state" run -b "${bundles[$1]}" "davit-load-$unique-$number" 2>&1 < <(:)) &&
			[ "$output" = "$wanted" ] || printf '%s\n' "$output" > "$work/failures/$number"
	done
}
started=$SECONDS
for ((slot = 0; slot < at_once; slot++)); do
	slot_runs $slot &
done
wait
printf '    %d containers, %d at a time, in %d s; the hook: median %s, 99th percentile %s\n' \
	"$containers" "$at_once" $((SECONDS - started)) "$(milliseconds "$(median "$work/times/all")")" \
	"$(milliseconds "$(sort -n "$work/times/all" | awk -v n="$(wc -l < "$work/times/all")" 'NR >= n * 0.99 { print; exit }')")"
equal "$containers containers: every one has its GPUs" '' "$(cat "$work"/failures/* 2> /dev/null | head -5 || true)"
equal "$containers containers: the hook ran for each" "$containers" "$(wc -l < "$work/times/all")"
equal "$containers containers: no mounts, programs or files are left" "$left_before" \
	"$(wc -l < /proc/self/mountinfo) $(programs) $(find "$work" -maxdepth 1 | wc -l)"
equal "$containers containers: no cgroups are left" 0 "$(cgroups)"
equal "$containers containers: no processes are left" '' "$(pgrep -f "davit-load-$unique-" || true)"
canary_untouched 'load'
report_exit
