#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# davit-runtime beneath Docker (named runtime, default runtime, Compose), containerd and Podman.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
ENGINE=dockerd
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/containerd.sh
. "$repository/tests/lib/containerd.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
# shellcheck source=tests/lib/docker.sh
. "$repository/tests/lib/docker.sh"
enter_namespace "$@"
require_docker
make_work
host=$work/host
"$fixture/fake-host" "$host"
with="davit-runtime, cgroup $CGROUP"
both="$(smi_line 0 "$uuid0")
$(smi_line 1 "$uuid1")"
one=$(smi_line 0 "$uuid1")
nothing='/dev/nvidiactl: ENOENT'

# The low-level runtime keeps what it was given: to be looked at, whatever engine gave it.
mkdir "$work/seen"
cat > "$work/low" << END
#!/bin/sh
bundle=.
for word; do
	[ "\$previous" != --bundle ] && [ "\$previous" != -b ] || bundle=\$word
	[ "\$word" != create ] || create=1
	previous=\$word
done
[ -z "\$create" ] || cp "\$bundle/config.json" "$work/seen/\$\$.json"
exec $(command -v runc) "\$@"
END
chmod +x "$work/low"
configure_runtime "$work/low"

last_seen() { # JQ-FILTER: of the newest config.json
	local file
	file=$(find "$work/seen" -name '*.json' -printf '%T@ %p\n' | sort -n | tail -n 1)
	jq -c "$1" "${file#* }"
}

# --- Docker --------------------------------------------------------------------------------------

make_docker
ln -s "$hook" "$work/docker/bin/nvidia-container-runtime-hook"

daemon() { # JQ-FILTER
	start_dockerd "$(jq -n --arg runtime "$runtime" '{runtimes: {nvidia: {path: $runtime}}} | '"$1")"
}

# docker_gives NAME EXPECTED OPTION... -- COMMAND...
docker_gives() {
	local name="$1 ($with)" expected=$2 options=()
	shift 2
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	rc=0
	output=$(docker run --rm --network none "${options[@]}" gpu-test "$@" 2> "$work/errors" \
		< /dev/null) || rc=$?
	errors=$(cat "$work/errors")
	equal "$name" "$expected" "$rc $output$errors"
}

daemon .
tar -C "$(kind_root debian)" -c . | docker import - gpu-test > /dev/null

docker_gives '--runtime=nvidia' "0 $both" --runtime=nvidia -e NVIDIA_VISIBLE_DEVICES=all -- nvidia-smi -L
docker_gives '--runtime=nvidia, GPU 1' "0 $one
/dev/nvidia0: ENOENT
libcuda.so.1: /lib/x86_64-linux-gnu/libcuda.so.1" --runtime=nvidia -e NVIDIA_VISIBLE_DEVICES=1 -- \
	sh -c 'nvidia-smi -L; nodeprobe /dev/nvidia0; dlprobe libcuda.so.1 | sed s,/usr/lib/,/lib/,'
# Encoding, Vulkan and OpenCL, without a word of capabilities.
docker_gives '--runtime=nvidia without capabilities' "0 libnvidia-encode.so.1: /lib/x86_64-linux-gnu/libnvidia-encode.so.1
libnvidia-opencl.so.1: /lib/x86_64-linux-gnu/libnvidia-opencl.so.1
libGLX_nvidia.so.0: 1
libnvidia-glvkspirv.so.580.159.04: /lib/x86_64-linux-gnu/libnvidia-glvkspirv.so.580.159.04
/dev/nvidia-modeset: ENXIO
/usr/lib/x86_64-linux-gnu void" --runtime=nvidia -e NVIDIA_VISIBLE_DEVICES=1 -e NVIDIA_REQUIRE_CUDA='cuda>=99' -- \
	sh -c 'dlprobe libnvidia-encode.so.1 libnvidia-opencl.so.1 | sed s,/usr/lib/,/lib/,
		echo libGLX_nvidia.so.0: $(ldconfig -p | grep -c "libGLX_nvidia.so.0 (libc6,x86-64)")
		dlprobe libnvidia-glvkspirv.so.580.159.04 | sed s,/usr/lib/,/lib/,
		ls /usr/share/vulkan/icd.d/nvidia_icd.json /etc/vulkan/icd.d/nvidia_icd.json /etc/OpenCL/vendors/nvidia.icd 2> /dev/null | grep -c . > /tmp/icds; [ "$(cat /tmp/icds)" = 2 ] || cat /tmp/icds
		nodeprobe /dev/nvidia-modeset; echo $NVIDIA_CTK_LIBCUDA_DIR $NVIDIA_VISIBLE_DEVICES'
docker_gives '--runtime=nvidia with capabilities' "0 libnvidia-encode.so.1: error" --runtime=nvidia \
	-e NVIDIA_VISIBLE_DEVICES=1 -e NVIDIA_DRIVER_CAPABILITIES=utility,compute -- \
	sh -c 'dlprobe libnvidia-encode.so.1 | cut -d: -f1-2'
