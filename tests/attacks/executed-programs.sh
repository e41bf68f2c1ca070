#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CVE-2024-0135, CVE-2019-5736: a program of the host is changed through /proc/PID/exe while it runs
# against the image. CVE-2024-0136, CVE-2024-0137: ldconfig of the image is executed with the rights of
# the host. The hook executes nothing at all.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
make_trap
# shellcheck disable=SC2034 # in the texts that are run in the root
lib=usr/lib/x86_64-linux-gnu

hostile debian 'for name in usr/sbin/ldconfig usr/sbin/ldconfig.real usr/bin/nvidia-smi usr/bin/sh.trap \
		usr/bin/nvidia-modprobe usr/bin/nvidia-persistenced usr/bin/nvidia-cuda-mps-control; do
		rm -f $name; cp "$trap_program" $name
	done'
attack 'traps for ldconfig and nvidia-smi' 'done' /bin/sh -c "ls /executed; $inspect_container"
equal 'no trap was executed' "ls: /executed: No such file or directory
$(smi_line 0 "$uuid1")" "$errors
$output"
equal 'nor on the host' '' "$(ls "$mark" /executed 2> /dev/null || true)"
drop_bundle

# The loader of the image is a trap, and a script whose interpreter is whoever executes it.
printf '#!/proc/self/exe\n' > "$work/reexec"
chmod 0755 "$work/reexec"
programs=$(sha256sum "$hook" "$(command -v "$ENGINE")")
for what in "$trap_program" "$work/reexec"; do
	hostile debian 'rm -f usr/sbin/ldconfig $lib/ld-linux-x86-64.so.2
		cp "$what" usr/sbin/ldconfig; cp "$what" $lib/ld-linux-x86-64.so.2; cp "$what" etc/ld.so.conf'
	attack "the loader and ldconfig are ${what##*/}" 'done' /bin/busybox true
	equal "${what##*/}: no trap was executed" '' "$(ls "$mark" /executed 2> /dev/null || true)"
	drop_bundle
done
equal 'the programs of the host are what they were' "$programs" \
	"$(sha256sum "$hook" "$(command -v "$ENGINE")")"

# And by the kernel's own account: one execve, and no other process.
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
printf '#!/bin/sh\nexec strace -f -qq -o "%s" -e trace=execve,execveat,fork,vfork,clone,clone3 "%s" "$@"\n' \
	"$work/executed" "$hook" > "$work/traced"
chmod +x "$work/traced"
edit_bundle '.hooks.prestart[0].path = $p' --arg p "$work/traced"
run_container /bin/busybox true
# (A thread of its own waits for the end of time; what strace has no name for it shows always.)
equal 'the hook, traced, starts no process and executes nothing' "0 1 $hook" \
	"$rc $(grep -vcE 'CLONE_THREAD|syscall_0x' "$work/executed") $(sed -n 's/.*execve("\([^"]*\)".*/\1/p' "$work/executed")$errors"
drop_bundle
honest_works 'executed programs'
report_exit
