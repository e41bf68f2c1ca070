#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A root that can't be written gets a writable view, of this container alone.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 9 'mount error: ... read-only file system'

has_host
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
edit_bundle '.root.readonly = true'
works 'docker run --read-only' 'nvidia-smi -L; dlprobe libcuda.so.1 | sed "s|: /lib/|: /usr/lib/|"' \
	"$(smi_line 0 "$uuid1")
libcuda.so.1: /usr/lib/x86_64-linux-gnu/libcuda.so.1"

new_bundle debian NVIDIA_VISIBLE_DEVICES=1
read_only_root
edit_bundle '.root.readonly = true'
works 'a root on a read-only file system' 'nvidia-smi -L; touch /x 2> /dev/null || echo read-only' \
	"$(smi_line 0 "$uuid1")
read-only"
equal "$complaint: nothing is written to the image" '' "$(find "$bundle/upper" -mindepth 1 -printf '%P\n')"
doctor_says 'a root on a read-only file system' bundle.image ok . '' --bundle "$bundle"
report_exit
