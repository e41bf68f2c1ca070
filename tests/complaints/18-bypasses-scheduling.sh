#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Images bring NVIDIA_VISIBLE_DEVICES=all along: where a scheduler gives out the GPUs, policy takes
# the variable from unprivileged containers.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 18 'a pod without nvidia.com/gpu sees all GPUs (NVIDIA_VISIBLE_DEVICES=all of the image)'

# shellcheck source=tests/lib/docker.sh
. "$repository/tests/lib/docker.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
with=$complaint
require_docker
has_host
configure_runtime "$(command -v runc)"
make_docker

start_dockerd "$(jq -n --arg runtime "$runtime" '{runtimes: {nvidia: {path: $runtime}}, "default-runtime": "nvidia"}')"
tar -C "$(kind_root debian)" -c . | docker import -c 'ENV NVIDIA_VISIBLE_DEVICES=all' - gpu-test > /dev/null
look() {
	docker run --rm --network none "$@" gpu-test sh -c 'nvidia-smi -L 2> /dev/null || ls /dev | grep -c nvidia' 2>&1 || true
}
equal "$complaint: by default the image decides" "$(both)" "$(look)"

configure_runtime "$(command -v runc)" '.policy."accept-env" = "privileged"'
equal "$complaint: accept-env privileged: it has no say" 0 "$(look)"
equal "$complaint: an administrator's container still has" "$(both)" \
	"$(look --cap-add SYS_ADMIN --security-opt apparmor=unconfined)"

# The same for the hook, and what explain and doctor say of it.
configure '.policy."accept-env" = "privileged"'
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
edit_bundle '.linux.cgroupsPath += "/runc"'
works 'the hook: it has no say' 'nodeprobe /dev/nvidiactl' '/dev/nvidiactl: ENOENT'
matches "$complaint: explain says which rule decided" \
	'env NVIDIA_VISIBLE_DEVICES is ignored: policy.accept-env is privileged, and the container has no CAP_SYS_ADMIN' \
	"$("$davit" explain --bundle "$bundle" --config "$config" 2>&1)"
mkdir -p "$machine/var/lib/kubelet"
doctor_says 'a Kubernetes node, accept-env privileged' config.policy ok . ''
configure '.policy."accept-env" = "always"'
doctor_says 'a Kubernetes node, the default' config.policy warn 'accept-env' 'privileged'
report_exit
