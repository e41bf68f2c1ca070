#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Boards with Tegra: lists have the power of -v and --device, so nobody but root may have a say in them,
# nor in what they lead to; and the image has links where their files go.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
enter_namespace "$@"
make_work
host=$work/host
config=$host/davit.json
spare_crun_memlock
secret=$work/secret
printf 'the secret' > "$secret"
chmod 0600 "$secret"
lib=usr/lib/aarch64-linux-gnu
make_host() {
	"$fixture/fake-host" "$host" --platform orin
	lists=$host/driver/etc/nvidia-container-runtime/host-files-for-container.d
}

# refused NAME PATTERN: no container starts, and the line says why.
refused() {
	new_bundle debian NVIDIA_VISIBLE_DEVICES=all NVIDIA_REQUIRE_JETPACK=csv-mounts=all
	run_script 'echo started'
	equal "$1: it doesn't start" '1 ' "$((rc != 0)) $output"
	matches "$1: the line" "$2" "$errors"
	host_unchanged "$1"
	drop_bundle
}

# --- who may write the lists ------------------------------------------------------------------------

make_host
chmod 0666 "$lists/drivers.csv"
refused 'a list that anybody can write' 'trust .*drivers.csv is writable by users other than root'
make_host
chown 1000 "$lists/drivers.csv"
refused "a list of a user's" 'trust .*drivers.csv does not belong to root'
make_host
chmod 0777 "$lists"
refused 'a directory of lists that anybody can write' 'host-files-for-container.d is writable by users other than root'
make_host
chmod 0775 "$host/driver/etc/nvidia-container-runtime"
refused 'a directory above it that a group can write' 'nvidia-container-runtime is writable by users other than root'
make_host
mkdir "$host/driver/home"
printf 'lib, /etc/secret\n' > "$host/driver/home/own.csv"
chown 1000 "$host/driver/home/own.csv"
ln -s /home/own.csv "$lists/zz.csv"
refused "a list that is a link to a user's file" 'own.csv does not belong to root'
make_host
chown -h 1000 "$host/driver/$lib/libcuda.so"
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
run_script "[ -e /$lib/libcuda.so ] || echo absent"
equal "a link of a user's in a file's way: it is left out" absent "$output$errors"
drop_bundle

# --- where they lead ------------------------------------------------------------------------------

# Each line that would give the secret, or a part of the host that no list gives.
make_host
cp "$secret" "$host/driver/etc/shadow"
mkdir -p "$host/driver/home/u" "$host/driver/usr/lib/own"
ln -s /etc/shadow "$host/driver/home/u/lib.so"
ln -s ../../../etc/shadow "$host/driver/usr/lib/own/lib.so.1"
ln -s "../../../../../../../../../..$secret" "$host/driver/usr/lib/own/outside.so.1"
ln -s "$secret" "$host/driver/usr/lib/own/absolute.so.1"
ln -s /etc/shadow "$host/driver/usr/lib/own/absolute-inside.so.1"
mkdir -m 0777 "$host/driver/usr/lib/users"
cp "$secret" "$host/driver/usr/lib/users/lib.so"
mknod -m 600 "$host/dev/mem" c 1 1
mknod -m 600 "$host/dev/sda" b 8 0
mkdir -p "$host/dev/input"
mknod -m 600 "$host/dev/input/event0" c 13 64
cat >> "$lists/drivers.csv" << 'END'
sym, /home/u/lib.so
lib, ../../../etc/shadow
lib, /usr/lib/own/lib.so.1
sym, /usr/lib/own/lib.so.1
lib, /usr/lib/own/outside.so.1
sym, /usr/lib/own/outside.so.1
lib, /usr/lib/own/absolute.so.1
sym, /usr/lib/own/absolute.so.1
lib, /usr/lib/own/absolute-inside.so.1
sym, /usr/lib/own/absolute-inside.so.1
lib, /usr/lib/users/lib.so
dev, /dev/mem
dev, /dev/sd*
dev, /dev/input/*
dev, /dev/../dev/mem
dir, /
dir, /usr
dir, /etc
dir, /home
dir, /proc
dir, /sys
dir, /run
dir, /lib/../etc
dir, /dev
dir, /dev/input
lib, /etc/passwd
END
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
run_script "grep -rl 'the secret' /etc /usr /home /opt 2> /dev/null
ls /dev/mem /dev/sda /dev/input/event0 /home/u /usr/lib/own /usr/lib/users 2> /dev/null
nodeprobe /dev/nvmap"
equal 'lines that lead out of what lists bring: left out, the others count' '/dev/nvmap: ENXIO' "$output$errors"
host_unchanged 'lines that lead out'
drop_bundle

# The link is another's after it was looked at: what is mounted is what was open.
make_host
cp "$host/driver/$lib/nvidia/libnvargus.so" "$work/kept"
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
(
	while [ -e "$work/kept" ]; do
		ln -sfn "$secret" "$host/driver/$lib/nvidia/swapped" 2> /dev/null
		mv -fT "$host/driver/$lib/nvidia/swapped" "$host/driver/$lib/nvidia/libnvargus.so" 2> /dev/null
		cp "$work/kept" "$host/driver/$lib/nvidia/swapped" 2> /dev/null
		mv -fT "$host/driver/$lib/nvidia/swapped" "$host/driver/$lib/nvidia/libnvargus.so" 2> /dev/null
	done
) &
swapper=$!
leaked=''
for _ in 1 2 3 4 5; do
	run_script "grep -l 'the secret' /$lib/nvidia/libnvargus.so 2> /dev/null"
	leaked+=$output
done
rm "$work/kept"
wait $swapper || true
equal 'a file that becomes a link while it is taken' '' "$leaked"
drop_bundle

# --- the image --------------------------------------------------------------------------------------

make_host
outside=$work/canary
mkdir "$outside"
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
mkdir -p "$bundle/rootfs/usr/lib"
ln -s "../../../../../../../..$outside" "$bundle/rootfs/$lib"
run_container true
equal 'a link of the image out of its root where the libraries go' '' "$(ls -A "$outside")"
host_unchanged 'a link of the image out of its root'
drop_bundle
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
mkdir -p "$bundle/rootfs/$lib"
ln -s /proc "$bundle/rootfs/$lib/nvidia"
run_script 'ls /proc | grep -c libcuda'
matches 'a link of the image to /proc where the libraries go' '^(0|)$' "$output"
host_unchanged 'a link of the image to /proc'
drop_bundle

# The image asks for every list; policy has the last word.
jq '.policy = {"csv-mounts": false}' < "$config" > "$work/davit.json"
cat "$work/davit.json" > "$config"
new_bundle debian NVIDIA_VISIBLE_DEVICES=all NVIDIA_REQUIRE_JETPACK=csv-mounts=all
run_script '[ -e /opt/extra/file ] || echo absent'
equal 'policy.csv-mounts is false: the image can not widen it' absent "$output$errors"
drop_bundle
jq '.policy = {"accept-env": "privileged", "accept-annotations": "always"}' < "$config" > "$work/davit.json"
cat "$work/davit.json" > "$config"
new_bundle debian NVIDIA_REQUIRE_JETPACK=csv-mounts=all
edit_bundle '.annotations = {"org.davit.devices": "0"} | .process.capabilities.bounding = []'
run_script '[ -e /opt/extra/file ] || echo absent; nodeprobe /dev/nvmap'
equal 'an environment that is not accepted widens nothing' 'absent
/dev/nvmap: ENXIO' "$output$errors"
drop_bundle
equal 'the secret is as before' 'the secret 600' "$(cat "$secret") $(stat -c %a "$secret")"
report_exit
