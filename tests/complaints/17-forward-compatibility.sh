#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The image's newer driver libraries are used when they run on the host's driver, and only then: 803
# is the answer of libraries that don't.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 17 'CUDA error 803: system has unsupported display driver / cuda driver combination (forward compatibility)'

has_host

# compat VERSION DRIVERS: an image with driver libraries of its own, made for these drivers.
compat() {
	local directory=$bundle/rootfs/usr/local/cuda-13.9/compat
	mkdir -p "$directory"
	ln -sfn /usr/local/cuda-13.9 "$bundle/rootfs/usr/local/cuda"
	printf '{"format":1,"CUDA version":"13.9","driver":[%s],"device":[]}' "$2" > "$work/note.json"
	"${CC:-cc}" -fPIC -shared -nostdlib -DSTUB_NAME="\"libcuda.so.$1\"" "-DSTUB_NOTE=\"$work/note.json\"" \
		-Wl,-soname,libcuda.so.1 -o "$directory/libcuda.so.$1" "$fixture/src/stub.c"
	ln -sfn "libcuda.so.$1" "$directory/libcuda.so.1"
}
where='dlprobe libcuda.so.1 | sed "s|: /lib/|: /usr/lib/|; s|/[^/]*$||"'
new_bundle debian NVIDIA_VISIBLE_DEVICES=0
compat 590.10.01 535,580
works "libraries for this driver: the image's" "$where" 'libcuda.so.1: /usr/local/cuda/compat'
doctor_says "libraries for this driver" bundle.image ok "the container uses the image's newer CUDA libraries" '' --bundle "$bundle"
new_bundle debian NVIDIA_VISIBLE_DEVICES=0
compat 590.10.01 535,550
works "libraries for other drivers: the host's" "$where" 'libcuda.so.1: /usr/lib/x86_64-linux-gnu'
new_bundle debian NVIDIA_VISIBLE_DEVICES=0
compat 535.10.01 535,580
works "libraries older than the host's: the host's" "$where" \
	'libcuda.so.1: /usr/lib/x86_64-linux-gnu'
report_exit
