#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The machine runs short while a container gets its GPUs: of disk, memory, processes, descriptors, of the
# node itself, and of the container. The hook gives the GPUs or refuses with one line; nothing is left.
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
any_error=1 # what the machine lacks has no remedy in the image

# The upper layer of the root is a file system that is full, or will be soon.
small_disk() { # SIZE INODES
	echo "cd /; umount \$rootfs; mkdir -p \$upper/small
		mount -t tmpfs -o size=$1,nr_inodes=$2 tmpfs \$upper/small; mkdir \$upper/small/{upper,work}
		mount -t overlay overlay \$rootfs \
			-o lowerdir=\$base,upperdir=\$upper/small/upper,workdir=\$upper/small/work; cd \$rootfs
		with_proc; with_dev;"
}
direct 'a disk without a free byte' closed "$(small_disk 4k 0) cat /dev/zero > fill 2> /dev/null || true"
for inodes in 14 18 24 32 40 60; do
	direct "a disk of $inodes inodes" either "$(small_disk 1m $inodes)"
done
direct 'a disk with room enough' 'done' "$(small_disk 1m 0)"
direct 'a read-only file system' 'done' 'cd /; umount $rootfs; mount --bind $base $rootfs
	mount -o remount,bind,ro $rootfs; cd $rootfs; with_proc; with_dev'
direct 'a read-only file system, /dev included' 'done' 'cd /; umount $rootfs; mount --bind $base $rootfs
	mount -o remount,bind,ro $rootfs; cd $rootfs; with_proc'

start_container
call_hook
whole=$(new_mounts | wc -l)
stop_container

