#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CRI-O with a kubelet's calls: what `davit configure crio` writes, hooks.d, CDI, and what doctor says
# of it, in each state and in its opposite. Where crio is on PATH: Debian has no package of it.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
# shellcheck source=tests/lib/cri.sh
. "$repository/tests/lib/cri.sh"
# shellcheck source=tests/lib/crio.sh
. "$repository/tests/lib/crio.sh"
enter_namespace "$@"
report_host '580.159.04, fake'
require_crio
make_work
host=$work/host
"$fixture/fake-host" "$host"
crio_version=$(crio version 2> /dev/null | grep -oE '^Version: *[0-9.]+' | grep -oE '[0-9]+\.[0-9]+' | head -n 1)
with="CRI-O $crio_version, ${ENGINE##*/}, cgroup $CGROUP"
spare_crun_memlock
make_low_runtime "$(command -v "$ENGINE")"
configure_runtime "$low"
make_cni
make_dev
mkdir -p "$work"/{cdi,hooks,volume}
rm -rf /etc/crio
one=$(smi_line 0 "$uuid1")
both="$(smi_line 0 "$uuid0")
$(smi_line 1 "$uuid1")"
look=(sh -c 'nvidia-smi -L 2> /dev/null; nodeprobe /dev/nvidiactl')
none='0 /dev/nvidiactl: ENOENT'
drop_in=/etc/crio/crio.conf.d/50-davit.conf

gives() { # NAME EXPECTED HANDLER FILTER COMMAND...
	local name=$1 expected=$2
	shift 2
	pod "$@"
	equal "$name ($with)" "$expected" "$rc $output${errors:+ $errors}"
}
configure() { # OPTION...
	rc=0
	output=$("$davit" configure crio --runtime-path "$runtime" "$@" 2>&1) || rc=$?
}
says() { # NAME ID RESULT EVIDENCE: what doctor says of what is there
	matches "$1, doctor ($with)" "^$3 +$2 .*$4" \
		"$("$davit" doctor --all --engine crio 2>&1 | grep " $2 " || true)"
}
policy() { # JQ-FILTER: of /etc/davit/config.json
	jq "$1" < "$host/davit.json" | jq --arg low "$low" '.runtime.candidates = [$low]' > /etc/davit/config.json
}
restart() { # NAME
	stop_crio
	start_crio
	[ -n "$crio_pid" ] || fail "$1: CRI-O starts ($with)" "$(tail -n 3 "$work/crio/log.txt")"
}

# --- the drop-in -----------------------------------------------------------------------------------

