#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A kernel without openat2, open_tree, move_mount, mount_setattr and fsopen (5.1 and before, or some of
# them, up to 5.11), or a seccomp profile that does not know them: the hook works by other means, which
# are as safe. Containers, images, the matrix and the races again with these calls away from the hook.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
attack_tool without-calls -lseccomp
all=openat2,open_tree,move_mount,mount_setattr,fsopen,fsconfig,fsmount
kernels=("enosys $all" "eperm $all" 'enosys openat2' 'enosys openat2,mount_setattr' 'enosys fsopen,fsconfig,fsmount')

# old_build WITHOUT: sets `old`, a build folder like $DAVIT_BUILD whose hook lacks the calls.
old_build() {
	local entry
	old=$work/old-$((++old_serial))
	mkdir "$old"
	for entry in "$DAVIT_BUILD"/*; do
		ln -s "$entry" "$old/${entry##*/}"
	done
	rm "$old/davit-hook"
	printf '#!/bin/sh\nexec "%s" %s "%s" "$@"\n' "$tools/without-calls" "$1" "$hook" > "$old/davit-hook"
	chmod +x "$old/davit-hook"
}
old_serial=0

# again NAME COMMAND...: another script's tests as ours, in a namespace of its own.
again() {
	local line name=$1
	shift
	env -u DAVIT_TEST_NAMESPACE "$@" > "$work/again" 2>&1 || true
	if ! grep -qE '^(ok|FAIL|skip) ' "$work/again"; then
		fail "$name" 'it tested nothing' "$(tail -n 5 "$work/again")"
	fi
	! grep -q '^FAIL ' "$work/again" || report_failed=1
	while IFS= read -r line; do
		case $line in
		'ok '* | 'FAIL '* | 'skip '*) printf '%s %s: %s\n' "${line%% *}" "$name" "${line#* }" ;;
		*) printf '%s\n' "$line" ;;
		esac
	done < "$work/again"
}

for kernel in "${kernels[@]}"; do
	old_build "$kernel"
	name="without ${kernel#* }, ${kernel% *}"
	[[ $kernel != *" $all" ]] || name="old kernel, ${kernel% *}"
	again "$name" DAVIT_BUILD="$old" ENGINE=runc CGROUP=v2 "$repository/tests/engines/roots.sh"
	[[ $kernel = *" $all" ]] || continue
	again "$name" DAVIT_WITHOUT="$kernel" EVERY="${EVERY:-8}" "$repository/tests/attacks/matrix.sh"
	[[ $kernel = enosys* ]] || continue
	again "$name" DAVIT_BUILD="$old" ENGINE=runc CGROUP=v2 "$repository/tests/engines/proc-mask.sh"
	for script in target-becomes-link swapped-source; do
		again "$name" DAVIT_BUILD="$old" "$repository/tests/attacks/$script.sh"
	done
	again "$name" DAVIT_WITHOUT="$kernel" ROUNDS=60 SECONDS_MAX=8 "$repository/tests/attacks/race.sh"
done

# Before 5.6 there is no BPF_F_REPLACE: the kernel answers EINVAL to the first attach, which is the last
# of the calls for a filter. The new program is then attached before the old one is detached.
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
printf '#!/bin/sh\nexec strace -qq -o "%s" -e trace=bpf -e inject=bpf:error=EINVAL:when=6:syscall=getpid "%s" "$@"\n' \
	"$work/bpf" "$hook" > "$work/old-bpf"
chmod +x "$work/old-bpf"
edit_bundle '.hooks.prestart[0].path = $p' --arg p "$work/old-bpf"
run_script 'nvidia-smi -L; nodeprobe --mknod c 195 0 /tmp/n; nodeprobe /dev/null'
equal 'without BPF_F_REPLACE: the new filter is attached, then the old one detached' 'EINVAL
BPF_PROG_ATTACH
BPF_PROG_DETACH' "$(tail -n 3 "$work/bpf" | sed 's/.*EINVAL.*(INJECTED).*/EINVAL/; s/^bpf(\([A-Z_]*\),.*/\1/')"
equal 'without BPF_F_REPLACE: the container has its GPU' "0 $(smi_line 0 "$uuid1")" "$rc $(head -n 1 <<< "$output")$errors"
drop_bundle
report_exit
