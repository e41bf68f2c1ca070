#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Images that bring things of their own: links, scripts, stubs and libraries under the driver's
# names, and long environments.
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
both="$(smi_line 0 "$uuid0")
$(smi_line 1 "$uuid1")"
lib=/usr/lib/x86_64-linux-gnu

# image NAME COMMANDS: the commands, run in the root, make the image; then it must work.
image() {
	local name="$1 ($with)"
	new_bundle debian NVIDIA_VISIBLE_DEVICES=all
	(cd "$bundle/rootfs" && eval "$2")
	run_script "
echo '== smi'; nvidia-smi -L
echo '== dl'; dlprobe libcuda.so.1 libnvidia-ml.so.1
echo '== real'; sha256sum < $lib/libcuda.so.1; sha256sum < $lib/libnvidia-ml.so.1
echo '== cache'; ldconfig -p | grep -c 'libcuda.so.1 '
"
	equal "$name: nvidia-smi -L" "0 $both" "$rc $(part smi)$errors"
	equal "$name: the loader finds the libraries" "libcuda.so.1: $lib/libcuda.so.1
libnvidia-ml.so.1: $lib/libnvidia-ml.so.1" "$(part dl | sed 's|: /lib/|: /usr/lib/|')"
	equal "$name: which are the driver's" "$(sha256sum < "$host/driver/lib64/libcuda.so.$version")
$(sha256sum < "$host/driver/lib64/libnvidia-ml.so.$version")" "$(part real)"
	equal "$name: in the loader cache once" 1 "$(part cache)"
	host_unchanged "$name"
}

image 'no driver in the image' :
drop_bundle

image 'dangling links into /usr/local/nvidia and a script' "
for l in libcuda.so.1 libcuda.so libnvidia-ml.so.1 libcuda.so.$version; do
	ln -s /usr/local/nvidia/lib64/\$l .$lib/\$l
done
printf '#!/bin/sh\necho a script of the image\n' > usr/bin/nvidia-smi; chmod +x usr/bin/nvidia-smi"
drop_bundle

image 'links that lead out of the root' "
for l in libcuda.so.1 libnvidia-ml.so.1 libcuda.so.$version; do
	ln -s ../../../../../../../../../..$work/outside-\$l .$lib/\$l
done
ln -s $work/outside-nvidia-smi usr/bin/nvidia-smi"
equal "links that lead out of the root ($with): nothing is made there" '' \
	"$(find "$work" -maxdepth 1 -name 'outside*')"
drop_bundle

image 'stubs of no bytes' "
for l in libcuda.so.1 libcuda.so.$version libnvidia-ml.so.1 libnvidia-ml.so.$version; do
	: > .$lib/\$l
done
: > usr/bin/nvidia-smi"
drop_bundle

image 'libraries of another driver' "
cp $host/driver/lib64/libnvidia-cfg.so.$version .$lib/libcuda.so.520.61.05
ln -s libcuda.so.520.61.05 .$lib/libcuda.so.1
cp $host/driver/lib64/libnvidia-cfg.so.$version .$lib/libnvidia-ml.so.1"
equal "libraries of another driver ($with): the image's file is kept" \
	"$(sha256sum < "$host/driver/lib64/libnvidia-cfg.so.$version")" \
	"$(sha256sum < "$bundle/rootfs$lib/libnvidia-ml.so.1")"
drop_bundle

image 'a real libcuda.so.1' "
cp $host/driver/lib64/libnvidia-cfg.so.$version .$lib/libcuda.so.1
ldconfig -X -r ."
drop_bundle

image 'no /etc/ld.so.cache' 'rm etc/ld.so.cache'
drop_bundle

# As CUDA's images have it, for every branch of drivers: 12 KB.
long=cuda\>=13.0
for ((branch = 100; branch < 460; branch++)); do
	long+=" brand=tesla,driver>=$branch,driver<$((branch + 1))"
done
new_bundle debian NVIDIA_VISIBLE_DEVICES=all "NVIDIA_REQUIRE_CUDA=$long"
run_script 'nvidia-smi -L'
equal "an environment of ${#long} bytes ($with)" "0 $both" "$rc $output$errors"
drop_bundle

# Two at once, of one host: neither is in the other's way.
new_bundle debian NVIDIA_VISIBLE_DEVICES=0
first=$bundle
edit_bundle '.process.args = ["/bin/sh", "-c", "sleep 1; nvidia-smi -L"] | .linux.cgroupsPath += "-a"'
"$ENGINE" --root "$work/state" run -b "$bundle" "davit-test-$unique-a" > "$work/first" 2>&1 < <(:) &
pid=$!
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
run_script 'nvidia-smi -L'
wait "$pid"
equal "two at once ($with)" "$(smi_line 0 "$uuid0")
$(smi_line 0 "$uuid1")" "$(cat "$work/first")
$output$errors"
drop_bundle
bundle=$first
drop_bundle
report_exit