# limited NAME WANTED SHELL-TEXT: with limits of the process.
limited() {
	local wrong outcome=closed
	start_container
	printf '#!/bin/bash\n%s\nexec "$@"\n' "$3" > "$work/limited"
	chmod +x "$work/limited"
	call_hook "$work/limited"
	wrong=$(judge)
	# The kernel's way with a process that gets no memory: no line, and no container.
	[ "$2" != killed ] || [ $rc != 137 ] || wrong=${wrong//it hung;/} outcome=killed
	[ $rc != 0 ] || outcome='done'
	[ $rc != 0 ] || [ "$(new_mounts | wc -l)" = "$whole" ] || wrong+='success with a part of it;'
	[ "$2" = either ] || [ "$2" = $outcome ] || wrong+="it ended as $outcome, not $2: $errors"
	stop_container
	equal "$1: $outcome" '' "$wrong"
}
for kilobytes in 2000 3000 4000 8000; do
	limited "an address space of $kilobytes kB" either "ulimit -v $kilobytes"
done
limited 'an address space of 32 MB' 'done' 'ulimit -v 32768'
limited 'a data segment of 400 kB' either 'ulimit -d 400'
limited 'a stack of 64 kB' either 'ulimit -s 64'
limited 'one process' 'done' 'ulimit -u 1'
for limit in 0 3 4 6 8 10 12 16; do
	limited "$limit descriptors" closed "ulimit -n $limit"
done
for limit in 24 32 40 44 48 50 52 54 55 56 57 58 59 60; do
	limited "$limit descriptors" either "ulimit -n $limit"
done
limited '16 descriptors until it asks for more' 'done' 'ulimit -Sn 16'
# The limit holds for the file that the line would go to as well: a pipe takes it.
limited 'files of no size' closed '(ulimit -f 0; exec "$@") 2>&1 | cat >&2; exit "${PIPESTATUS[0]}"'
limited 'no processor time' either 'ulimit -t 1'
limited 'no locked memory' 'done' 'ulimit -l 0'
limited 'signals ignored' 'done' "trap '' PIPE TERM HUP INT"
limited 'a mask that takes all permissions' 'done' 'umask 0777'

# A cgroup's limits: the hook's own. Where a controller is one of version 1, it is mounted for it.
limited_group() { # CONTROLLER FILE-V1 FILE-V2 VALUE NAME WANTED
	local group=/sys/fs/cgroup$cgroup-scarce file=$3
	mkdir "$group"
	if [ ! -e "$group/$file" ]; then
		rmdir "$group"
		mkdir -p "$work/$1"
		if ! mount -t cgroup -o "$1" cgroup "$work/$1" 2> /dev/null; then
			skip "$5" "there is no controller $1"
			return
		fi
		group=$work/$1/davit-scarce-$unique file=$2
		mkdir "$group"
	fi
	echo "$4" > "$group/$file"
	limited "$5" "$6" "echo \$\$ > $group/cgroup.procs"
	rmdir "$group" 2> /dev/null || true
	! mountpoint -q "$work/$1" || umount "$work/$1"
}
limited_group pids pids.max pids.max 1 'a cgroup of one process' 'done'
limited_group memory memory.limit_in_bytes memory.max 8M 'a cgroup of 8 MB' 'done'
limited_group memory memory.limit_in_bytes memory.max 256K 'a cgroup of 256 kB' killed

# The host loses a node, before and meanwhile.
mv "$host/dev/nvidia0" "$work/nvidia0"
jq '.driver["load-modules"] = false' < "$direct_config" > "$work/no-modules.json"
mv "$work/no-modules.json" "$direct_config"
direct 'the host has no /dev/nvidia0' closed 'with_proc; with_dev'
mv "$work/nvidia0" "$host/dev/nvidia0"
for delayed in read:when=3 openat2:when=20 setns:when=1; do
	start_container
	(sleep 0.1 && mv "$host/dev/nvidia0" "$work/nvidia0") &
	call_hook strace -f -qq -o /dev/null -e "trace=${delayed%%:*}" -e "inject=${delayed%%:*}:delay_enter=300000:${delayed#*:}"
	wait $!
	mv "$work/nvidia0" "$host/dev/nvidia0"
	equal "the host loses /dev/nvidia0 at ${delayed/:when=/ }" '' "$(judge)"
	stop_container
done

# The container's process is killed meanwhile.
attaching=move_mount ninth=9
# There it takes four calls for each.
[ -z "${OLD_KERNEL:-}" ] || attaching=mount ninth=33
for delayed in read:when=3 openat2:when=20 setns:when=1 $attaching:when=3 $attaching:when=20; do
	start_container
	(sleep 0.1 && kill -KILL "$container") &
	call_hook strace -f -qq -o /dev/null -e "trace=${delayed%%:*}" -e "inject=${delayed%%:*}:delay_enter=300000:${delayed#*:}"
	wait $!
	problem=$(judge)
	# Its namespace is the hook's while the hook is in it, and nobody's afterwards.
	[ $rc != 0 ] || problem=$(grep -v 'success without the GPU' <<< "$problem" || true)
	equal "the container goes at ${delayed/:when=/ }" '' "$problem"
	stop_container
done

# Under the runtime: the container of a hook that fails is never started, and none is left.
failing() { # NAME INJECTION
	hostile debian true
	printf '#!/bin/sh\nexec strace -f -qq -o /dev/null -e trace=%s -e inject=%s "%s" "$@"\n' \
		"${2%%:*}" "$2" "$hook" > "$work/failing"
	chmod +x "$work/failing"
	edit_bundle '.hooks.prestart[0].path = $p' --arg p "$work/failing"
	run_container /bin/sh -c 'echo started'
	equal "$1: the container is not started" "started:no" "started:${output:-no}"
	[ $rc != 0 ] || fail "$1" 'the runtime succeeded'
	host_unchanged "$1"
	equal "$1: none is left" '' "$("$ENGINE" --root "$work/state" list -q)"
	edit_bundle '.hooks.prestart[0].path = $p' --arg p "$hook"
	run_script 'nvidia-smi -L'
	equal "$1: the same container starts at the next try" "0 $(smi_line 0 "$uuid1")" "$rc $output$errors"
	drop_bundle
}
failing 'a failed mount' $attaching:error=ENOMEM:when=$ninth:syscall=getpid
failing 'a failed rename' renameat:error=EIO:when=1:syscall=getpid
failing 'killed in the middle' $attaching:signal=KILL:when=12
failing 'killed while it changes the device filter' bpf:signal=KILL:when=5
failing 'a device filter that cannot be loaded' bpf:error=ENOMEM:when=5:syscall=getpid
canary_untouched 'scarcity'
honest_works 'scarcity'
report_exit
