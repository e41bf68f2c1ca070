#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Without rights over device rules, rootless or in a container, they are left to the host: decided
# for each container, nothing to configure.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 10 'bpf_prog_query(BPF_CGROUP_DEVICE) failed: operation not permitted'

has_host
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
# What an ordinary user's runtime does without.
edit_bundle 'del(.linux.resources) | del(.linux.cgroupsPath) |
	(.mounts[] | select(.type == "devpts").options) -= ["gid=5"]'

nested() { # COMMAND...: sets rc, output, errors: a runtime in a user namespace without its rights
	edit_bundle '.process.args = $command' --argjson command "$(json_strings "$@")"
	: > "$log"
	chmod 0666 "$log"
	rc=0
	output=$(unshare --user --map-root-user --mount --pid --fork --mount-proc \
		runc --root "$work/nested" run -b "$bundle" nested 2> "$work/errors" < <(:)) || rc=$?
	errors=$(< "$work/errors")
}
nested sh -c 'nvidia-smi -L; nodeprobe /dev/nvidia1 /dev/nvidia0'
equal "$complaint: nested: the GPU is there" "0 $(smi_line 0 "$uuid1")
/dev/nvidia1: ENXIO
/dev/nvidia0: ENOENT" "$rc $output$errors"
equal "$complaint: nested: the log's one line" "warning: device rules are not set here: \
cannot query the device filter of the cgroup: Operation not permitted (fix: if the GPU can't be opened, allow its \
devices in the outer container)" "$(sed -n 's/^.* ms warning/warning/p' "$log")"

# A container beside it has its rules as ever: nothing is switched off for the host.
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
edit_bundle '.process.capabilities |= map_values(. + ["CAP_MKNOD"] | unique) |
	.linux.resources.devices += [{allow: true, type: "c", access: "m"}]'
works 'a container of root beside it is filtered' 'nodeprobe --mknod c 195 0 /tmp/node' \
	'mknod /tmp/node: ok
/tmp/node: EPERM'

answer=$(unshare --user --map-root-user "$davit" doctor --json --config "$config" --root "$machine" 2>&1 |
	jq -r '.checks[] | select(.id == "cgroup.rules") | "\(.result): \(.evidence) (fix: \(.remedy))"' 2>&1) || true
matches "$complaint: doctor, nested" '^warn: .*user namespace.* \(fix: .+\)$' "$answer"
report_exit
