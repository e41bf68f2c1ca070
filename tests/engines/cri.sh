#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What docs/kubernetes.md says, with a real containerd whose CRI plugin gets a kubelet's calls; davit is
# set up as the page says. The tests bear the page's headings.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
# shellcheck source=tests/lib/cri.sh
. "$repository/tests/lib/cri.sh"
enter_namespace "$@"
report_host '580.159.04, fake'
require_containerd
make_work
host=$work/host
"$fixture/fake-host" "$host"
find_containerd_version
with="containerd $containerd_version, $ENGINE, cgroup $CGROUP"
spare_crun_memlock
make_low_runtime "$(command -v "$ENGINE")"
configure_runtime "$low"
make_cni
make_dev
one=$(smi_line 0 "$uuid1")
both="$(smi_line 0 "$uuid0")
$(smi_line 1 "$uuid1")"
mkdir -p "$work/cdi" "$work/volume"
at_end 'stop_containerd'

policy() { # JQ-FILTER: of /etc/davit/config.json
	jq "$1" < "$host/davit.json" | jq --arg low "$low" '.runtime.candidates = [$low]' > /etc/davit/config.json
}
gives() { # NAME EXPECTED HANDLER FILTER COMMAND...
	local name=$1 expected=$2
	shift 2
	pod "$@"
	equal "$name ($with)" "$expected" "$rc $output${errors:+ $errors}"
}
look=(sh -c 'nvidia-smi -L 2> /dev/null; nodeprobe /dev/nvidiactl')
none='0 /dev/nvidiactl: ENOENT'

# --- Setting up a node -----------------------------------------------------------------------------

write_containerd_config 'enable_cdi = false'
[ "$containerd_version" != 1.6 ] || sed -i '/enable_cdi/d' /etc/containerd/config.toml
"$davit" configure containerd --runtime-path "$runtime" > "$work/log" 2>&1 || fail "davit configure containerd ($with)" "$(< "$work/log")"
start_containerd
handlers=$(containerd --config /etc/containerd/config.toml config dump 2> /dev/null | grep -oE 'containerd\.runtimes\.[^.]*\]' | tr -d "\"']" | sed 's/.*\.//' | sort -u | xargs)
equal "Setting up a node: the handlers ($with)" 'nvidia nvidia-cdi nvidia-legacy runc' "$handlers"

# --- RuntimeClass ----------------------------------------------------------------------------------

gives 'RuntimeClass: the pod check, one GPU' "0 $one" nvidia "$(env_is "NVIDIA_VISIBLE_DEVICES=$uuid1")" nvidia-smi -L
gives 'RuntimeClass: it asked for no nvidia.com/gpu' "$none" nvidia . "${look[@]}"
gives 'RuntimeClass: none, and none is the default' "$none" '' "$(env_is NVIDIA_VISIBLE_DEVICES=all)" "${look[@]}"
pod nosuch . true
matches "When a pod doesn't start: no runtime is configured ($with)" 'no runtime for "nosuch" is configured' "$errors"
pod nvidia "$(env_is NVIDIA_VISIBLE_DEVICES=7)" true
matches "When a pod doesn't start: the event has davit's line ($with)" \
	'davit: cannot inject GPU 7: the host has 2 GPUs .*fix: ' "$errors"
gives 'RuntimeClass: read-only root' "0 $one" nvidia \
	"$(env_is NVIDIA_VISIBLE_DEVICES=1) | .container.linux.security_context.readonly_rootfs = true" nvidia-smi -L
mkdir -p "$work/volume/etc"
cp -a "$(kind_root debian)/etc/." "$work/volume/etc"
touch "$work/volume/etc/"{hostname,hosts,resolv.conf} # where the engine mounts its own
before=$(tree_state "$work/volume/etc")
gives 'RuntimeClass: read-only volume' "0 $one" nvidia \
	"$(env_is NVIDIA_VISIBLE_DEVICES=1) | .container.mounts = [{container_path: \"/etc\", host_path: \"$work/volume/etc\", readonly: true}]" \
	nvidia-smi -L
equal "RuntimeClass: read-only volume: its source is as before ($with)" "$before" "$(tree_state "$work/volume/etc")"
if [ "$containerd_version" = 1.6 ]; then
	pod nvidia "$(env_is NVIDIA_VISIBLE_DEVICES=1) | $pod_userns" true
	printf 'no pods with user namespaces in containerd 1.6: %s\n' "${errors:0:150}" | sed 's/^/    /'
else
	gives 'RuntimeClass: user namespace (hostUsers: false)' "0 $one" nvidia \
		"$(env_is NVIDIA_VISIBLE_DEVICES=1) | $pod_userns" nvidia-smi -L
fi

# --- Device plugin strategies --------------------------------------------------------------------

