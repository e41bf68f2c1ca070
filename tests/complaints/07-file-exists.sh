#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The image has links, files or directories under the names of the driver's libraries: packages of a
# driver inside the image.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 7 'mount error: file creation failed: .../libnvidia-ml.so.1: file exists'

has_host
lib=/usr/lib/x86_64-linux-gnu

# image WHAT COMMANDS: it has something of its own, and yet the driver's libraries are used.
image() {
	new_bundle debian NVIDIA_VISIBLE_DEVICES=1
	(cd "$bundle/rootfs$lib" && eval "$2")
	works "$1" "nvidia-smi -L; sha256sum < $lib/libnvidia-ml.so.1; sha256sum < $lib/libcuda.so.1" \
		"$(smi_line 0 "$uuid1")
$(sha256sum < "$host/driver/lib64/libnvidia-ml.so.$version")
$(sha256sum < "$host/driver/lib64/libcuda.so.$version")"
}
image 'a link to a library of another driver' "cp $host/driver/lib64/libnvidia-cfg.so.$version libnvidia-ml.so.520.61.05
	ln -s libnvidia-ml.so.520.61.05 libnvidia-ml.so.1"
image 'a link that leads nowhere' 'ln -s /usr/local/nvidia/lib64/libnvidia-ml.so.1 libnvidia-ml.so.1'
image 'a library of that very name' "cp $host/driver/lib64/libnvidia-cfg.so.$version libnvidia-ml.so.$version
	cp $host/driver/lib64/libnvidia-cfg.so.$version libcuda.so.1"
doctor_says 'what is in the image' bundle.image ok . '' --bundle "$bundle"

new_bundle debian NVIDIA_VISIBLE_DEVICES=1
mkdir "$bundle/rootfs$lib/libnvidia-ml.so.$version"
refused 'a directory of that name' "davit: cannot create the file $lib/libnvidia-ml.so.$version in the container: the image has a directory of that name (fix: remove that directory from the image)"
doctor_says 'a directory of that name' bundle.image fail "libnvidia-ml.so.$version" 'remove' --bundle "$bundle"
report_exit
