#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# dockerd looks for the hook on its PATH, once, when it starts. And its sibling, a runtime that it
# doesn't know: one dockerd for both.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 11 'could not select device driver "" with capabilities: [[gpu]]'

# shellcheck source=tests/lib/docker.sh
. "$repository/tests/lib/docker.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
with=$complaint
require_docker
has_host
configure_runtime "$(command -v runc)"
make_docker

start_dockerd {}
tar -C "$(kind_root debian)" -c . | docker import - gpu-test > /dev/null
matches "$complaint: docker says so" 'could not select device driver "" with capabilities: \[\[gpu\]\]' \
	"$(docker run --rm --network none --gpus all gpu-test true 2>&1 || true)"

# This namespace's dockerd is the only one that it takes for the host's.
machine=/
doctor_says 'the hook is not on its PATH' docker.hook fail 'could not select device driver' 'nvidia-container-runtime-hook.*systemctl restart docker'
doctor_says "the runtime isn't registered" docker.runtime warn 'nvidia' 'davit configure docker'

# Put there later. (/proc tells a start to the second, and doctor allows for one more.)
sleep 2.1
ln -s "$hook" "$work/docker/bin/nvidia-container-runtime-hook"
matches "$complaint: put there, but not restarted: still" 'could not select device driver' \
	"$(docker run --rm --network none --gpus all gpu-test true 2>&1 || true)"
doctor_says 'put there, but not restarted' docker.restart warn 'nvidia-container-runtime-hook changed at' 'systemctl restart docker'

complaint 12 'unknown or invalid runtime name: nvidia'
with=$complaint
matches "$complaint: docker says so" '[Uu]nknown (or invalid runtime name:|runtime specified) nvidia' \
	"$(docker run --rm --network none --runtime nvidia gpu-test true 2>&1 || true)"
"$davit" configure docker --file "$work/docker/daemon.json" --runtime-path "$runtime" > "$work/configured"
kill -HUP "$dockerd"
for ((i = 0; i < 50; i++)); do
	docker info --format '{{json .Runtimes}}' | grep -q '"nvidia"' && break
	sleep 0.1
done
equal "$complaint: after davit configure docker and a reload it works" "$(both)" \
	"$(docker run --rm --network none --runtime nvidia -e NVIDIA_VISIBLE_DEVICES=all gpu-test nvidia-smi -L 2>&1)"
doctor_says 'after it' docker.runtime ok "$runtime" ''
report_exit
