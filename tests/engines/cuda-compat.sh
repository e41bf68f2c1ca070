#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CUDA forward compatibility: an image's newer driver libraries are found first when they run on the
# host's driver, else the host's; nothing of the image's path is ever mounted.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
enter_namespace "$@"
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host"
version=$(cat "$host/driver/version")
with="$ENGINE, cgroup $CGROUP"
spare_crun_memlock

# library DIRECTORY NAME SONAME [NOTE]: a library as the driver has them.
library() {
	local options=()
	if [ -n "${4:-}" ]; then
		printf '%s' "$4" > "$work/note.json"
		options=(-DSTUB_NOTE="\"$work/note.json\"")
	fi
	mkdir -p "$1"
	"${CC:-cc}" -fPIC -shared -nostdlib -DSTUB_NAME="\"$2\"" "${options[@]}" -Wl,-soname,"$3" \
		-o "$1/$2" "$fixture/src/stub.c"
	ln -sfn "$2" "$1/$3"
}

# image VERSION NOTE: as CUDA's images have it, a chain of links to a compat directory.
image() {
	local root=$bundle/rootfs
	mkdir -p "$root/usr/local/cuda-13.9/compat" "$root/etc/alternatives"
	ln -sfn /etc/alternatives/cuda "$root/usr/local/cuda"
	ln -sfn /usr/local/cuda-13.9 "$root/etc/alternatives/cuda"
	library "$root/usr/local/cuda-13.9/compat" "libcuda.so.$1" libcuda.so.1 "$2"
	library "$root/usr/local/cuda-13.9/compat" "libnvidia-ptxjitcompiler.so.$1" \
		libnvidia-ptxjitcompiler.so.1
}

hosts=/usr/lib/x86_64-linux-gnu
images=/usr/local/cuda/compat
# resolves NAME DIRECTORY LIBCUDA-VERSION NOTE [VARIABLE...]: where the two libraries come from.
resolves() {
	local name="$1 ($with)" directory=$2
	new_bundle debian NVIDIA_VISIBLE_DEVICES=0 "${@:5}"
	image "$3" "$4"
	run_script '
echo "== dl"; dlprobe libcuda.so.1 libnvidia-ptxjitcompiler.so.1 libnvidia-ml.so.1
echo "== mounts"; grep -E "cuda-13|local|compat" /proc/self/mountinfo
echo "== link"; readlink /usr/lib/x86_64-linux-gnu/libcuda.so.1'
	equal "$name: libcuda and its kin" "libcuda.so.1: $directory
libnvidia-ptxjitcompiler.so.1: $directory
libnvidia-ml.so.1: $hosts" "$(part dl | sed 's|: /lib/|: /usr/lib/|; s|/[^/]*$||')$errors"
	equal "$name: nothing is mounted there" '' "$(part mounts)"
	equal "$name: the host's library is in its place" "libcuda.so.$version" "$(part link)"
	host_unchanged "$name"
	drop_bundle
}

note() { # DRIVERS
	printf '{"format":1,"CUDA version":"13.9","driver":[%s],"device":[]}' "$1"
}
resolves 'a newer libcuda for this driver' $images 590.10.01 "$(note 535,580)"
resolves 'a newer minor for this driver' $images 580.250.01 "$(note 580)"
resolves 'a newer libcuda for other drivers' $hosts 590.10.01 "$(note 535,550)"
resolves 'an older libcuda for this driver' $hosts 535.10.01 "$(note 535,580)"
resolves 'the same libcuda' $hosts "$version" "$(note 580)"
resolves 'a higher major without a note' $images 590.10.01 ''
resolves 'a lower major without a note' $hosts 570.10.01 ''
resolves 'a note that is no JSON, higher major' $images 590.10.01 '{{{'

# What a later ldconfig in the container does: apt-get calls it.
name="a later ldconfig ($with)"
new_bundle debian NVIDIA_VISIBLE_DEVICES=0
image 590.10.01 "$(note 580)"
run_script "rm /etc/ld.so.cache; ldconfig; dlprobe libcuda.so.1 libnvidia-ml.so.1 | sed 's|: /lib/|: /usr/lib/|; s|/[^/]*\$||'"
equal "$name: the image's newer libraries stay first" "0 libcuda.so.1: $images
libnvidia-ml.so.1: $hosts" "$rc $output$errors"
drop_bundle
# In a volume that the container writes the driver's libraries lie elsewhere.
new_bundle debian NVIDIA_VISIBLE_DEVICES=0
mkdir "$bundle/volume"
edit_bundle '.mounts += [{destination: $at, type: "bind", source: $volume, options: ["rbind", "rw"]}]' \
	--arg at $hosts --arg volume "$work/roots/debian$hosts"
run_script "rm /etc/ld.so.cache; ldconfig; dlprobe libcuda.so.1"
equal "$name: libraries that lie elsewhere are found" '0 libcuda.so.1: /opt/davit/lib/libcuda.so.1' "$rc $output$errors"
drop_bundle
# Another distribution's, which has other directories built in.
new_bundle rhel NVIDIA_VISIBLE_DEVICES=0
edit_bundle '.mounts += [{destination: "/mnt/ldconfig", type: "bind", source: "/sbin/ldconfig", options: ["bind", "ro"]}]'
run_script "rm /etc/ld.so.cache; /mnt/ldconfig -f /etc/ld.so.conf -C /etc/ld.so.cache; dlprobe libcuda.so.1; cat /etc/ld.so.conf.d/zz-davit.conf | xargs"
equal "$name: another distribution's" '0 libcuda.so.1: /usr/lib64/libcuda.so.1
/lib64 /usr/lib64 /lib /usr/lib' "$rc ${output//: \/lib64\//: /usr/lib64/}$errors"
drop_bundle

jq '."cuda-compat" = "never"' < "$host/davit.json" > "$work/davit.json"
config=$work/davit.json
resolves 'cuda-compat never' $hosts 590.10.01 "$(note 580)"
config=$host/davit.json

name="a container without compute ($with)"
new_bundle debian NVIDIA_VISIBLE_DEVICES=0 NVIDIA_DRIVER_CAPABILITIES=utility
image 590.10.01 "$(note 580)"
run_script 'dlprobe libcuda.so.1'
matches "$name: no libcuda" 'libcuda.so.1: error' "$output"
drop_bundle
report_exit
