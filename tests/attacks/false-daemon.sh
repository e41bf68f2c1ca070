#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A container with the host's files (monitoring agents have them, read-only) starts a program called
# containerd, as root, and enters the host's root directory. davit asks the host's containerd about
# its version and files: it must not run the image's program, nor believe its arguments.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
mark=$work/mark
image=$work/image
attack_tool false-daemon -static -DMARK="\"$mark\""
mkdir -p "$image"/{usr/bin,host} "$work/bin"
cp "$tools/false-daemon" "$image/usr/bin/containerd"

# start NAMESPACES PROGRAM [ARGUMENT...]: it has entered the host's root directory when this returns.
start() {
	local options=$1 i
	shift
	# shellcheck disable=SC2086 # several options
	unshare $options --fork --kill-child bash -c 'mount --rbind / "$1/host" &&
		mount -o remount,bind,ro "$1/host" && exec chroot "$1" "${@:2}"' - "$image" "$@" 2> "$work/errors" &
	daemon=$!
	for ((i = 0; i < 100; i++)); do
		pid=$(pgrep -P "$daemon" -x containerd || true)
		[ -z "$pid" ] || [ "$(stat -Lc %d:%i "/proc/$pid/root")" != "$(stat -Lc %d:%i /)" ] || return 0
		sleep 0.05
	done
	fail 'the container starts' "$(< "$work/errors")"
}
stop() {
	kill -KILL "$daemon"
	wait "$daemon" 2> /dev/null || true
}
asks_only_the_host() { # NAME
	rm -f "$mark"
	output=$("$davit" configure containerd --dry-run --runtime-path "$runtime" 2>&1 || true)
	equal "$1: configure doesn't run the image's program" no "$([ -e "$mark" ] && echo yes || echo no)"
	equal "$1: configure doesn't believe its arguments" '' "$(grep -o "$work/chosen[^ ]*" <<< "$output" | sort -u)"
	rm -f "$mark"
	output=$("$davit" doctor --all --engine containerd 2>&1 || true)
	equal "$1: doctor doesn't run the image's program" no "$([ -e "$mark" ] && echo yes || echo no)"
	equal "$1: doctor doesn't believe its arguments" '' "$(grep -o "$work/chosen[^ ]*" <<< "$output" | sort -u)"
}
printf 'version = 2\n' > "$work/chosen.toml"
for options in --mount '--mount --pid'; do
	start "$options" /usr/bin/containerd
	asks_only_the_host "an image's containerd (unshare $options)"
	stop
	start "$options" /usr/bin/containerd --config "$work/chosen.toml"
	asks_only_the_host "an image's containerd --config FILE (unshare $options)"
	stop
done
# The host's own file, run by a container, whose arguments are the container's.
mount -t tmpfs -o mode=0755 tmpfs /usr/local/bin
attack_tool false-daemon -static -DMARK="\"$work/host-mark\""
cp "$tools/false-daemon" /usr/local/bin/containerd
start '--mount --pid' /host/usr/local/bin/containerd --config "$work/chosen.toml"
asks_only_the_host "the host's containerd --config FILE, run by a container"
stop
# What makes the difference is the mount namespace.
/usr/local/bin/containerd --config "$work/chosen.toml" &
daemon=$!
output=$("$davit" configure containerd --dry-run --runtime-path "$runtime" 2>&1 || true)
matches "the host's daemon: its arguments are believed" "$work/chosen.toml" "$output"
stop

# A service of the host may have mounts of its own (PrivateTmp=): its cgroup tells. Here, the cgroup
# of this script is the root of a cgroup namespace.
group=/sys/fs/cgroup$cgroup/system.slice/containerd.service
mkdir -p "$group"
# shellcheck disable=SC2016
unshare --mount sh -c 'echo $$ > "$1/cgroup.procs" && exec /usr/local/bin/containerd --config "$2"' \
	- "$group" "$work/chosen.toml" &
daemon=$!
for ((i = 0; i < 100; i++)); do
	[ "$(cat "/proc/$daemon/comm")" != containerd ] || break
	sleep 0.05
done
as_host() { # COMMAND...
	# shellcheck disable=SC2016
	sh -c 'echo $$ > "$1/cgroup.procs" && shift && exec unshare --cgroup "$@"' - "/sys/fs/cgroup$cgroup" "$@" 2>&1 || true
}
matches "the host's service with mounts of its own: configure" "$work/chosen.toml" \
	"$(as_host "$davit" configure containerd --dry-run --runtime-path "$runtime")"
matches "the host's service with mounts of its own: doctor" "$work/chosen.toml" "$(as_host "$davit" doctor --all --engine containerd)"
stop
report_exit
