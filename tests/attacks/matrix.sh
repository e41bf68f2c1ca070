#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every directory that the hook walks, and every kind of target, as everything that an image can make
# of them: the hook does its work inside the root, or refuses with one line; nothing outside changes.
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
mksocket=$DAVIT_BUILD/tests/fixture/tools/mksocket

# --- directories ---------------------------------------------------------------------------------

# kind_setup PATH: the kinds, as NAME=SHELL-TEXT lines. $p is the path, in the root.
kinds=(
	'a link to the canary, absolute' 'ln -s $canary $p'
	'a link to the canary, by ..' 'ln -s $out$canary $p'
	'a link to a directory of the root, absolute' 'mkdir inside; ln -s /inside $p'
	'a link to a directory of the root, by too many ..' 'mkdir inside; ln -s $out/inside $p'
	'a link to the canary, whose path the root has too' 'mkdir -p ./$canary; ln -s $out$canary $p'
	'a chain of links to the canary' 'ln -s /hop1 $p; ln -s hop2/. hop1; ln -s $out$canary hop2'
	'a link to itself' 'ln -s ${p##*/} $p'
	'a loop of links' 'ln -s /hop1 $p; ln -s hop2 hop1; ln -s hop1 hop2'
	'a chain of 50 links' 'mkdir inside; ln -s /inside hop0;
		for i in {1..50}; do ln -s hop$((i - 1)) hop$i; done; ln -s /hop50 $p'
	'a link through /proc/self/root' 'ln -s /proc/self/root$canary $p'
	'a link through /proc/1/root' 'ln -s /proc/1/root$canary $p'
	'a link through /proc/self/cwd' 'ln -s /proc/self/cwd/$out$canary $p'
	'a link through /proc/self/fd' 'ln -s /proc/self/fd/3$canary $p'
	'a link to /proc' 'ln -s /proc $p'
	'a link to /proc/sys' 'ln -s /proc/sys $p'
	'a link to /' 'ln -s / $p'
	'a link to ..' 'ln -s .. $p'
	'a file' 'echo text > $p'
	'an empty file' ': > $p'
	'a FIFO' 'mkfifo $p'
	'a socket' '$mksocket $p'
	'a device' 'mknod $p c 1 3'
	'a watchdog device' 'mknod $p c 10 130'
	'an empty directory' 'mkdir $p'
	'a directory without permissions' 'mkdir -m 0 $p; chown 1234:1234 $p'
	'a mount point' 'mkdir $p; mount -t tmpfs tmpfs $p'
	'a read-only mount point' 'mkdir $p; mount -t tmpfs -o ro tmpfs $p'
	'the canary mounted read-only' 'mkdir $p; mount --bind $canary $p; mount -o remount,bind,ro $p'
	'a file mounted on a file' ': > $p; mount --bind etc/passwd $p'
)
paths=(dev usr usr/lib usr/lib/x86_64-linux-gnu usr/bin etc proc run run/nvidia-persistenced lib64
	lib/firmware lib/firmware/nvidia usr/local usr/local/cuda/compat)

# What must be: a directory without which the container would have no GPU fails it.
wanted_of() { # PATH KIND
	echo either
}

for path in "${paths[@]}"; do
	[ -z "${ONLY:-}" ] || [[ $path = $ONLY ]] || continue
	for ((i = 0; i < ${#kinds[@]}; i += 2)); do
		setup="p=$path mksocket=$mksocket; "
		[ "$path" = proc ] || setup+='with_proc; '
		[ "$path" = dev ] || setup+='with_dev; '
		direct "/$path is ${kinds[i]}" "$(wanted_of "$path" "${kinds[i]}")" \
			"$setup place \$p; ${kinds[i + 1]}"
	done
done
report_exit
