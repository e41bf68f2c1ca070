#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Graphics: Vulkan's ICD, EGL's files and the GPUs' /dev/dri nodes; a host whose nvidia-drm isn't
# loaded has none of the latter.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 22 'vkCreateInstance: VK_ERROR_INCOMPATIBLE_DRIVER, no /dev/dri'

has_host
new_bundle debian NVIDIA_VISIBLE_DEVICES=1 NVIDIA_DRIVER_CAPABILITIES=graphics
works 'graphics' 'ls /usr/share/vulkan/icd.d/nvidia_icd.json /usr/share/glvnd/egl_vendor.d/10_nvidia.json; ls /dev/dri
	readlink /usr/lib/x86_64-linux-gnu/libGLX_nvidia.so.0' "/usr/share/glvnd/egl_vendor.d/10_nvidia.json
/usr/share/vulkan/icd.d/nvidia_icd.json
by-path
card2
renderD129
libGLX_nvidia.so.$version"
doctor_says 'all there' driver.graphics ok . ''

# Without graphics nothing of it is inside: the commonest cause.
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
works 'not asked for' 'ls /usr/share/vulkan/icd.d/nvidia_icd.json /dev/dri 2> /dev/null || echo absent' absent

# Hosts without displays are many: the log has it with its further lines alone.
configure '.log.level = "info"'
find "$host/sys" -depth -type d -name drm -exec rm -r {} +
rm -r "$host/dev/dri"
new_bundle debian NVIDIA_VISIBLE_DEVICES=1 NVIDIA_DRIVER_CAPABILITIES=graphics
works 'nvidia-drm is not loaded: it starts' 'ls /usr/share/vulkan/icd.d/nvidia_icd.json; ls /dev/dri 2> /dev/null || echo none' \
	'/usr/share/vulkan/icd.d/nvidia_icd.json
none'
matches "$complaint: nvidia-drm is not loaded: the log" \
	'the container requests graphics or display, but GPU 1 has no /dev/dri nodes \(fix: modprobe nvidia-drm\)' "$(< "$log")"
doctor_says 'nvidia-drm is not loaded' driver.graphics warn 'nvidia-drm|/dev/dri' 'modprobe nvidia-drm'
report_exit
