#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# AMD's and Intel's GPUs by real engines: Docker with the runtime that AMD's toolkit calls amd, with
# --gpus where it knows AMD's, with CDI and as a Swarm; Podman with CDI; containerd; and what `davit list`
# sees of their containers.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
ENGINE=runc
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/containerd.sh
. "$repository/tests/lib/containerd.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
# shellcheck source=tests/lib/docker.sh
. "$repository/tests/lib/docker.sh"
own_processes "$@"
enter_namespace "$@"
require_docker
make_work
host=$work/host
make_host() { # AMD-MODEL
	"$fixture/fake-host" "$host" --gpus 1 --vendor amd --model "$1" --vendor intel --model igpu
}
make_host mi300x-8-spx
with="docker, cgroup $CGROUP"
configure_runtime "$(command -v runc)" '.policy."vendor-env-names" = ["DOCKER_RESOURCE_AMD_GPU=amd.com/gpu", "WANTED_INTEL=intel.com/gpu"]'
dockerd_major() { dockerd --version | sed 's/.*version \([0-9]*\).*/\1/'; }
is_since() { # VERSION: docker is it, or a later one
	printf '%s\n' "$1" "$docker_version" | sort -VC
}
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
matches 'amd-ctk cdi validate' ' matches this host$' \
	"$("$work/amd-ctk" cdi validate --config="$host/davit.json" --path="$work/spec-dir/amd.json" 2>&1)"
jq 'del(.devices[1].containerEdits.deviceNodes[2])' "$work/spec-dir/amd.json" > "$work/stale.json"
matches 'amd-ctk cdi validate: a stale spec' 'device 1 has the nodes /dev/kfd /dev/dri/card9, but the GPU has' \
	"$("$work/amd-ctk" cdi validate --config="$host/davit.json" --path="$work/stale.json" 2>&1 || true)"
equal 'amd-ctk gpu list' 8 "$("$work/amd-ctk" gpu list --config="$host/davit.json" | grep -c '^amd ')"

# node-generic-resources: what Swarm counts. In a network namespace of its own, since Swarm makes a
# bridge.
dockerd() {
	exec unshare --net bash -c 'ip link set lo up && exec "$0" "$@"' "$(type -P dockerd)" "$@"
}
mkdir -p "$work/cdi"
start_dockerd "$(jq -n --arg path "$work/docker/bin/amd-container-runtime" --arg cdi "$work/cdi" '{
	runtimes: {amd: {path: $path}}, "default-runtime": "amd",
	"node-generic-resources": ["AMD_GPU=0xD7596389098486CA", "AMD_GPU=0000:27:00.0"]}
	+ if $ARGS.named.version >= 25 then {features: {cdi: true}, "cdi-spec-dirs": [$cdi]} else {} end' \
	--argjson version "$(dockerd_major)")"
docker_version=$(docker version -f '{{.Server.Version}}' | sed 's/[+~-].*//')
with="docker $docker_version, cgroup $CGROUP"
tar -C "$(kind_root debian)" -c . | docker import - gpu-test > /dev/null
docker_gives() { # NAME EXPECTED SCRIPT OPTION...
	rc=0
	output=$(docker run --rm --network none "${@:4}" gpu-test sh -c "$3" 2> "$work/errors" < /dev/null) || rc=$?
	equal "$1 ($with)" "$2" "$rc $(allowed "$output$(cat "$work/errors")")"
}
docker_gives '--runtime amd' "0 0 44 105
$given" "$second" --runtime amd -e AMD_VISIBLE_DEVICES=1
docker_gives '--runtime amd, another user' "0 1000 44 105
$given" "$second" --runtime amd -e AMD_VISIBLE_DEVICES=1 --user 1000:1000
docker_gives '--runtime amd, what Swarm sets' "0 0 44 105
$given" "$second" --runtime amd -e DOCKER_RESOURCE_AMD_GPU=0x8 -e DOCKER_RESOURCE_AMD_GPU=0000:27:00.0 -e DOCKER_RESOURCE_CPU=1
rc=0
docker run --rm --network none --runtime amd -e AMD_VISIBLE_DEVICES=9 gpu-test true > "$work/out" 2>&1 || rc=$?
matches "a GPU that isn't there ($with)" 'davit: cannot inject AMD GPU 9: the host has 8 GPUs \(0-7\)' "$(cat "$work/out")"

