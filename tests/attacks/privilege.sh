#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the hook may do in each of its phases: its capabilities, filter and privileges as /proc tells
# them, with the hook held up (by strace) each time it has changed them.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
needs strace
enter_namespace "$@"
attack_place

# Names of the bits of linux/capability.h that the hook ever has.
declare -A names=([0]=chown [1]=dac_override [2]=dac_read_search [3]=fowner [6]=setgid [7]=setuid
	[12]=net_admin [18]=sys_chroot [19]=sys_ptrace [21]=sys_admin [27]=mknod [38]=perfmon [39]=bpf)

capabilities() { # HEX
	local bit words=()
	for ((bit = 0; bit < 41; bit++)); do
		(((16#$1 >> bit & 1) == 0)) || words+=("${names[$bit]:-$bit}")
	done
	printf '%s' "${words[*]:-none}"
}

direct_bundle debian NVIDIA_VISIBLE_DEVICES=0
# Device rules, too: the process is its own cgroup's only one, but for us.
start_container
strace -f -o "$work/trace" -e trace=capset -e inject=capset:delay_exit=250000 \
	"$hook" --config "$direct_config" prestart < "$work/state.json" > /dev/null 2> "$work/errors" &
tracer=$!
last='' phases=() unlike=''
for ((i = 0; i < 1000; i++)); do
	kill -0 $tracer 2> /dev/null || break
	pid=$(pgrep -P $tracer -x davit-hook || true)
	if [ -n "$pid" ] && status=$(cat "/proc/$pid/status" 2> /dev/null); then
		effective=$(sed -n 's/^CapEff:\t//p' <<< "$status")
		permitted=$(sed -n 's/^CapPrm:\t//p' <<< "$status")
		filter=$(sed -n 's/^Seccomp:\t//p' <<< "$status")
		privileges=$(sed -n 's/^NoNewPrivs:\t//p' <<< "$status")
		# Before the first capset the process is as the runtime made it.
		now="filter $filter, no new privileges $privileges: $(capabilities "${effective:-0}")"
		if [ "$now" != "$last" ] && (((16#$permitted >> 24 & 1) == 0)) &&
			(((16#$permitted >> 16 & 1) == 0)); then
			phases+=("$now")
			last=$now
			# The thread that waits for the end of time has the same memory.
			tasks=$(grep -hE '^(NoNewPrivs|Seccomp)' "/proc/$pid"/task/*/status 2> /dev/null | sort | uniq -c |
				grep -vc '^ *2 ' || true)
			[ "$privileges" = 0 ] || unlike+=${tasks/#0/}
		fi
	fi
	sleep 0.02
done
rc=0
wait $tracer || rc=$?
equal 'the hook ends well' '0 ' "$rc $(cat "$work/errors")"
stop_container

reading='dac_read_search sys_ptrace'
mounting='chown dac_override dac_read_search fowner setgid setuid sys_chroot sys_ptrace sys_admin mknod'
# The state is parsed without a filter: most containers ask for nothing, and that is all there is to do.
equal 'what each phase has in effect' "filter 0, no new privileges 0: $reading
filter 0, no new privileges 0: none
filter 0, no new privileges 0: $reading
filter 0, no new privileges 0: sys_admin
filter 2, no new privileges 0: none
filter 2, no new privileges 0: $reading
filter 2, no new privileges 1: $mounting
filter 2, no new privileges 1: none
filter 2, no new privileges 1: $mounting" "$(printf '%s\n' "${phases[@]}")"

equal "the hook's thread has the filters that the hook has, and gains no privileges either" '' "$unlike"

# What others wrote is read, then parsed: no file is opened while there are no capabilities. (Without
# the thread that waits for the end of time: it never has any.)
start_container
strace -o "$work/trace" "$hook" --config "$direct_config" prestart < "$work/state.json" > /dev/null
stop_container
equal 'nothing is opened while parsing' '' \
	"$(awk '/capset\(/ { parsing = / effective=0,/ || /effective=0/ } parsing && /open|mount|bpf/' "$work/trace")"
matches 'every descriptor closes on exec' '^0$' \
	"$(grep -E 'open(at|at2)?\(' "$work/trace" | grep -vc O_CLOEXEC || true)"
