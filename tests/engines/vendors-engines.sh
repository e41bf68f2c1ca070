#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# AMD's and Intel's GPUs by real engines: Docker with the runtime that AMD's toolkit calls amd, Podman
# with CDI specs.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
ENGINE=runc
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
# shellcheck source=tests/lib/docker.sh
. "$repository/tests/lib/docker.sh"
enter_namespace "$@"
require_docker
make_work
host=$work/host
"$fixture/fake-host" "$host" --vendor amd --model mi300x-8-spx --vendor intel --model igpu
with="docker, cgroup $CGROUP"
configure_runtime "$(command -v runc)" '.policy."vendor-env-names" = ["DOCKER_RESOURCE_AMD_GPU=amd.com/gpu"]'
allowed() { sed -E 's/: (ENXIO|ENODEV)$/: ok/' <<< "$1"; }
second='id -G; nodeprobe /dev/kfd /dev/dri/renderD136; ls /dev/dri/renderD*'
given='/dev/kfd: ok
/dev/dri/renderD136: ok
/dev/dri/renderD136'

# --- Docker, by AMD's names ----------------------------------------------------------------------

make_docker
ln -s "$runtime" "$work/docker/bin/amd-container-runtime"
ln -s "$davit" "$work/amd-ctk"
printf '{}\n' > "$work/daemon.json"
"$work/amd-ctk" runtime configure --runtime=docker --config-path="$work/daemon.json" > /dev/null
equal 'amd-ctk runtime configure: the runtime amd' '["amd"] true' \
	"$(jq -c '.runtimes | keys' "$work/daemon.json") $(jq .features.cdi "$work/daemon.json")"
"$work/amd-ctk" runtime configure --remove --config-path="$work/daemon.json" > /dev/null
equal 'amd-ctk runtime configure --remove: as it was' '{}' "$(jq -c . "$work/daemon.json")"
rc=0
"$work/amd-ctk" gpu-tracker enable > "$work/out" 2> "$work/errors" || rc=$?
matches 'amd-ctk gpu-tracker: refused in a line' '^1 davit: cannot reserve GPUs: ' "$rc $(cat "$work/errors")"
mkdir -p "$work/spec-dir"
"$work/amd-ctk" cdi generate --config="$host/davit.json" --output="$work/spec-dir/amd.json" > /dev/null
matches 'amd-ctk cdi validate' 'is what the host has$' \
	"$("$work/amd-ctk" cdi validate --config="$host/davit.json" --path="$work/spec-dir/amd.json" 2>&1)"
jq 'del(.devices[1].containerEdits.deviceNodes[2])' "$work/spec-dir/amd.json" > "$work/stale.json"
matches 'amd-ctk cdi validate: a stale spec' 'device 1 has the nodes /dev/kfd /dev/dri/card9, but the GPU has' \
	"$("$work/amd-ctk" cdi validate --config="$host/davit.json" --path="$work/stale.json" 2>&1 || true)"
equal 'amd-ctk gpu list' 8 "$("$work/amd-ctk" gpu list --config="$host/davit.json" | grep -c '^amd ')"

start_dockerd "$(jq -n --arg path "$work/docker/bin/amd-container-runtime" '{runtimes: {amd: {path: $path}}}')"
tar -C "$(kind_root debian)" -c . | docker import - gpu-test > /dev/null
docker_gives() { # NAME EXPECTED OPTION...
	rc=0
	output=$(docker run --rm --network none --runtime amd "${@:3}" gpu-test sh -c "$second" \
		2> "$work/errors" < /dev/null) || rc=$?
	equal "$1 ($with)" "$2" "$rc $(allowed "$output$(cat "$work/errors")")"
}
docker_gives '--runtime amd' "0 0 44 105
$given" -e AMD_VISIBLE_DEVICES=1
docker_gives '--runtime amd, another user' "0 1000 44 105
$given" -e AMD_VISIBLE_DEVICES=1 --user 1000:1000
docker_gives '--runtime amd, what Swarm sets' "0 0 44 105
$given" -e DOCKER_RESOURCE_AMD_GPU=0x8 -e DOCKER_RESOURCE_AMD_GPU=0000:27:00.0 -e DOCKER_RESOURCE_CPU=1
rc=0
docker run --rm --network none --runtime amd -e AMD_VISIBLE_DEVICES=9 gpu-test true > "$work/out" 2>&1 || rc=$?
matches "a GPU that isn't there ($with)" 'davit: cannot inject AMD GPU 9: the host has 8 GPUs \(0-7\)' "$(cat "$work/out")"
stop_dockerd

# --- Podman, by CDI ------------------------------------------------------------------------------

if ! command -v podman > /dev/null; then
	skip "${0##*/} podman" "podman isn't installed"
	report_exit
fi
with="podman, cgroup $CGROUP"
unset DOCKER_CONFIG DOCKER_HOST
mount -t tmpfs tmpfs /run
mkdir -p "$work"/podman/{root,run,tmp,home} /run/cdi
# Podman before 5 reads no specs of version 0.7, which groups need.
flags=()
[[ $(podman --version) != *' version 4.'* ]] || flags=(--feature-flag no-additional-gids-for-device-nodes)
"$davit" cdi generate --config "$host/davit.json" --output /run/cdi/ "${flags[@]}" 2> /dev/null
podman_gives() { # NAME EXPECTED SCRIPT OPTION...
	rc=0
	output=$(HOME=$work/podman/home timeout 60 podman --root "$work/podman/root" --runroot "$work/podman/run" \
		--tmpdir "$work/podman/tmp" --storage-driver vfs --events-backend file --cgroup-manager cgroupfs \
		--runtime runc run --rm --network none --pids-limit 0 --cgroup-parent "$cgroup" \
		--ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "${@:4}" --rootfs "$(kind_root debian):O" \
		sh -c "$3" 2> "$work/errors" < /dev/null) || rc=$?
	equal "$1 ($with)" "$2" "$rc $(allowed "$output$(grep -v level=warning "$work/errors" || true)")"
}
podman_gives '--device amd.com/gpu=1' "0 /dev/kfd: ok
/dev/dri/renderD136: ok
/dev/dri/renderD136" 'nodeprobe /dev/kfd /dev/dri/renderD136; ls /dev/dri/renderD*' --device amd.com/gpu=1
intel=$("$davit" info --config "$host/davit.json" --vendor intel --json | jq -r '.vendors[0].gpus[0].nodes[1]')
podman_gives '--device intel.com/gpu=all: links' "0 pci-0000:00:02.0-card pci-0000:00:02.0-render
../${intel#dri/}" 'ls /dev/dri/by-path | xargs; readlink /dev/dri/by-path/*render' --device intel.com/gpu=all
for ((i = 0; i < 100; i++)); do
	pgrep -f "$work/podman" > /dev/null || break
	sleep 0.1
done
report_exit
