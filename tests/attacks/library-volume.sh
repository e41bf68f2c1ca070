#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The image's library directory is a volume that the container writes: the driver's libraries are in
# the container's own root, where the loader's cache, or musl's path file, leads to, and the volume is
# as it was. By the hook, davit-runtime and davit-container-cli (INJECTOR).
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
# shellcheck source=tests/lib/volume.sh
. "$repository/tests/lib/volume.sh"
enter_namespace "$@"
volume_place

inside='nvidia-smi -L; dlprobe libcuda.so.1; [ ! -e /opt/davit ] || ls -d /opt/davit; [ ! -e /.davit ] || ls -d /.davit'
# moved_in NAME DIRECTORY IMAGE OPTIONS DESTINATION: it has its GPU by libraries in that directory.
moved_in() {
	local name=$1 directory=$2
	shift
	place "$@"
	equal "$name: it has its GPU" "0 $gpu
libcuda.so.1: $directory/lib/libcuda.so.1
$directory" "$rc $output${errors:+ $errors}"
	drop_bundle
	volume_untouched "$name"
}
for destination in $lib usr/lib; do
	volume "cp -a '$work/roots/debian/$destination/.' ."
	moved_in "$with: a writable volume at /$destination" /opt/davit true '["rbind"]' "/$destination"
done
volume "cp -a '$work/roots/debian/$lib/.' ."
moved_in "$with: the library directory is a link into a writable volume" /opt/davit \
	"mkdir vol; rm -rf $lib; ln -s ../../vol/. $lib" '["rbind"]' /vol
volume "cp -a '$work/roots/debian/$lib/.' ."
moved_in "$with: and /opt leads there, too" /.davit \
	"mkdir vol; rm -rf $lib opt; ln -s ../../vol $lib; ln -s vol opt" '["rbind"]' /vol
volume "cp -a '$work/roots/debian/usr/.' ."
refused_in "$with: a writable volume at /usr, without nvidia-smi" true '["rbind"]' /usr
volume "cp -a '$work/roots/debian/usr/.' .; for n in '$host'/driver/bin/*; do : > bin/\${n##*/}; done"
moved_in "$with: a writable volume at /usr, with nvidia-smi" /opt/davit true '["rbind"]' /usr
# With musl programs for glibc don't start; what is looked for is the way to the libraries.
kind_root musl > /dev/null
for path in '' '/usr/lib:/lib'; do
	volume "cp -a '$work/roots/musl/usr/lib/.' ."
	new_bundle musl NVIDIA_VISIBLE_DEVICES=0
	in_image "[ -z '$path' ] || echo '$path' > etc/ld-musl-$(uname -m).path"
	edit_bundle '.mounts += [{destination: "/usr/lib", type: "bind", source: $s, options: ["rbind"]}]' --arg s "$vol"
	run_script 'dlprobe libcuda.so.1; head -1 /etc/ld-musl-*.path; ls -d /opt/davit'
	equal "$with: musl, a writable volume at /usr/lib, its path file: '$path'" '0 libcuda.so.1: /opt/davit/lib/libcuda.so.1
/opt/davit/lib
/opt/davit' "$rc $output${errors:+ $errors}"
	drop_bundle
	volume_untouched "$with: musl, a writable volume at /usr/lib"
done
unset inside
report_exit
