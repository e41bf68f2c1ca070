#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Podman with CDI specs, on $ENGINE: one of `davit cdi generate`, and one as NVIDIA's tool writes it.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
enter_namespace "$@"
if ! command -v podman > /dev/null; then
	skip "${0##*/}" "podman isn't installed"
	report_exit
fi
make_work
host=$work/host
"$fixture/fake-host" "$host" --gpus 3 --mig
version=$(cat "$host/driver/version")
with="podman, $ENGINE, cgroup $CGROUP"
spare_crun_memlock
# /var/run/cdi is looked at by every podman: this one is ours alone.
mount -t tmpfs tmpfs /run
spec=/run/cdi/nvidia.json
mkdir -p "$work"/podman/{root,run,tmp,home} /run/cdi
export HOME=$work/podman/home
rootfs=$(kind_root debian)
overlay=:O

podman_run() { # OPTION... -- COMMAND...: sets rc, output and errors
	local options=() turn
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	# On a busy machine Podman loses what a container that ends at once has printed.
	for turn in first second; do
		rc=0
		output=$(timeout 60 podman --root "$work/podman/root" --runroot "$work/podman/run" \
			--tmpdir "$work/podman/tmp" --storage-driver vfs --events-backend file \
			--cgroup-manager cgroupfs --runtime "$ENGINE" \
			run --rm --network none --pids-limit 0 --cgroup-parent "$cgroup" \
			--ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "${options[@]}" --rootfs "$rootfs$overlay" "$@" \
			2> "$work/errors" < /dev/null) || rc=$?
		[ "$turn$rc$output" = first0 ] || break
	done
	errors=$(grep -v 'level=warning' "$work/errors" || true)
}

at_end wait_for_podman

sees() { # NAME DEVICE... -- OUTPUT: the container with these devices lists these GPUs
	local name="$1 ($with)" options=()
	shift
	while [ "$1" != -- ]; do
		options+=(--device "$1")
		shift
	done
	podman_run "${options[@]}" -- nvidia-smi -L
	equal "$name" "0 $2" "$rc $output$errors"
}

# --- the spec of davit cdi generate --------------------------------------------------------------

"$davit" cdi generate --config "$host/davit.json" --output "$spec"
shape() { # of the spec: the hook's command, how many hooks, whether it has the mounts
	jq -r '"\(.containerEdits.hooks[0].args[1]) \([.. | .hooks? // empty | .[]] | length) \(.containerEdits.mounts // [] | length > 30)"' "$1"
}
# A program that runs no hooks, and so needs the mounts (sid's apptainer).
mounts=false
for program in apptainer singularity runsc kata-runtime; do
	! command -v "$program" > /dev/null || mounts=true
done
equal 'for engines: one hook does everything, for all devices' "cdi 1 $mounts" "$(shape "$spec")"
"$davit" cdi generate --config "$host/davit.json" > "$work/spec.json"
equal 'on standard output: the mounts are in the spec' 'cdi 1 true' "$(shape "$work/spec.json")"
mount -t tmpfs tmpfs /opt
mkdir -p /opt/kata/bin
install -m 0755 /dev/null /opt/kata/bin/kata-runtime
errors=$("$davit" cdi generate --config "$host/davit.json" --output /run/cdi/kata.json 2>&1 > /dev/null)
equal 'where a program runs no hooks: the mounts are in the spec' 'cdi 1 true' "$(shape /run/cdi/kata.json)"
matches 'where a program runs no hooks: it is named' '^davit: note: the spec has the mounts for kata-runtime' "$errors"
umount /opt
rm /run/cdi/kata.json
uuid2=$(jq -r '[.devices[].name | select(startswith("GPU-"))] | last' "$spec")
mapfile -t mig < <(jq -r '.devices[].name | select(startswith("MIG-"))' "$spec")
one=$(smi_line 0 "$uuid1")
for device in 1 "$uuid1"; do
	sees "GPU $device" "nvidia.com/gpu=$device" -- "$one"
