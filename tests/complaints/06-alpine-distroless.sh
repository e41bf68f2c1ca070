#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Images without a loader cache, an ldconfig or links of their own: Alpine's musl, and distroless
# ones.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 6 'libcuda.so.1: cannot open shared object file (Alpine, distroless)'

has_host
new_bundle musl NVIDIA_VISIBLE_DEVICES=1
works 'musl' 'dlprobe libcuda.so.1 libnvidia-ml.so.1; readlink /usr/lib/libcuda.so.1' \
	"libcuda.so.1: /usr/lib/libcuda.so.1
libnvidia-ml.so.1: /usr/lib/libnvidia-ml.so.1
libcuda.so.$version"
doctor_says 'musl' bundle.image ok musl '' --bundle "$bundle"

new_bundle distroless NVIDIA_VISIBLE_DEVICES=1
run_container /usr/bin/nvidia-smi -L
equal "$complaint: distroless: nvidia-smi" "0 $(smi_line 0 "$uuid1")" "$rc $output$errors"
run_container /usr/bin/dlprobe libcuda.so.1
equal "$complaint: distroless: libcuda" '0 libcuda.so.1: /usr/lib/x86_64-linux-gnu/libcuda.so.1' \
	"$rc ${output//: \/lib\//: /usr/lib/}$errors"
doctor_says 'distroless' bundle.image ok . '' --bundle "$bundle"
report_exit
