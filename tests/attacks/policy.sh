#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Whoever may not ask for GPUs gets nothing else either: by the image's variables beside GPUs that
# somebody else gave, by annotations that an engine copies from a pod, by CAP_SYS_ADMIN of a user
# namespace.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
make_work
spare_crun_memlock
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host" --gpus 2
new_bundle debian
good=$(cat "$bundle/config.json")

# explain_with POLICY JQ-FILTER: sets answer, devices (nodes and rules) and code.
explain_with() {
	jq --argjson policy "$1" '.policy = $policy' < "$config" > "$work/policy.json"
	jq "$2" <<< "$good" > "$bundle/config.json"
	code=0
	answer=$("$davit" explain --config "$work/policy.json" --bundle "$bundle" --json) || code=$?
	devices=$(jq -r '.operations[] | select(.op == "device" or .op == "device-rule") | .op + " " + .target' <<< "$answer" |
		sort -u)
}
has_rule() { # NAME TEXT
	if jq -e --arg text "$2" 'any(.request.rules[]; contains($text))' <<< "$answer" > /dev/null; then
		ok "$1"
	else
		fail "$1" "no rule says: $2" "$(jq -r '.request.rules[]' <<< "$answer")"
	fi
}

# --- variables of the image, beside GPUs that it was given -------------------------------------------

given='.annotations = {"org.davit.devices": "0"} | .process.capabilities.bounding = ["CAP_KILL"]'
never='{"accept-env": "never", "accept-annotations": "always"}'
privileged='{"accept-env": "privileged", "accept-annotations": "always"}'
explain_with "$never" "$given"
usual=$devices
equal 'the GPU that was given' 1 "$(grep -c '^device /dev/nvidia[0-9]$' <<< "$usual")"
variables=(NVIDIA_VISIBLE_DEVICES=all NVIDIA_NVSWITCH=enabled NVIDIA_MOFED=enabled NVIDIA_GDS=enabled
	NVIDIA_GDRCOPY=enabled "NVIDIA_IMEX_CHANNELS=0,1" NVIDIA_MIG_CONFIG_DEVICES=all
	NVIDIA_MIG_MONITOR_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all NVIDIA_DRIVER_CAPABILITIES=graphics
	"NVIDIA_DRIVER_CAPABILITIES=display,compute" CUDA_MPS_PIPE_DIRECTORY=/x CUDA_VERSION=8.0
	NVIDIA_DISABLE_REQUIRE=1)
for variable in "${variables[@]}"; do
	for policy in "$never" "$privileged"; do
		explain_with "$policy" "$given | .process.env += [\"$variable\"]"
		equal "$variable brings no device, $policy" "0 " \
			"$code $(comm -13 <(printf '%s\n' "$usual") <(printf '%s\n' "$devices"))"
		equal "$variable moves nothing, $policy" '' \
			"$(jq -r '.operations[].target | select(startswith("/x"))' <<< "$answer")"
	done
done
explain_with "$never" "$given | .process.env += $(json_strings "${variables[@]}")"
equal 'all of them together bring no device' "0 " "$code $(comm -13 <(printf '%s\n' "$usual") <(printf '%s\n' "$devices"))"
explain_with "$never" "$given | .process.env += [\"NVIDIA_GDS=enabled\"]"
has_rule 'what is ignored is told' 'env NVIDIA_GDS is ignored: policy.accept-env is never'
# What the same policy lets the orchestrator give.
explain_with "$never" "$given | .annotations += {\"org.davit.features\": \"gds\", \"org.davit.capabilities\": \"graphics\"}"
equal 'an annotation brings them' 3 "$(grep -cE '^device /dev/(nvidia-fs[01]|nvidia-modeset)$' <<< "$devices")"

# The same in a real container.
jq --argjson policy "$never" '.policy = $policy' < "$config" > "$work/never.json"
config=$work/never.json
new_bundle debian "${variables[@]/CUDA_MPS_PIPE_DIRECTORY=*/A=b}"
edit_bundle '.annotations = {"org.davit.devices": "0"}'
run_script 'ls /dev /dev/infiniband /dev/nvidia-caps* /dev/dri 2> /dev/null | grep -E "nvidia|gdr|uverbs|card|channel" | sort'
equal 'inside' "0 nvidia-uvm
nvidia-uvm-tools
nvidia0
nvidiactl" "$rc $output$errors"
drop_bundle
config=$host/davit.json
new_bundle debian

# --- policy.features ---------------------------------------------------------------------------------

