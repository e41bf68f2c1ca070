#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CVE-2021-1056: a node made inside, or brought along by the image, reaches a GPU that the container
# was not given.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
allow_mknod='.process.capabilities |= map_values(. + ["CAP_MKNOD"] | unique) |
	.linux.resources.devices += [{allow: true, type: "c", access: "m"}]'
probe='
for minor in 0 1 2 3 254 255; do nodeprobe --mknod c 195 $minor /tmp/node | tail -n 1; done
nodeprobe /gpu0 /dev/nvidia0 /usr/gpu0 | sed "s/^/image: /"
grep -h "^ModifyDeviceFiles" /proc/driver/nvidia/params 2> /dev/null || true'

hostile debian 'mknod -m 0666 gpu0 c 195 0; mknod -m 0666 usr/gpu0 c 195 0; mknod dev/nvidia0 c 195 0'
edit_bundle "$allow_mknod"
attack 'nodes of the other GPU' 'done' /bin/sh -c "$probe"
equal 'a node of the other GPU cannot be opened, whoever made it' '/tmp/node: EPERM
/tmp/node: ENXIO
/tmp/node: EPERM
/tmp/node: EPERM
/tmp/node: EPERM
/tmp/node: ENXIO
image: /gpu0: EPERM
image: /dev/nvidia0: ENOENT
image: /usr/gpu0: EPERM' "$output"
drop_bundle

# /dev as a directory of the image, with nodes in it under the names of those it should get.
hostile debian 'mknod -m 0666 dev/nvidia0 c 195 0; mknod -m 0666 dev/nvidia1 c 195 0
	mknod -m 0666 dev/nvidiactl c 195 0; mknod -m 0666 dev/nvidia-uvm c 10 130'
edit_bundle "$allow_mknod | .mounts |= map(select(.destination | startswith(\"/dev\") | not))"
attack 'a /dev of the image with nodes' either /bin/sh -c 'nodeprobe /dev/nvidia0; for n in 1 ctl; do
	stat -c "%n %t:%T" /dev/nvidia$n; done'
[ "$outcome" = closed ] || equal 'the nodes are the ones it was given' '/dev/nvidia0: EPERM
/dev/nvidia1 c3:1
/dev/nvidiactl c3:ff' "$output"
drop_bundle

# A second call for another GPU is the runtime's to make, not the container's: it can't reach one.
hostile debian 'mkdir -p etc/davit; echo "{}" > etc/davit/config.json; cp "$hook" usr/bin/davit-hook'
edit_bundle "$allow_mknod"
attack 'the hook called inside' 'done' /bin/sh -c '
printf "{\"ociVersion\":\"1\",\"id\":\"x\",\"status\":\"created\",\"pid\":1,\"bundle\":\"/\"}" |
	davit-hook prestart 2> /dev/null; nodeprobe --mknod c 195 0 /tmp/node | tail -n 1; nodeprobe /dev/nvidia1'
equal 'the hook called inside gives nothing' '/tmp/node: EPERM
/dev/nvidia1: ENXIO' "$output"
drop_bundle
honest_works 'other GPU'
report_exit
