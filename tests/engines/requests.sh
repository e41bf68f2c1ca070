#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a container asks for decides what it gets: devices, capabilities, or nothing at all.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
enter_namespace "$@"
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host"
with="$ENGINE, cgroup $CGROUP"
spare_crun_memlock

both="$(smi_line 0 "$uuid0")
$(smi_line 1 "$uuid1")"
probe='
echo "== smi"; nvidia-smi -L; echo "rc $?"
echo "== cuda"; dlprobe libcuda.so.1
echo "== gpus"; cd /dev; ls -d nvidia[0-9]* 2>/dev/null | xargs
echo "== uvm"; ls -d nvidia-uvm 2>/dev/null
'

# devices NAME EXPECTED-LIST VARIABLE...
devices() {
	new_bundle debian "${@:3}"
	run_script "$probe"
	equal "$1 ($with): nvidia-smi -L" "$2
rc 0" "$(part smi)$errors"
	host_unchanged "$1 ($with)"
	drop_bundle
}

devices all "$both" NVIDIA_VISIBLE_DEVICES=all
devices 'an index' "$(smi_line 0 "$uuid1")" NVIDIA_VISIBLE_DEVICES=1
devices 'two indices' "$both" NVIDIA_VISIBLE_DEVICES=0,1
devices 'a UUID' "$(smi_line 0 "$uuid1")" NVIDIA_VISIBLE_DEVICES=$uuid1
devices 'a PCI bus id' "$(smi_line 0 "$uuid0")" NVIDIA_VISIBLE_DEVICES=0000:00:06.0
new_bundle debian
edit_bundle '.annotations."org.davit.devices" = "0"'
run_script "$probe"
equal "an annotation ($with): nvidia-smi -L" "$(smi_line 0 "$uuid0")
rc 0" "$(part smi)$errors"
drop_bundle

new_bundle debian NVIDIA_VISIBLE_DEVICES=none
run_script "$probe"
equal "none ($with): no GPU" 'No devices were found
rc 6' "$(part smi)$errors"
equal "none ($with): no node of one" '' "$(part gpus)"
matches "none ($with): but the driver's files" '^libcuda.so.1: /' "$(part cuda)"
drop_bundle

new_bundle debian NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=utility
run_script "$probe"
equal "utility ($with): nvidia-smi -L" "$both
rc 0" "$(part smi)$errors"
matches "utility ($with): no libcuda" '^libcuda.so.1: error' "$(part cuda)"
equal "utility ($with): no nvidia-uvm" '' "$(part uvm)"
drop_bundle

new_bundle debian NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute
run_script "$probe"
matches "compute ($with): libcuda" '^libcuda.so.1: /' "$(part cuda)"
matches "compute ($with): no nvidia-smi" '^rc 127$' "$(part smi)"
equal "compute ($with): both nodes" 'nvidia0 nvidia1' "$(part gpus)"
drop_bundle

new_bundle debian NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all
run_script 'dlprobe libcuda.so.1 libnvidia-encode.so.1 libnvidia-ngx.so.1 libnvidia-opticalflow.so.1
readlink /usr/lib/x86_64-linux-gnu/libGLX_nvidia.so.0; ls /dev/dri; nodeprobe /dev/nvidia-modeset /dev/dri/renderD128'
equal "all capabilities ($with): libraries of each" '4 0' \
	"$(grep -c '^lib.*: /' <<< "$output" || true) $(grep -c ': error' <<< "$output" || true)"
matches "all capabilities ($with): those of graphics" '^libGLX_nvidia\.so\.[0-9.]+$' "$output"
matches "all capabilities ($with): the GPUs' DRM nodes" '^renderD128$' "$output"
equal "all capabilities ($with): which may be opened" '' "$(grep EPERM <<< "$output" || true)"
host_unchanged "all capabilities ($with)"
drop_bundle

# Not a GPU container: not one file of the root is touched.
untouched() { # NAME VARIABLE...
	new_bundle debian "${@:2}"
	run_script 'nodeprobe /dev/nvidiactl; cd /dev; ls -d nvidia*'
	equal "$1 ($with): no nodes" '/dev/nvidiactl: ENOENT' "$(grep -v '^ls:' <<< "$output")"
	# The runtime itself makes mount points; those are there in the fixture's roots.
	equal "$1 ($with): the root is untouched" '' \
		"$(find "$bundle/upper" -mindepth 1 -printf '%P\n')"
	host_unchanged "$1 ($with)"
	drop_bundle
}
untouched 'no variable'
untouched 'an empty variable' NVIDIA_VISIBLE_DEVICES=
untouched void NVIDIA_VISIBLE_DEVICES=void
report_exit
