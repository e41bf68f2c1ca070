#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What people search for with AMD's GPUs in containers; docs/vendors.md has the same numbers.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"

says() { # WHAT EXTENDED-REGULAR-EXPRESSION: the hook's log does
	matches "$complaint: $1" "$2" "$(cat "$log")"
}
notes() { # WHAT EXTENDED-REGULAR-EXPRESSION: `davit explain` does
	matches "$complaint: $1" "$2" "$("$davit" explain --bundle "$bundle" --config "$config")"
}
as_user() { edit_bundle '.process.user = {uid: 1000, gid: 1000}'; }

complaint A1 'Unable to open /dev/kfd read-write: Permission denied'
has_host --vendor amd --model mi210-8
new_bundle debian AMD_VISIBLE_DEVICES=0
as_user
run_script true
says 'the hook says which group is missing' \
	"user 1000 can't open /dev/kfd, /dev/dri/renderD130, which needs group 105 \(fix: --group-add 105, or davit-runtime"
doctor_says 'nodes of a group' vendors.nodes warn '/dev/kfd, /dev/dri/renderD130, /dev/dri/renderD131 and 6 more \(group 105\)' 'davit-runtime'
edit_bundle '.process.user.additionalGids = [105]'
works 'with the group' 'nodeprobe /dev/kfd | sed "s/ENXIO\|ENODEV/ok/"' '/dev/kfd: ok'

complaint A2 'Unable to find group render: no matching entries in group file'
new_bundle debian AMD_VISIBLE_DEVICES=0
as_user
run_script true
says 'the number, which every image takes' 'group-add 105'

complaint A3 'hsa_init failed with 0x1008 with one of several GPUs, rootless'
configure '.cgroups = "never"'
new_bundle debian AMD_VISIBLE_DEVICES=0
works 'it starts' 'ls /dev/dri/renderD*' /dev/dri/renderD130
says 'and is told' 'the container gets 1 of 8 AMD GPUs, .* hsa_init fails with 0x1008 .*select with ROCR_VISIBLE_DEVICES'
configure 'del(.cgroups)'

complaint A4 'the UUID of amd-smi gives a container without GPUs'
new_bundle debian AMD_VISIBLE_DEVICES=34ff740f-0000-1000-80cb-5074bc442bc6
run_script true
matches "$complaint: another id: those there are" \
	'inject AMD GPU 34ff740f-0000-1000-80cb-5074bc442bc6: the host has 8 GPUs \(0x[0-9A-F]+, .*\(fix: choose one of them in AMD_VISIBLE_DEVICES' "$errors"
new_bundle debian AMD_VISIBLE_DEVICES=GPU-34ff740f00001000
run_script true
matches "$complaint: an id that isn't there: those there are" \
	'inject AMD GPU GPU-34ff740f00001000: the host has 8 GPUs \(0x[0-9A-F]+, ' "$errors"

complaint A5 '--gpus 1 is another GPU than HIP_VISIBLE_DEVICES=1'
equal "$complaint: davit info has both orders" '3 HIP 0' \
	"$("$davit" info --config "$config" --vendor amd | sed -nE 's/^amd ([0-9]+) .*renderD128 .*(HIP [0-9]+)$/\1 \2/p')"

complaint A6 'llama.cpp or torch crashes: it took the integrated GPU'
has_host --vendor amd --model desktop-radeon-igpu
matches "$complaint: davit info marks it" '^amd 1 .*no unique id: integrated\?$' "$("$davit" info --config "$config")"
configure '.policy."exclude-from-all" = ["0000:0e:00.0"]'
new_bundle debian AMD_VISIBLE_DEVICES=all
works 'all without it' 'ls /dev/dri/renderD*' /dev/dri/renderD129

