# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of the other files and of the scripts
# Containers on a real OCI runtime with the hook: $ENGINE (runc, crun) on cgroup $CGROUP (v1, v2).
# Needs place.sh.

ENGINE=${ENGINE:-runc}
CGROUP=${CGROUP:-v2}
# Roots are made with busybox, bundles by `runc spec`.
needs runc busybox unshare

cgroup_is_unified() {
	[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]
}

# The cgroup that everything of a script is beneath; runtimes leave it there.
cgroup=/davit-test-$unique

# shellcheck disable=SC2317 # called by clean_up
remove_cgroups() {
	find /sys/fs/cgroup -depth -type d -path "*$cgroup*" -exec rmdir {} + 2> /dev/null
}

# own_processes "$@": runs the script anew in a PID namespace. For scripts that have davit look at all
# processes of a machine, which else are those of other tests as well. Before enter_namespace.
own_processes() {
	if [ "${DAVIT_TEST_PROCESSES:-}" = own ]; then
		unset DAVIT_TEST_PROCESSES
		return
	fi
	require_root
	DAVIT_TEST_PROCESSES=own exec unshare --mount --pid --fork --kill-child --mount-proc "$script" "$@"
}

# Runs the script anew in a mount namespace of its own, where / is shared, as systemd has it, so
# that a mount which escapes a container would show; and /sys/fs/cgroup is what $CGROUP says.
enter_namespace() {
	if [ "${DAVIT_TEST_NAMESPACE:-}" = "$$" ]; then
		mount --make-rshared /
		if [ "$CGROUP" = v2 ] && ! cgroup_is_unified; then
			mount -t cgroup2 cgroup2 /sys/fs/cgroup
		fi
		at_end remove_cgroups
		return
	fi
	require_root
	needs_build "$hook"
	if ! command -v "$ENGINE" > /dev/null; then
		skip "${0##*/} $ENGINE" "$ENGINE isn't installed"
		report_exit
	fi
	if [ "$CGROUP" = v1 ] && cgroup_is_unified; then
		skip "${0##*/} $ENGINE v1" 'this machine is all cgroup v2'
		report_exit
	fi
	export ENGINE CGROUP DAVIT_TEST_NAMESPACE=$$
	exec unshare --mount --propagation private "$script" "$@"
}

# crun lifts its memlock limit before it loads a program, and fails where a machine withholds
# CAP_SYS_RESOURCE, though kernels from 5.11 on don't count programs there: let it believe it did.
spare_crun_memlock() {
	[ "$ENGINE" = crun ] || return 0
	if (ulimit -Hl unlimited) 2> /dev/null; then
		return 0
	fi
	cat > "$work/memlock.c" << 'END'
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	return resource == RLIMIT_MEMLOCK ? 0 : (int)syscall(SYS_setrlimit, resource, limit);
}
END
	"${CC:-cc}" -shared -fPIC -o "$work/memlock.so" "$work/memlock.c"
	printf '#!/bin/sh\nLD_PRELOAD=%s exec %s "$@"\n' "$work/memlock.so" "$(command -v crun)" > "$work/crun"
	chmod +x "$work/crun"
	ENGINE=$work/crun
}

# --- bundles -------------------------------------------------------------------------------------

# The plain directory of a kind of root, made once; containers write into overlays of it.
kind_root() { # KIND
	local root=$work/roots/$1
	[ -e "$root/.fake-rootfs" ] || "$fixture/fake-rootfs" "$1" "$root" || exit 1
	printf '%s\n' "$root"
}

# Mounts an overlay of a directory at $bundle/rootfs.
overlay_root() { # DIRECTORY
	mkdir -p "$bundle"/{rootfs,upper,overlay-work}
	mount -t overlay overlay "$bundle/rootfs" \
		-o "lowerdir=$1,upperdir=$bundle/upper,workdir=$bundle/overlay-work"
}