gives 'envvar: an image that asks for all gets all' "0 $both" nvidia "$(env_is NVIDIA_VISIBLE_DEVICES=all)" nvidia-smi -L

# The strategy volume-mounts, as the page configures it.
mount_of() { # NAME
	printf '.container.mounts += [{container_path: "/var/run/nvidia-container-devices/%s", host_path: "/dev/null"}]' "$1"
}
policy '.policy = {"accept-mounts": true, "accept-env": "privileged"}'
folder=NVIDIA_VISIBLE_DEVICES=/var/run/nvidia-container-devices
gives 'volume-mounts: one GPU' "0 $one" nvidia "$(env_is $folder) | $(mount_of "$uuid1")" nvidia-smi -L
gives 'volume-mounts: the variable brings nothing' "$none" nvidia "$(env_is NVIDIA_VISIBLE_DEVICES=all)" "${look[@]}"
sys_admin='.container.linux.security_context.capabilities.add_capabilities = ["SYS_ADMIN"]'
gives "volume-mounts: the device plugin's own pod needs SYS_ADMIN" "0 $both" nvidia \
	"$(env_is NVIDIA_VISIBLE_DEVICES=all) | $sys_admin" nvidia-smi -L
gives 'volume-mounts: a privileged pod may ask by variable' "0 $both" nvidia \
	"$(env_is NVIDIA_VISIBLE_DEVICES=all) | (.container, .sandbox).linux.security_context.privileged = true" nvidia-smi -L
if [ "$containerd_version" != 1.6 ]; then
	gives "volume-mounts: a pod with a user namespace isn't privileged" "$none" nvidia \
		"$(env_is NVIDIA_VISIBLE_DEVICES=all) | $pod_userns | $sys_admin" "${look[@]}"
fi
annotated='.container.annotations = {"cdi.k8s.io/nvidia-device-plugin_x": "k8s.device-plugin.nvidia.com/gpu='$uuid1'"}'
gives 'volume-mounts: annotations are ignored' "$none" nvidia "$annotated" "${look[@]}"
policy '.policy = {"accept-mounts": true, "accept-env": "never"}'
gives 'accept-env never: privileged pods, too' "$none" nvidia "$(env_is NVIDIA_VISIBLE_DEVICES=all) | $sys_admin" \
	sh -c 'nvidia-smi -L 2> /dev/null; ls /dev/nvidiactl 2> /dev/null; echo "/dev/nvidiactl: ENOENT"'

# cdi-annotations by the runtime: the plugin annotates the container and writes a spec of its own kind; the
# policy may be strict.
write_cdi_specs "$work/specs"
mkdir -p /etc/cdi
jq '.kind = "k8s.device-plugin.nvidia.com/gpu"' < "$work/specs/nvidia.json" > /etc/cdi/plugin.json
policy '.policy = {"accept-env": "privileged", "accept-annotations": "always"}'
gives 'cdi-annotations: one GPU' "0 $one" nvidia "$annotated" nvidia-smi -L
gives 'cdi-annotations: the variable brings nothing' "$none" nvidia "$(env_is NVIDIA_VISIBLE_DEVICES=all)" "${look[@]}"
gives "cdi-annotations: containerd doesn't pass org.davit.devices" "$none" nvidia \
	'(.container, .sandbox).annotations = {"org.davit.devices": "all"}' "${look[@]}"
gives "cdi-annotations: containerd doesn't pass the pod's cdi.k8s.io" "$none" nvidia \
	'.sandbox.annotations = {"cdi.k8s.io/x": "nvidia.com/gpu=all"}' "${look[@]}"
stop_containerd