done
sees 'two GPUs' nvidia.com/gpu=1 nvidia.com/gpu=2 -- "$one
$(smi_line 1 "$uuid2")"
sees 'a MIG instance by index' nvidia.com/gpu=0:1 -- "$(smi_line 0 "$uuid0")
  MIG 1g.18gb     Device  0: (UUID: ${mig[1]})"
sees 'a MIG instance by UUID' "nvidia.com/gpu=${mig[0]}" -- "$(smi_line 0 "$uuid0")
  MIG 1g.18gb     Device  0: (UUID: ${mig[0]})"
sees 'all' nvidia.com/gpu=all -- "$(smi_line 0 "$uuid0")
  MIG 1g.18gb     Device  0: (UUID: ${mig[0]})
  MIG 1g.18gb     Device  1: (UUID: ${mig[1]})
$(smi_line 1 "$uuid1")
$(smi_line 2 "$uuid2")"

inside='
echo "$NVIDIA_VISIBLE_DEVICES"
dlprobe libcuda.so.1 libnvidia-ml.so.1
ldconfig -p | grep -c "libcuda.so.1 (libc6,x86-64)"
nodeprobe /dev/nvidiactl /dev/nvidia-uvm /dev/nvidia0 /dev/nvidia1 /dev/dri/renderD129
for link in /dev/dri/by-path/*; do readlink $link; done'
podman_run --device nvidia.com/gpu=1 -- /bin/sh -c "$inside
grep -o 'EGL.*0x[0-9]*' /etc/nvidia/nvidia-application-profiles-rc.d/*"
equal "what is inside ($with)" "0 void
libcuda.so.1: /usr/lib/x86_64-linux-gnu/libcuda.so.1
libnvidia-ml.so.1: /usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1
1
/dev/nvidiactl: ENXIO
/dev/nvidia-uvm: ENXIO
/dev/nvidia0: ENOENT
/dev/nvidia1: ENXIO
/dev/dri/renderD129: ENXIO
../card2
../renderD129
EGLVisibleDGPUDevices\", 0x2" "$rc ${output//: \/lib\//: /usr/lib/}$errors"

podman_run -- nodeprobe /dev/nvidiactl /dev/nvidia1
equal "no device ($with): nothing is inside" '0 /dev/nvidiactl: ENOENT
/dev/nvidia1: ENOENT' "$rc $output$errors"
podman_run --device nvidia.com/gpu=7 -- true
equal "an unknown device ($with): the container doesn't start" no "$([ "$rc" = 0 ] || echo no)"

sees_in() { # KIND
	rootfs=$(kind_root "$1")
	sees "a root of kind $1" nvidia.com/gpu=1 -- "$one"
	rootfs=$(kind_root debian)
}
sees_in rhel
sees_in old-glibc
rootfs=$(kind_root musl)
podman_run --device nvidia.com/gpu=1 -- dlprobe libcuda.so.1
equal "a root of kind musl ($with)" '0 libcuda.so.1: /usr/lib/x86_64-linux-gnu/libcuda.so.1' "$rc $output$errors"
rootfs=$(kind_root debian)

# This kernel has no /proc/driver/nvidia: a hook of another spec gives the container one before.
if [ ! -e /proc/driver/nvidia ]; then
	cat > "$work/give-proc" << 'END'
#!/bin/sh
state=$(cat)
pid=$(echo "$state" | jq .pid)
root=$(jq -r .root.path < "$(echo "$state" | jq -r .bundle)/config.json")
exec nsenter --mount="/proc/$pid/ns/mnt" sh -c "
	mount -t tmpfs tmpfs '$root/proc/driver' && cp -r '$1/proc/driver/nvidia' '$root/proc/driver/'"
END
	chmod +x "$work/give-proc"
	jq -n --arg give "$work/give-proc" --arg host "$host" '{cdiVersion: "0.3.0", kind: "davit.test/proc",
		devices: [{name: "given", containerEdits: {hooks: [{hookName: "createRuntime", path: $give,
			args: ["give-proc", $host], env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}]}}]}' > /run/cdi/proc.json
	look='cd /proc/driver/nvidia; ls gpus; grep ModifyDeviceFiles params; find capabilities -type f 2> /dev/null | sort; touch x 2> /dev/null || echo readonly'
	podman_run --device davit.test/proc=given --device nvidia.com/gpu=2 -- /bin/sh -c "$look"
	equal "the mask over /proc/driver/nvidia ($with)" '0 0000:00:08.0
ModifyDeviceFiles: 0
readonly' "$rc $output$errors"
	podman_run --device davit.test/proc=given --device nvidia.com/gpu=0:1 -- /bin/sh -c "$look"
	equal "the mask of a MIG instance ($with)" '0 0000:00:06.0
ModifyDeviceFiles: 0
capabilities/gpu0/mig/gi2/access
capabilities/gpu0/mig/gi2/ci0/access
readonly' "$rc $output$errors"
fi
rm /run/cdi/*

# --- other forms ---------------------------------------------------------------------------------

"$davit" cdi generate --config "$host/davit.json" --output /run/cdi/other.yaml --vendor example.com \
	--class accelerator --device-name-strategy uuid
sees 'YAML, of another kind' "example.com/accelerator=$uuid1" -- "$one"
rm /run/cdi/*
"$davit" cdi generate --config "$host/davit.json" --output "$spec" --mounts spec
equal '--mounts spec: the mounts are in the spec' 'cdi 1 true' "$(shape "$spec")"
sees '--mounts spec' nvidia.com/gpu=1 -- "$one"
for kind in rhel musl; do
	rootfs=$(kind_root $kind)
	podman_run --device nvidia.com/gpu=1 -- dlprobe libcuda.so.1
	equal "--mounts spec: a root of kind $kind ($with)" 0 "$rc$errors"
done
rootfs=$(kind_root debian)
podman_run --device nvidia.com/gpu=1 -- /bin/sh -c 'dlprobe libcuda.so.1; ls /dev/dri/by-path | wc -l'
equal "--mounts spec ($with): the loader finds it, and links lead to its nodes alone" \
	'0 libcuda.so.1: /usr/lib/x86_64-linux-gnu/libcuda.so.1 2' "$rc $(tr '\n' ' ' <<< "${output//: \/lib\//: /usr/lib/}" | sed 's/ $//')$errors"
# The spec's own commands, one by one, when NVIDIA's options are used.
"$davit" cdi generate --config "$host/davit.json" --output "$spec" --disable-hook=update-application-profile
sees '--disable-hook: hooks of single commands' nvidia.com/gpu=1 -- "$one"
equal '--disable-hook: hooks of single commands' 'create-symlinks enable-cuda-compat update-ldcache disable-device-node-modification' \
	"$(jq -r '[.containerEdits.hooks[].args[1]] | join(" ")' "$spec")"
rm /run/cdi/*
# What libraries lie in is the user's to write: nothing is made there, and the loader is led elsewhere.
mkdir -p "$work/volume"
cp -a "$rootfs/usr/lib/x86_64-linux-gnu/." "$work/volume/"
volume_before=$(tree_state "$work/volume")
"$davit" cdi generate --config "$host/davit.json" --output "$spec" --mounts hook
podman_run --device nvidia.com/gpu=1 -v "$work/volume:/usr/lib/x86_64-linux-gnu" -- /bin/sh -c 'nvidia-smi -L; dlprobe libcuda.so.1'
equal "the library directory is a volume ($with)" "0 $one
libcuda.so.1: /opt/davit/lib/libcuda.so.1" "$rc $output$errors"
equal "the library directory is a volume ($with): it is as it was" "$volume_before" "$(tree_state "$work/volume")"
rm /run/cdi/*

# --- as NVIDIA's tool writes them ----------------------------------------------------------------

# The shapes of the toolkits' specs (tests/engines/cdi-specs), with davit under NVIDIA's names: each
# by a root of the host's user, and with user namespaces in which hooks can't read the bundle.
mkdir "$work/bin"
ln -s "$hook" "$work/bin/nvidia-cdi-hook"
ln -s "$davit" "$work/bin/nvidia-ctk"
chmod 0755 "$work"
folder=/usr/lib/x86_64-linux-gnu
installed_spec() { # NAME: its file in /run/cdi (Debian's Podman knows no additionalGids)
	sed "s|@HOST@|$host|g; s|@BIN@|$work/bin|g; s|@VERSION@|$version|g; s/0\.7\.0/0.5.0/; /additionalGids/,+1d" \
		"$repository/tests/engines/cdi-specs/$1.yaml" > /run/cdi/vendor.yaml
}
vendor_look="
for link in $folder/libcuda.so $folder/libGLX_indirect.so.0 $folder/gbm/nvidia-drm_gbm.so /dev/dri/by-path/*; do readlink \$link; done
dlprobe libcuda.so.1 libnvidia-encode.so.1
stat -c %a /dev/dri
rm /etc/ld.so.cache; ldconfig; dlprobe libcuda.so.1"
vendor_sees="0 $one
libcuda.so.1
libGLX_nvidia.so.$version
../libnvidia-allocator.so.1
../card2
../renderD129
libcuda.so.1: $folder/libcuda.so.$version
libnvidia-encode.so.1: $folder/libnvidia-encode.so.$version
755
libcuda.so.1: $folder/libcuda.so.1"
for toolkit in 1.13 1.15 1.17 1.20; do
	installed_spec toolkit-$toolkit
	podman_run --device nvidia.com/gpu=1 -- /bin/sh -c "nvidia-smi -L$vendor_look"
	equal "the spec of toolkit $toolkit ($with)" "$vendor_sees" "$rc ${output//: \/lib\//: /usr/lib/}$errors"
	equal "the spec of toolkit $toolkit: davit reads it ($with)" \
		'nvidia.com/gpu=1 /run/cdi/vendor.yaml nvidia.com/gpu=all /run/cdi/vendor.yaml' \
		"$("$davit" cdi list --spec-dir /run/cdi 2>&1 | xargs)"
done
# In a user namespace of its own, where the hooks can't read the bundle: crun's state has the root, runc
# starts them in it. (A plain bundle: crun 1.8 enters Podman's before it starts a hook, and fails.)
config=$host/davit.json
new_bundle debian
edit_bundle '.hooks = {createContainer: [
		["create-symlinks", "--link", "libcuda.so.1::\($d)/libcuda.so"], ["enable-cuda-compat", "--host-driver-version=1"],
		["update-ldcache", "--folder", $d], ["disable-device-node-modification"], ["update-application-profile"] |
		{path: $h, args: (["nvidia-cdi-hook"] + .)}]} |
	.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 1000000, size: 65536}] |
	.linux.gidMappings = .linux.uidMappings | .linux.cgroupsPath = $cgroup |
	.mounts += [{destination: "\($d)/libcuda.so.\($v)", type: "bind", source: "\($host)/driver/lib64/libcuda.so.\($v)", options: ["bind", "ro"]}]
	' --arg h "$work/bin/nvidia-cdi-hook" --arg d "$folder" --arg v "$version" --arg host "$host" --arg cgroup "$cgroup-mapped"
chown -hR 1000000:1000000 "$bundle/rootfs"
chmod 0711 "$bundle"
umask 077 # of config.json
run_script "readlink $folder/libcuda.so; dlprobe libcuda.so.1"
umask 022
equal "hooks that can't read their bundle ($ENGINE, cgroup $CGROUP)" "0 libcuda.so.1
libcuda.so.1: $folder/libcuda.so.$version" "$rc ${output//: \/lib\//: /usr/lib/}$errors"
drop_bundle
rm /run/cdi/*

# Libraries where the host has them, SONAME links left to the loader cache's hook, newer hooks that
# davit doesn't know.
cat > /run/cdi/nvidia.yaml << END
---
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
- name: "1"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia1
      hostPath: $host/dev/nvidia1
    - path: /dev/dri/renderD129
      hostPath: $host/dev/dri/renderD129
    hooks:
    - hookName: createContainer
      path: $work/bin/nvidia-cdi-hook
      args:
      - nvidia-cdi-hook
      - create-symlinks
      - --link
      - ../renderD129::/dev/dri/by-path/pci-0000:00:07.0-render
    - hookName: createContainer
      path: $work/bin/nvidia-cdi-hook
      args: 
      - nvidia-cdi-hook
      - chmod
      - --mode
      - "755"
      - --path
      - /dev/dri
containerEdits:
  env:
  - NVIDIA_VISIBLE_DEVICES=void
  deviceNodes:
  - path: /dev/nvidiactl
    hostPath: $host/dev/nvidiactl
  - path: /dev/nvidia-uvm
    hostPath: $host/dev/nvidia-uvm
  hooks:
  - hookName: createContainer
    path: $work/bin/nvidia-cdi-hook
    args:
    - nvidia-cdi-hook
    - create-symlinks
    - --link
    - libcuda.so.1::$folder/libcuda.so
  - hookName: createContainer
    path: $work/bin/nvidia-cdi-hook
    args:
    - nvidia-cdi-hook
    - enable-cuda-compat
    - --host-driver-version=$version
  - hookName: createContainer
    path: $work/bin/nvidia-cdi-hook
    args:
    - nvidia-cdi-hook
    - update-ldcache
    - --ldconfig-path
    - /sbin/ldconfig
    - --folder
    - $folder
    env:
    - NVIDIA_CTK_DEBUG=false
  - hookName: createContainer
    path: $work/bin/nvidia-cdi-hook
    args:
    - nvidia-cdi-hook
    - disable-device-node-modification
  - hookName: createContainer
    path: $work/bin/nvidia-cdi-hook
    args:
    - nvidia-cdi-hook
    - invented-tomorrow
    - --how
    - so
  mounts:
END
for name in bin/nvidia-smi lib64/lib{cuda,nvidia-ml}.so."$version"; do
	place=$folder
	[[ $name != bin/* ]] || place=/usr/bin
	cat >> /run/cdi/nvidia.yaml << END
  - hostPath: $host/driver/$name
    containerPath: $place/${name##*/}
    options:
    - ro
    - nosuid
    - nodev
    - rbind
    - rprivate