docker_gives '--runtime=nvidia --gpus "device=1"' "0 $one" --runtime=nvidia --gpus '"device=1"' -- nvidia-smi -L
equal "--runtime=nvidia --gpus ($with): the engine's hook is gone" '["createContainer","poststop","prestart"] 2' \
	"$(last_seen '.hooks | keys') $(last_seen '[.hooks[][] | select(.path | test("davit-hook|nvidia"))] | length')"
docker_gives '--runtime=nvidia, another user, read-only' "0 $one" --runtime=nvidia --user 1000:1000 \
	--read-only -e NVIDIA_VISIBLE_DEVICES=1 -- nvidia-smi -L
docker_gives '--runtime=nvidia, nothing asked for' "0 $nothing" --runtime=nvidia -- nodeprobe /dev/nvidiactl
docker_gives 'runc with --gpus, beside it' "0 $one" --gpus '"device=1"' -- nvidia-smi -L
docker_gives 'runc, beside it' "0 $nothing" -e NVIDIA_VISIBLE_DEVICES=all -- nodeprobe /dev/nvidiactl
rc=0
errors=$(docker run --rm --network none --runtime=nvidia -e NVIDIA_VISIBLE_DEVICES=7 gpu-test true 2>&1) || rc=$?
equal "--runtime=nvidia, GPU 7 ($with): it doesn't start" 125 "$rc"
matches "--runtime=nvidia, GPU 7 ($with): docker shows our line" 'davit: cannot .*7.*\(fix: choose one of them in NVIDIA_VISIBLE_DEVICES\)' "$errors"
errors=$(docker run --rm --network none --runtime=nvidia --gpus '"device=7"' gpu-test true 2>&1) || true
matches "--runtime=nvidia --gpus \"device=7\" ($with): the line names what was typed" \
	'davit: cannot inject GPU 7: .*\(fix: choose one of them in --gpus\)' "$errors"

docker run -d --name long --network none --runtime=nvidia -e NVIDIA_VISIBLE_DEVICES=1 gpu-test \
	sleep 600 > /dev/null
equal "docker exec ($with)" "$one" "$(docker exec long nvidia-smi -L 2>&1)"
docker update --memory 200m --memory-swap 400m long > /dev/null 2>&1 || true
equal "docker exec after docker update ($with)" "$one" "$(docker exec long nvidia-smi -L 2>&1)"
docker restart -t 0 long > /dev/null
equal "after docker restart ($with)" "$one" "$(docker exec long nvidia-smi -L 2>&1)"
docker rm -f long > /dev/null

# --- what is left in an image ---------------------------------------------------------------------

image_files() { # CONTAINER: type, size and name; the image's loader cache gets our libraries
	docker export "$1" | tar -tv | awk '$6 != "etc/ld.so.cache" { print substr($1, 1, 1), $3, $6, $7, $8 }' | sort
}
docker run --name plain --network none gpu-test true
docker run --name left --network none --runtime=nvidia -e NVIDIA_VISIBLE_DEVICES=1 gpu-test nvidia-smi -L > /dev/null
for run in 'when it has ended' 'when it was started again' 'once more'; do
	equal "a container's files $run ($with)" '' "$(diff <(image_files plain) <(image_files left) || true)"
	docker start -a left > "$work/again"
	equal "a container that is started again ($with)" "$one" "$(cat "$work/again")"
done
docker commit left gpu-test:left > /dev/null
docker create --name committed --network none gpu-test:left true > /dev/null
equal "an image of a container that has ended ($with): no stubs" '' \
	"$(diff <(image_files plain) <(image_files committed) || true)"
docker rm plain left committed > /dev/null

# --- Compose 1.29 ---------------------------------------------------------------------------------

compose() { # NAME EXPECTED SERVICE-YAML
	local name="Compose: $1 ($with)"
	mkdir -p "$work/compose"
	printf 'version: "%s"\nservices:\n  gpu:\n    image: gpu-test\n    network_mode: none\n%s\n' "$4" "$3" \
		> "$work/compose/docker-compose.yml"
	rc=0
	output=$(cd "$work/compose" && timeout 60 docker-compose --ansi never run --rm -T gpu 2> "$work/errors" < /dev/null) || rc=$?
	equal "$name" "0 $2" "$rc $output$([ $rc = 0 ] || cat "$work/errors")"
}

if command -v docker-compose > /dev/null; then
	compose 'runtime: nvidia' "$one" '    runtime: nvidia
    environment: [NVIDIA_VISIBLE_DEVICES=1]
    command: nvidia-smi -L' 2.4
	compose 'runtime: nvidia, nothing asked for' "$nothing" '    runtime: nvidia
    command: nodeprobe /dev/nvidiactl' 2.4
	compose 'device reservations' "$one" '    command: nvidia-smi -L
    deploy:
      resources:
        reservations:
          devices:
            - driver: nvidia
              device_ids: ["1"]
              capabilities: [gpu]' 3.8
	compose 'device reservations and runtime: nvidia' "$both" '    command: nvidia-smi -L
    runtime: nvidia
    deploy:
      resources:
        reservations:
          devices:
            - count: all
              capabilities: [gpu]' 3.8
