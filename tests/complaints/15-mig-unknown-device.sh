#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Three generations of names for a MIG instance; an unknown one is answered with all there are.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 15 'nvidia-container-cli: device error: unknown device (MIG)'

has_host --mig
nvml=$host/driver/lib64/libnvidia-ml.so.$version
mapfile -t uuids < <("$DAVIT_BUILD/davit-nvml" "$nvml" "$host/dev" | jq -r '.gpus[].instances[].uuid')
mapfile -t numbers < <("$DAVIT_BUILD/davit-nvml" "$nvml" "$host/dev" |
	jq -r '.gpus[].instances[] | "\(.gpu_instance)/\(.compute_instance)"')
there="the host has 2 MIG instances (0:0 ${uuids[0]}, 0:1 ${uuids[1]}) (fix: choose one of them in NVIDIA_VISIBLE_DEVICES)"
has_mig() { # WHAT NAME
	new_bundle debian "NVIDIA_VISIBLE_DEVICES=$2"
	works "$1" 'nvidia-smi -L | grep -o "MIG-[^)]*"' "${uuids[1]}"
}
has_mig 'a UUID' "${uuids[1]}"
has_mig 'a place' 0:1
has_mig 'the name of drivers before 470' "MIG-$uuid0/${numbers[1]}"

unknown=MIG-00000000-0000-0000-0000-000000000000
new_bundle debian "NVIDIA_VISIBLE_DEVICES=$unknown"
refused 'an unknown UUID' "davit: cannot inject MIG instance $unknown: $there"
doctor_says 'an unknown UUID' bundle.driver fail "$unknown.*${uuids[0]}.*${uuids[1]}" 'choose one of them' \
	--bundle "$bundle"
new_bundle debian NVIDIA_VISIBLE_DEVICES=0:7
refused 'an unknown place' "davit: cannot inject MIG instance 0:7: $there"
doctor_says 'the instances and their names' driver.mig ok "0:0.*0:1" ''

has_host
new_bundle debian "NVIDIA_VISIBLE_DEVICES=${uuids[0]}"
refused 'a host without MIG' "davit: cannot inject MIG instance ${uuids[0]}: no GPU of the host has MIG instances \
(fix: create instances with \`nvidia-smi mig\`, or request a GPU in NVIDIA_VISIBLE_DEVICES)"
report_exit