for pair in gds:NVIDIA_GDS=enabled mofed:NVIDIA_MOFED=enabled gdrcopy:NVIDIA_GDRCOPY=enabled \
	nvswitch:NVIDIA_NVSWITCH=enabled imex:NVIDIA_IMEX_CHANNELS=0; do
	feature=${pair%%:*} variable=${pair#*:}
	asks=".process.env += [\"NVIDIA_VISIBLE_DEVICES=0\", \"$variable\"]"
	explain_with '{"features": []}' "$asks"
	equal "$feature is refused" "3 refused" "$code $(jq -r .error.code <<< "$answer")"
	explain_with "{\"features\": [\"$feature\"]}" "$asks"
	equal "$feature is granted" 0 "$code"
	explain_with '{"features": []}' "$given | .process.env += [\"$variable\"]"
	equal "$feature of an image whose GPUs come from elsewhere is ignored" "0 " \
		"$code $(comm -13 <(printf '%s\n' "$usual") <(printf '%s\n' "$devices"))"
done

# The same families by the names that they have in CDI specs: by the policy alone, whatever specs say.
mkdir "$work/cdi"
for mode in gds mofed gdrcopy nvswitch imex; do
	"$davit" cdi generate --config "$config" --mode $mode --format json --output "$work/cdi/$mode.json" > /dev/null
done
jq --arg dir "$work/cdi" '.cdi["spec-dirs"] = [$dir]' < "$config" > "$work/specs.json"
config=$work/specs.json
for pair in gds:gds=all mofed:mofed=all gdrcopy:gdrcopy=all nvswitch:nvswitch=all imex:imex-channel=0; do
	feature=${pair%%:*} name=nvidia.com/${pair#*:}
	for asks in ".process.env += [\"NVIDIA_VISIBLE_DEVICES=0,$name\"]" ".process.env += [\"NVIDIA_VISIBLE_DEVICES=$name\"]" \
		".annotations = {\"cdi.k8s.io/x\": \"$name\"}" \
		".mounts += [{source: \"/dev/null\", destination: \"/run/nvidia-container-devices/cdi/$name\"}]"; do
		explain_with '{"features": [], "accept-mounts": true}' "$asks"
		equal "$name is refused: $asks" "3 refused" "$code $(jq -r .error.code <<< "$answer")"
		explain_with "{\"features\": [\"$feature\"], \"accept-mounts\": true}" "$asks"
		equal "$name is granted: $asks" '0 some' "$code ${devices:+some}"
	done
done
explain_with '{"features": [], "imex": false}' '.process.env += ["NVIDIA_VISIBLE_DEVICES=nvidia.com/imex-channel=0"]'
equal 'a channel by its name, where policy.imex is false' '0 ' "$code $devices"
jq '.policy.features = []' < "$config" > "$work/none.json"
config=$work/none.json
new_bundle debian NVIDIA_VISIBLE_DEVICES=0,nvidia.com/nvswitch=all
run_script 'ls /dev'
equal 'in a container' '1 ' "$rc $output"
drop_bundle
config=$host/davit.json
new_bundle debian

# --- annotations of a pod ------------------------------------------------------------------------------

for annotation in org.davit.devices=all cdi.k8s.io/x=nvidia.com/gpu=all cdi.k8s.io/nvidia-device-plugin_1=nvidia.com/gpu=0; do
	pod="$(jq -nc --arg n "${annotation%%=*}" --arg v "${annotation#*=}" '{($n): $v}')"
	pod=".annotations = $pod | .process.capabilities.bounding = [\"CAP_KILL\"]"
	# docs/kubernetes.md: only the scheduler gives GPUs.
	for policy in '{"accept-mounts": true, "accept-env": "privileged"}' '{"accept-env": "never"}' \
		'{"accept-env": "never", "accept-annotations": "as-env"}' \
		'{"accept-annotations": "privileged"}' '{"accept-annotations": "never"}'; do
		explain_with "$policy" "$pod"
		equal "$annotation, $policy" 'false 0' "$(jq -r '"\(.request.gpu) \(.operations | length)"' <<< "$answer")"
	done
	explain_with '{"accept-env": "never", "accept-annotations": "always"}' "$pod"
	equal "$annotation, accepted" true "$(jq -r .request.gpu <<< "$answer")"
done
pod='.annotations = {"org.davit.features": "nvswitch", "org.davit.imex-channels": "0", "org.davit.capabilities": "all"} |
	.process.capabilities.bounding = ["CAP_KILL"] |
	.mounts += [{source: "/dev/null", destination: "/var/run/nvidia-container-devices/0"}]'
explain_with '{"accept-mounts": true, "accept-env": "privileged"}' "$pod"
equal 'annotations of a pod add nothing to GPUs of mounts' "0 " \
	"$code $(comm -13 <(printf '%s\n' "$usual") <(printf '%s\n' "$devices"))"

# --- CAP_SYS_ADMIN of a user namespace -----------------------------------------------------------------

rm -rf "$host"
"$fixture/fake-host" "$host" --gpus 2 --mig
admin='.process.capabilities.bounding = ["CAP_SYS_ADMIN"]'
inside='.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]'
for variable in NVIDIA_MIG_CONFIG_DEVICES NVIDIA_MIG_MONITOR_DEVICES; do
	asks=".process.env += [\"NVIDIA_VISIBLE_DEVICES=all\", \"$variable=all\"] | $admin"
	explain_with '{}' "$asks"
	equal "$variable, privileged on the host" 0 "$code"
	explain_with '{}' "$asks | $inside"
	equal "$variable, privileged in a user namespace" '3 refused' "$code $(jq -r .error.code <<< "$answer")"
done
explain_with '{"accept-env": "privileged"}' ".process.env += [\"NVIDIA_VISIBLE_DEVICES=all\"] | $admin | $inside"
equal 'accept-env privileged, in a user namespace' 'false false' \
	"$(jq -r '"\(.request.gpu) \(.request.privileged)"' <<< "$answer")"
has_rule 'why it is not privileged' "the container's CAP_SYS_ADMIN is valid only in its own user namespace"
explain_with '{"accept-annotations": "privileged"}' ".annotations = {\"org.davit.devices\": \"0\"} | $admin | $inside"
equal 'accept-annotations privileged, in a user namespace' false "$(jq -r .request.gpu <<< "$answer")"
report_exit
