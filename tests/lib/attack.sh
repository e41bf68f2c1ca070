# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of the other files and of the scripts
# Attacks: a canary that nothing may touch, and containers that are no more than a process with a
# root in a mount namespace of its own, made in some milliseconds, on which the hook is called
# directly. Needs place.sh and container.sh.

# attack_place: what every script here begins with, after enter_namespace.
attack_place() {
	make_work
	host=$work/host
	config=$host/davit.json
	"$fixture/fake-host" "$host"
	version=$(cat "$host/driver/version")
	tools=$work/tools
	mkdir "$tools"
	make_canary
	spare_crun_memlock
	[ -z "${INJECTOR:-}" ] || use_injector
}

# attack_tool NAME [LINKER-OPTION...]: compiles tests/attacks/NAME.c to $tools/NAME.
attack_tool() {
	"${CC:-cc}" -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -o "$tools/$1" \
		"$repository/tests/attacks/$1.c" "${@:2}"
}

# --- scripts again, otherwise ---------------------------------------------------------------------

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

# Has the container's GPU brought in by another program than the hook: $INJECTOR is container-cli (called
# by its flags, as containerd's client does) or runtime (which leaves a hook of its own to the runtime).
use_injector() {
	# shellcheck source=tests/lib/runtime.sh
	. "$repository/tests/lib/runtime.sh"
	configure_runtime "$(command -v "$ENGINE")"
	if [ "$INJECTOR" = runtime ]; then
		ENGINE=$runtime
		return
	fi
	hook=$tools/davit-hook
	cat > "$hook" << END
#!/bin/bash
# davit-hook --config FILE prestart
read -rd '' state
[[ \$state =~ \"pid\":\ *([0-9]+) ]] && pid=\${BASH_REMATCH[1]}
[[ \$state =~ \"bundle\":\ *\"([^\"]*) ]] && bundle=\${BASH_REMATCH[1]}
[[ \$(< "\$bundle/config.json") =~ NVIDIA_VISIBLE_DEVICES=([0-9a-z]+) ]] && devices=\${BASH_REMATCH[1]}
[[ \$2 != */direct.json ]] || set -- "\$@" --no-cgroups
exec "$DAVIT_BUILD/davit-container-cli" configure --pid="\$pid" --device="\$devices" --compute --utility "\${@:4}" \
	"\$bundle/rootfs"
END
	chmod +x "$hook"
}

# --- the canary ----------------------------------------------------------------------------------

# A directory of the host that attacks lead to: with the names that the hook would write or cover.
make_canary() {
	local name
	canary=$work/canary
	mkdir -p "$canary"/{x86_64-linux-gnu,lib,nvidia,driver,firmware/nvidia,ld.so.conf.d,lib64,bin}
	for name in ld.so.cache nvidiactl nvidia0 nvidia-smi libcuda.so.1 "libcuda.so.$version" \
		x86_64-linux-gnu/libcuda.so.1 bin/nvidia-smi; do
		printf 'canary %s\n' "$name" > "$canary/$name"
	done
	# Whoever finds this name inside a container sees a directory of the host.
	secret=davit-secret-$unique
	: > "$canary/$secret"
	canary_before=$(canary_state)
	# From the deepest directory of a root to the host's /.
	out=../../../../../../../../../../../../..
}

canary_state() {
	find "$canary" -printf '%P %y %m %U %G %s %i %T@ %C@ %l\n' | LC_ALL=C sort
	find "$canary" -type f -exec cat {} +
}

canary_untouched() { # NAME
	equal "$1: the canary is untouched" "$canary_before" "$(canary_state)"
}

# A static program that leaves a mark, on the host and in the root, when anyone executes it.
make_trap() { # sets `trap_program`, `mark`
	trap_program=$work/trap-program
	mark=$work/mark
	printf '%s\n' '#include <fcntl.h>' 'int main(void)' '{' \
		"	open(\"$mark\", O_CREAT | O_WRONLY, 0600);" \
		'	open("/executed", O_CREAT | O_WRONLY, 0600);' '	return 0;' '}' > "$trap_program.c"
	"${CC:-cc}" -static -w -o "$trap_program" "$trap_program.c"
	"$trap_program"
	[ -e "$mark" ] && [ -e /executed ] || exit 1
	rm "$mark" /executed
}

# --- honest containers ---------------------------------------------------------------------------

# honest_works NAME: a container of an honest image gets its GPU beside all of this.
honest_works() {
	local attacked=$bundle
	new_bundle debian NVIDIA_VISIBLE_DEVICES=1
	run_script 'nvidia-smi -L; dlprobe libcuda.so.1'
	equal "$1: an honest container works" "0 $(smi_line 0 "$uuid1")
libcuda.so.1: /lib/x86_64-linux-gnu/libcuda.so.1" "$rc ${output//\/usr\/lib/\/lib}$errors"
	host_unchanged "$1: an honest container"
	drop_bundle
	bundle=$attacked
}

# attack NAME WANTED COMMAND...: runs $bundle on the runtime. WANTED is "done" (the container runs,
# $output is for the caller to judge), "closed" (the hook refuses with its one line and the command
# doesn't run), "either" of these or "runtime" (or the runtime refuses, some versions of which do).
attack() {
	local name=$1 wanted=$2
	shift 2
	run_container "$@"
	host_unchanged "$name"
	canary_untouched "$name"
	if [ "$rc" = 0 ]; then
		outcome='done'
	# crun keeps to itself what a hook says.
	elif grep -qE 'davit: cannot .+|error executing hook .*exit code: [13]\)' <<< "$errors"; then
		outcome=closed
		equal "$name: the command did not run" '' "$output"
	elif [ "$wanted" = runtime ] && [ -z "$output" ]; then
		outcome=runtime
	else
		outcome="neither: exit $rc: $output$errors"
	fi
	[ "$wanted" != runtime ] || wanted=either
	[ "$wanted" != either ] || [[ $outcome = neither* ]] || wanted=$outcome
	equal "$name: $wanted" "$wanted" "$outcome"
}

# hostile KIND SETUP [VARIABLE...]: a new bundle; SETUP is run in its root.
hostile() {
	new_bundle "$1" NVIDIA_VISIBLE_DEVICES=1 "${@:3}"
	(cd "$bundle/rootfs" && eval "$2")
}

# For run_script: shows files of the host that can be seen inside, and what the GPU says.
inspect_container='
find / \( -path /proc -o -path /sys \) -prune -o -name "davit-secret-*" -print 2> /dev/null
nvidia-smi -L 2>&1'

# closed_or_blind NAME WANTED: the container sees nothing of the host, and its GPU if it runs.
closed_or_blind() {
	attack "$1" "$2" /bin/sh -c "$inspect_container"
	[ "$outcome" != 'done' ] || equal "$1: inside there is the GPU and nothing of the host" \
		"$(smi_line 0 "$uuid1")" "$output"
	drop_bundle
}

# --- direct calls --------------------------------------------------------------------------------

# direct_bundle KIND [NAME=VALUE...]: sets bundle, rootfs (an empty directory; the root is mounted on
# it in the container's namespace alone) and base. Device rules are left out, for a fake container
# lives in our own cgroup.
direct_bundle() {
	bundle=$work/direct
	rootfs=$bundle/rootfs
	base=$(kind_root "$1")
	shift
	mkdir -p "$rootfs" "$work/spec" "$work/scratch"
	mountpoint -q "$work/scratch" || mount -t tmpfs -o mode=0755 tmpfs "$work/scratch"
	[ -e "$work/spec/config.json" ] || (cd "$work/spec" && runc spec)
	jq --arg rootfs "$rootfs" --argjson variables "$(json_strings "$@")" '
		.root = {path: $rootfs, readonly: false} | .process.env += $variables' \
		< "$work/spec/config.json" > "$bundle/config.json"
	direct_config=$work/direct.json
	jq '.cgroups = "never"' < "$config" > "$direct_config"
	[ -p "$work/ready" ] || mkfifo "$work/ready"
	container_serial=0
}

in_container='
set -eu
rootfs=$1 base=$2 upper=$3 canary=$4 out=$5 ready=$6
trap "echo failed > $ready" EXIT
mount -t overlay overlay "$rootfs" -o "lowerdir=$base,upperdir=$upper/upper,workdir=$upper/work"
cd "$rootfs"
with_proc() { mount -t proc proc proc; }
with_dev() { mount -t tmpfs -o mode=0755 tmpfs dev; }
place() { rm -rf "$1"; mkdir -p "$(dirname "$1")"; }
eval "$7"
cd /
echo ready > "$ready"
exec sleep 60 > /dev/null
'

# start_container [SETUP]: sets container, container_mounts and $bundle's state. SETUP runs in the
# root, within the new namespace. The upper directory of before is used again when $again is set.
start_container() {
	local answer=''
	[ -n "${again:-}" ] || container_serial=$((container_serial + 1))
	upper=$work/scratch/$container_serial
	mkdir -p "$upper"/{upper,work}
	unshare --mount --propagation slave bash -c "$in_container" in-container "$rootfs" "$base" \
		"$upper" "$canary" "$out" "$work/ready" "${1:-with_proc; with_dev}" &
	container=$!
	exec {ready_fd}<> "$work/ready"
	read -r -t 10 -u "$ready_fd" answer || true
	exec {ready_fd}<&-
	if [ "$answer" != ready ]; then
		fail "a container with: ${1:-}" 'it could not be set up'
		exit 1
	fi
	container_mounts=$(< "/proc/$container/mountinfo")
	printf '{"ociVersion":"1.0.2","id":"direct","status":"creating","pid":%d,"bundle":"%s"}' \
		"$container" "$bundle" > "$work/state.json"
}

# Its namespace takes the kernel some time to tear down, which nobody has to wait for.
stop_container() {
	kill -KILL "$container" 2> /dev/null || true
	disown "$container" 2> /dev/null || true
}

# shellcheck disable=SC2119,SC2120 # without wrapper mostly
# call_hook [WRAPPER...]: sets rc, errors, and what became of the mounts.
call_hook() {
	local before
	before=$(< /proc/self/mountinfo)
	rc=0
	# The shell says on its own standard error when the hook was killed.
	{
		timeout -k 1 10 "$@" "$hook" --config "$direct_config" prestart \
			< "$work/state.json" > "$work/output" 2> "$work/errors" || rc=$?
	} 2> /dev/null
	output=$(< "$work/output")
	errors=$(< "$work/errors")
	host_mounts=same
	[ "$before" = "$(< /proc/self/mountinfo)" ] || host_mounts=changed
}

# Mount points in the container that weren't there before the hook, one a line.
new_mounts() {
	local line words
	[ -e "/proc/$container/mountinfo" ] || return 0
	while read -r line; do
		[[ $container_mounts != *"$line"* ]] || continue
		read -ra words <<< "$line"
		printf '%s\n' "${words[4]}"
	done < "/proc/$container/mountinfo"
}

# What is wrong after call_hook, or nothing: an escape, a crash, a hang, a failure without its line
# (or without a remedy, unless $any_error is set), a success without GPU.
judge() {
	local mounts point cannot
	mounts=$(new_mounts)
	while read -r point; do
		[ -z "$point" ] || [[ $point = "$rootfs"/* ]] || echo "ESCAPE: a mount on $point;"
	done <<< "$mounts"
	[ "$host_mounts" = same ] || echo 'ESCAPE: the mounts of the host changed;'
	[ "$canary_before" = "$(canary_state)" ] || echo 'ESCAPE: the canary was touched;'
	cannot=$(grep -c '^davit: cannot ' <<< "$errors" || true)
	if [ "$rc" = 124 ] || [ "$rc" = 137 ]; then
		echo 'it hung;'
	elif [ "$rc" -ge 128 ]; then
		echo "it crashed with signal $((rc - 128));"
	elif [ "$rc" != 0 ]; then
		[ "$cannot" = 1 ] && [[ ${errors##*$'\n'} =~ ^davit:\ cannot\ .+ ]] ||
			echo 'not one line that says what it cannot;'
		[ -n "${any_error:-}" ] || [[ ${errors##*$'\n'} =~ \(fix:\ .+\)$ ]] || echo 'no remedy;'
	elif [[ $mounts != *"/libcuda.so.$version"* ]] || [[ $mounts != */nvidia0* ]]; then
		echo 'success without the GPU;'
	elif [ "$cannot" != 0 ]; then
		echo 'success with an error;'
	fi
	[ -z "$output" ] || echo "something on standard output: $output;"
}

# direct NAME WANTED SETUP: one attack. WANTED is done, closed or either.
direct() {
	local wrong outcome=closed
	start_container "$3"
	# shellcheck disable=SC2119
	call_hook
	wrong=$(judge)
	[ $rc != 0 ] || outcome='done'
	stop_container
	count_attacks=$((${count_attacks:-0} + 1))
	[ "$2" = either ] || [ "$2" = $outcome ] || wrong+="it ended as $outcome, not $2;"
	if [ -n "$wrong" ]; then
		fail "$1" "${wrong//$'\n'/ }" "exit $rc: $errors"
		if [[ $wrong = *ESCAPE* ]]; then
			exit 1
		fi
	else
		ok "$1: $outcome"
	fi
	[ -z "${SHOW:-}" ] || printf '    %s: %s: %s\n' "$1" "$rc" "$errors"
}