# --gpus: dockerd knows AMD's from 28.3 on, by the name of its runtime.
look='set --; for f in /dev/kfd /dev/dri/renderD*; do [ ! -e $f ] || set -- "$@" ${f##*/}; done; echo "$@"'
all='kfd renderD128 renderD136 renderD144 renderD152 renderD160 renderD168 renderD176 renderD184'
if is_since 28.3; then
	docker_gives '--gpus all' "0 $all" "$look" --gpus all
	docker_gives '--gpus 2' '0 kfd renderD128 renderD136' "$look" --gpus 2
	docker_gives '--gpus device=' '0 kfd renderD136 renderD168' "$look" --gpus '"device=1,5"'
	docker_gives '--gpus by unique id' '0 kfd renderD168' "$look" --gpus '"device=0xD7596389098486CA"'
	docker_gives '--gpus 0' '0 ' "$look" --gpus 0
	docker_gives '--gpus all, another user' "0 1000 44 105
/dev/kfd: ok
/dev/dri/renderD136: ok" 'id -G; nodeprobe /dev/kfd /dev/dri/renderD136' --gpus all --user 1000:1000
	rc=0
	docker run --rm --network none --gpus '"device=9"' gpu-test true > "$work/out" 2>&1 || rc=$?
	matches "--gpus, a GPU that isn't there ($with)" 'davit: cannot inject AMD GPU 9: the host has 8 GPUs' "$(cat "$work/out")"
else
	rc=0
	docker run --rm --network none --gpus all gpu-test true > "$work/out" 2>&1 || rc=$?
	matches "--gpus all: dockerd knows no AMD ($with)" 'could not select device driver' "$(cat "$work/out")"
fi

# --- Docker Swarm --------------------------------------------------------------------------------

docker swarm init --advertise-addr 127.0.0.1 --listen-addr 127.0.0.1 > "$work/out" 2>&1 || cat "$work/out"
docker service create -d --no-resolve-image --network host --restart-condition none --replicas 2 \
	--generic-resource AMD_GPU=1 --name gpu gpu-test sh -c "printf '%s ' \$DOCKER_RESOURCE_AMD_GPU; $look" > "$work/out" 2>&1 || cat "$work/out"
for ((i = 0; i < 150; i++)); do
	[ "$(docker service ps gpu --format '{{.CurrentState}}' | grep -cE '^(Complete|Failed|Rejected)')" != 2 ] || break
	sleep 0.2
done
equal "a Swarm service of two tasks: a GPU each ($with)" '0000:27:00.0 kfd renderD136
0xD7596389098486CA kfd renderD168' "$(docker service logs --raw gpu 2>&1 | sort)"
docker service rm gpu > /dev/null
docker swarm leave --force > /dev/null

# --- Docker, by CDI ------------------------------------------------------------------------------

if is_since 25; then
	write_specs() { "$davit" cdi generate --config "$host/davit.json" --output "$work/cdi/" 2> /dev/null; }
	write_specs
	# Docker before 29 sets the user when CDI has added the groups, and they are lost.
	if is_since 29; then groups=' 44 105'; else groups=''; fi
	docker_gives '--device amd.com/gpu=1' "0 0$groups
$given" "$second" --runtime runc --device amd.com/gpu=1
	[ -z "$groups" ] || docker_gives '--device amd.com/gpu=1, another user' "0 1000$groups
$given" "$second" --runtime runc --device amd.com/gpu=1 --user 1000:1000
	docker_gives '--device amd.com/gpu=1, another user, --group-add' "0 1000 44 105
$given" "$second" --runtime runc --device amd.com/gpu=1 --user 1000:1000 --group-add 44 --group-add 105
	docker_gives '--device intel.com/gpu=all: links' '0 pci-0000:00:02.0-card pci-0000:00:02.0-render' \
		'ls /dev/dri/by-path | xargs' --runtime runc --device intel.com/gpu=all
	# Split in two: dockerd reads the new specs, since the folder changes.
	make_host mi300x-8-dpx
	write_specs
	sleep 0.5
	docker_gives '--device amd.com/gpu=1 after a change of mode' '0 kfd renderD129' "$look" --runtime runc --device amd.com/gpu=1
	docker_gives '--device amd.com/gpu=15 after a change of mode' '0 kfd renderD185' "$look" --runtime runc --device amd.com/gpu=15
	docker_gives '--runtime amd after a change of mode' '0 kfd renderD185' "$look" --runtime amd -e AMD_VISIBLE_DEVICES=15
	make_host mi300x-8-spx
