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
		cmake --build "$DAVIT_BUILD" --target davit-hook davit-runtime davit fixture bench 2>&1); then
		printf 'cannot build: %s\n' "$log" >&2
		return 1
	fi
}

# The programs that pack_programs gathered, in the place of a build and of packages.
use_programs() { # DIR
	hook=$1/davit-hook davit=$1/davit runtime=$1/davit-runtime bench_build=$1 measure=$1/measure
	PATH=$1:$PATH
	export LD_LIBRARY_PATH=$1/lib
}

# Debian's programs are dynamic: their libraries come along, but for libc's.
pack_programs() { # DIR
	local program library
	mkdir -p "$1/lib"
	cp "$hook" "$davit" "$runtime" "$bench_build"/{empty,floor,measure} "$1/"
	for program in runc crun jq strace busybox; do
		command -v $program > /dev/null || continue
		cp -L "$(command -v $program)" "$1/"
		{ ldd "$1/$program" 2> /dev/null || true; } | awk '$2 == "=>" { print $3 }' |
			{ grep -vE '/(libc|libm|libpthread|libdl|librt)\.so' || true; } | while read -r library; do
			cp -L "$library" "$1/lib/"
		done
	done
	ls -l "$1" "$1/lib"
}

# The root of containers on a machine with its own driver, which isn't in it: busybox, a loader and
# its cache. Sets `root` and `config`.
make_own_root() {
	local driver_root name
	root=$work/roots/own
	mkdir -p "$root"/{bin,dev,etc,proc,run,sys,tmp,usr/bin,usr/lib/x86_64-linux-gnu,lib64,lib}
	cp "$(command -v busybox)" "$root/bin/busybox"
	ln -s busybox "$root/bin/true"
	ln -s ../usr/lib/x86_64-linux-gnu "$root/lib/x86_64-linux-gnu"
	for name in ld-linux-x86-64.so.2 libc.so.6 libm.so.6; do
		cp -L "/lib/x86_64-linux-gnu/$name" "$root/usr/lib/x86_64-linux-gnu/"
	done
	ln -s ../usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "$root/lib64/"
	printf '/usr/lib/x86_64-linux-gnu\n' > "$root/etc/ld.so.conf"
	ldconfig -X -r "$root"
	driver_root=$(find_driver_root)
	config=$work/davit.json
	printf '{"driver": {"root": "%s"}}\n' "$driver_root" > "$config"
}

# A /tmp of this namespace's own, in which only these directories are to be seen: the hook looks
# there for the pipes of MPS, and somebody else's would be one mount more.
own_tmp() { # DIRECTORY...
	local dir new=$work/tmp
	mkdir "$new"
	mount -t tmpfs -o mode=1777 tmpfs "$new"
	for dir; do
		[[ $dir = /tmp/* ]] || continue
		mkdir -p "$new/${dir#/tmp/}"
		mount --bind "$dir" "$new/${dir#/tmp/}"
	done
	mount --move "$new" /tmp
	at_end 'umount -l /tmp'
}

# within CGROUP COMMAND...: in a mount namespace where /sys/fs/cgroup is v1 or v2. A machine that is
# all cgroup2 still has the device controller of v1, which nobody uses there.
within() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare --mount --propagation private /bin/sh -c '
		is=$(stat -f -c %T /sys/fs/cgroup)
		case $0-$is in
		v2-cgroup2fs) ;;
		v2-*) mount -t cgroup2 cgroup2 /sys/fs/cgroup ;;
		v1-cgroup2fs)
			mount -t tmpfs tmpfs /sys/fs/cgroup && cd /sys/fs/cgroup &&
				mkdir devices freezer && mount -t cgroup -o devices cgroup devices &&
				mount -t cgroup -o freezer cgroup freezer && cd / ;;
		esac || exit
		exec "$@"' "$@"
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

# As dockerd writes it: variables (about 12 KB) and a seccomp profile with its names of calls.
docker_bundle() { # NAME
	bench_bundle "$1"
	edit_bundle '
		.process.env += [range(110) | "SERVICE_VARIABLE_\(.)=" + ("value-" * 15)] |
		.linux.seccomp = {defaultAction: "SCMP_ACT_ERRNO", architectures: ["SCMP_ARCH_X86_64"],
			syscalls: [{names: [range(360) | "system_call_\(.)"], action: "SCMP_ACT_ALLOW"}]}' \
		--compact-output
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

# The loader cache that the hook leaves in a container, into a file: nothing when it leaves none.
hook_cache() { # LOWER FILE
	local cases=$work/cache.cases
	# shellcheck disable=SC2016 # expanded by the inner shell
	local script='s=$(cat); printf %s "$s" | "${@:2}" || exit; p=${s#*\"pid\":}; cp "/proc/${p%%,*}/root$1" "$0" || true'
	hook_command
	rm -f "$cases" "$2"
	add_case "$cases" cache container "$bundle" "$1" /bin/bash -c "$script" \
		"$2" "$bundle/rootfs/etc/ld.so.cache" "${hook_words[@]}"
	run_measure -r 1 "$cases" > /dev/null
}

# Whether a container's procfs will have it: a mount over the host's doesn't count.
proc_shows_driver() {
	local rc=0
	mkdir -p "$work/proc"
	mount -t proc proc "$work/proc"
	[ -d "$work/proc/driver/nvidia" ] || rc=1
	umount "$work/proc"
	return $rc
}

# The floor program's plan for $bundle: what the hook plans, without what isn't there.
floor_plan() { # LOWER FILE
	local kind source target flags directory='' gpus cache=$2.cache
	explain "$1" > "$2.json"
	hook_cache "$1" "$cache"
	printf '/lib\n/usr/lib\n' > "$2.text"
	{
		printf 'root %s\n' "$bundle/rootfs"
		gpus=$(jq -r '[.selected[].bus_id] | unique | join(" ")' "$2.json")
		while IFS=$'\t' read -r kind source target flags; do
			if [ "$kind" = device-rule ]; then
				[ -z "$unified" ] || awk '{ sub(":", " ", $2); print "rule", $2 }' <<< "$source"
				continue
			fi
			if [ "${target%/*}" != "$directory" ]; then
				directory=${target%/*}
				printf 'at %s\n' "${directory#/}"
			fi
			case $kind in
			device | bind)
				[ -e "$source" ] || continue
				[ ! -d "$source" ] || flags+=D
				printf 'bind %s %s %s\n' "$flags" "$source" "${target##*/}"
				;;
			symlink) printf 'link %s %s\n' "$source" "${target##*/}" ;;
			file) printf 'cache %s %s\n' "$2.text" "${target##*/}" ;;
			loader-cache) printf 'cache %s %s\n' "$cache" "${target##*/}" ;;
			proc-mask)
				! proc_shows_driver || printf 'mask %s %s\n' "${target##*/}" "$gpus"
				;;
			esac
		done < <(jq -r '.operations[] | [.op, (.source | if . == "" then "-" else . end), .target,
			"-" + ([.options[] | {ro: "r", nosuid: "s", nodev: "d", noexec: "e"}[.]] | add // "")] |
			@tsv' "$2.json")
	} > "$2"
}

# run_measure OPTION... CASES: on cgroup v2 where there is one.
run_measure() {
	if [ -n "$unified" ]; then
		within v2 "$measure" -c /sys/fs/cgroup "$@"
	else
		"$measure" "$@"
	fi
}
