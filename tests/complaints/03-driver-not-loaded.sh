#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The kernel module is not loaded, or only its nodes are missing: two causes, two lines.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 3 'nvidia-container-cli: initialization error: driver not loaded'

has_host
rm -r "$host/proc/driver/nvidia" "$host/sys/module/nvidia"
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
configure '.driver."load-modules" = false'
refused 'no module' "davit: cannot use the driver: the kernel module nvidia is not loaded \
(no $host/proc/driver/nvidia/version) (fix: install NVIDIA's driver, or load it with modprobe nvidia (and check \`dmesg | grep NVRM\`))"
doctor_says 'no module' driver.module fail 'not loaded' 'modprobe|install'

# The machine's modprobe may be there or not; it has no such module.
configure '.driver."load-modules" = true'
run_script 'echo started'
matches "$complaint: no module, and it can't be loaded: the line says both" \
	"^davit: cannot use the driver: the kernel module nvidia is not loaded; cannot load the kernel module nvidia: cannot .+ \
\(fix: install NVIDIA's driver, or check \`modprobe nvidia\` and \`dmesg \| grep NVRM\`\)$" \
	"$(hook_line "$errors")"

has_host
rm "$host"/dev/nvidiactl "$host"/dev/nvidia[0-9]*
run_script "nvidia-smi -L"
equal "$complaint: the module is loaded, the nodes are missing: they are made" "0 $(both)" "$rc $output$errors"
report_exit
