#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The driver's libraries were upgraded under a loaded kernel module: both versions are told.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 4 'Failed to initialize NVML: Driver/library version mismatch'

has_host --driver-version 535.104.05
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
refused 'an upgrade without a reboot' "davit: cannot use the driver: the kernel module has version $version, but \
$host/driver/lib64/libnvidia-ml.so.1 has version 535.104.05 (fix: reboot, reload the kernel module (rmmod, \
modprobe nvidia), or install libraries of its version)"
doctor_says 'an upgrade without a reboot' driver.version fail "$version.*535\.104\.05|535\.104\.05.*$version" \
	'reboot|reload'
report_exit
