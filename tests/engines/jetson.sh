#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Boards with Tegra: what a container sees, by the hook alone (as `docker run --gpus` has it), by
# davit-runtime and by a CDI spec: the same; groups where they can be had; the image's newer libraries
# of Orin's own directory, and no others.
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
with="$ENGINE, cgroup $CGROUP"
spare_crun_memlock
low=$(command -v "$ENGINE")
lib=/usr/lib/aarch64-linux-gnu

look="
echo '== files'
find $lib /etc/vulkan/icd.d /usr/lib/firmware /etc/nv_tegra_release /opt/extra ! -type d 2> /dev/null | sort
for l in $lib/nvidia/libcuda.so.1 $lib/nvidia/libcuda.so $lib/libcuda.so $lib/libv4l/plugins/nv/libv4l2_nvargus.so; do
	echo \"\$l \$(readlink \$l)\"
done
echo '== loaded'
dlprobe libcuda.so.1 libnvidia-ml.so.1 | sed 's|: /lib/|: /usr/lib/|'
[ -x /sbin/ldconfig ] && ldconfig 2> /dev/null
dlprobe libcuda.so.1 | sed 's|: /lib/|: /usr/lib/|'
echo '== nodes'
find /dev ! -type d -path '*nv*' | sort
nodeprobe /dev/nvmap /dev/nvgpu/igpu0/ctrl /dev/dri/card0
"
"$fixture/fake-host" "$host" --platform orin
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
run_script "$look"
by_hook=$output
host_unchanged "hook ($with)"
equal "hook ($with): links of the host, and what they lead to" "$lib/nvidia/libcuda.so.1 libcuda.so.1.1
$lib/nvidia/libcuda.so libcuda.so.1
$lib/libcuda.so nvidia/libcuda.so
$lib/libv4l/plugins/nv/libv4l2_nvargus.so ../../../nvidia/libv4l2_nvargus.so" "$(part files | grep ' ')"
equal "hook ($with): the loader finds them" "libcuda.so.1: $lib/nvidia/libcuda.so.1.1
libnvidia-ml.so.1: $lib/nvidia/libnvidia-ml.so.1
libcuda.so.1: $lib/nvidia/libcuda.so.1" "$(part loaded)$errors"
equal "hook ($with): nodes that may be opened" "/dev/nvmap: ENXIO
/dev/nvgpu/igpu0/ctrl: ENXIO
/dev/dri/card0: ENXIO" "$(part nodes | grep ': ')"
drop_bundle

for mode in spec hook; do
	ENGINE=$runtime
	configure_runtime "$low" ".runtime.mode = \"$mode\""
	runtime_bundle debian NVIDIA_VISIBLE_DEVICES=all
	run_script "$look"
	equal "davit-runtime, mode $mode ($with): the same" "$by_hook" "$output$errors"
	[ $mode = hook ] || equal "davit-runtime ($with): the nodes' groups" \
		"$(find "$host/dev" -type c -perm 660 ! -gid 0 -printf '%G\n' | sort -nu | xargs)" \
		"$(jq -r '.process.user.additionalGids | sort | map(tostring) | join(" ")' < "$bundle/config.json")"
	drop_bundle
done
ENGINE=$low

# A user of the container: with the groups that davit-runtime gives, the nodes are his.
"$davit" cdi generate --config "$config" --format json > "$work/spec.json"
equal "CDI ($with): all, by index and by UUID" '0 54d0709b-1111-5222-9333-444444444444 all' \
	"$(jq -r '[.devices[].name] | sort | join(" ")' "$work/spec.json")"
equal "CDI ($with): groups" "$(find "$host/dev" -type c -perm 660 ! -gid 0 -printf '%G\n' | sort -nu | xargs)" \
	"$(jq -r '.devices[] | select(.name == "0") | .containerEdits.additionalGids | sort | map(tostring) | join(" ")' "$work/spec.json")"
new_bundle debian
edit_bundle '($spec[0] | [.containerEdits, (.devices[] | select(.name == "0").containerEdits)]) as $edits |
	.hooks = {createContainer: [$edits[].hooks[]? | {path: .path, args: .args}]} |
	.mounts += [$edits[].mounts[]? | {destination: .containerPath, source: .hostPath, type: "bind", options: .options}] |
	.mounts += [$edits[].deviceNodes[]? | {destination: .path, source: .hostPath, type: "bind", options: ["bind"]}] |
	.linux.resources.devices += [{allow: true, type: "c", major: $major, access: "rw"}]' \
	--slurpfile spec "$work/spec.json" --argjson major "$((16#$(stat -c %t "$host/dev/nvmap")))"
