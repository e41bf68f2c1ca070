#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Nodes that only a group may open, and SELinux: a container of another user gets EACCES where root
# had none.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 16 'Failed to initialize NVML: Insufficient Permissions'

# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
has_host
chgrp video "$host"/dev/nvidia*
chmod 0660 "$host"/dev/nvidia[0-9]* "$host"/dev/nvidiactl "$host"/dev/nvidia-uvm*
group=$(getent group video | cut -d: -f3)
look='nodeprobe /dev/nvidia0 /dev/nvidiactl; id -G'
user='.process.user = {uid: 1000, gid: 1000} | .process.capabilities = {}'

# The engine asks davit-runtime: the container's user joins the group of the nodes.
configure_runtime "$(command -v runc)"
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=0
edit_bundle "$user"
ENGINE=$runtime
works 'davit-runtime: the user joins the group of the nodes' "$look" "/dev/nvidia0: ENXIO
/dev/nvidiactl: ENXIO
1000 $group"
ENGINE=runc

# A hook is too late for that.
configure '.log.level = "info"'
new_bundle debian NVIDIA_VISIBLE_DEVICES=0
edit_bundle "$user"
: > "$log"
run_script "$look"
equal "$complaint: the hook: the user may not open them" '/dev/nvidia0: EACCES
/dev/nvidiactl: EACCES
1000' "$output"
matches "$complaint: the hook: its log says why and what to do" "/dev/nvidia0 is accessible only to root and group $group: its mode is 0660 \(fix: for another user, use docker run --group-add $group, or davit-runtime\)" "$(< "$log")"
doctor_says 'nodes of a group' nodes.modes warn "nvidia0" 'group|0666'
edit_bundle '.process.user.additionalGids = [$group]' --argjson group "$group"
works 'docker run --group-add' "$look" "/dev/nvidia0: ENXIO
/dev/nvidiactl: ENXIO
1000 $group"

mkdir -p "$machine/sys/fs/selinux/booleans"
printf 1 > "$machine/sys/fs/selinux/enforce"
printf '0 0' > "$machine/sys/fs/selinux/booleans/container_use_devices"
doctor_says 'SELinux' security.selinux warn "containers can't use devices" 'setsebool -P container_use_devices on'
printf '1 1' > "$machine/sys/fs/selinux/booleans/container_use_devices"
doctor_says 'SELinux, allowed' security.selinux ok . ''
report_exit
