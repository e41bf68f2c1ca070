#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A kernel without the system calls that davit prefers (all those newer than 4.18, or some of them), or
# a seccomp profile that does not know them: it works by other means, which are as safe. Containers,
# images, the matrix and the races again with these calls away from davit's programs. The whole of it,
# every test of engines and attacks, is OLD_KERNEL=enosys tests/run.sh, then OLD_KERNEL=eperm.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
# shellcheck source=tests/lib/old-kernel.sh
. "$repository/tests/lib/old-kernel.sh"
enter_namespace "$@"
attack_place

# use_kernel enosys|eperm CALL,...: sets `old`, the build folder for it.
use_kernel() {
	old=$work/old-$((++old_serial))
	old_build "$old" "$@"
}
old_serial=0

engine() { # NAME SCRIPT
	again "$1" DAVIT_BUILD="$old" ENGINE=runc CGROUP=v2 "$repository/tests/engines/$2.sh"
}

attacks() { # NAME SCRIPT [NAME=VALUE...]
	again "$1" DAVIT_BUILD="$old" "${@:3}" "$repository/tests/attacks/$2.sh"
}

for calls in openat2 openat2,mount_setattr fsopen,fsconfig,fsmount; do
	use_kernel enosys "$calls"
	engine "without $calls" roots
done
use_kernel eperm "$new_calls"
for script in roots containers; do
	engine 'old kernel, eperm' $script
done
attacks 'old kernel, eperm' matrix EVERY=16
use_kernel enosys "$new_calls"
for script in roots containers proc-mask jetson; do
	engine 'old kernel' $script
done
for script in target-becomes-link swapped-source shared-volume; do
	attacks 'old kernel' $script
done
attacks 'old kernel' matrix EVERY=8
attacks 'old kernel' race ROUNDS=60 SECONDS_MAX=8

# What the tests above stand on: the calls fail, and no program is replaced in one step. (The new one is
# attached before the old one is detached.)
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
printf '#!/bin/sh\nexec strace -qq -o "%s" "%s" "$@"\n' "$work/calls" "$old/davit-hook" > "$work/traced"
chmod +x "$work/traced"
edit_bundle '.hooks.prestart[0].path = $p' --arg p "$work/traced"
run_script 'nvidia-smi -L; nodeprobe --mknod c 195 0 /tmp/n; nodeprobe /dev/null'
equal 'old kernel: the container has its GPU' "0 $(smi_line 0 "$uuid1")" "$rc $(head -n 1 <<< "$output")$errors"
equal 'old kernel: openat2, open_tree and fsopen fail, others do their work' '0 fchdir mount openat' \
	"$(grep -E '^(openat2|open_tree|fsopen|move_mount|mount_setattr)\(' "$work/calls" | grep -vc ENOSYS || true) $(
		sed -nE 's/^(mount|fchdir|openat)\(.*/\1/p' "$work/calls" | sort -u | paste -sd ' ')"
equal 'without BPF_F_REPLACE: the new filter is attached, then the old one detached' 'BPF_PROG_ATTACH
BPF_PROG_DETACH' "$(grep '^bpf(' "$work/calls" | tail -n 2 | sed 's/^bpf(\([A-Z_]*\),.*/\1/')"
equal 'without BPF_F_REPLACE: it is not asked for' '' \
	"$(grep -E 'BPF_PROG_ATTACH.*BPF_F_REPLACE' "$work/calls" || true)"
drop_bundle
report_exit
