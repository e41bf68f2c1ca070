#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CVE-2026-24260; runc CVE-2021-30465: another process exchanges the directories that the hook walks
# with links that lead out of the root, while it walks them. In no round anything gets out, and each
# round ends with the GPU in the container or with the hook's refusal.
# ROUNDS (300) and SECONDS_MAX (30) bound it; the full run is ROUNDS=5000 SECONDS_MAX=1200.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
attack_tool race
direct_bundle debian NVIDIA_VISIBLE_DEVICES=all
rounds=${ROUNDS:-300}
deadline=$((SECONDS + ${SECONDS_MAX:-30}))

dirs=(usr usr/lib usr/lib/x86_64-linux-gnu usr/bin etc run dev usr/share usr/local/cuda/compat
	usr/lib/firmware)
commands=(swap blink)
links=("$out$canary" "/proc/1/root$canary" "$canary")

# A directory of an overlay's lower layer can't be renamed: the root, without the many links to
# busybox, is copied to a tmpfs. /dev is the image's own.
cp -a "$base" "$work/small"
base=$work/small
rm -rf "${base:?}"/usr/{bin,sbin}/*
any_error=1 # what another process did meanwhile has no remedy in the image
racing='
cd /; umount "$rootfs"; mount -t tmpfs -o mode=0755 tmpfs "$rootfs"; cd "$rootfs"; cp -a "$base/." .
mkdir -p usr/local/cuda/compat usr/lib/firmware
with_proc
'
closed=0 succeeded=0 failed=0 refusals=''
for ((round = 0; round < rounds && SECONDS < deadline; round++)); do
	# All of them at once, then each alone.
	i=$((round % (${#dirs[@]} + 1)))
	swapped=("${dirs[@]}")
	[ $i = 0 ] || swapped=("${dirs[i - 1]}")
	command=${commands[RANDOM % ${#commands[@]}]}
	link=${links[RANDOM % ${#links[@]}]}
	start_container "$racing $tools/race $command '$link' ${swapped[*]} > /dev/null & echo \$! > $work/racer"
	call_hook
	# The kernel's list of mounts names paths: they have to hold still while it is read.
	kill -KILL "$(< "$work/racer")"
	wrong=$(judge)
	stop_container
	if [ -n "$wrong" ]; then
		failed=$((failed + 1))
		fail "round $round, $command ${swapped[*]} with $link" "${wrong//$'\n'/ }" "exit $rc: $errors"
		[[ $wrong != *ESCAPE* ]] || break
	elif [ $rc = 0 ]; then
		succeeded=$((succeeded + 1))
	else
		closed=$((closed + 1))
		refusals+=$errors$'\n'
	fi
done
name='exchanged directories'
if [ $failed = 0 ] && [ $round != 0 ]; then
	ok "$name: $round rounds: $succeeded succeeded, $closed failed closed, none escaped"
fi
# A race that nobody ever wins, or loses, races against nothing.
[ $succeeded -gt 0 ] || fail "$name" 'no round succeeded'
[ $closed -gt 0 ] || fail "$name" 'no round failed: nothing was exchanged in time'
canary_untouched "$name"

# A library of the image that is cut off while the hook reads it: mapped, it would kill us.
cutting='with_proc; with_dev; mkdir -p usr/local/cuda/compat; cd usr/local/cuda/compat
cp $library libcuda.so.999.1; $race truncate "" libcuda.so.999.1 > /dev/null &'
wrong='' cut_rounds=$((rounds / 3))
for ((round = 0; round < cut_rounds; round++)); do
	start_container "library=$host/driver/lib64/libcuda.so.$version race=$tools/race; $cutting"
	call_hook strace -f -qq -o /dev/null -e trace=pread64 \
		-e inject=pread64:delay_enter=500
	wrong=$(judge)
	stop_container
	[ -z "$wrong" ] || break
done
equal "a library that is cut off while it is read: $cut_rounds rounds" '' "$wrong"
[ -z "${SHOW:-}" ] || sort <<< "$refusals" | uniq -c | sort -rn
report_exit
