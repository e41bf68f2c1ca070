#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# WSL2: what a container sees, by the hook, by davit-runtime and by a CDI spec: the same.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
enter_namespace "$@"
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host" --platform wsl
store=/usr/lib/wsl/drivers/nv_fake.inf_amd64_0123456789abcdef
with="$ENGINE, cgroup $CGROUP"
spare_crun_memlock
low=$(command -v "$ENGINE")

# What is the same for whoever gives it; the loader's cache may name directories by their links.
look="
echo '== files'
find /usr/lib/wsl ! -type d | sort
for l in $store/libcuda.so.1 $store/libcuda.so /usr/bin/nvidia-smi; do
	[ ! -L \$l ] || echo \"\$l \$(readlink \$l)\"
done
echo '== loaded'
dlprobe libcuda.so.1 libcuda.so libnvidia-ml.so.1 libdxcore.so libnvidia-ptxjitcompiler.so.1 2>&1 | sed 's|: /.*/|: |'
[ -x /sbin/ldconfig ] && ldconfig 2> /dev/null
dlprobe libcuda.so.1 | sed 's|: /.*/|: |'
readlink -f \$(dlprobe libcuda.so.1 | sed 's/.*: //')
echo '== nodes'
ls -d /dev/dxg /dev/nvidia* 2> /dev/null; nodeprobe /dev/dxg
"
new_bundle debian NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
run_script "$look"
by_hook=$output
host_unchanged "hook ($with)"
equal "hook ($with): the shim is what is loaded, not the driver itself" \
	"libcuda.so.1: libcuda.so.1
libcuda.so: libcuda.so.1
libnvidia-ml.so.1: libnvidia-ml.so.1
libdxcore.so: libdxcore.so
libnvidia-ptxjitcompiler.so.1: libnvidia-ptxjitcompiler.so.1
libcuda.so.1: libcuda.so.1
$store/libcuda_loader.so" "$(part loaded)$errors"
equal "hook ($with): the node, and none of the native driver" "/dev/dxg
/dev/dxg: ENXIO" "$(part nodes)"
drop_bundle

new_bundle debian NVIDIA_VISIBLE_DEVICES=none
run_script "$look"
equal "none ($with): files, and no node" "/dev/dxg: ENOENT $(grep -c wsl <<< "$by_hook")" "$(part nodes) $(grep -c wsl <<< "$output")"
drop_bundle

new_bundle debian NVIDIA_VISIBLE_DEVICES=7
run_container true
equal "another GPU than there is ($with): it doesn't start" 1 "$((rc != 0))"
# crun drops what a hook says.
[ "${ENGINE##*/}" = crun ] || matches "another GPU than there is ($with)" 'cannot inject GPU 7: the host has 1 GPU' "$errors"
drop_bundle

# The image has a stub of its own where the links and the driver's libraries go.
new_bundle debian NVIDIA_VISIBLE_DEVICES=0
mkdir -p "$bundle/rootfs$store" "$bundle/rootfs/usr/lib/x86_64-linux-gnu"
: > "$bundle/rootfs/usr/lib/x86_64-linux-gnu/libcuda.so.1"
: > "$bundle/rootfs$store/libcuda.so.1"
: > "$bundle/rootfs$store/libnvidia-ml.so.1"
run_script 'readlink -f $(dlprobe libcuda.so.1 | sed "s/.*: //"); dlprobe libnvidia-ml.so.1'
equal "stubs in the image ($with)" "0 $store/libcuda_loader.so
libnvidia-ml.so.1: $store/libnvidia-ml.so.1" "$rc $output$errors"
drop_bundle

# The image has an nvidia-smi and a libcuda of its own, with content.
new_bundle debian NVIDIA_VISIBLE_DEVICES=0
mkdir -p "$bundle/rootfs/usr/bin" "$bundle/rootfs/usr/lib/wsl/lib"
printf "the image's" | tee "$bundle/rootfs/usr/bin/nvidia-smi" > "$bundle/rootfs/usr/lib/wsl/lib/libcuda.so.1"
run_script "cmp /usr/bin/nvidia-smi $store/nvidia-smi && cmp /usr/lib/wsl/lib/libcuda.so.1 $store/libcuda_loader.so && echo same"
equal "files of the image where the links go ($with)" '0 same' "$rc $output$errors"
drop_bundle

# In a user namespace where the owner of the store has another id than 0, it is still one mount.
new_bundle debian NVIDIA_VISIBLE_DEVICES=0
equal "an owner with another id ($with)" "/usr/lib/wsl/drivers" \
	"$(unshare --user --map-users 0,1000,1 --map-groups 0,1000,1 "$davit" explain --config "$config" --bundle "$bundle" --json |
		jq -r --arg store "$store" '.operations[] | select(.op == "bind" and (.target | startswith($store))).target' |
		sed 's|/[^/]*$||')"
drop_bundle

for mode in spec hook; do
	ENGINE=$runtime
	configure_runtime "$low" ".runtime.mode = \"$mode\""
	runtime_bundle debian NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
	run_script "$look"
	equal "davit-runtime, mode $mode ($with): the same" "$by_hook" "$output$errors"
	drop_bundle
done
ENGINE=$low

# --- CDI: the spec, given to a container as an engine would -----------------------------------------

"$davit" cdi generate --config "$config" --format json > "$work/spec.json"
equal "CDI ($with): all, by index and by UUID" '0 GPU-11111111-2222-3333-4444-555555555555 all' \
	"$(jq -r '[.devices[].name] | sort | join(" ")' "$work/spec.json")"
equal "CDI ($with): the node is each one's" '/dev/dxg' \
	"$(jq -r '[.devices[].containerEdits.deviceNodes[].path] | unique | join(" ")' "$work/spec.json")"
new_bundle debian
edit_bundle '($spec[0] | [.containerEdits, (.devices[] | select(.name == "0").containerEdits)]) as $edits |
	.hooks = {createContainer: [$edits[].hooks[]? | {path: .path, args: .args}]} |
	.mounts += [$edits[].mounts[]? | {destination: .containerPath, source: .hostPath, type: "bind", options: .options}] |
	.linux.devices += [$edits[].deviceNodes[]? | {path: .path, type: "c", major: $major, minor: 125, fileMode: 438}] |
	.linux.resources.devices += [{allow: true, type: "c", major: $major, minor: 125, access: "rw"}]' \
	--slurpfile spec "$work/spec.json" --argjson major "$((16#$(stat -c %t "$host/dev/dxg")))"
run_script "$look"
everything=$(sed '/== loaded/,$d' <<< "$output")
equal "CDI ($with): what the hook gives is there" '' "$(comm -23 <(sed '/== loaded/,$d' <<< "$by_hook" | sort) <(sort <<< "$everything"))"
equal "CDI ($with): loaded as by the hook" "$(sed -n '/== loaded/,$p' <<< "$by_hook")" "$(sed -n '/== loaded/,$p' <<< "$output")$errors"
drop_bundle
report_exit
