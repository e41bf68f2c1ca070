#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# WSL2: the distribution's root may write beneath /usr/lib/wsl/lib, and an attacker has put links and
# files there and in the store that lead to the host's secrets. And the image has links where the
# store goes.
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
drivers=usr/lib/wsl/drivers
store=$drivers/nv_fake.inf_amd64_0123456789abcdef
make_host() { "$fixture/fake-host" "$host" --platform wsl; }

# Links of every kind out of the store: none of them is in the container.
make_host
ln -s "$secret" "$host/driver/$store/absolute.so"
ln -s "../../../../../../../../..$secret" "$host/driver/$store/relative.so"
ln -s ../u0777777.inf_amd64_fedcba9876543210/amdxc64.so "$host/driver/$store/beside.so"
ln -s second.so "$host/driver/$store/first.so"
ln -s "$secret" "$host/driver/$store/second.so"
mkfifo "$host/driver/$store/fifo.so"
ln -sf /proc/1/root "$host/driver/$store/root.so"
printf 'of a user' > "$host/driver/$store/users.so"
chown 1000 "$host/driver/$store/users.so"
printf 'writable' > "$host/driver/$store/writable.so"
chmod 0666 "$host/driver/$store/writable.so"
new_bundle debian NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all
run_script "cd /$store && ls absolute.so relative.so beside.so first.so second.so fifo.so root.so users.so writable.so 2> /dev/null
grep -rl 'the secret' /usr/lib/wsl /usr/bin 2> /dev/null"
equal 'links out of the store, and what others may write' '' "$output$errors"
host_unchanged 'links out of the store'
drop_bundle

# Where others may write, a hard link to a secret of root's is a file of root's.
make_host
cp "$secret" "$host/driver/secret"
ln "$host/driver/secret" "$host/driver/$store/hard.so"
chmod 0777 "$host/driver/$store"
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
run_script "grep -rl 'the secret' /usr/lib/wsl"
equal 'a store that others can write: nothing shows' '1 ' "$((rc != 0)) $output"
matches 'a store that others can write' "trust /$store: users other than root can write it" "$errors"
drop_bundle
for directory in usr/lib/wsl/lib "$drivers"; do
	make_host
	chmod 0777 "$host/driver/$directory"
	new_bundle debian NVIDIA_VISIBLE_DEVICES=all
	run_script 'echo started'
	matches "$directory that others can write" "trust /$directory: users other than root can write it" "$errors"
	equal "$directory that others can write: it doesn't start" '' "$output"
	drop_bundle
done

# An entry becomes a link to a secret, and back, while the store is looked at and mounted: as a whole
# (compute) and file by file (video).
make_host
cp "$host/driver/$store/libnvcuvid.so.1" "$work/kept"
(
	while [ -e "$work/kept" ]; do
		ln -sfn "$secret" "$host/driver/$store/swapped" 2> /dev/null
		mv -fT "$host/driver/$store/swapped" "$host/driver/$store/libnvcuvid.so.1" 2> /dev/null
		cp "$work/kept" "$host/driver/$store/swapped" 2> /dev/null
		mv -fT "$host/driver/$store/swapped" "$host/driver/$store/libnvcuvid.so.1" 2> /dev/null
	done
) &
swapper=$!
leaked=''
for capabilities in compute,video video compute,video video; do
	new_bundle debian NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=$capabilities
	run_script "grep -l 'the secret' /$store/libnvcuvid.so.1 /usr/lib/wsl/lib/* 2> /dev/null"
	leaked+=$output
	drop_bundle
done
rm "$work/kept"
wait $swapper || true
equal 'an entry that is swapped while it is taken' '' "$leaked"

# What every container gets is refused when it is a link, and the container with it.
make_host
ln -sf "$secret" "$host/driver/usr/lib/wsl/lib/libdxcore.so"
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
run_script 'cat /usr/lib/wsl/lib/libdxcore.so'
matches 'libdxcore.so is a link to a secret' 'libdxcore.so: it is a link to another directory' "$errors"
equal 'libdxcore.so is a link to a secret: nothing shows' '' "$output"
drop_bundle

# The store itself is a link out of the folder of stores.
make_host
mkdir "$work/outside"
cp "$host/driver/$store/"lib* "$work/outside/"
mv "$host/driver/$store" "$work/kept"
ln -s "$work/outside" "$host/driver/$drivers/nv_aaaa.inf_amd64_0000000000000000"
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
run_script 'true'
matches 'a store that is a link' 'cannot find an NVIDIA GPU in Windows' "$errors"
drop_bundle

# The image's links where the store goes lead to the host, they hope.
make_host
outside=$work/canary
mkdir "$outside"
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
mkdir -p "$bundle/rootfs/usr/lib"
ln -s "../../../../../../../../..$outside" "$bundle/rootfs/usr/lib/wsl"
run_container true
equal 'a link of the image in the place of /usr/lib/wsl' '' "$(ls -A "$outside")"
host_unchanged 'a link of the image in the place of /usr/lib/wsl'
drop_bundle
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
mkdir -p "$bundle/rootfs/$store"
ln -s "$secret" "$bundle/rootfs/$store/libcuda.so.1.1"
ln -s /etc/shadow "$bundle/rootfs/$store/libcuda.so.1"
run_script "readlink /usr/lib/wsl/lib/libcuda.so.1; [ -L /$store/libcuda.so.1.1 ] || echo file
[ -L /$store/libcuda.so.1 ] || echo covered"
equal 'links of the image in the place of files' "/$store/libcuda_loader.so
file
covered" "$output$errors"
equal 'the secret is as before' 'the secret 600' "$(cat "$secret") $(stat -c %a "$secret")"
drop_bundle

report_exit
