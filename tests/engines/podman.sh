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
	hook: {path: $hook, args: ["davit-hook", "--config", $config, "-record", "prestart"]},
	when: {always: true}, stages: ["prestart", "poststop"]}' > "$work/podman/hooks/davit.json"
export HOME=$work/podman/home
rootfs=$(kind_root debian)

in_podman() { # COMMAND...
	timeout 60 podman --root "$work/podman/root" --runroot "$work/podman/run" \
		--tmpdir "$work/podman/tmp" --storage-driver vfs --events-backend file \
		--cgroup-manager cgroupfs --runtime "$ENGINE" --hooks-dir "$work/podman/hooks" "$@"
}
run_options=(--network none --pids-limit 0 --cgroup-parent "$cgroup" --ulimit nofile=1024:1024
	--ulimit nproc=1024:1024)

podman_run() { # OPTION... -- COMMAND...: sets rc, output and errors
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	rc=0
	output=$(in_podman run --rm "${run_options[@]}" "${options[@]}" --rootfs "$rootfs:O" "$@" \
		2> "$work/errors" < /dev/null) || rc=$?
	errors=$(grep -v 'level=warning' "$work/errors" || true)
}

at_end wait_for_podman

podman_run -e NVIDIA_VISIBLE_DEVICES=1 -- nvidia-smi -L
equal "one GPU ($with)" "0 $(smi_line 0 "$uuid1")" "$rc $output$errors"
podman_run -- nodeprobe /dev/nvidiactl
equal "no variable ($with): nothing is inside" '0 /dev/nvidiactl: ENOENT' "$rc $output$errors"
podman_run -e NVIDIA_VISIBLE_DEVICES=7 -- true
equal "an unknown GPU ($with): the container doesn't start" no "$([ $rc = 0 ] || echo no)"

# --- what is left in a container's root, and in an image of it -----------------------------------

image_files() { # CONTAINER: type, size and name; the image's loader cache gets our libraries
	in_podman export "$1" | tar -tv | awk '$6 != "etc/ld.so.cache" { print substr($1, 1, 1), $3, $6, $7, $8 }' | sort
}
tar -C "$rootfs" -c . | in_podman import - gpu-test > /dev/null 2>&1
in_podman run --name plain "${run_options[@]}" gpu-test true 2> /dev/null
for run in left again; do
	if [ $run = left ]; then
		output=$(in_podman run --name left "${run_options[@]}" -e NVIDIA_VISIBLE_DEVICES=1 gpu-test \
			nvidia-smi -L 2> /dev/null < /dev/null) || true
	else
		output=$(in_podman start -a left 2> /dev/null < /dev/null) || true
	fi
	equal "an image's container, $run ($with)" "$(smi_line 0 "$uuid1")" "$output"
	in_podman wait left > /dev/null 2>&1 || true
	in_podman container cleanup left > /dev/null 2>&1 || true
	equal "its files when it has ended, $run ($with)" '' "$(diff <(image_files plain) <(image_files left) || true)"
done
in_podman commit -q left localhost/left > /dev/null 2>&1
in_podman create --name committed "${run_options[@]}" localhost/left true > /dev/null 2>&1
equal "an image of it ($with): no stubs" '' "$(diff <(image_files plain) <(image_files committed) || true)"
in_podman rm plain left committed > /dev/null 2>&1
report_exit