# CDI by the engine.
policy .
if [ "$containerd_version" != 1.6 ]; then
	write_containerd_config "cdi_spec_dirs = [\"$work/cdi\"]"
	rm -rf /etc/containerd/conf.d
	cdi_option=()
	[ "$file_version" = 3 ] || cdi_option=(--cdi)
	"$davit" configure containerd --runtime-path "$runtime" "${cdi_option[@]}" > "$work/log" 2>&1 ||
		fail "davit configure containerd --cdi ($with)" "$(< "$work/log")"
	cp "$work/specs/"* "$work/cdi"
	# The plugin's own spec, too.
	cp /etc/cdi/plugin.json "$work/cdi"
	start_containerd
	for name in nvidia.com/gpu k8s.device-plugin.nvidia.com/gpu; do
		for handler in '' nvidia; do
			gives "cdi-cri: one GPU, $name, handler <$handler>" "0 $one" "$handler" \
				".container.CDI_devices = [{name: \"$name=$uuid1\"}]" nvidia-smi -L
		done
	done
	gives 'cdi-annotations: by containerd itself' "0 $one" '' "$annotated" nvidia-smi -L
	gives "cdi-cri: the image's variable isn't acted on a second time" "0 $one" nvidia \
		"$(env_is NVIDIA_VISIBLE_DEVICES=all) | .container.CDI_devices = [{name: \"nvidia.com/gpu=$uuid1\"}]" nvidia-smi -L
	gives 'cdi-cri: read-only root' "0 $one" '' \
		".container.CDI_devices = [{name: \"nvidia.com/gpu=$uuid1\"}] | .container.linux.security_context.readonly_rootfs = true" nvidia-smi -L
	cdi_in_user_namespace 'cdi-cri: user namespace'
	# (Over /etc or /usr it's the engine that mounts: runc refuses, and crun makes files in the volume.)
	gives 'cdi-cri: read-only volume' "0 $one" '' \
		".container.CDI_devices = [{name: \"nvidia.com/gpu=$uuid1\"}] | .container.mounts = [{container_path: \"/data\", host_path: \"$work/volume/etc\", readonly: true}]" nvidia-smi -L
	equal "cdi-cri: read-only volume: its source is as before ($with)" "$before" "$(tree_state "$work/volume/etc")"
	pod '' '.container.CDI_devices = [{name: "nvidia.com/gpu=9"}]' true
	matches "cdi-cri: an unknown device ($with)" 'unresolvable CDI devices .*nvidia.com/gpu=9' "$errors"
	stop_containerd
fi

# --- The GPU Operator ------------------------------------------------------------------------------

# A driver in a container: its root below /run/nvidia/driver.
rm -rf /etc/containerd/conf.d
write_containerd_config
"$davit" configure containerd --runtime-path "$runtime" --set-default > "$work/log" 2>&1 ||
	fail "davit configure containerd --set-default ($with)" "$(< "$work/log")"
start_containerd
gives 'RuntimeClass: --set-default, a pod without one' "0 $one" '' "$(env_is NVIDIA_VISIBLE_DEVICES=1)" nvidia-smi -L
for handler in $handlers; do
	[ "$handler" != runc ] || continue
	gives "The GPU Operator: a pod of RuntimeClass $handler" "0 $one" "$handler" "$(env_is NVIDIA_VISIBLE_DEVICES=1)" nvidia-smi -L
done
gives 'The GPU Operator: its validator, a privileged pod of RuntimeClass nvidia' "0 $both" nvidia \
	"$(env_is NVIDIA_VISIBLE_DEVICES=all) | (.container, .sandbox).linux.security_context.privileged = true" nvidia-smi -L
gives 'The GPU Operator: its operands ask for management.nvidia.com/gpu' "0 $both" nvidia \
	"$(env_is NVIDIA_VISIBLE_DEVICES=management.nvidia.com/gpu=all)" nvidia-smi -L
stop_containerd
# --- what doctor says of runtimes and lists that containerd accepts ----------------------------------

# says RESULT CHECK EVIDENCE
says() {
	matches "$title ($with): doctor" "^$1 +$2 +.*$3" "$("$davit" doctor --all --engine containerd 2>&1 || true)"
}
# restart_with TYPE: the runtime nvidia with that line, and, where there is CDI, no directory of specs.
restart_with() {
	stop_containerd
	rm -f /etc/containerd/conf.d/davit.toml
	if [ "$containerd_version" = 1.6 ]; then
		write_containerd_config
	else
		write_containerd_config 'enable_cdi = true' 'cdi_spec_dirs = []'
	fi
	printf '[plugins."%s".containerd.runtimes.nvidia]\n%s\n[plugins."%s".containerd.runtimes.nvidia.options]\nBinaryName = "%s"\n' \
		"$runtime_plugin" "$1" "$runtime_plugin" "$runtime" >> /etc/containerd/config.toml
	start_containerd
}
title='a runtime without runtime_type'
restart_with ''
says FAIL containerd.runtime 'the runtime nvidia has no runtime_type'
pod nvidia . true
matches "$title ($with): so says containerd" 'Runtime.Name must be set' "$errors"
if [ "$containerd_version" != 1.6 ]; then
	title='no directory of CDI specs'
	says warn containerd.cdi 'cdi_spec_dirs .* names no directory'
	pod '' '.container.CDI_devices = [{name: "nvidia.com/gpu=0"}]' true
	matches "$title ($with): so says containerd" 'unresolvable CDI devices' "$errors"
	title="a shim that isn't installed"
	restart_with 'runtime_type = "io.containerd.runc.v9"'
	says FAIL containerd.runtime 'needs containerd-shim-runc-v9, but no such program exists'
	pod nvidia . true
	matches "$title ($with): so says containerd" 'containerd-shim-runc-v9' "$errors"
	restart_with 'runtime_type = "io.containerd.runc.v2"'
	says ok containerd.runtime "nvidia is $runtime$"
	pod nvidia . true
	equal "a runtime that is right ($with): a pod starts" 0 "$rc"
fi
report_exit
