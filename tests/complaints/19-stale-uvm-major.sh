#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The major of nvidia-uvm is not fixed: a node from an earlier boot is another device's.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 19 'cuInit failed: CUDA error 999 (unknown error)'

has_host
major=$(stat -c %Hr "$host/dev/nvidia-uvm")
rm "$host/dev/nvidia-uvm"
mknod -m 0666 "$host/dev/nvidia-uvm" c $((major - 1)) 0
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
refused 'a node with an old number' "davit: cannot use $host/dev/nvidia-uvm: it is device $((major - 1)):0, but the driver's \
is $major:0 (fix: run \`davit system prepare\`, which replaces this node of an earlier boot)"
doctor_says 'a node with an old number' nodes.numbers fail "nvidia-uvm.*$((major - 1)).*$major" 'davit system prepare'
"$davit" system prepare --config "$config" > "$work/prepared" 2>&1
works 'after davit system prepare' 'nvidia-smi -L' "$(both)"
report_exit