END
done
sees "a spec in the shape of NVIDIA's tool" nvidia.com/gpu=1 -- "$one"
podman_run --device nvidia.com/gpu=1 -- /bin/sh -c "$inside
readlink $folder/libcuda.so; readlink $folder/libcuda.so.1; stat -c %a /dev/dri"
equal "a spec in the shape of NVIDIA's tool ($with): what is inside" "0 void
libcuda.so.1: /usr/lib/x86_64-linux-gnu/libcuda.so.$version
libnvidia-ml.so.1: /usr/lib/x86_64-linux-gnu/libnvidia-ml.so.$version
1
/dev/nvidiactl: ENXIO
/dev/nvidia-uvm: ENXIO
/dev/nvidia0: ENOENT
/dev/nvidia1: ENXIO
/dev/dri/renderD129: ENXIO
../renderD129
libcuda.so.1
libcuda.so.$version
755" "$rc ${output//: \/lib\//: /usr/lib/}$errors"
equal "davit reads it ($with)" "nvidia.com/gpu=1 /run/cdi/nvidia.yaml
davit: warning: /run/cdi/nvidia.yaml: its hook $work/bin/nvidia-cdi-hook is davit, which has no command invented-tomorrow" \
	"$("$davit" cdi list --spec-dir /run/cdi 2>&1 | tr -s ' ')"
report_exit
