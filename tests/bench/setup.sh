# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of tests/lib
# What bench.sh and guard.sh measure: bundles, floor plans, cases. Needs place.sh and container.sh.

bench_build=$DAVIT_BUILD/tests/bench
measure=$bench_build/measure

# Builds the programs; nothing is printed unless that fails.
build_programs() {
	local log
	if ! log=$({ [ -e "$DAVIT_BUILD/CMakeCache.txt" ] || cmake -G Ninja -S "$repository" -B "$DAVIT_BUILD"; } 2>&1 &&
		cmake --build "$DAVIT_BUILD" --target davit-hook davit fixture bench 2>&1); then
		printf 'cannot build: %s\n' "$log" >&2
		return 1
	fi
}

# within CGROUP COMMAND...: in a mount namespace where /sys/fs/cgroup is v1 or v2.
within() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	CGROUP=$1 unshare --mount --propagation private bash -c \
		'. "$0/tests/lib/container.sh" && mount_cgroups && exec "$@"' "$repository" "${@:2}"
}

# Sets `host`: the fake driver with that many GPUs, and `config`, its configuration.
use_host() { # GPUS
	host=$work/host$1
	config=$host/davit.json
	[ -e "$config" ] || "$fixture/fake-host" "$host" --gpus "$1"
}

# bench_bundle NAME [NAME=VALUE...]: sets `bundle`, without hooks, with these variables.
bench_bundle() {
	bundle=$work/bundles/$1
	mkdir -p "$bundle/rootfs"
	[ -e "$work/spec/config.json" ] || { mkdir -p "$work/spec" && (cd "$work/spec" && runc spec); }
	jq --arg rootfs "$bundle/rootfs" --arg cgroup "/davit-bench-$1" \
		--argjson variables "$(json_strings "${@:2}")" '
		.process.terminal = false | .root = {path: $rootfs, readonly: false} |
		.linux.cgroupsPath = $cgroup | .process.env += $variables | .process.args = ["/bin/true"]
		' < "$work/spec/config.json" > "$bundle/config.json"
}

# gpu_bundle NAME DEVICES
gpu_bundle() {
	bench_bundle "$1" "NVIDIA_VISIBLE_DEVICES=$2" NVIDIA_DRIVER_CAPABILITIES=compute,utility
}

# As dockerd writes it: the variables (about 12 KB) and a seccomp profile with its names of calls.
docker_bundle() { # NAME
	local names
	mapfile -t names < <(grep -ohE '__NR_[a-z0-9_]+' /usr/include/*/asm/unistd_64.h | sed 's/__NR_//')
	bench_bundle "$1"
	edit_bundle '
		.process.env += [range(110) | "SERVICE_VARIABLE_\(.)=" + ("value-" * 15)] |
		.linux.seccomp = {defaultAction: "SCMP_ACT_ERRNO", architectures: ["SCMP_ARCH_X86_64"],
			syscalls: [{names: $names, action: "SCMP_ACT_ALLOW"}]}
		' --argjson names "$(json_strings "${names[@]}")"
}

# --- cases ---------------------------------------------------------------------------------------

# add_case FILE NAME MODE BUNDLE LOWER COMMAND...
add_case() {
	local IFS=$'\t'
	printf '%s\n' "${*:2}" >> "$1"
}

# hook_command: the hook on the host chosen by use_host (or this machine's own driver).
hook_command() {
	if [ -n "${config:-}" ]; then
		hook_words=("$hook" --config "$config" prestart)
	else
		hook_words=("$hook" prestart)
	fi
}

explain() { # LOWER: the plan for $bundle as JSON
	local options=(--bundle "$bundle" --json)
	[ -z "${config:-}" ] || options+=(--config "$config")
	mount -t overlay overlay "$bundle/rootfs" \
		-o "lowerdir=$1:$work/empty"
	"$davit" explain "${options[@]}"
	umount "$bundle/rootfs"
}

# The loader cache that the hook leaves in a container.
hook_cache() { # LOWER OUTPUT
	local cases=$work/cache.cases
	rm -f "$cases"
	hook_command
	# shellcheck disable=SC2016 # expanded by the inner shell
	add_case "$cases" cache container "$bundle" "$1" /bin/sh -c '
		state=$(cat) && printf %s "$state" | "${@:2}" || exit
		pid=${state#*\"pid\":}
		cp "/proc/${pid%%,*}/root$0" "$1" || exit' \
		"$bundle/rootfs/etc/ld.so.cache" "$2" "${hook_words[@]}"
	sed -i 's/\n/ /g' "$cases"
	run_measure -r 1 "$cases" > /dev/null
}

# run_measure OPTION... CASES: on cgroup v2 where there is one.
run_measure() {
	if [ -n "$unified" ]; then
		within v2 "$measure" -c /sys/fs/cgroup "$@"
	else
		"$measure" "$@"
	fi
}
