#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Containers of every make: hook stages, where and how the root is mounted, user namespaces,
# privileged ones, a root that starts twice, a host whose driver is on a read-only file system.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
enter_namespace "$@"
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host"
with="$ENGINE, cgroup $CGROUP"
spare_crun_memlock
one=$(smi_line 0 "$uuid1")

# The capabilities that this machine has to give, as JSON.
bounding_set() {
	local set names=(CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP
		LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER
		SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE
		SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP
		MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ)
	set=$((16#$(awk '/^CapBnd/ { print $2 }' /proc/self/status)))
	for i in "${!names[@]}"; do
		(((set >> i & 1) == 0)) || printf 'CAP_%s\n' "${names[i]}"
	done | jq -R . | jq -s .
}

# gets_gpu NAME: the container at $bundle, which asks for GPU 1, has it.
gets_gpu() {
	local name="$1 ($with)"
	run_script 'nvidia-smi -L; dlprobe libcuda.so.1; nodeprobe /dev/nvidia0 /dev/nvidia1; ldconfig -p | grep -c "libcuda.so.1 "'
	equal "$name" "0 $one
libcuda.so.1: /usr/lib/x86_64-linux-gnu/libcuda.so.1
/dev/nvidia0: ENOENT
/dev/nvidia1: ENXIO
1" "$rc ${output//: \/lib\//: /usr/lib/}$errors"
	host_unchanged "$name"
}

for stage in createRuntime prestart; do
	new_bundle debian NVIDIA_VISIBLE_DEVICES=1
	edit_bundle '.hooks.prestart as $h | .hooks = {($stage): $h} | .hooks[$stage][0].args[3] = $stage' \
		--arg stage $stage
	gets_gpu "the hook as $stage"
	drop_bundle
done

new_bundle debian NVIDIA_VISIBLE_DEVICES=1
edit_bundle '.root.path = "rootfs"'
gets_gpu 'root.path relative to the bundle'
drop_bundle

# No overlay: what the hook makes stays in the directory, and is found there by the next start.
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
umount "$bundle/rootfs"
cp -a "$work/roots/debian/." "$bundle/rootfs/"
gets_gpu 'a plain directory as root'
first=$(tree_state "$bundle/rootfs")
gets_gpu 'the same root, started again'
equal "started again ($with): nothing more in the root" "$first" "$(tree_state "$bundle/rootfs")"
edit_bundle '.process.env |= map(select(startswith("NVIDIA_VISIBLE_DEVICES") | not))'
run_script 'nodeprobe /dev/nvidia0 /dev/nvidia1 /dev/nvidiactl'
equal "started without GPUs now ($with): none of them" '' "$(grep -v ENOENT <<< "$output" || true)"
drop_bundle

new_bundle debian NVIDIA_VISIBLE_DEVICES=1
edit_bundle '.root.readonly = true'
gets_gpu 'root.readonly'
drop_bundle

new_bundle debian NVIDIA_VISIBLE_DEVICES=1
read_only_root
edit_bundle '.root.readonly = true'
gets_gpu 'a root on a read-only mount'
equal "a root on a read-only mount ($with): nothing is written" '' \
	"$(find "$bundle/upper" -mindepth 1 -printf '%P\n')"
drop_bundle

if command -v mksquashfs > /dev/null && mksquashfs "$work/roots/debian" "$work/root.squashfs" -quiet \
	-no-progress > /dev/null && mkdir "$work/squashed" &&
	mount -t squashfs -o loop,ro "$work/root.squashfs" "$work/squashed" 2> "$work/errors"; then
	new_bundle debian NVIDIA_VISIBLE_DEVICES=1
	umount "$bundle/rootfs"
	mount --bind "$work/squashed" "$bundle/rootfs"
	edit_bundle '.root.readonly = true'
	gets_gpu 'a root on squashfs'
	drop_bundle
	umount "$work/squashed"
else
	skip "a root on squashfs ($with)" "can't be mounted here: $(cat "$work/errors" 2> /dev/null)"
fi

new_bundle debian NVIDIA_VISIBLE_DEVICES=1
umount "$bundle/rootfs"
cp -a "$work/roots/debian/." "$bundle/rootfs/"
chown -hR 100000:100000 "$bundle/rootfs"
chmod 0755 "$work" "$bundle"
edit_bundle '.linux.namespaces += [{type: "user"}] |
	.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] |
	.linux.gidMappings = .linux.uidMappings |
	.mounts |= map(select(.type != "cgroup"))'
gets_gpu 'a user namespace'
equal "a user namespace ($with): what is made belongs to its root" '' \
	"$(find "$bundle/rootfs" ! -user 100000 -printf '%P %U\n')"
drop_bundle

new_bundle debian NVIDIA_VISIBLE_DEVICES=1
edit_bundle '.process.capabilities |= map_values($caps) |
	.linux.resources.devices = [{allow: true, access: "rwm"}] |
	.linux.maskedPaths = [] | .linux.readonlyPaths = []' \
	--argjson caps "$(bounding_set)"
gets_gpu 'a privileged container'
drop_bundle

# As on hosts that mount the driver from an image: read-only, nosuid, nodev.
mkdir -p "$work/read-only"
if command -v mksquashfs > /dev/null && mksquashfs "$host/driver" "$work/driver.squashfs" -quiet \
	-no-progress > /dev/null &&
	mount -t squashfs -o loop,ro,nosuid,nodev "$work/driver.squashfs" "$work/read-only" 2> "$work/errors"; then
	jq --arg root "$work/read-only" '.driver.root = $root' < "$host/davit.json" > "$work/davit.json"
	config=$work/davit.json
	new_bundle debian NVIDIA_VISIBLE_DEVICES=1
	gets_gpu 'the driver on squashfs, ro,nosuid,nodev'
	run_script 'grep libcuda /proc/self/mountinfo'
	matches "the driver on squashfs ($with): bound with these flags" ' ro,nosuid,nodev[, ]' "$output"
	drop_bundle
	config=$host/davit.json
else
	skip "the driver on squashfs ($with)" "can't be mounted here: $(cat "$work/errors" 2> /dev/null)"
fi
mount -t tmpfs -o nosuid,nodev tmpfs "$work/read-only"
cp -a "$host/driver/." "$work/read-only/"
mount -o remount,ro,nosuid,nodev "$work/read-only"
jq --arg root "$work/read-only" '.driver.root = $root' < "$host/davit.json" > "$work/davit.json"
config=$work/davit.json
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
gets_gpu 'the driver on a tmpfs, ro,nosuid,nodev'
drop_bundle
config=$host/davit.json

# Driver roots like / : libraries by the loader cache.
"$fixture/fake-host" "$work/root-layout" --layout root
config=$work/root-layout/davit.json
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
gets_gpu 'the driver in a root file system'
drop_bundle

"$fixture/fake-host" "$work/many" --gpus 16 --reverse-minors
config=$work/many/davit.json
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
run_script 'nvidia-smi -L | wc -l; ls -d /dev/nvidia[0-9]* | wc -l'
equal "16 GPUs ($with)" '0 16
16' "$rc $output$errors"
host_unchanged "16 GPUs ($with)"
edit_bundle '.process.env += ["NVIDIA_VISIBLE_DEVICES=0"]'
run_script 'nvidia-smi -L | cut -d: -f1; ls -d /dev/nvidia[0-9]*'
equal "index 0 with reversed minors ($with)" 'GPU 0
/dev/nvidia15' "$output$errors"
drop_bundle
report_exit
