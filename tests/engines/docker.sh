#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A real dockerd of its own finds the hook on its PATH under NVIDIA's name: `docker run --gpus`.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
ENGINE=dockerd
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/docker.sh
. "$repository/tests/lib/docker.sh"
enter_namespace "$@"
require_docker
make_work
host=$work/host
"$fixture/fake-host" "$host"
with="docker, cgroup $CGROUP"
both="$(smi_line 0 "$uuid0")
$(smi_line 1 "$uuid1")"

# dockerd runs the hook with no option: its configuration is /etc/davit/config.json. A tmpfs over
# /etc, in our namespace alone, keeps the machine's as it is.
mkdir "$work/etc"
mount -t tmpfs tmpfs "$work/etc"
mkdir -p "$work"/etc/{upper,work} "$work/etc/upper/davit"
cp "$host/davit.json" "$work/etc/upper/davit/config.json"
mount -t overlay overlay /etc -o "lowerdir=/etc,upperdir=$work/etc/upper,workdir=$work/etc/work"
at_end 'umount -l /etc'

# --- the daemon ----------------------------------------------------------------------------------

make_docker
ln -s "$hook" "$work/docker/bin/nvidia-container-runtime-hook"
start_dockerd {}
tar -C "$(kind_root debian)" -c . | docker import - gpu-test > /dev/null
ok "dockerd starts and has an image ($with)"

# --- containers ----------------------------------------------------------------------------------

# in_docker OPTION... -- COMMAND...: sets rc, output and errors.
in_docker() {
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	rc=0
	output=$(docker run --rm --network none "${options[@]}" gpu-test "$@" 2> "$work/errors" \
		< /dev/null) || rc=$?
	errors=$(cat "$work/errors")
}

gpus() { # NAME EXPECTED-LIST OPTION...
	in_docker "${@:3}" -- nvidia-smi -L
	equal "$1 ($with)" "0 $2" "$rc $output$errors"
}

before=$(host_state | grep -v " $work/docker/")
gpus '--gpus all' "$both" --gpus all
gpus '--gpus 1' "$(smi_line 0 "$uuid0")" --gpus 1
gpus '--gpus 2' "$both" --gpus 2
gpus '--gpus "device=1"' "$(smi_line 0 "$uuid1")" --gpus '"device=1"'
gpus '--gpus "device=0,1"' "$both" --gpus '"device=0,1"'
gpus '--gpus "device=UUID"' "$(smi_line 0 "$uuid1")" --gpus "\"device=$uuid1\""
gpus '--gpus all of a read-only container' "$both" --gpus all --read-only
gpus '--gpus all with CAP_SYS_ADMIN and every device' "$both" --gpus all --cap-add SYS_ADMIN \
	--security-opt apparmor=unconfined --device-cgroup-rule 'a *:* rwm'
gpus '--gpus all as another user' "$both" --gpus all --user 1000:1000

in_docker --gpus '"device=1"' -- sh -c '
	ls -d /dev/nvidia* | xargs; dlprobe libcuda.so.1 | sed "s|: /lib/|: /usr/lib/|"
	nodeprobe --mknod c 195 0 /tmp/node'
equal "--gpus \"device=1\" ($with): what is inside" \
	"/dev/nvidia-uvm /dev/nvidia-uvm-tools /dev/nvidia1 /dev/nvidiactl
libcuda.so.1: /usr/lib/x86_64-linux-gnu/libcuda.so.1
mknod /tmp/node: ok
/tmp/node: EPERM" "$output$errors"

in_docker --gpus 'all,"capabilities=utility"' -- sh -c 'nvidia-smi -L; ls /dev/nvidia-uvm; dlprobe libcuda.so.1'
matches "capabilities=utility ($with): nvidia-smi" "$uuid1" "$output"
matches "capabilities=utility ($with): no libcuda" '^libcuda.so.1: error' "$output"
in_docker --gpus 'all,"capabilities=compute,utility"' -- sh -c 'nvidia-smi -L; dlprobe libcuda.so.1'
matches "capabilities=compute,utility ($with)" '^libcuda.so.1: /' "$output"

in_docker -- sh -c 'ls /dev | grep nvidia; find / -xdev -name "lib*nvidia*" -o -xdev -name "libcuda*" -o -xdev -name nvidia-smi; nodeprobe /dev/nvidiactl'
equal "a container without --gpus ($with): nothing is inside" '/dev/nvidiactl: ENOENT' "$output$errors"
in_docker --gpus 0 -- sh -c 'ls /dev | grep nvidia; nodeprobe /dev/nvidiactl'
equal "--gpus 0 ($with): nothing is inside" '/dev/nvidiactl: ENOENT' "$output$errors"

in_docker --gpus '"device=7"' -- true
equal "--gpus \"device=7\" ($with): the container doesn't start" 125 "$rc"
matches "--gpus \"device=7\" ($with): docker shows our line, which names what was typed" \
	'davit: cannot inject GPU 7: .*\(fix: choose one of them in --gpus\)' "$errors"

in_docker --gpus 7 -- true
matches "--gpus 7 ($with): the line says what was typed" \
	'cannot inject 7 GPUs \(--gpus 7, or 0 to 6\): the host has 2 GPUs' "$errors"

docker run --rm --network none --gpus '"device=0"' gpu-test sh -c 'sleep 1; nvidia-smi -L' \
	> "$work/first" 2>&1 < /dev/null &
first=$!
docker run --rm --network none --gpus '"device=1"' gpu-test sh -c 'sleep 1; nvidia-smi -L' \
	> "$work/second" 2>&1 < /dev/null || true
wait "$first" || true
equal "two at once ($with)" "$(smi_line 0 "$uuid0")
$(smi_line 0 "$uuid1")" "$(cat "$work/first" "$work/second")"

docker run -d --name long --network none --gpus 1 gpu-test sleep 600 > /dev/null
equal "docker exec ($with)" "$(smi_line 0 "$uuid0")" "$(docker exec long nvidia-smi -L 2>&1)"
docker restart -t 0 long > /dev/null
equal "after docker restart ($with)" "$(smi_line 0 "$uuid0")" "$(docker exec long nvidia-smi -L 2>&1)"
docker commit long gpu-test:committed > /dev/null
docker rm -f long > /dev/null
equal "a container of a committed image ($with)" "$both" \
	"$(docker run --rm --network none --gpus all gpu-test:committed nvidia-smi -L 2>&1)"
equal "a container of a committed image, without --gpus ($with): no nodes" '/dev/nvidiactl: ENOENT' \
	"$(docker run --rm --network none gpu-test:committed nodeprobe /dev/nvidiactl 2>&1)"
equal "the host is as before ($with)" '' \
	"$(diff <(printf '%s\n' "$before") <(host_state | grep -v " $work/docker/") || true)"
report_exit
