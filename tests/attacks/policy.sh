#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What an image, or whoever may create a pod, writes into config.json never widens what policy gives:
# annotations as CRI-O copies them, variables for further devices, CAP_SYS_ADMIN of a user namespace,
# and names that runc and crun read otherwise than davit would.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host" --gpus 2 --families 2> /dev/null || "$fixture/fake-host" "$host" --gpus 2
spare_crun_memlock

# explained POLICY FILTER: what `davit explain` says of the bundle under that policy.
explained() {
	jq --argjson policy "$1" '.policy = $policy' "$config" > "$work/policy.json"
	"$DAVIT_BUILD/davit" explain --config "$work/policy.json" --bundle "$bundle" --json 2> /dev/null | jq -rc "$2"
}

# --- annotations of a pod, as CRI-O passes them on -------------------------------------------------

for annotation in '{"org.davit.devices": "all"}' '{"cdi.k8s.io/x": "nvidia.com/gpu=all"}' \
	'{"org.davit.devices": "0", "org.davit.imex-channels": "0"}'; do
	new_bundle debian
	edit_bundle '.annotations = $a' --argjson a "$annotation"
	equal "annotations $annotation: none under accept-env privileged" false \
		"$(explained '{"accept-env": "privileged"}' .request.gpu)"
	equal "annotations $annotation: none under accept-env never" false \
		"$(explained '{"accept-env": "never"}' .request.gpu)"
	equal "annotations $annotation: where they are trusted" true \
		"$(explained '{"accept-env": "privileged", "accept-annotations": "always"}' .request.gpu)"
	drop_bundle
done

# --- variables for further devices --------------------------------------------------------------

new_bundle debian NVIDIA_MOFED=enabled NVIDIA_GDS=enabled NVIDIA_NVSWITCH=enabled NVIDIA_GDRCOPY=enabled \
	NVIDIA_IMEX_CHANNELS=0 NVIDIA_MIG_CONFIG_DEVICES=all
edit_bundle '.annotations = {"org.davit.devices": "0"} | .process.capabilities.bounding += ["CAP_SYS_ADMIN"]'
equal 'accept-env never: GPU 0 and its own nodes alone' \
	'/dev/nvidia-uvm /dev/nvidia-uvm-tools /dev/nvidia0 /dev/nvidiactl' \
	"$(explained '{"accept-env": "never", "accept-annotations": "always"}' \
		'[.operations[] | select(.op == "device" or .op == "device-rule") | .target] | unique | join(" ")')"
equal 'features that policy does not name are refused' 'refused true' \
	"$(explained '{"features": ["imex"]}' '"\(.error.code) \(.error.message | contains("policy.features allows imex"))"')"
drop_bundle

# --- a user namespace's CAP_SYS_ADMIN -------------------------------------------------------------

new_bundle debian NVIDIA_VISIBLE_DEVICES=all
edit_bundle '.process.capabilities.bounding += ["CAP_SYS_ADMIN"] | .linux.namespaces += [{type: "user"}] |
	.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
equal 'CAP_SYS_ADMIN of a user namespace is not privileged' 'false false' \
	"$(explained '{"accept-env": "privileged"}' '"\(.request.gpu) \(.request.privileged)"')"
edit_bundle '.process.env += ["NVIDIA_MIG_CONFIG_DEVICES=all"]'
equal 'nor does it configure MIG' refused "$(explained '{}' .error.code)"
drop_bundle

# --- names that others read otherwise ---------------------------------------------------------------

# ambiguous NAME SED: config.json is changed so; the container isn't started, and the line says why.
ambiguous() {
	new_bundle debian NVIDIA_VISIBLE_DEVICES=1
	edit_bundle '.process.args = ["/bin/true"]'
	jq -c . "$bundle/config.json" | sed "$2" > "$bundle/changed"
	mv "$bundle/changed" "$bundle/config.json"
	rc=0
	errors=$(cd / && printf '{"ociVersion":"1.0.2","id":"x","status":"creating","pid":%d,"bundle":"%s"}' $$ "$bundle" |
		"$hook" --config "$config" prestart 2>&1) || rc=$?
	equal "$1: refused" 1 "$rc"
	matches "$1: by its name" '^davit: cannot .*(appears twice|is .* to runc).*\(fix: ' "$errors"
	drop_bundle
}
ambiguous 'two process' 's/^{/{"process":{"env":["NVIDIA_VISIBLE_DEVICES=all"]},/'
ambiguous 'Process beside process' 's/^{/{"Process":{"env":["NVIDIA_VISIBLE_DEVICES=all"]},/'
ambiguous 'process in escapes' 's/^{/{"\\u0070rocess":{"env":[]},/'
ambiguous 'proceſs, which Go folds' 's/^{/{"proce\\u017fs":{"env":[]},/'
ambiguous 'two env' 's/"env":\[/"env":["NVIDIA_VISIBLE_DEVICES=all"],"env":[/'
ambiguous 'Env beside env' 's/"env":\[/"Env":["NVIDIA_VISIBLE_DEVICES=all"],"env":[/'
ambiguous 'two mounts' 's/"mounts":\[/"mounts":[],"mounts":[/'
ambiguous 'two roots' 's/"root":{/"root":{"path":"\/"},"root":{/'
ambiguous 'Linux beside linux' 's/"linux":{/"Linux":{},"linux":{/'
report_exit