complaint A7 'which render node is partition 3? only 8 of 64 are usable'
has_host --vendor amd --model mi300x-8-cpx
new_bundle debian AMD_VISIBLE_DEVICES=05:00.3
works 'the partition' 'ls /dev/dri/renderD*' /dev/dri/renderD131
notes 'explain names it' 'AMD GPU 3 \(0000:05:00.0, partition 3: amdgpu_xcp_2\)'
new_bundle debian AMD_VISIBLE_DEVICES=all
works 'all of them' 'ls /dev/dri/renderD* | wc -l' 63

complaint A8 'Docker Swarm: a reservation loses the GPU'
has_host --vendor amd --model mi300x-8-spx
new_bundle debian AMD_VISIBLE_DEVICES=0 DOCKER_RESOURCE_CPU_KIND=1
works 'other reservations mean nothing' 'ls /dev/dri/renderD*' /dev/dri/renderD128
configure '.policy."vendor-env-names" = ["DOCKER_RESOURCE_AMD_GPU=amd.com/gpu"]'
new_bundle debian DOCKER_RESOURCE_AMD_GPU=0xd7596389098486ca
works 'the one of the configuration counts' 'ls /dev/dri/renderD*' /dev/dri/renderD168

complaint A10 'no such device /dev/kfd on Docker Desktop, WSL2'
has_host --vendor amd --model none
mknod "$host/dev/dxg" c 10 125
new_bundle debian AMD_VISIBLE_DEVICES=all
refused 'WSL2' "davit: cannot find an AMD GPU: this host is WSL2 (/dev/dxg), which has no /dev/kfd \
(fix: run the container on a Linux host with the GPU)"
rm "$host/dev/dxg"
refused 'no driver' "davit: cannot find an AMD GPU: the module amdgpu isn't loaded (fix: modprobe amdgpu)"

complaint A11 'No HIP GPUs are available with HIP_VISIBLE_DEVICES=1'
has_host --vendor amd --model mi300x-8-spx
new_bundle debian AMD_VISIBLE_DEVICES=1 HIP_VISIBLE_DEVICES=1
notes 'explain says so' 'note: HIP_VISIBLE_DEVICES=1, but the container has 1 AMD GPU, which it numbers from 0'

complaint A12 'chmod 666 /dev/kfd'
as_user
edit_bundle '.process.user.additionalGids = [105]'
works 'the group is enough' 'nodeprobe /dev/kfd /dev/dri/renderD136 | sed "s/ENXIO\|ENODEV/ok/"' '/dev/kfd: ok
/dev/dri/renderD136: ok'
equal "$complaint: nothing was opened to all" '660 660' "$(stat -c %a "$host/dev/kfd" "$host/dev/dri/renderD136" | xargs)"

# The host is NVIDIA's.
complaint A9 'AMD CDI spec not found'
has_host
mkdir -p "$machine/usr/bin"
printf '#!/bin/sh\n' > "$machine/usr/bin/dockerd"
chmod +x "$machine/usr/bin/dockerd"
doctor_says "NVIDIA's name isn't on dockerd's PATH" docker.hook fail 'AMD CDI spec not found' 'nvidia-container-runtime-hook'
has_host --vendor amd --model strix-halo
doctor_says 'an AMD host without a spec' docker.amd warn 'AMD CDI spec not found' 'davit cdi generate --vendor amd'
mkdir -p "$machine/var/run/cdi"
"$davit" cdi generate --config "$config" --vendor amd --output "$machine/var/run/cdi/amd.json"
doctor_says 'with it' docker.amd ok 'CDI spec' ''
printf '{"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu", "devices": [{"name": "0", "containerEdits": {"env": ["A=b"]}}]}\n' \
	> "$machine/var/run/cdi/nvidia.json"
doctor_says 'also with a spec of nvidia.com: dockerd takes that' docker.amd warn 'also CDI specs of nvidia.com: .*AMD CDI spec not found' \
	'--device amd.com/gpu=0'
rm "$machine/var/run/cdi/nvidia.json"
report_exit
