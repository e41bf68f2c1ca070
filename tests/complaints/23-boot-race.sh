#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Containers that start before the driver's nodes are there, after a reboot.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 23 'after a reboot containers fail until nvidia-smi was run once'

has_host
rm "$host"/dev/nvidia*uvm* "$host"/dev/nvidiactl "$host"/dev/nvidia[0-9]*
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
run_script 'nvidia-smi -L; nodeprobe /dev/nvidia-uvm'
equal "$complaint: no node yet: the first container makes them" "0 $(both)
/dev/nvidia-uvm: ENXIO" "$rc $output$errors"

has_host
rm "$host/dev/nvidia-uvm" "$host/dev/nvidia0"
configure '.driver."load-modules" = false'
doctor_says 'no node, and davit may make none' nodes.present fail 'nvidia-uvm' 'davit system prepare'
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
refused 'no node, and davit may make none' "davit: cannot add /dev/nvidia-uvm to the container: the host has no such node \
(fix: run \`davit system prepare\` on the host)"

# An inner container of LXD looks the same: nodes, and no entries of GPUs.
has_host
rm -r "$host"/proc/driver/nvidia/gpus/*
new_bundle debian NVIDIA_VISIBLE_DEVICES=0
refused 'nodes are left of GPUs that the module lost' "davit: cannot find the GPUs: /dev/nvidia0 exists, but /proc/driver/nvidia/gpus shows none (fix: check \`dmesg | grep NVRM\`; in LXD or Incus, make the host's /proc/driver/nvidia/gpus visible (nvidia.runtime=false and the GPUs as devices))"
doctor_says 'nodes are left of GPUs that the module lost' driver.gpus fail 'no GPU' 'dmesg'

rm "$host"/dev/nvidia[0-9]*
refused 'the module is there, its GPUs are not' "davit: cannot inject GPU 0: the host has no GPU (fix: check \
\`dmesg | grep NVRM\`, or request none in NVIDIA_VISIBLE_DEVICES)"
doctor_says 'the module is there, its GPUs are not' driver.gpus fail 'no GPU' 'dmesg'
mkdir -p "$machine/run/systemd/system"
doctor_says 'nothing makes them at boot' host.boot warn 'davit-prepare' 'systemctl enable .*davit-prepare'
report_exit
