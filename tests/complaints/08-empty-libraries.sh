#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Images built in a GPU container of NVIDIA's toolkit contain empty libraries. davit replaces them,
# and its own containers leave none behind.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 8 'ldconfig: File /usr/lib/x86_64-linux-gnu/libcuda.so.1 is empty, not checked'

has_host
lib=/usr/lib/x86_64-linux-gnu
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
for name in libcuda.so.1 "libcuda.so.$version" libnvidia-ml.so.1 "libnvidia-ml.so.$version" \
	libcuda.so.520.61.05 libnvidia-ml.so.520.61.05; do
	: > "$bundle/rootfs$lib/$name"
done
: > "$bundle/rootfs/usr/bin/nvidia-smi"
works 'libraries of no bytes in the image' "nvidia-smi -L; sha256sum < $lib/libcuda.so.1" "$(smi_line 0 "$uuid1")
$(sha256sum < "$host/driver/lib64/libcuda.so.$version")"
doctor_says 'libraries of no bytes' bundle.image ok . '' --bundle "$bundle"
report_exit
