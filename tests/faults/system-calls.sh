#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every system call of a run of the hook fails, once each, and the hook is killed at as many points:
# it fails with one line (or says what it does without), leaves nothing on the host, and the same
# container gets its GPUs at the next try. By default the first and last occurrence of each call and
# every STRIDE-th; FULL=1 takes all of them, with several errors; CALLS="openat2 mmap" those alone.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
"${CC:-cc}" -O2 -Wall -D_GNU_SOURCE -o "$tools/device-filter" "$repository/tests/faults/device-filter.c"
direct_bundle debian NVIDIA_VISIBLE_DEVICES=all
# With device rules, and a log that says what was left out.
jq '.log.level = "info"' < "$config" > "$direct_config"
any_error=1           # what broke has no remedy in the image
programs_before=$("$tools/device-filter" loaded)
host_before=$(tree_state "$host")
full=${FULL:-}
stride=${STRIDE:-20}
unified=
[ "$CGROUP" != v2 ] || unified=/sys/fs/cgroup

# CALL|PATTERN OF ITS LINE|REASON: calls whose failure is harmless, so that the hook may go on.
exemptions=(
	'close|.|what was to be released goes with the process'
	'munmap|.|what was to be released goes with the process'
	'umask|.|it cannot fail'
	'getpid|.|it cannot fail'
	'gete?[ug]id|.|it cannot fail'
	'setfs[ug]id|.|it cannot fail'
	'prctl|PR_CAPBSET_READ|libcap looks for the last capability'
	'capget|NULL\)|libcap asks for the version'
	'statmount|.|mountinfo tells it, too'
	'getrandom|.|seed of a hash table, which has others'
	'prlimit64|RLIMIT_NOFILE|more descriptors are a wish'
	'ioctl|TCGETS|asks whether the state comes from a terminal'
	'write|^write\(2|standard error is gone, and there is no other'
)
# Before main: the C library goes on or ends the process in its own way.
before_main='arch_prctl|brk|mprotect|prlimit64|readlink|rseq|set_robust_list|set_tid_address|getrandom'

exempt() { # CALL OCCURRENCE
	local row call pattern reason line
	line=$(grep -m "$2" "^$1(" "$work/trace" | tail -n 1)
	for row in "${exemptions[@]}"; do
		IFS='|' read -r call pattern reason <<< "$row"
		if [[ $1 =~ ^($call)$ ]] && grep -qE -- "$pattern" <<< "$line"; then
			printf '%s\n' "$reason"
			return
		fi
	done
	return 1
}

# Errors that the call can have. The first one is for the short run.
errors_of() { # CALL
	case $1 in
	openat | openat2 | newfstatat | statx | readlinkat) echo EIO EMFILE EACCES ENOMEM ;;
	open_tree | move_mount | mount_setattr | mount) echo EINVAL EPERM ENOMEM ;;
	mkdirat | symlinkat | renameat) echo ENOSPC EIO EROFS ;;
	read* | pread64 | getdents64 | fstatfs) echo EIO ENOMEM ;;
	mmap | brk) echo ENOMEM ;;
	bpf) echo EPERM ENOMEM E2BIG ;;
	*) echo EPERM EIO ;;
	esac
}

# A container in a cgroup of its own, whose device filter is there already.
start_filtered() {
	start_container
	[ -n "$unified" ] || return 0
	filtered=$unified$cgroup-$container_serial${again:+-again}
	mkdir "$filtered"
	"$tools/device-filter" attach "$filtered"
	echo "$container" > "$filtered/cgroup.procs"
}
stop_filtered() {
	stop_container
	[ -z "$unified" ] || used_cgroups+=("$filtered")
}
used_cgroups=()

