#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What goes with a capability or a family of devices: graphics, 32-bit libraries, IMEX, NVSwitch,
# GPUDirect Storage, GDRCopy, InfiniBand, MIG's config, the daemons' sockets.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
enter_namespace "$@"
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host" --mig
version=$(cat "$host/driver/version")
with="$ENGINE, cgroup $CGROUP"
spare_crun_memlock
lib=/usr/lib/x86_64-linux-gnu

# --- graphics ------------------------------------------------------------------------------------

new_bundle debian NVIDIA_VISIBLE_DEVICES=1 NVIDIA_DRIVER_CAPABILITIES=graphics,display
run_script "
echo '== files'
ls /usr/share/glvnd/egl_vendor.d/10_nvidia.json /usr/share/egl/egl_external_platform.d/*nvidia* \
	/usr/share/vulkan/icd.d/nvidia_icd.json /usr/share/vulkan/implicit_layer.d/nvidia_layers.json \
	/etc/OpenCL/vendors/nvidia.icd /usr/share/nvidia/nvoptix.bin /usr/share/X11/xorg.conf.d/*nvidia* \
	/usr/lib/xorg/modules/drivers/nvidia_drv.so
echo '== links'
for l in $lib/libGLX_nvidia.so.0 $lib/libGLX_indirect.so.0 $lib/libEGL_nvidia.so.0 \
	$lib/libGLESv2_nvidia.so.2 $lib/libGLESv1_CM_nvidia.so.1 $lib/gbm/nvidia-drm_gbm.so \
	/usr/lib/xorg/modules/extensions/libglxserver_nvidia.so /dev/dri/by-path/*; do
	echo \"\$l \$(readlink \$l) \$(test -e \$l && echo there)\"
done
echo '== nodes'
nodeprobe /dev/nvidia-modeset /dev/dri/card2 /dev/dri/renderD129
echo '== others'
ls /dev/dri; ls -d /dev/nvidia* | xargs
echo '== cache'
ldconfig -p | grep -oE '^[[:space:]]lib(GLX_nvidia.so.0|nvidia-egl-gbm.so.1|cuda.so.1) ' | xargs
echo '== profile'
cat /etc/nvidia/nvidia-application-profiles-rc.d/10-davit.conf
"
equal "graphics ($with): ICDs, EGL and X files" "/etc/OpenCL/vendors/nvidia.icd
/usr/lib/xorg/modules/drivers/nvidia_drv.so
/usr/share/X11/xorg.conf.d/10-nvidia.conf
/usr/share/X11/xorg.conf.d/nvidia-drm-outputclass.conf
/usr/share/egl/egl_external_platform.d/09_nvidia_wayland2.json
/usr/share/egl/egl_external_platform.d/10_nvidia_wayland.json
/usr/share/egl/egl_external_platform.d/15_nvidia_gbm.json
/usr/share/glvnd/egl_vendor.d/10_nvidia.json
/usr/share/nvidia/nvoptix.bin
/usr/share/vulkan/icd.d/nvidia_icd.json
/usr/share/vulkan/implicit_layer.d/nvidia_layers.json" "$(part files | sort)"
equal "graphics ($with): links" "$lib/libGLX_nvidia.so.0 libGLX_nvidia.so.$version there
$lib/libGLX_indirect.so.0 libGLX_nvidia.so.$version there
$lib/libEGL_nvidia.so.0 libEGL_nvidia.so.$version there
$lib/libGLESv2_nvidia.so.2 libGLESv2_nvidia.so.$version there
$lib/libGLESv1_CM_nvidia.so.1 libGLESv1_CM_nvidia.so.$version there
$lib/gbm/nvidia-drm_gbm.so ../libnvidia-allocator.so.1 there
/usr/lib/xorg/modules/extensions/libglxserver_nvidia.so libglxserver_nvidia.so.$version there
/dev/dri/by-path/pci-0000:00:07.0-card ../card2 there
/dev/dri/by-path/pci-0000:00:07.0-render ../renderD129 there" "$(part links)"
equal "graphics ($with): the nodes may be opened" '' \
	"$(part nodes | grep -vE ': (ok|ENXIO|ENODEV)$' || true)"
equal "graphics ($with): no other ones" 'by-path
card2
renderD129
/dev/nvidia-modeset /dev/nvidia1 /dev/nvidiactl' "$(part others)"
equal "graphics ($with): the loader finds its libraries, and no libcuda" \
	'libnvidia-egl-gbm.so.1 libGLX_nvidia.so.0' "$(part cache)"
matches "graphics ($with): EGL is told which GPU it is" 'EGLVisibleDGPUDevices", 0x2\]' \
	"$(part profile)"
host_unchanged "graphics ($with)"
drop_bundle

# --- 32 bits -------------------------------------------------------------------------------------

if [ -d "$host/driver/lib32" ]; then
	new_bundle debian NVIDIA_VISIBLE_DEVICES=0 NVIDIA_DRIVER_CAPABILITIES=compute,compat32,graphics
	run_script "
echo '== links'; for l in libcuda.so.1 libcuda.so libnvidia-ptxjitcompiler.so.1 libGLX_nvidia.so.0; do
	echo \"\$l \$(readlink /usr/lib/i386-linux-gnu/\$l)\"; done
echo '== real'; sha256sum < /usr/lib/i386-linux-gnu/libcuda.so.1
echo '== cache'; ldconfig -p | grep -c 'libcuda.so.1 .*i386-linux-gnu'
echo '== 64'; dlprobe libcuda.so.1"
	equal "compat32 ($with): links" "libcuda.so.1 libcuda.so.$version
libcuda.so libcuda.so.1
libnvidia-ptxjitcompiler.so.1 libnvidia-ptxjitcompiler.so.$version
libGLX_nvidia.so.0 libGLX_nvidia.so.$version" "$(part links)"
	equal "compat32 ($with): the 32-bit library" \
		"$(sha256sum < "$host/driver/lib32/libcuda.so.$version")" "$(part real)"
	equal "compat32 ($with): in the loader cache" 1 "$(part cache)"
	matches "compat32 ($with): 64-bit programs get the 64-bit one" 'x86_64-linux-gnu' "$(part 64)"
	host_unchanged "compat32 ($with)"
	drop_bundle
else
	skip "compat32 ($with)" "the compiler makes no 32-bit stubs"
fi

# --- further families ----------------------------------------------------------------------------

# family NAME EXPECTED-NODES VARIABLE...: exactly these come beside the usual ones, and open.
list_devices='cd /dev; ls -d nvidia-* nvidia-*/* gdrdrv infiniband/* 2>/dev/null | sort'
family() {
	local name="$1 ($with)" expected=$2 usual paths
	paths=/dev/${expected// / /dev/}
	shift 2
	new_bundle debian NVIDIA_VISIBLE_DEVICES=1 NVIDIA_DRIVER_CAPABILITIES=utility "$@"
	run_script "$list_devices
echo '== open'; nodeprobe $paths"
	usual=$(sed '/^== open/,$d' <<< "$output" | grep -vxE 'nvidia-caps|nvidia-caps-imex-channels' || true)
	equal "$name: its nodes" "${expected// /$'\n'}" "$usual$errors"
	equal "$name: which may be opened" '' "$(part open | grep -vE ': (ok|ENXIO|ENODEV)$' || true)"
	host_unchanged "$name"
}

family 'IMEX channel 0' 'nvidia-caps-imex-channels/channel0' NVIDIA_IMEX_CHANNELS=0
drop_bundle
family 'IMEX channels 0 and 1' \
	'nvidia-caps-imex-channels/channel0 nvidia-caps-imex-channels/channel1' NVIDIA_IMEX_CHANNELS=1,0
drop_bundle
family NVSwitch 'nvidia-nvswitch0 nvidia-nvswitch1 nvidia-nvswitchctl' NVIDIA_NVSWITCH=enabled
drop_bundle
family GDRCopy gdrdrv NVIDIA_GDRCOPY=enabled
drop_bundle
family MOFED 'infiniband/rdma_cm infiniband/uverbs0' NVIDIA_MOFED=enabled
drop_bundle
family 'GPUDirect Storage' 'nvidia-fs0 nvidia-fs1' NVIDIA_GDS=enabled
run_script 'cat /run/udev/data/b259:0; touch /run/udev/x 2>&1'
matches "GPUDirect Storage ($with): udev's data base" '^E:ID_FS_TYPE=ext4$' "$output"
matches "GPUDirect Storage ($with): which can't be written" 'Read-only file system' "$output"
drop_bundle

new_bundle debian NVIDIA_VISIBLE_DEVICES=1 NVIDIA_DRIVER_CAPABILITIES=utility \
	NVIDIA_GDS=disabled NVIDIA_NVSWITCH=1 NVIDIA_IMEX_CHANNELS=
run_script "$list_devices"
equal "families that aren't enabled ($with): no node" '' "$output"
drop_bundle

new_bundle debian NVIDIA_VISIBLE_DEVICES=1 NVIDIA_IMEX_CHANNELS=0,4000
run_script true
equal "an unknown IMEX channel ($with): the container doesn't start" "1 " "$((rc != 0)) $output"
matches "an unknown IMEX channel ($with): the message names those there are" \
	'cannot add IMEX channel 4000 to the container: the host has channels 0, 1' \
	"$("$davit" explain --bundle "$bundle" --config "$config" 2>&1 || true)"
host_unchanged "an unknown IMEX channel ($with)"
drop_bundle

# --- MIG's config --------------------------------------------------------------------------------

new_bundle debian NVIDIA_VISIBLE_DEVICES=0 NVIDIA_DRIVER_CAPABILITIES=utility NVIDIA_MIG_CONFIG_DEVICES=all
edit_bundle '.process.capabilities.bounding += ["CAP_SYS_ADMIN"]'
minor_of() { # NAME
	sed -n 's/^DeviceFileMinor: //p' "$host/proc/driver/nvidia/capabilities/mig/$1"
}
run_script "cd /dev/nvidia-caps; echo *
nodeprobe -r /dev/nvidia-caps/*"
equal "MIG's config ($with): its node alone" "nvidia-cap$(minor_of config)" "$(head -n 1 <<< "$output")"
equal "MIG's config ($with): which may be opened" '' "$(grep -E 'EPERM|ENOENT' <<< "$output" || true)"
drop_bundle

# --- sockets -------------------------------------------------------------------------------------

mkdir -p "$host/run/nvidia-fabricmanager"
"$DAVIT_BUILD/tests/fixture/tools/mksocket" "$host/run/nvidia-fabricmanager/socket"
sockets='ls -d /run/nvidia-persistenced/socket /run/nvidia-fabricmanager/socket
grep -c "/run/nvidia-.*/socket" /proc/self/mountinfo'
new_bundle debian NVIDIA_VISIBLE_DEVICES=0 NVIDIA_DRIVER_CAPABILITIES=utility
run_script "$sockets"
equal "the daemons' sockets ($with)" '/run/nvidia-fabricmanager/socket
/run/nvidia-persistenced/socket
2' "$output"
drop_bundle
new_bundle debian NVIDIA_VISIBLE_DEVICES=0 NVIDIA_DRIVER_CAPABILITIES=utility
edit_bundle '.mounts += [{destination: "/run", type: "bind", source: $run, options: ["rbind", "rw"]}]' \
	--arg run "$host/run"
run_script "$sockets"
equal "the daemons' sockets, where /run is the host's ($with): not mounted over themselves" \
	'/run/nvidia-fabricmanager/socket
/run/nvidia-persistenced/socket
0' "$output"
host_unchanged "the daemons' sockets ($with)"
drop_bundle
report_exit