run_script "$look"
equal "CDI ($with): what the hook gives is there" '' \
	"$(comm -23 <(sed '/== loaded/,$d' <<< "$by_hook" | sort) <(sed '/== loaded/,$d' <<< "$output" | sort))"
equal "CDI ($with): loaded as by the hook" "libcuda.so.1: $lib/nvidia/libcuda.so.1
libnvidia-ml.so.1: $lib/nvidia/libnvidia-ml.so.1" "$(part loaded | head -n 2 | sed 's/so.1.1$/so.1/')$errors"
drop_bundle

# The image's own newer libraries: those of Orin's directory, never those for servers.
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
for directory in compat compat_orin; do
	mkdir -p "$bundle/rootfs/usr/local/cuda/$directory"
	cp "$host/driver$lib/nvidia/libcuda.so.1.1" "$bundle/rootfs/usr/local/cuda/$directory/libcuda.so.999.1"
done
"$davit" explain --bundle "$bundle" --config "$config" --json > "$work/explained"
run_script 'dlprobe libcuda.so.1'
equal "compat ($with): the same CUDA version isn't newer" "libcuda.so.1: $lib/nvidia/libcuda.so.1.1" \
	"${output//: \/lib\//: /usr/lib/}$errors"
drop_bundle
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
mkdir -p "$bundle/rootfs/usr/local/cuda/compat_orin"
printf 'no ELF file' > "$bundle/rootfs/usr/local/cuda/compat_orin/libcuda.so.999.1"
run_script 'dlprobe libcuda.so.1'
equal "compat ($with): what can't be read is passed over" "0 libcuda.so.1: $lib/nvidia/libcuda.so.1.1" \
	"$rc ${output//: \/lib\//: /usr/lib/}$errors"
drop_bundle

# Discrete GPUs beside the chip's own: none has another's node.
"$fixture/fake-host" "$host" --platform thor+dgpu
for request in 0 1 2 GPU-bbbbbbbb-1111-2222-3333-444444444443 none; do
	new_bundle debian NVIDIA_VISIBLE_DEVICES=$request
	run_script 'ls /dev | grep -E "^nvidia[0-9]" | xargs'
	case $request in
	0) expected='nvidia0 nvidia2' ;;
	1) expected=nvidia1 ;;
	none) expected='' ;;
	*) expected=nvidia3 ;;
	esac
	equal "a discrete GPU beside the chip's ($with): $request" "$expected" "$output$errors"
	drop_bundle
done

# nvidia-ctk's --csv.file: these lists in place of the board's, and no less trusted.
"$fixture/fake-host" "$host" --platform orin
mkdir "$work/bin"
ln -s "$davit" "$work/bin/nvidia-ctk"
own=$host/driver/etc/own.csv
printf 'dev, /dev/nvmap\nlib, %s/nvidia/libcuda.so.1.1\n' "$lib" > "$own"
generate() {
	rc=0
	"$work/bin/nvidia-ctk" cdi generate --format json --csv.file="$own" > "$work/own.json" 2> "$work/errors" || rc=$?
}
generate
equal "--csv.file: what it lists and no more ($with)" "0 /dev/nvmap /etc/nv_tegra_release $lib/nvidia/libcuda.so.1.1" \
	"$rc $(jq -r '[.. | objects | (.deviceNodes[]?.path, .mounts[]?.containerPath)] | unique | join(" ")' "$work/own.json")$(cat "$work/errors")"
chmod 0666 "$own"
generate
matches "--csv.file: a list that anybody can write ($with)" '^1 .*own.csv is writable by users other than root' "$rc $(cat "$work/errors")"
rm "$own"
generate
matches "--csv.file: a list that there is not ($with)" '^1 .*own.csv' "$rc $(cat "$work/errors")"

"$fixture/fake-host" "$host" --platform xavier
new_bundle debian NVIDIA_VISIBLE_DEVICES=0
run_script 'dlprobe libcuda.so.1; nodeprobe /dev/nvmap /dev/tegra_dc_0'
equal "JetPack 5 ($with): no NVML, one list" "libcuda.so.1: $lib/tegra/libcuda.so.1.1
/dev/nvmap: ENXIO
/dev/tegra_dc_0: ENXIO" "${output//: \/lib\//: /usr/lib/}$errors"
drop_bundle
report_exit