leave_cgroups() {
	local i
	[ ${#used_cgroups[@]} -gt 0 ] || return 0
	for ((i = 0; i < 100; i++)); do
		rmdir "${used_cgroups[@]}" 2> /dev/null || true
		[ -n "$(find "${used_cgroups[@]}" -maxdepth 0 2> /dev/null)" ] || break
		sleep 0.05
	done
	used_cgroups=()
}
at_end leave_cgroups

start_filtered
call_hook strace -qq -o "$work/trace"
[ $rc = 0 ] || { fail 'a run without a fault' "exit $rc" "$errors" && report_exit; }
stop_filtered
# Calls by name; the first execve is strace's own affair. What an older strace has no name for
# (syscall_0x1c9: statmount) it can't make fail: attacks/old-kernel.sh does.
sed -n 's/^\([a-z0-9_]*\)(.*/\1/p' "$work/trace" | grep -vxE 'execve|exit_group|syscall_0x1c9' > "$work/calls"
mapfile -t names < <(LC_ALL=C sort -u "$work/calls")
printf '    %d system calls of %d kinds\n' "$(wc -l < "$work/calls")" ${#names[@]}

# fault NAME OCCURRENCE HOW: one fault. Adds to `wrong` what is wrong. (Instead of a call that is to
# fail, strace has another one made: it has to be one that the hook's own filter allows.)
fault() {
	local problem='' filters
	start_filtered
	call_hook strace -qq -o /dev/null -e "trace=$1" -e "inject=$1:$3:when=$2"
	if [[ $3 = signal=* ]]; then
		# strace ends as its child did, and bash says so on its standard error.
		[ $rc = 137 ] || problem="killed, and it ended with $rc;"
		rc=1 errors='davit: cannot (fix: no)'
		problem+=$(judge)
	else
		problem=$(judge)
		if [[ $1 =~ ^($before_main)$ ]] && [ $rc != 0 ]; then
			problem=$(grep ESCAPE <<< "$problem" || true)
		elif [ $rc = 0 ] && ! exempt "$1" "$2" > /dev/null && ! [[ $1 =~ ^($before_main)$ ]] && [[ $errors != *'skipped: '* && $errors != *'device rules are not'* && $errors != *'covered it with'* ]]; then
			tolerated+="$2 ${3%:*}: $(grep -m "$2" "^$1(" "$work/trace" | tail -n 1 | cut -c 1-160)"$'\n'
		fi
	fi
	if [ -n "$unified" ]; then
		filters=$("$tools/device-filter" count "$filtered")
		# Before Linux 5.6 both are, for a moment: both must allow, then.
		[ "$filters" = 1 ] || [ "${OLD_KERNEL:+$1 $filters}" = 'bpf 2' ] || problem+="$filters device filters are attached;"
	fi
	stop_filtered
	count_faults=$((${count_faults:-0} + 1))
	if [ -z "$problem" ]; then
		# The layer with what the fault left in it, in a new container.
		again=1
		start_filtered
		call_hook
		problem=$(judge)
		[ $rc = 0 ] || problem+="the next try failed: $errors;"
		stop_filtered
		again=
	fi
	[ -z "$problem" ] || wrong+="$1, occurrence $2, $3: ${problem//$'\n'/ } "$'\n'
	[[ $problem != *ESCAPE* ]] || { fail 'a fault' "$wrong" && exit 1; }
}

for name in ${CALLS:-"${names[@]}"}; do
	total=$(grep -cx "$name" "$work/calls")
	wrong='' tolerated='' count_before=${count_faults:-0} kills=0
	read -ra codes <<< "$(errors_of "$name")"
	[ -n "$full" ] || codes=("${codes[0]}")
	for ((n = 1; n <= total; n++)); do
		[ -n "$full" ] || [ $n = 1 ] || [ $n = "$total" ] || ((n % stride == 0)) || continue
		for code in "${codes[@]}"; do
			fault "$name" $n "error=$code:syscall=getpid"
		done
		# The points between two calls are few: half of the occurrences do for the short run.
		[ -z "$full" ] && ((n % 2 == 0)) && continue
		fault "$name" $n signal=KILL
		kills=$((kills + 1))
	done
	made="$((count_faults - count_before - kills)) errors and $kills kills in $total calls"
	why=$(exempt "$name" 1) && why=" (may succeed: $why)" || why=''
	if [ -n "$wrong" ]; then
		fail "$name: $made" 'not as it must be' "$wrong"
	elif [ -n "$tolerated" ]; then
		fail "$name: $made" 'the hook succeeded without a word' "$tolerated"
	else
		ok "$name: $made$why"
	fi
done
leave_cgroups
printf '    %d faults\n' "$count_faults"

# Programs go some time after their cgroups.
for ((i = 0; i < 100; i++)); do
	programs=$("$tools/device-filter" loaded)
	[ "$programs" -gt "$programs_before" ] || break
	sleep 0.1
done
if [ "$programs" -le "$programs_before" ]; then
	ok 'no device program is left'
else
	fail 'no device program is left' "$programs, $programs_before before"
fi
equal "the host's driver is as it was" "$host_before" "$(tree_state "$host")"
canary_untouched 'faults'
honest_works 'faults'
report_exit
