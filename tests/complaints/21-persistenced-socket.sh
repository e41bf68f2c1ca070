#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The socket of nvidia-persistenced: already there with the host's /run, left over by a daemon that
# ended, or absent.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 21 'mount error: .../run/nvidia-persistenced/socket: no such device or address'

has_host
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
edit_bundle '.mounts += [{destination: "/run", type: "bind", source: $run, options: ["rbind", "rw"]}]' \
	--arg run "$host/run"
works "the host's /run is mounted" 'nvidia-smi -L; grep -c "/run/nvidia-persistenced/socket " /proc/self/mountinfo; true' \
	"$(smi_line 0 "$uuid1")
0"
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
works 'a socket that nobody listens on' 'nvidia-smi -L; test -S /run/nvidia-persistenced/socket && echo socket' \
	"$(smi_line 0 "$uuid1")
socket"
rm "$host/run/nvidia-persistenced/socket"
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
works 'no socket' 'nvidia-smi -L' "$(smi_line 0 "$uuid1")"
equal "$complaint: nothing to be warned of" '' "$(< "$log")"
doctor_says 'no socket' driver.persistence warn 'nvidia-persistenced' '.'
: > "$host/run/nvidia-persistenced/socket"
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
works 'a plain file in its place' 'nvidia-smi -L' "$(smi_line 0 "$uuid1")"
report_exit
