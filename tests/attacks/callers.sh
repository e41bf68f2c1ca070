#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Calls that lead to the host itself: the pid of a process in the hook's own mount namespace, and the
# host's root directory as a container's. And files of users who are shown as the host's root where
# they have no right to be believed. The host is a small one here: a root in a namespace of its own.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
cli=$DAVIT_BUILD/davit-container-cli

# --- the small host --------------------------------------------------------------------------------

small=$work/small
kind_root debian > /dev/null
cp -a "$work/roots/debian" "$small"
mkdir -p "$small"/{dev,proc,bundle/rootfs,same,srv/root} "$small$work"
mount --make-private --bind "$small" "$small"
mkdir -p "$small$host"
mount --bind "$host" "$small$host"
mount -t proc proc "$small/proc"
mount -t tmpfs -o mode=755 tmpfs "$small/dev"
mount --bind "$small" "$small/same"
cp "$hook" "$cli" "$runtime" "$small/"
printf '#!/bin/sh\ntouch /executed\n' > "$small/usr/bin/runc"
chmod +x "$small/usr/bin/runc"
ln -s davit-hook "$small/nvidia-cdi-hook"
ln -s / "$small/link"
direct_bundle debian NVIDIA_VISIBLE_DEVICES=1
cp "$direct_config" "$small/config.json"
mkdir "$small/etc/davit"
cp "$direct_config" "$small/etc/davit/config.json"

# A process of another mount namespace with the small host as its root.
unshare --mount --propagation private chroot "$small" /bin/sleep 120 > /dev/null &
other=$!
until [ "$(readlink "/proc/$other/root" 2> /dev/null)" = "$small" ]; do
	sleep 0.02
done

state() { # PID [STATUS]
	printf '{"ociVersion":"1.0.2","id":"c","status":"%s","pid":%d,"bundle":"/bundle"}' "${2:-creating}" "$1"
}
root_is() { # PATH
	jq --arg root "$1" '.root.path = $root' < "$bundle/config.json" > "$small/bundle/config.json"
}
small_state() {
	grep " $small" /proc/self/mountinfo
	grep . "/proc/$other/mountinfo"
	# (find calls the bind mount of it a loop.)
	{ find "$small" -xdev -printf '%P %y %m %U %G %s %i %T@ %l\n' 2> /dev/null || true; } | LC_ALL=C sort
}
# refused NAME PATTERN STATE COMMAND...: in the small host; nothing of it changes.
refused() {
	local before rc=0
	before=$(small_state)
	errors=$(chroot --userspec="${by:-0:0}" --groups='' "$small" "${@:4}" <<< "$3" 2>&1) || rc=$?
	matches "$1: one line" "^davit: cannot .*$2.* \\(fix: .+\\)\$" "$errors"
	equal "$1: failed" 1 "$rc"
	equal "$1: nothing has changed" '' "$(diff <(printf '%s\n' "$before") <(small_state))"
}

# --- a pid of the hook's own mount namespace -------------------------------------------------------

# The shell, its parent and whoever else is the host's: their namespace is the hook's.
same='it shares its mount namespace with davit'
sleep 120 > /dev/null &
sibling=$!
at_end "kill $sibling"
root_is /srv/root
for pid in $$ $sibling; do
	for stage in prestart createRuntime; do
		refused "$stage, a process of the hook's own namespace" "process $pid: $same" \
			"$(state "$pid")" /davit-hook -config /config.json $stage
	done
	refused "--pid, a process of the caller's own namespace" "process $pid: $same" '' \
		/davit-container-cli configure --no-cgroups --device=1 --pid="$pid" /srv/root
