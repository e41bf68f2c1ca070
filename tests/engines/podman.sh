#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Podman with a hooks.d file, on $ENGINE.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
enter_namespace "$@"
if ! command -v podman > /dev/null; then
	skip "${0##*/}" "podman isn't installed"
	report_exit
fi
make_work
host=$work/host
"$fixture/fake-host" "$host"
with="podman, $ENGINE, cgroup $CGROUP"
spare_crun_memlock

mkdir -p "$work"/podman/{hooks,root,run,tmp,home}
jq -n --arg hook "$hook" --arg config "$host/davit.json" '{version: "1.0.0",
	hook: {path: $hook, args: ["davit-hook", "--config", $config, "prestart"]},
	when: {always: true}, stages: ["prestart"]}' > "$work/podman/hooks/davit.json"
export HOME=$work/podman/home
rootfs=$(kind_root debian)

podman_run() { # OPTION... -- COMMAND...: sets rc, output and errors
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	rc=0
	output=$(timeout 60 podman --root "$work/podman/root" --runroot "$work/podman/run" \
		--tmpdir "$work/podman/tmp" --storage-driver vfs --events-backend file \
		--cgroup-manager cgroupfs --runtime "$ENGINE" --hooks-dir "$work/podman/hooks" \
		run --rm --network none --pids-limit -1 --cgroup-parent "$cgroup" \
		--ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "${options[@]}" --rootfs "$rootfs:O" "$@" \
		2> "$work/errors" < /dev/null) || rc=$?
	errors=$(grep -v 'level=warning' "$work/errors" || true)
}

# What podman leaves behind to clean up after a container still works in $work for a moment.
# shellcheck disable=SC2317 # called by clean_up
wait_for_podman() {
	local i
	for ((i = 0; i < 100; i++)); do
		pgrep -f "$work/podman" > /dev/null || break
		sleep 0.1
	done
}
at_end wait_for_podman

podman_run -e NVIDIA_VISIBLE_DEVICES=1 -- nvidia-smi -L
equal "one GPU ($with)" "0 $(smi_line 0 "$uuid1")" "$rc $output$errors"
podman_run -- nodeprobe /dev/nvidiactl
equal "no variable ($with): nothing is inside" '0 /dev/nvidiactl: ENOENT' "$rc $output$errors"
podman_run -e NVIDIA_VISIBLE_DEVICES=7 -- true
equal "an unknown GPU ($with): the container doesn't start" no "$([ $rc = 0 ] || echo no)"
report_exit
