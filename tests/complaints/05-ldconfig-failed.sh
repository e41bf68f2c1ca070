#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# davit runs no ldconfig: whatever is wrong with an image's, the loader finds the driver.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 5 'ldcache error: process /sbin/ldconfig failed with error code: 1'

has_host

# image WHAT COMMANDS: the commands, run in the root, make the image.
image() {
	new_bundle debian NVIDIA_VISIBLE_DEVICES=1
	(cd "$bundle/rootfs" && eval "$2")
	works "$1" 'nvidia-smi -L; dlprobe libcuda.so.1 | sed "s|: /lib/|: /usr/lib/|"' "$(smi_line 0 "$uuid1")
libcuda.so.1: /usr/lib/x86_64-linux-gnu/libcuda.so.1"
}
image 'an ldconfig that fails' "rm -f sbin/ldconfig sbin/ldconfig.real
	printf '#!/bin/sh\nexit 1\n' > sbin/ldconfig; chmod 0755 sbin/ldconfig"
image 'no ldconfig' 'rm -f sbin/ldconfig sbin/ldconfig.real'
image 'no loader cache' 'rm etc/ld.so.cache'
image 'an empty loader cache' ': > etc/ld.so.cache'
image 'a loader configuration that names nonsense' 'mkdir -p etc/ld.so.conf.d
	printf "/nowhere\n\\\\\n" > etc/ld.so.conf.d/nonsense.conf; rm -f etc/ld.so.conf; mkdir etc/ld.so.conf'
doctor_says 'it is of no concern' bundle.image ok . '' --bundle "$bundle"

new_bundle debian NVIDIA_VISIBLE_DEVICES=1
head -c 60 "$bundle/rootfs/etc/ld.so.cache" > "$work/cut"
cp "$work/cut" "$bundle/rootfs/etc/ld.so.cache"
refused 'a loader cache that was cut off' \
	'davit: cannot read the loader cache: more entries than the file can contain at byte 48 of 60 (fix: run ldconfig in the image, or remove /etc/ld.so.cache from the image)'
doctor_says 'a loader cache that was cut off' bundle.image fail 'loader cache' 'ldconfig' --bundle "$bundle"
report_exit
