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

# WANTED|NAME|SHELL-TEXT, run in the root with the path in $p. WANTED is what must come of it where
# the container can't have its GPU without the directory.
kinds=(
	'closed|a link to the canary, absolute|ln -s $canary $p'
	'closed|a link to the canary, by ..|ln -s $out$canary $p'
	'closed|a chain of links to the canary|ln -s /hop1 $p; ln -s hop2/. hop1; ln -s $out$canary hop2'
	'done|a link to the canary, a path that the root has, too|mkdir -p ./$canary; ln -s $out$canary $p'
	'done|a link to a directory of the root, absolute|mkdir inside; ln -s /inside $p'
	'done|a link to a directory of the root, by too many ..|mkdir inside; ln -s $out/inside $p'
	'closed|a link to itself|ln -s ${p##*/} $p'
	'closed|a loop of links|ln -s /hop1 $p; ln -s hop2 hop1; ln -s hop1 hop2'
	'closed|a chain of 50 links|mkdir inside; ln -s /inside hop0
		for i in {1..50}; do ln -s hop$((i - 1)) hop$i; done; ln -s /hop50 $p'
	'closed|a link through /proc/self/root|ln -s /proc/self/root$canary $p'
	'closed|a link through /proc/1/root|ln -s /proc/1/root$canary $p'
	'closed|a link through /proc/self/cwd|ln -s /proc/self/cwd/$out$canary $p'
	'closed|a link through /proc/self/fd|ln -s /proc/self/fd/3$canary $p'
	'closed|a link to /proc|ln -s /proc $p'
	'closed|a link to /proc/sys|ln -s /proc/sys $p'
	'done|a link to /|ln -s / $p'
	'done|a link to ..|ln -s .. $p'
	'closed|a file|echo text > $p'
	'closed|an empty file|: > $p'
	'closed|a FIFO|mkfifo $p'
	'closed|a socket|$mksocket $p'
	'closed|a device|mknod $p c 1 3'
	'closed|a watchdog device|mknod $p c 10 130'
	'done|an empty directory|mkdir $p'
	'done|a directory of another user without permissions|mkdir -m 0 $p; chown 1234:1234 $p'
	'done|a mount point|mkdir $p; mount -t tmpfs tmpfs $p'
	'done|a read-only mount point|mkdir $p; mount -t tmpfs -o ro tmpfs $p'
	'done|the canary, mounted read-only|mkdir $p; mount --bind $canary $p; mount -o remount,bind,ro $p'
	'closed|a file mounted on a file|: > $p; mount --bind .fake-rootfs $p'
)
needed=(dev usr usr/lib usr/lib/x86_64-linux-gnu usr/bin etc)
optional=(proc run run/nvidia-persistenced lib64 lib/firmware lib/firmware/nvidia usr/local
	usr/local/cuda/compat)

wanted_of() { # WANTED PATH KIND
	case "$2: $3" in
	# Through /lib, which leads to /usr/lib, that is a loop; and the canary's cache is none.
	'usr: a link to /' | 'usr: a link to ..' | 'etc: the canary, mounted read-only') echo closed ;;
	*'read-only'*) echo 'done' ;;
	# Mounted elsewhere: davit-container-cli, which has no config.json, takes it for a volume.
	'usr/lib: a link to /proc/sys') [ "${INJECTOR:-}" = container-cli ] && echo 'done' || echo closed ;;
	*) [[ " ${optional[*]} " = *" $2 "* ]] && echo 'done' || echo "$1" ;;
	esac
}

every=${EVERY:-1} turn=0
for path in "${needed[@]}" "${optional[@]}"; do
	for row in "${kinds[@]}"; do
		((turn++ % every == 0)) || continue
		IFS='|' read -r -d '' wanted kind setup <<< "$row" || true
		prepare="p=$path mksocket=$mksocket; "
		[ "$path" = proc ] || prepare+='with_proc; '
		[ "$path" = dev ] || prepare+='with_dev; '
		direct "/$path is $kind" "$(wanted_of "$wanted" "$path" "$kind")" \
			"$prepare place \$p; ${setup%$'\n'}"
	done
done

# --- targets -------------------------------------------------------------------------------------

# What stands where a file, node or link goes. A file of the image beside it must stay what it is.
lib=usr/lib/x86_64-linux-gnu
kinds=(
	'closed|a directory|mkdir $p'
	'closed|a directory with a file|mkdir $p; echo text > $p/file'
	'done|a FIFO|mkfifo $p'
	'done|a socket|$mksocket $p'
	'done|a device|mknod $p c 1 3'
	'done|a link to nothing|ln -s nothing $p'
	'done|a link to the canary|ln -s $out$canary/libcuda.so.1 $p'
	'done|a link to a new file outside|ln -s $out$canary/new $p'
	'done|a link through /proc/1/root|ln -s /proc/1/root$canary/libcuda.so.1 $p'
	'done|a link to itself|ln -s ${p##*/} $p'
	'done|a link to a device|ln -s /dev/null $p'
	'done|a link to a file of the image|ln -s /bystander $p'
	'done|a hard link to a file of the image|ln bystander $p'
	'done|a hard link to an empty file of the image|ln empty $p'
	'done|an immutable file|echo text > $p; chattr +i $p'
	'done|a file that is a mount point|: > $p; mount --bind $canary/libcuda.so.1 $p'
	'done|a file without permissions|echo text > $p; chmod 0 $p; chown 1234:1234 $p'
)
targets=("$lib/libcuda.so.$version" "$lib/libcuda.so.1" "$lib/libcuda.so" usr/bin/nvidia-smi
	dev/nvidiactl dev/nvidia0 dev/nvidia-uvm etc/ld.so.cache
	"lib/firmware/nvidia/$version/gsp_ga10x.bin" run/nvidia-persistenced/socket)

target_wanted() { # WANTED TARGET KIND
	case "$2: $3" in
	# The container does without these.
	lib/firmware/* | run/*) echo 'done' ;;
	# The cache is read first: what leads to nothing, in the root, or is empty, is none.
	etc/*': a link to '*'nothing' | etc/*': a link to the canary' | etc/*': a link to a new file'* | \
		etc/*': a link to a device' | etc/*': a hard link to an empty file'*) echo 'done' ;;
	etc/*) echo closed ;;
	*) echo "$1" ;;
	esac
}

bystanders='echo bystander > bystander; : > empty; '
for target in "${targets[@]}"; do
	for row in "${kinds[@]}"; do
		((turn++ % every == 0)) || continue
		IFS='|' read -r -d '' wanted kind setup <<< "$row" || true
		prepare="p=$target mksocket=$mksocket; $bystanders with_proc; "
		# A hard link needs /dev to be of the image.
		[[ $target = dev/* ]] || prepare+='with_dev; '
		direct "/$target is $kind" "$(target_wanted "$wanted" "$target" "$kind")" \
			"$prepare place \$p; ${setup%$'\n'}"
		kept=$(cat "$upper"/upper/bystander "$upper"/upper/empty 2>&1)
		[ "$kept" = bystander ] || fail "/$target is $kind" "a file beside it was changed: $kept"
	done
done
printf '    %d combinations\n' "$count_attacks"
report_exit
