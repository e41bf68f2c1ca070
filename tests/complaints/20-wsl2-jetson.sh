#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# WSL2 and Jetson have drivers of other kinds: they are not supported, and the line says so.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 20 'WSL2 (/dev/dxg, libdxcore.so) and Jetson (csv mode)'

# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
has_host
rm -r "$host/proc/driver/nvidia"
: > "$host/dev/dxg"
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
refused WSL2 "davit: cannot use the driver: the host is a WSL2 one (/dev/dxg), which is not supported \
(fix: use NVIDIA's own toolkit on this host)"
doctor_says WSL2 host.platform fail 'WSL2.*not supported' "NVIDIA's own"

rm "$host/dev/dxg"
configure_runtime runc
printf '# R36 (release), REVISION: 4.0\n' > /etc/nv_tegra_release
refused Jetson "davit: cannot use the driver: the host is a Jetson (/etc/nv_tegra_release), which is not supported \
(fix: use NVIDIA's own toolkit on this host)"
mkdir -p "$machine/etc"
cp /etc/nv_tegra_release "$machine/etc/"
doctor_says Jetson host.platform fail 'Jetson.*not supported' "NVIDIA's own"
report_exit