fi

# --- which containers have which GPU -------------------------------------------------------------

listed() { # ID: what `davit list --containers` says of it
	"$davit" list --containers --config "$host/davit.json" | sed -n "s/^${1:0:12}  pid [0-9]*  //p"
}
id=$(docker run -d --network none --name lister -e AMD_VISIBLE_DEVICES=3,5 -e NVIDIA_VISIBLE_DEVICES=0 -e WANTED_INTEL=all \
	-e NVIDIA_DRIVER_CAPABILITIES=utility gpu-test sleep 100)
other=$(docker run -d --network none gpu-test sleep 100)
equal "davit list --containers: all vendors ($with)" '-  nvidia 0, amd 3, amd 5, intel 0' "$(listed "$id")"
equal "davit list --containers: one without GPUs ($with)" '' "$(listed "$other")"
docker rm -f "$id" "$other" > /dev/null
equal "davit list --containers: it is gone ($with)" '' "$(listed "$id")"
stop_dockerd
unset -f dockerd

# --- containerd ----------------------------------------------------------------------------------

with="containerd, cgroup $CGROUP"
start_containerd
# As engines call containers.
id=$(sha256sum <<< "$unique" | cut -c 1-64)
ctr run -d --runtime io.containerd.runc.v2 --runc-binary "$runtime" --cgroup "$cgroup/$id" --cpu-shares 0 \
	--env PATH=/usr/bin:/bin --env AMD_VISIBLE_DEVICES=6-7 --rootfs "$(kind_root debian)" "$id" sleep 100 > "$work/out" 2>&1 || cat "$work/out"
equal "davit list --containers ($with)" '-  amd 6, amd 7' "$(listed "$id")"
ctr task rm -f "$id" > /dev/null 2>&1 || true
ctr container rm "$id" > /dev/null 2>&1 || true
stop_containerd

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
podman_call() {
	HOME=$work/podman/home timeout 60 podman --root "$work/podman/root" --runroot "$work/podman/run" \
		--tmpdir "$work/podman/tmp" --storage-driver vfs --events-backend file --cgroup-manager cgroupfs \
		--runtime runc "$@" < /dev/null
}
podman_run() {
	podman_call run --network none --pids-limit 0 --cgroup-parent "$cgroup" \
		--ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "$@"
}
podman_gives() { # NAME EXPECTED SCRIPT OPTION...
	rc=0
	output=$(podman_run --rm "${@:4}" --rootfs "$(kind_root debian):O" sh -c "$3" 2> "$work/errors") || rc=$?
	equal "$1 ($with)" "$2" "$rc $(allowed "$output$(grep -v level=warning "$work/errors" || true)")"
}
podman_gives '--device amd.com/gpu=1' "0 /dev/kfd: ok
/dev/dri/renderD136: ok
/dev/dri/renderD136" 'nodeprobe /dev/kfd /dev/dri/renderD136; ls /dev/dri/renderD*' --device amd.com/gpu=1
intel=$("$davit" info --config "$host/davit.json" --vendor intel --json | jq -r '.vendors[0].gpus[0].nodes[1]')
podman_gives '--device intel.com/gpu=all: links' "0 pci-0000:00:02.0-card pci-0000:00:02.0-render
../${intel#dri/}" 'ls /dev/dri/by-path | xargs; readlink /dev/dri/by-path/*render' --device intel.com/gpu=all
id=$(podman_run -d --device amd.com/gpu=2 --device intel.com/gpu=0 --rootfs "$(kind_root debian):O" sleep 100)
equal "davit list --containers ($with)" '-  amd 2, intel 0' "$(listed "$id")"
podman_call rm -f -t 0 "$id" > /dev/null 2>&1 || true
for ((i = 0; i < 100; i++)); do
	pgrep -f "$work/podman" > /dev/null || break
	sleep 0.1
done
report_exit
