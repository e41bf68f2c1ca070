#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Without root: podman and $ENGINE as an ordinary user, and a runtime nested in a user namespace of
# that user's. There are no cgroup rights and no mknod; nothing has to be switched.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
enter_namespace "$@"
for program in podman newuidmap setpriv; do
	if ! command -v "$program" > /dev/null; then
		skip "${0##*/}" "$program isn't installed (apt-get install podman uidmap util-linux)"
		report_exit
	fi
done
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host"
with="rootless, $ENGINE, cgroup $CGROUP"
log=$work/user/log
jq --arg log "$log" '.log = {file: $log}' < "$config" > "$config.new"
mv "$config.new" "$config"
spare_crun_memlock

# A user of our namespace alone, with subordinate ids; a tmpfs over /etc keeps the machine's as is.
user=davit-test
mkdir "$work/etc"
mount -t tmpfs tmpfs "$work/etc"
mkdir -p "$work"/etc/{upper,work}
mount -t overlay overlay /etc -o "lowerdir=/etc,upperdir=$work/etc/upper,workdir=$work/etc/work"
at_end 'umount -l /etc'
id=54321
printf '%s:x:%s:%s::%s:/bin/sh\n' $user $id $id "$work/home" >> /etc/passwd
printf '%s:x:%s:\n' $user $id >> /etc/group
printf '%s:1000000:65536\n' $user | tee /etc/subuid > /etc/subgid
mkdir -p "$work"/{home,hooks,run,user}
chown $id:$id "$work"/{home,run,user}
chmod 0700 "$work/run"

# The hook where the user can reach it; the checkout may lie in a private directory.
cp "$hook" "$work/davit-hook"
chmod 0755 "$work/davit-hook"
hook=$work/davit-hook
jq -n --arg hook "$hook" --arg config "$config" '{version: "1.0.0",
	hook: {path: $hook, args: ["davit-hook", "--config", $config, "prestart"]},
	when: {always: true}, stages: ["prestart"]}' > "$work/hooks/davit.json"

as_user() {
	(cd / && exec setpriv --reuid $id --regid $id --clear-groups --inh-caps=-all \
		env -i PATH="$PATH" HOME="$work/home" USER=$user XDG_RUNTIME_DIR="$work/run" \
		TMPDIR="$work/user" LC_ALL=C "$@")
}

# The root is the user's own.
kind_root debian > /dev/null
rootfs=$work/user/rootfs
cp -a "$work/roots/debian" "$rootfs"
chown -hR $id:$id "$rootfs"

podman_run() { # OPTION... -- COMMAND...: sets rc, output and errors
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	rc=0
	output=$(as_user timeout 60 podman --root "$work/home/root" --runroot "$work/run/podman" \
		--tmpdir "$work/run/tmp" --storage-driver vfs --events-backend file \
		--cgroup-manager cgroupfs --runtime "$ENGINE" --hooks-dir "$work/hooks" \
		run --rm --network none --cgroups disabled --ulimit nofile=1024:1024 \
		--ulimit nproc=1024:1024 "${options[@]}" --rootfs "$rootfs" "$@" \
		2> "$work/errors" < /dev/null) || rc=$?
	errors=$(grep -v 'level=warning' "$work/errors" || true)
}

podman_run -e NVIDIA_VISIBLE_DEVICES=1 -- sh -c "ls -ln /dev/nvidia*; id; nvidia-smi -L; nodeprobe /dev/nvidia1 /dev/nvidia0; mount|grep nvid|head -5; cat /proc/driver/nvidia/version; head -c 20 /etc/ld.so.cache; dlprobe libcuda.so.1"
echo "$rc $output $errors"; cat $work/errors; cat $log