# Its file system anew, read-only as a whole: newer programs than Debian 12's can't remount an overlay.
read_only_root() {
	local options
	options=$(awk -v at="$bundle/rootfs" '$5 == at { print $NF }' /proc/self/mountinfo | tail -n 1)
	umount "$bundle/rootfs"
	mount -t overlay overlay "$bundle/rootfs" -o "ro,$(tr , '\n' <<< "$options" | grep dir= | paste -sd,)"
}

# The arguments as a JSON array. (What begins with a dash after --args, jq 1.6 takes for an option;
# and it can't split at NUL.)
json_strings() {
	[ $# -gt 0 ] || { echo '[]' && return; }
	printf '%s\036' "$@" | jq -Rs 'split("\u001e")[:-1]'
}

# new_bundle KIND [NAME=VALUE...]: sets `bundle`, with an overlay over a root of that kind, the
# hook as prestart hook with the configuration $config, and those variables.
new_bundle() {
	local kind=$1
	shift
	bundle_serial=$((${bundle_serial:-0} + 1))
	bundle=$work/bundle$bundle_serial
	mkdir -p "$bundle"
	[ -e "$work/spec/config.json" ] || { mkdir -p "$work/spec" && (cd "$work/spec" && runc spec); }
	kind_root "$kind" > /dev/null
	overlay_root "$work/roots/$kind"
	jq --arg hook "$hook" --arg config "$config" --arg rootfs "$bundle/rootfs" \
		--arg cgroup "$cgroup" --argjson variables "$(json_strings "$@")" '
		.process.terminal = false | .root = {path: $rootfs, readonly: false} |
		.linux.cgroupsPath = $cgroup | .process.env += $variables |
		.hooks = {prestart: [{path: $hook,
			args: ["davit-hook", "--config", $config, "prestart"]}]}
		' < "$work/spec/config.json" > "$bundle/config.json"
}

edit_bundle() { # JQ-FILTER [JQ-OPTION...]
	jq "$@" < "$bundle/config.json" > "$bundle/config.json.new"
	mv "$bundle/config.json.new" "$bundle/config.json"
}

drop_bundle() {
	unmount_below "$bundle"
	rm -rf --one-file-system "$bundle"
}

# --- runs ----------------------------------------------------------------------------------------

# What must be the same after a container as before: mounts, device nodes, the host's driver.
host_state() {
	sort /proc/self/mountinfo
	find /dev -xdev \( -path /dev/shm -o -name 'loop*' \) -prune -o -printf '%p %m %U %G %i\n'
	find "${host:-/nonexistent}" /etc/ld.so.cache -printf '%p %m %U %G %s %T@ %C@ %l\n' 2> /dev/null || true
}

# (crun gives its standard streams to the container's root user: that must not be /dev/null.)
# run_container COMMAND...: sets rc, output, errors, and host_change: what is different now.
run_container() {
	local before after name=davit-test-$unique
	edit_bundle '.process.args = $command' --argjson command "$(json_strings "$@")"
	before=$(host_state)
	rc=0
	output=$(cd / && "$ENGINE" --root "$work/state" run -b "$bundle" "$name" \
		2> "$work/errors" < <(:)) || rc=$?
	errors=$(cat "$work/errors")
	after=$(host_state)
	host_change=$(diff <(printf '%s\n' "$before") <(printf '%s\n' "$after") || true)
}

# run_script TEXT: the same with a shell script. Lines `== NAME` divide its output for `part`.
run_script() {
	run_container /bin/sh -c "$1"
}

part() { # NAME
	awk -v heading="== $1" '/^== / { on = $0 == heading; next } on' <<< "$output"
}

host_unchanged() { # NAME
	equal "$1: the host is as before" '' "$host_change"
}

# Every file of a tree with type, mode, owner, size and content: what "untouched" means.
tree_state() { # DIRECTORY
	(cd "$1" && find . -printf '%p %y %m %U %G %s %l\n' | sort &&
		find . -type f -exec sha256sum {} + | sort)
}

# What podman leaves behind to clean up after a container still works in $work for a moment.
# shellcheck disable=SC2317 # called by clean_up
wait_for_podman() {
	local i
	for ((i = 0; i < 100; i++)); do
		pgrep -f "$work/(podman|home)" > /dev/null || break
		sleep 0.1
	done
}
