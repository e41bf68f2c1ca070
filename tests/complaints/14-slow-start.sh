#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Opening a GPU for the first time takes seconds, without persistence mode each time: the hook opens
# none.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 14 'driver rpc error: timed out (slow starts without persistence mode)'

has_host
new_bundle debian NVIDIA_VISIBLE_DEVICES=all 'NVIDIA_REQUIRE_CUDA=cuda>=12.0 brand=tesla'
edit_bundle '.process.args = ["/usr/bin/true"]'
if ! command -v strace > /dev/null; then
	skip "$complaint" "strace isn't installed (apt-get install strace)"
	report_exit
fi
rc=0
strace -f -qq -e trace=%file,open_by_handle_at -o "$work/calls" runc --root "$work/state" run -b "$bundle" slow \
	> "$work/errors" 2>&1 < /dev/null || rc=$?
equal "$complaint: the container starts" 0 "$rc"
matches "$complaint: the hook was seen at work" "execve\(\"$hook\"" "$(< "$work/calls")"
# To take hold of a node (open_tree, O_PATH) is not to open the device, nor is making a mount's target.
equal "$complaint: no GPU is opened, from the first call to the last" '' \
	"$(grep -E '\bopen(at|at2)?\(.*nvidia(ctl|-uvm[a-z-]*|-modeset|[0-9]+)"' "$work/calls" | grep -vE 'O_PATH|O_CREAT\|O_EXCL' || true)"

rm -f "$host/run/nvidia-persistenced/socket"
doctor_says 'no persistence daemon' driver.persistence warn 'nvidia-persistenced' 'nvidia-persistenced'
report_exit
