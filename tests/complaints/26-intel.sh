#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What people search for with Intel's GPUs in containers; docs/vendors.md has the same numbers.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"

# asks DEVICES: a bundle whose annotation asks for these, for davit-runtime.
asks() {
	runtime_bundle debian
	edit_bundle '.annotations = {"org.davit.devices": $devices}' --arg devices "$1"
}

complaint I1 'VAAPI: permission denied on /dev/dri/renderD128'
has_host --vendor intel --model igpu
ENGINE=$runtime
configure_runtime "$(command -v runc)"
asks intel.com/gpu=all
edit_bundle '.process.user = {uid: 1000, gid: 1000}'
works 'the group of the node is added' 'id -G; nodeprobe /dev/dri/renderD128 | sed "s/ENXIO\|ENODEV/ok/"' '1000 44 105
/dev/dri/renderD128: ok'

complaint I2 'ZE_RESULT_ERROR 0x70020000: the group 105 is ssh in the image'
mkdir -p "$bundle/rootfs/etc"
echo 'ssh:x:105:' >> "$bundle/rootfs/etc/group"
works 'names do not matter' 'nodeprobe /dev/dri/renderD128 | sed "s/ENXIO\|ENODEV/ok/"' '/dev/dri/renderD128: ok'

complaint I5 'it works with sudo only'
works 'without' 'id -u; nodeprobe /dev/dri/card0 | sed "s/ENXIO\|ENODEV/ok/"' '1000
/dev/dri/card0: ok'

complaint I3 'the integrated GPU is used, not the Arc'
has_host --vendor intel --model igpu-b580
configure_runtime "$(command -v runc)"
asks intel.com/gpu=0000:03:00.0
works 'one by its place on the bus' 'ls /dev/dri/renderD*' /dev/dri/renderD128

complaint I4 'Level Zero sees no Arc: /dev/dri has no by-path'
works 'the links of that GPU, and no others' 'cd /dev/dri/by-path && for l in *; do echo $l $(readlink $l); done' \
	'pci-0000:03:00.0-card ../card0
pci-0000:03:00.0-render ../renderD128'

complaint I6 'a new card, an old userland in the image'
matches "$complaint: kernel driver and device id" '^intel 1   Intel Arc B580  0000-03-00-0-0xe20b  .*  xe$' \
	"$("$davit" info --config "$config")"

complaint I7 'kernel and driver of the image do not fit'
matches "$complaint: explain names the node that it has" 'Intel GPU 1 0000-03-00-0-0xe20b Intel Arc B580 at 0000:03:00.0' \
	"$(mkdir -p "$work/asking"
	jq '.annotations = {"org.davit.devices": "intel.com/gpu=1"}' < "$work/spec/config.json" > "$work/asking/config.json"
	mkdir -p "$work/asking/rootfs"
	"$davit" explain --config "$config" --bundle "$work/asking")"

complaint I8 'docker run --gpus all with an Intel GPU'
matches "$complaint: a spec for --device" '"name": "all"' "$("$davit" cdi generate --config "$config" --vendor intel)"

complaint I9 'singularity --intel'
equal "$complaint: nothing is done to a container that does not ask" none "$(
	jq '.annotations = {}' < "$work/spec/config.json" > "$work/asking/config.json"
	"$davit" explain --json --config "$config" --bundle "$work/asking" | jq -r 'if .operations == [] then "none" else .operations end')"

complaint I10 'no /dev/dri on WSL'
has_host --vendor intel --model none
mknod "$host/dev/dxg" c 10 125
configure_runtime "$(command -v runc)"
asks intel.com/gpu=all
refused 'WSL2' "davit: cannot find an Intel GPU: this host is WSL2 (/dev/dxg), which has no /dev/dri \
(fix: run the container on a Linux host with the GPU)"
report_exit
