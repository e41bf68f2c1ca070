#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Device rules that are made behind systemd's back are dropped at the next daemon-reload or `docker
# update`; older runtimes look devices up by their /dev/char links.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 1 'Failed to initialize NVML: Unknown Error'

# shellcheck source=tests/lib/systemd.sh
. "$repository/tests/lib/systemd.sh"
with=$complaint
require_systemd
has_host
start_systemd
# 195 has no driver behind it: what the rules allow finds nothing there.
allowed='/dev/nvidia0: ENXIO
/dev/nvidiactl: ENXIO'

# start NAME: a container with a GPU in the scope davit-NAME.scope.
start() {
	name=$1
	new_bundle debian NVIDIA_VISIBLE_DEVICES=0
	edit_bundle '.process.args = ["sleep", "600"] | .linux.cgroupsPath = $path' \
		--arg path "system.slice:davit:$1"
	: > "$log"
	runtime run -d -b "$bundle" "$1" > /dev/null 2> "$work/errors" < /dev/null
}
probe() {
	runtime exec "$name" nodeprobe /dev/nvidia0 /dev/nvidiactl 2>&1
}

start gpu
equal "$complaint: the GPU can be opened" "$allowed" "$(probe)"
reload
equal "$complaint: after systemctl daemon-reload, too" "$allowed" "$(probe)"
update
equal "$complaint: after docker update, too" "$allowed" "$(probe)"
equal "$complaint: nothing had to be warned of" '' "$(< "$log")"
runtime delete -f "$name"

in_systemd mount --bind /dev/null /run/systemd/private
start unheard
matches "$complaint: systemd can't be asked: the log says what may be lost, when and why" \
	'warning: .*lose its devices at the next systemctl daemon-reload.*/run/systemd/private: .* \(fix: use davit-runtime, .*\)' "$(< "$log")"
runtime delete -f "$name"

mkdir -p "$machine/run/systemd/system" "$machine/sys/fs/cgroup"
mount -t cgroup2 cgroup2 "$machine/sys/fs/cgroup"
doctor_says "systemd can't be asked" cgroup.systemd warn 'run/systemd/private' .
doctor_says 'no /dev/char links' nodes.links warn 'dev/char .*195:0 .nvidia0' 'create-dev-char-symlinks'
report_exit
