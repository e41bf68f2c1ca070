#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# crun CVE-2026-88264; runc CVE-2025-52881: the source of a bind mount is exchanged between the look at
# it and the mount. What is bound is the very file that was looked at, or nothing.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
direct_bundle debian NVIDIA_VISIBLE_DEVICES=all
library=$host/driver/lib64/libcuda.so.$version
cp "$library" "$work/good"
good=$(sha256sum < "$library")

# The source is exchanged while the hook waits at the door of the container.
swapped() { # NAME SHELL-TEXT
	local seen='' wrong
	start_container
	(sleep 0.15 && eval "$2") &
	call_hook strace -f -qq -o /dev/null -e trace=setns -e inject=setns:delay_enter=400000
	wait $!
	wrong=$(judge)
	[ $rc != 0 ] || seen=$(nsenter --mount="/proc/$container/ns/mnt" sh -c \
		'sha256sum < "$0"' "$rootfs/usr/lib/x86_64-linux-gnu/libcuda.so.$version")
	stop_container
	rm -f "$library" && cp "$work/good" "$library"
	equal "$1: no harm" '' "$wrong"
	[ $rc != 0 ] || equal "$1: the file is the one that was looked at" "$good" "$seen"
}
any_error=1 # what another process does to the host has no remedy in the image
swapped 'a library becomes another file' 'echo other > "$work/other"; mv "$work/other" "$library"'
swapped 'a library becomes a link to the canary' 'ln -sf "$canary/libcuda.so.1" "$library"'
swapped 'a library goes' 'rm "$library"'
cp -a "$host/dev/nvidia0" "$work/node"
swapped 'a node becomes another one' 'rm "$host/dev/nvidia0"; mknod "$host/dev/nvidia0" c 1 5'
rm "$host/dev/nvidia0" && cp -a "$work/node" "$host/dev/nvidia0"
canary_untouched 'swapped source'
honest_works 'swapped source'
report_exit