# conmon where no PATH leads to: the default handler names it, so the new ones have to.
mkdir "$work/programs" "$work/path"
ln -s "$(command -v conmon)" "$work/programs/conmon"
for folder in ${PATH//:/ }; do
	ln -s "$folder"/* "$work/path/" 2> /dev/null || true
done
rm "$work/path/conmon"
write_crio_config "monitor_path = \"$work/programs/conmon\""
make_crio_image
with_path=$PATH
# shellcheck disable=SC2123 # it is the search path
PATH=$work/path
says 'not configured' crio.runtime FAIL 'has no runtime nvidia, and hooks.d has no davit hook'
printf '[crio.runtime.runtimes.nvidia]\nruntime_path = "%s"\n' "$runtime" > "$drop_in"
start_crio
equal "a handler without monitor_path: CRI-O doesn't start ($with)" '' "$crio_pid"
rm "$drop_in"
start_crio
pod nvidia . true
matches "not configured: no such handler ($with)" 'failed to find runtime handler nvidia from runtime list' "$errors"
configure
equal "davit configure crio ($with)" 0 "$rc"
says 'configured, and not restarted' crio.restart warn 'davit.conf is newer|is older|changed'
restart 'configured'
equal "configured: the handlers ($with)" "crun nvidia nvidia-cdi nvidia-legacy" \
	"$(crio --config /etc/crio/crio.conf --config-dir /etc/crio/crio.conf.d config 2> /dev/null |
		sed -n 's/^\[crio\.runtime\.runtimes\.\(.*\)\]$/\1/p' | sort | xargs)"
PATH=$with_path
says 'configured' crio.config ok crio.conf
says 'configured' crio.runtime ok "nvidia is $runtime"
says 'configured' crio.restart ok 'nothing changed since'
for handler in nvidia nvidia-cdi nvidia-legacy; do
	gives "runtime: one GPU, handler $handler" "0 $one" $handler "$(env_is NVIDIA_VISIBLE_DEVICES=1)" nvidia-smi -L
done
gives 'runtime: nothing asked for' "$none" nvidia . "${look[@]}"
gives 'runtime: no handler, and none is the default' "$none" '' "$(env_is NVIDIA_VISIBLE_DEVICES=all)" "${look[@]}"
gives 'runtime: read-only root' "0 $one" nvidia \
	"$(env_is NVIDIA_VISIBLE_DEVICES=1) | .container.linux.security_context.readonly_rootfs = true" nvidia-smi -L
mkdir -p "$work/volume/etc"
cp -a "$(kind_root debian)/etc/." "$work/volume/etc"
touch "$work/volume/etc/"{hostname,hosts,resolv.conf} # where the engine mounts its own
before=$(tree_state "$work/volume/etc")
gives 'runtime: read-only volume' "0 $one" nvidia \
	"$(env_is NVIDIA_VISIBLE_DEVICES=1) | .container.mounts = [{container_path: \"/etc\", host_path: \"$work/volume/etc\", readonly: true}]" \
	nvidia-smi -L
equal "runtime: read-only volume: its source is as before ($with)" "$before" "$(tree_state "$work/volume/etc")"
gives 'runtime: user namespace' "0 $one" nvidia "$(env_is NVIDIA_VISIBLE_DEVICES=1) | $pod_userns" nvidia-smi -L
sys_admin='.container.linux.security_context.capabilities.add_capabilities = ["SYS_ADMIN"]'
pod nvidia "$(env_is NVIDIA_VISIBLE_DEVICES=7)" true
matches "the event has davit's line ($with)" \
	'davit: cannot inject GPU 7: the host has 2 GPUs .*fix: choose one of them in NVIDIA_VISIBLE_DEVICES' "$errors"

# The device plugin's strategies. CRI-O copies a pod's annotations: what the page warns of.
policy '.policy = {"accept-mounts": true, "accept-env": "privileged"}'
gives 'volume-mounts: one GPU' "0 $one" nvidia "$(env_is NVIDIA_VISIBLE_DEVICES=/var/run/nvidia-container-devices) |
	.container.mounts += [{container_path: \"/var/run/nvidia-container-devices/$uuid1\", host_path: \"/dev/null\"}]" nvidia-smi -L
gives 'volume-mounts: the variable brings nothing' "$none" nvidia "$(env_is NVIDIA_VISIBLE_DEVICES=all)" "${look[@]}"
gives "volume-mounts: the device plugin's own pod needs SYS_ADMIN" "0 $both" nvidia \
	"$(env_is NVIDIA_VISIBLE_DEVICES=all) | $sys_admin" nvidia-smi -L
annotated='.sandbox.annotations = {"org.davit.devices": "all"}'
gives "volume-mounts: a pod's annotation brings nothing" "$none" nvidia "$annotated" "${look[@]}"
policy '.policy = {"accept-env": "privileged", "accept-annotations": "always"}'
gives "accept-annotations always: a pod's annotation asks for all" "0 $both" nvidia "$annotated" nvidia-smi -L
policy .

# --- a later file ----------------------------------------------------------------------------------

mkdir -p /etc/crio/crio.conf.d/60-site
printf '[crio.runtime.runtimes.nvidia]\nruntime_path = "%s"\nmonitor_path = "%s"\n' "$low" "$(command -v conmon)" \
	> /etc/crio/crio.conf.d/60-site/nvidia
configure
matches "a later file, in a folder, has the runtime: refused ($with)" 'CRI-O reads [^ ]*60-site/nvidia after' "$output"
restart 'a later file'
gives 'a later file: its runtime is used' "$none" nvidia "$(env_is NVIDIA_VISIBLE_DEVICES=1)" "${look[@]}"
says 'a later file' crio.runtime FAIL 'has no runtime nvidia|is not davit|isn.t davit'
printf '[crio\n' > /etc/crio/crio.conf.d/60-site/nvidia
says 'not TOML' crio.config FAIL '60-site/nvidia'
stop_crio
start_crio
equal "not TOML: CRI-O doesn't start ($with)" '' "$crio_pid"
rm -r /etc/crio/crio.conf.d/60-site

# --- as default, and back --------------------------------------------------------------------------

configure --set-default
restart '--set-default'
gives '--set-default: a pod without a handler' "0 $one" '' "$(env_is NVIDIA_VISIBLE_DEVICES=1)" nvidia-smi -L
gives '--set-default: nothing asked for' "$none" '' . "${look[@]}"
printf '[crio.runtime]\nlog_level = "warn"\n' > /etc/crio/crio.conf.d/10-site.conf
configure
equal "without an option, the default of the earlier call stays ($with)" "0 1" "$rc $(grep -c 'default_runtime = "nvidia"' "$drop_in")"
rm /etc/crio/crio.conf.d/10-site.conf
configure --remove
equal "--remove ($with)" '0 ' "$rc $(ls /etc/crio/crio.conf.d)"

# What CRI-O doesn't start with, davit doesn't write, and doctor says so.
configure
cannot_start() { # NAME EVIDENCE
	start_crio
	equal "$1: CRI-O doesn't start ($with)" '' "$crio_pid"
	says "$1" crio.config FAIL "$2"
}
printf '[crio.runtime]\ndefault_runtime = "nvidia"\n' > /etc/crio/crio.conf.d/70-site.conf
configure --remove
equal "--remove, and a file makes the runtime the default: refused ($with)" \
	"1 davit: cannot remove the runtime nvidia: it is the default_runtime of /etc/crio/crio.conf.d/70-site.conf, so CRI-O would not start without it (fix: remove default_runtime from /etc/crio/crio.conf.d/70-site.conf first)" "$rc $output"
restart 'the runtime is the default of another file'
says 'the runtime is the default of another file' crio.config ok crio.conf
stop_crio
mv "$drop_in" "$work/drop-in"
cannot_start 'the drop-in was removed by hand' 'default_runtime set to .*nvidia'
printf '[crio.runtime]\npids_limit = "many"\n' > /etc/crio/crio.conf.d/70-site.conf
cannot_start 'a value of another type' 'pids_limit.*incompatible types'
configure
matches "a value of another type: configure says that CRI-O doesn't start ($with)" 'note: CRI-O doesn.t start with its configuration: .*pids_limit' "$output"
configure --remove
rm /etc/crio/crio.conf.d/70-site.conf
ln -s /nonexistent /etc/crio/crio.conf.d/70-link
cannot_start 'a link to nothing' '70-link: it is a link to a file that doesn.t exist'
configure
matches "a link to nothing: configure refuses it ($with)" '70-link: it is a link to a file that doesn.t exist' "$output"
rm /etc/crio/crio.conf.d/70-link
printf '[crio.runtime.runtimes.nvidia]\nruntime_path = "/usr/bin/true"\nruntime_type = "vm"\n' > /etc/crio/crio.conf.d/20-kata.conf
configure
matches "a virtual machine's runtime of that name stays ($with)" '^1 davit: cannot add the runtime: nvidia already exists, with runtime_type "vm"' "$rc $output"
rm /etc/crio/crio.conf.d/20-kata.conf

# --- CRI-O's packages: the low-level runtime where no PATH leads to ----------------------------------

if [ -d /usr/libexec ]; then
	mount -t tmpfs -o mode=0755 tmpfs /usr/libexec
	mkdir /usr/libexec/crio
	cp "$low" /usr/libexec/crio/low-of-crio
	mv /etc/davit/config.json "$work/config.json"
	jq '.runtime.candidates = ["low-of-crio"]' < "$work/config.json" > /etc/davit/config.json
	configure
	restart 'a runtime in the folder of the packages'
	gives 'a runtime in the folder of the packages' "0 $one" nvidia "$(env_is NVIDIA_VISIBLE_DEVICES=1)" nvidia-smi -L
	stop_crio
	configure --remove
	mv "$work/config.json" /etc/davit/config.json
	umount /usr/libexec
fi

# --- hooks.d ---------------------------------------------------------------------------------------

# The usual folder is the system's: another one, which CRI-O is told of.
jq --arg hook "$hook" '.hook.path = $hook' < "$DAVIT_BUILD/src/davit.json" > "$work/hooks/davit.json"
says 'hooks.d that CRI-O is not told of' crio.runtime FAIL 'hooks.d has no davit hook'
printf '[crio.runtime]\nhooks_dir = ["%s"]\n' "$work/hooks" > /etc/crio/crio.conf.d/10-hooks.conf
restart 'hooks.d'
says 'hooks.d' crio.runtime ok "$work/hooks/davit.json runs $hook"
gives 'hook: one GPU' "0 $one" '' "$(env_is NVIDIA_VISIBLE_DEVICES=1)" nvidia-smi -L
gives 'hook: nothing asked for' "$none" '' . "${look[@]}"
gives 'hook: read-only root' "0 $one" '' \
	"$(env_is NVIDIA_VISIBLE_DEVICES=1) | .container.linux.security_context.readonly_rootfs = true" nvidia-smi -L
gives 'hook: read-only volume' "0 $one" '' \
	"$(env_is NVIDIA_VISIBLE_DEVICES=1) | .container.mounts = [{container_path: \"/etc\", host_path: \"$work/volume/etc\", readonly: true}]" \
	nvidia-smi -L
equal "hook: read-only volume: its source is as before ($with)" "$before" "$(tree_state "$work/volume/etc")"
gives 'hook: user namespace' "0 $one" '' "$(env_is NVIDIA_VISIBLE_DEVICES=1) | $pod_userns" nvidia-smi -L
configure
restart 'hooks.d and the runtime'
gives 'hook and runtime at once: one GPU' "0 $one" nvidia "$(env_is NVIDIA_VISIBLE_DEVICES=1)" nvidia-smi -L
rm "$work/hooks/davit.json"

# --- CDI -------------------------------------------------------------------------------------------

write_cdi_specs "$work/cdi"
jq '.kind = "k8s.device-plugin.nvidia.com/gpu"' < "$work/cdi/nvidia.json" > "$work/cdi/plugin.json"
restart CDI
for name in nvidia.com/gpu k8s.device-plugin.nvidia.com/gpu; do
	for handler in '' nvidia; do
		gives "CDI: one GPU, $name, handler <$handler>" "0 $one" "$handler" \
			".container.CDI_devices = [{name: \"$name=$uuid1\"}]" nvidia-smi -L
	done
done
gives 'CDI: by the annotation of the device plugin' "0 $one" '' \
	'.container.annotations = {"cdi.k8s.io/nvidia-device-plugin_x": "k8s.device-plugin.nvidia.com/gpu='"$uuid1"'"}' nvidia-smi -L
gives "CDI: the image's variable isn't acted on a second time" "0 $one" nvidia \
	"$(env_is NVIDIA_VISIBLE_DEVICES=all) | .container.CDI_devices = [{name: \"nvidia.com/gpu=$uuid1\"}]" nvidia-smi -L
device=".container.CDI_devices = [{name: \"nvidia.com/gpu=$uuid1\"}]"
gives 'CDI: read-only root' "0 $one" '' "$device | .container.linux.security_context.readonly_rootfs = true" nvidia-smi -L
gives 'CDI: read-only volume' "0 $one" '' \
	"$device | .container.mounts = [{container_path: \"/data\", host_path: \"$work/volume/etc\", readonly: true}]" nvidia-smi -L
cdi_in_user_namespace 'CDI: user namespace'
pod '' '.container.CDI_devices = [{name: "nvidia.com/gpu=9"}]' true
matches "CDI: an unknown device ($with)" 'unresolvable CDI devices .*nvidia.com/gpu=9' "$errors"
stop_crio
report_exit