done
# A hook in a mount namespace of its own, as a daemon with PrivateMounts has it: the host's is init's.
for call in '/davit-hook -config /config.json prestart' \
	'/davit-container-cli configure --no-cgroups --device=1 --pid=1 /srv/root'; do
	# shellcheck disable=SC2016 # of the inner shell
	seen=$(unshare --mount --propagation private --pid --fork --kill-child bash -c '
		mount -t proc proc "$1/proc"
		before=$(< /proc/self/mountinfo)
		unshare --mount --propagation private chroot "$1" $3 <<< "$2"
		echo "exit $?"
		[ "$before" = "$(< /proc/self/mountinfo)" ] || echo "the mounts have changed"
		' - "$small" "$(state 1)" "$call" 2>&1) || true
	equal "${call%% *}, init's pid, from another mount namespace" "davit: cannot mount anything for process 1: it shares its mount namespace with init (fix: pass the pid of a process in the container's own mount namespace)
exit 1" "$seen"
done
# By a user without rights, who would enter that process's namespaces first.
setpriv --reuid 1000 --regid 1000 --clear-groups sleep 120 > /dev/null &
users=$!
at_end "kill $users"
by=1000:1000
refused "an ordinary user's own process" "process $users: $same" "$(state $users)" \
	/davit-hook -config /config.json prestart
by=''

# --- the host's own root as a container's ----------------------------------------------------------

own='invalid rootfs directory: it is davit.s own root directory'
links='--link a::/lib64/b'
for root in / /. // ../.. /srv/.. /same /link; do
	root_is "$root"
	refused "prestart, root.path $root" "$own" "$(state $other)" /davit-hook -config /config.json prestart
	refused "davit-runtime, root.path $root" "$own" '' /davit-runtime create --bundle /bundle c
	for call in "create-symlinks $links" 'update-ldcache --folder /lib64' 'enable-cuda-compat --host-driver-version=1' \
		disable-device-node-modification update-application-profile 'cdi --mount /etc::/etc::ro' 'chmod --mode 777 --path /dev/dri'; do
		# shellcheck disable=SC2086 # words
		refused "nvidia-cdi-hook ${call%% *}, root.path $root" "$own" "$(state 0)" /nvidia-cdi-hook $call
	done
	[[ $root = /* ]] || continue
	refused "--pid, $root" 'invalid rootfs directory' '' \
		/davit-container-cli configure --no-cgroups --device=1 --pid=$other "$root"
	# What davit-runtime leaves to createContainer.
	jq -n --arg root "$root" '{version: 1, rootfs: $root, operations: [], stubs: [], libraries: [],
		proc_mask: {version: "", params: "", registry: "", bus_ids: [], capabilities: [],
		capability_files: []}}' > "$small/bundle/davit.json"
	refused "createContainer, rootfs $root" "$own" "$(state 0)" /davit-hook -config /config.json createContainer
done

# doctor says what the hook would.
cp "$davit" "$small/"
root_is /same
seen=$(chroot "$small" /davit doctor --config /config.json --bundle /bundle 2>&1) || true
matches "doctor, root.path /same" "$own" "$seen"
# What prestart writes down for poststop: in a container beside all of this, which works.
cp -a "$work/roots/debian/." "$small/srv/root/"
mkdir -p "$small/srv/root"/{dev,proc}
root_is /srv/root
rc=0
errors=$(chroot "$small" /davit-hook -config /config.json -record prestart <<< "$(state $other)" 2>&1) || rc=$?
equal 'an honest container works' '0 ' "$rc $errors"
equal 'there is a record' yes "$([ -s "$small/bundle/davit-made" ] && echo yes)"
# The numbers of everything are right, and no process but the hook has that root.
kill $other
wait $other 2> /dev/null || true
: > "$small/bait"
bait() { # ROOT: a record of a container that had this root, as it is now
	printf 'root %s %s\n' "$(stat -c '%d %i' "$small")" "$1"
	printf 'made 32768 %s 0 %s /bait\n' "$(stat -c '%d %i' "$small/bait")" \
		"$(stat -c '%.9Y' "$small/bait" | tr -d .)"
	printf 'stub /bait\n'
}
for root in / /same; do
	bait "$root" > "$small/bundle/davit-made"
	chmod 600 "$small/bundle/davit-made"
	rc=0
	errors=$(chroot "$small" /davit-hook -config /config.json poststop <<< "$(state 0 stopped)" 2>&1) || rc=$?
	equal "poststop, the recorded root is $root: it is no failure" 0 "$rc"
	matches "poststop, the recorded root is $root: a line" "warning: files created in container c are not removed: cannot .*$own" "$errors"
	equal "poststop, the recorded root is $root: nothing is removed" yes "$([ -e "$small/bait" ] && echo yes)"
done

# --- whose files are believed ----------------------------------------------------------------------

# in_map MAP UID COMMAND...: root of a user namespace with that map, or a user of it.
in_map() {
	local child rc=0
	[ -p "$work/mapped" ] || mkfifo "$work/mapped"
	# shellcheck disable=SC2016 # of the inner shell
	unshare --user --keep-caps bash -c 'read -r _ < "$0" && exec setpriv --reuid "$1" --regid "$1" --clear-groups --ambient-caps=-all --inh-caps=-all "${@:2}"' \
		"$work/mapped" "${@:2}" &
	child=$!
	until [ "$(readlink "/proc/$child/ns/user")" != "$(readlink /proc/self/ns/user)" ]; do
		sleep 0.02
	done
	# The kernel takes a map in one write.
	printf '%b' "$1" > "$work/map"
	cat "$work/map" > "/proc/$child/uid_map"
	cat "$work/map" > "/proc/$child/gid_map"
	echo > "$work/mapped"
	wait $child || rc=$?
	return $rc
}
mkdir "$work/files"
cp "$hook" "$work/files/davit-hook"
# believed NAME EXPECTED OWNER MAP UID: a configuration of that owner (the host's id), as the hook
# sees it that UID of the namespace calls.
believed() {
	local answer=no
	cp "$direct_config" "$work/files/config.json"
	chown "$3:$3" "$work/files/config.json"
	errors=$(in_map "$4" "$5" "$work/files/davit-hook" -config "$work/files/config.json" prestart <<< '{}' 2>&1) || true
	[[ $errors = *'it does not belong to root'* ]] || answer=yes
	[[ $errors = *'davit: cannot '* ]] || answer="neither: $errors"
	equal "a configuration of $1" "$2" "$answer"
}
all='0 0 4294967295\n'
lxc='0 100000 65536\n'
podman='0 1000 1\n1 100000 65536\n'
user='0 1000 1\n'
nobody_alone='0 1000 1\n65534 100000 1\n'
believed "the host's root" yes 0 "$all" 0
believed 'nobody, no namespace' no 65534 "$all" 0
believed "the host's root, LXC" yes 0 "$lxc" 0
believed "the namespace's root, LXC" yes 100000 "$lxc" 0
believed "the namespace's nobody, LXC" no 165534 "$lxc" 0
believed 'a user of the namespace, LXC' no 101000 "$lxc" 0
believed "the host's root, rootless Podman" yes 0 "$podman" 0
believed 'the user itself, rootless Podman' yes 1000 "$podman" 0
believed "the container's nobody, rootless Podman" no 165533 "$podman" 0
believed "a subordinate user, rootless Podman" no 100004 "$podman" 0
believed "the host's root, one id" yes 0 "$user" 0
believed "the host's root, nobody alone is mapped" yes 0 "$nobody_alone" 0
believed "nobody, who alone is mapped" no 100000 "$nobody_alone" 0
# Who has no rights in the namespace can't tell the two apart.
believed "the host's root, to an ordinary user inside" no 0 "$lxc" 1000
believed "nobody, to an ordinary user inside" no 165534 "$lxc" 1000
believed "nobody's own, to nobody inside" yes 165534 "$lxc" 65534

# A program beside davit's in a directory like /tmp: whose it is can't be seen in a user namespace.
make_trap
chmod 1777 "$work/files"
cp "$cli" "$work/files/davit-container-cli"
cp "$trap_program" "$work/files/davit-nvml"
chown 1000:1000 "$work/files/davit-container-cli"
chown 1001:1001 "$work/files/davit-nvml"
mkdir "$work/files/root"
chmod 777 "$work" # where it leaves its mark
mkdir "$work/etc"
mount -t tmpfs tmpfs "$work/etc"
mkdir -p "$work"/etc/{upper/davit,work}
cp "$direct_config" "$work/etc/upper/davit/config.json"
mount -t overlay overlay /etc -o "lowerdir=/etc,upperdir=$work/etc/upper,workdir=$work/etc/work"
at_end 'umount -l /etc'
setpriv --reuid 1000 --regid 1000 --clear-groups unshare --user --map-root-user --mount \
	"$work/files/davit-container-cli" configure --no-cgroups --device=1 --require='arch>=9.0' \
	"$work/files/root" > "$work/output" 2>&1 < /dev/null || true
equal "another user's davit-nvml in a directory like /tmp is not run" no "$([ -e "$mark" ] && echo run || echo no)"
equal 'the check of it can fail' 1 "$(chmod 0755 "$work/files"
	setpriv --reuid 1000 --regid 1000 --clear-groups unshare --user --map-root-user --mount \
		"$work/files/davit-container-cli" configure --no-cgroups --device=1 --require='arch>=9.0' \
		"$work/files/root" > "$work/output" 2>&1 < /dev/null || true
	find "$mark" 2> /dev/null | wc -l)"
report_exit