else
	skip "Compose ($with)" "Debian's docker-compose isn't installed"
fi
stop_dockerd

daemon '."default-runtime" = "nvidia"'
docker_gives 'default-runtime' "0 $one" -e NVIDIA_VISIBLE_DEVICES=1 -- nvidia-smi -L
docker_gives 'default-runtime, --gpus all' "0 $both" --gpus all -- nvidia-smi -L
docker_gives 'default-runtime, CAP_SYS_ADMIN and every device' "0 $one" --cap-add SYS_ADMIN \
	--security-opt apparmor=unconfined --device-cgroup-rule 'a *:* rwm' -e NVIDIA_VISIBLE_DEVICES=1 -- nvidia-smi -L
docker_gives 'default-runtime, nothing asked for' "0 $nothing" -- nodeprobe /dev/nvidiactl
stop_dockerd

# --- containerd ----------------------------------------------------------------------------------

start_containerd

ctr_gives() { # NAME EXPECTED OPTION... -- COMMAND...
	local name="$1 ($with)" expected=$2 options=()
	shift 2
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	rc=0
	# (--rootfs: no image has to be pulled or unpacked.)
	output=$(ctr run --rm --runtime io.containerd.runc.v2 --runc-binary "$runtime" --cgroup "$cgroup/ctr" --cpu-shares 0 --env PATH=/usr/bin:/bin \
		"${options[@]}" --rootfs "$(kind_root debian)" "test-$unique" "$@" 2> "$work/errors" < /dev/null) || rc=$?
	errors=$(cat "$work/errors")
	[ -z "$expected" ] || equal "$name" "$expected" "$rc $output$errors"
}
root_files() { # the image's loader cache gets our libraries
	(cd "$(kind_root debian)" && find . ! -path ./etc/ld.so.cache -printf '%p %y %l\n' | sort)
}
before=$(root_files)
ctr_gives 'ctr run --runc-binary' "0 $one" --env NVIDIA_VISIBLE_DEVICES=1 -- nvidia-smi -L
equal "ctr run --runc-binary ($with): nothing is left in the root" '' "$(diff <(echo "$before") <(root_files) || true)"
ctr_gives 'ctr run --runc-binary, nothing asked for' "0 $nothing" -- nodeprobe /dev/nvidiactl
ctr_gives '' '' --env NVIDIA_VISIBLE_DEVICES=7 -- true
matches "ctr run --runc-binary, GPU 7 ($with): our line is shown" 'davit: cannot .*7.*\(fix: .* NVIDIA_VISIBLE_DEVICES\)' "$errors"
stop_containerd

# --- Podman --------------------------------------------------------------------------------------

if command -v podman > /dev/null && [ "$CGROUP" = v2 ]; then
	mkdir -p "$work"/podman/{root,run,tmp,home}
	unset DOCKER_HOST DOCKER_CONFIG
	export HOME=$work/podman/home
	ENGINE=crun
	spare_crun_memlock
	at_end wait_for_podman
	podman_gives() { # NAME EXPECTED OPTION... -- COMMAND...
		local name="podman --runtime, $low: $1 ($with)" expected=$2 options=()
		shift 2
		while [ "$1" != -- ]; do
			options+=("$1")
			shift
		done
		shift
		rc=0
		output=$(timeout 60 podman --root "$work/podman/root" --runroot "$work/podman/run" \
			--tmpdir "$work/podman/tmp" --storage-driver vfs --events-backend file \
			--cgroup-manager cgroupfs --runtime "$runtime" \
			run --rm --network none --pids-limit 0 --cgroup-parent "$cgroup" \
			--ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "${options[@]}" --rootfs "$(kind_root debian):O" "$@" \
			2> "$work/errors" < /dev/null) || rc=$?
		errors=$(grep -v 'level=warning' "$work/errors" || true)
		[ -z "$expected" ] || equal "$name" "$expected" "$rc $output$errors"
	}
	for low in runc crun; do
		configure_runtime "$([ $low = crun ] && command -v "$ENGINE" || echo "$work/low")"
		podman_gives 'GPU 1' "0 $one" -e NVIDIA_VISIBLE_DEVICES=1 -- nvidia-smi -L
		podman_gives 'nothing asked for' "0 $nothing" -- nodeprobe /dev/nvidiactl
		podman_gives '' '' -e NVIDIA_VISIBLE_DEVICES=7 -- true
		matches "podman --runtime, $low: GPU 7 ($with): our line is shown" 'davit: cannot .*7.*\(fix: .* NVIDIA_VISIBLE_DEVICES\)' "$errors"
	done
fi
[ -z "${KEEP_SEEN:-}" ] || cp -r "$work/seen" "$KEEP_SEEN"
report_exit
