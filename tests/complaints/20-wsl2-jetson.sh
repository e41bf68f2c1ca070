#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# WSL2 and Jetson have drivers of other kinds: containers get them, and where there is none, the line
# says what Windows or the board lacks.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 20 'WSL2 (/dev/dxg, libdxcore.so) and Jetson (csv mode)'

# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
has_host
rm -rf "${host:?}"
"$fixture/fake-host" "$host" --platform wsl
store=/usr/lib/wsl/drivers/nv_fake.inf_amd64_0123456789abcdef
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
run_script 'readlink -f $(dlprobe libcuda.so.1 | sed "s/.*: //"); nodeprobe /dev/dxg'
equal 'WSL2: the driver of Windows and its node' "0 $store/libcuda_loader.so
/dev/dxg: ENXIO" "$rc $output$errors"
doctor_says WSL2 host.platform ok 'WSL2; .*all GPUs of Windows' ''
drop_bundle

rm -r "$host"/driver/usr/lib/wsl/drivers/nv*
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
refused 'WSL2 without a driver of NVIDIA' "davit: cannot find an NVIDIA GPU in Windows: none of the drivers in /usr/lib/wsl/drivers, u0777777.inf_amd64_fedcba9876543210, has libcuda.so.1.1 (fix: install NVIDIA's driver in Windows, then run \`wsl --shutdown\`)"
drop_bundle

# Jetson: `docker run --gpus` calls only the hook, and NVIDIA's hook refuses this platform.
"$fixture/fake-host" "$host" --platform orin
new_bundle debian NVIDIA_VISIBLE_DEVICES=0
works 'Jetson: the hook alone' "dlprobe libcuda.so.1 | sed 's|.*/nvidia/||'; nodeprobe /dev/nvmap" 'libcuda.so.1.1
/dev/nvmap: ENXIO'
doctor_says Jetson host.platform ok 'a Tegra board .*lists of files' ''
drop_bundle

rm -r "$host/driver/etc/nvidia-container-runtime"
new_bundle debian NVIDIA_VISIBLE_DEVICES=0
refused 'Jetson without lists' "davit: cannot use the driver: the host is a Tegra board, but \
$host/driver/etc/nvidia-container-runtime/host-files-for-container.d has no CSV files (fix: install nvidia-l4t-init, which contains devices.csv and drivers.csv)"
drop_bundle
report_exit
