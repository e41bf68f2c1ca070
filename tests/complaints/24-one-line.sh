#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Whatever fails: one line with cause and remedy, however the engine wraps it.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 24 'OCI runtime create failed: ... (a page of noise, then the cause)'

has_host

# one_line WHAT [NAME=VALUE...]: the hook's own standard error, and what engines make of it.
one_line() {
	local what=$1 line
	new_bundle debian "${@:2}"
	edit_bundle '.linux.cgroupsPath += "/runc"'
	[ -z "${change:-}" ] || eval "$change"
	run_script true
	line=$(hook_line "$errors")
	matches "$complaint: $what: runc shows cause and remedy" '^davit: cannot .+ \(fix: .+\)$' "$line"
	equal "$complaint: $what: the only line of the hook's, of at most 400 characters" '1 1' \
		"$(grep -o 'davit: ' <<< "$errors" | wc -l) $((${#line} <= 400))"
	if [ -n "$podman" ]; then
		podman_run "${@:2}"
		equal "$complaint: $what: podman shows the same" "$line" "$(hook_line "$errors")"
	fi
	drop_bundle
}

mkdir -p "$work"/podman/{hooks,home}
jq -n --arg hook "$hook" --arg config "$config" '{version: "1.0.0",
	hook: {path: $hook, args: ["davit-hook", "--config", $config, "prestart"]},
	when: {always: true}, stages: ["prestart"]}' > "$work/podman/hooks/davit.json"
export HOME=$work/podman/home
podman=$(command -v podman || true)
if [ -n "$podman" ]; then
	at_end wait_for_podman
else
	skip "$complaint: podman shows the same" "podman isn't installed"
fi
podman_run() { # NAME=VALUE...
	rc=0
	errors=$(timeout 60 podman --root "$work/podman/root" --runroot "$work/podman/run" \
		--tmpdir "$work/podman/tmp" --storage-driver vfs --events-backend file \
		--cgroup-manager cgroupfs --runtime runc --hooks-dir "$work/podman/hooks" \
		run --rm --network none --pids-limit 0 --cgroup-parent "$cgroup" \
		--ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "${@/#/-e}" --rootfs "$bundle/rootfs" true \
		2>&1 < /dev/null) || rc=$?
}
one_line 'an unknown GPU' NVIDIA_VISIBLE_DEVICES=7
one_line 'a long list' "NVIDIA_VISIBLE_DEVICES=$(printf 'GPU-%0500d' 7)"
one_line 'an unknown capability' NVIDIA_VISIBLE_DEVICES=0 NVIDIA_DRIVER_CAPABILITIES=utilty
one_line 'a constraint' NVIDIA_VISIBLE_DEVICES=0 'NVIDIA_REQUIRE_CUDA=cuda>=99'
one_line 'line feeds in a value' NVIDIA_VISIBLE_DEVICES=$'0\n1'
change='mkdir -p "$bundle/rootfs/usr/lib/x86_64-linux-gnu/libcuda.so.$version"'
one_line 'something in the image' NVIDIA_VISIBLE_DEVICES=0
change=
rm -r "$host/proc/driver/nvidia"
one_line 'no driver' NVIDIA_VISIBLE_DEVICES=0
doctor_says 'its line is of the same form' driver.module fail 'not loaded' .
report_exit
