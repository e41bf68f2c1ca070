#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Devices of CDI specs by their qualified names, in variables, annotations and mounts: by
# davit-runtime, which makes all of a spec's edits, and by the hook, as far as a hook can.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
enter_namespace "$@"
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host"
version=$(cat "$host/driver/version")
spare_crun_memlock
low=$(command -v "$ENGINE")
one=$(smi_line 0 "$uuid1")
folder=/usr/lib/x86_64-linux-gnu
mkdir "$work/bin" "$work/cdi" "$work/later" "$work/shared"
ln -s "$hook" "$work/bin/nvidia-cdi-hook"
ln -s "$davit" "$work/bin/nvidia-ctk"
configure_runtime "$low" ".cdi = {\"spec-dirs\": [\"$work/cdi\", \"$work/later\"]} | .policy.\"accept-mounts\" = true"
cp /etc/davit/config.json "$config"
low_engine=$ENGINE

# The device plugin's spec, and one of another vendor's with every edit that davit makes.
installed_spec() { # NAME FILE
	sed "s|@HOST@|$host|g; s|@BIN@|$work/bin|g; s|@VERSION@|$version|g" \
		"$repository/tests/engines/cdi-specs/$1.yaml" > "$2"
}
installed_spec device-plugin-0.20 "$work/cdi/plugin.yaml"
mkdir -p "$work/given/beneath" "$work/given/y"
mknod "$work/given/block" b 7 250
echo given > "$work/given/file"
mount -t tmpfs tmpfs "$work/given/beneath"
echo beneath > "$work/given/beneath/file"
printf '#!/bin/sh\ncat > /dev/null\necho "$*" > "%s"\n' "$work/ran" > "$work/program"
chmod +x "$work/program"
vendor_spec() { # FILE [JQ-FILTER]
	jq -n --arg host "$host" --arg given "$work/given" --arg program "$work/program" '
		{cdiVersion: "1.1.0", kind: "vendor.com/thing", containerEdits: {env: ["THING=a \"b\"", "PATH=/usr/bin:/bin"]},
		devices: [{name: "a", containerEdits: {additionalGids: [4711], deviceNodes: [{path: "/dev/thing", hostPath: "\($host)/dev/nvidia1"}],
			mounts: [{hostPath: $given, containerPath: "/opt/given", options: ["ro", "rbind"]}],
			hooks: [{hookName: "createRuntime", path: $program, args: ["program", "one"], env: ["PATH=/bin:/usr/bin"]}]}},
			{name: "nodes", containerEdits: {deviceNodes: [{path: "/dev/thing", hostPath: "\($host)/dev/nvidia1"}],
			mounts: [{hostPath: $given, containerPath: "/opt/given", options: ["ro", "bind"]}]}},
			{name: "rdt", containerEdits: {intelRdt: {closID: "x"}}},
			{name: "net", containerEdits: {netDevices: [{hostInterfaceName: "eth9", name: "net0"}]}},
			{name: "readonly", containerEdits: {deviceNodes: [{path: "/dev/thing", hostPath: "\($host)/dev/nvidia1", permissions: "r"},
				{path: "/dev/none", hostPath: "/dev/null", permissions: "none"}]}},
			{name: "made", containerEdits: {deviceNodes: [{path: "/dev/block", type: "b", major: 7, minor: 250, permissions: "rm"},
				{path: "/dev/fifo", type: "p", fileMode: 432, uid: 7, gid: 8}]}},
			{name: "block", containerEdits: {deviceNodes: [{path: "/dev/block", hostPath: "\($given)/block", permissions: "rw"}]}},
			{name: "tmpfs", containerEdits: {mounts: [{hostPath: "tmpfs", containerPath: "/x/y", type: "tmpfs", options: ["size=64k", "nosuid"]},
				{hostPath: $given, containerPath: "/x", options: ["ro", "rbind"]}]}},
			{name: "proc", containerEdits: {mounts: [{hostPath: "proc", containerPath: "/opt/proc", type: "proc"}]}},
			{name: "shared", containerEdits: {mounts: [{hostPath: $given, containerPath: "/opt/given", options: ["rbind", "rslave", "noatime"]}]}},
			{name: "gone", containerEdits: {deviceNodes: [{path: "/dev/gone"}]}}]} | '"${2:-.}" > "$1"
}
vendor_spec "$work/cdi/vendor.json"
chmod 644 "$work"/cdi/*

# says NAME PATTERN: the hook refused it in that line, which crun doesn't pass on.
says() {
	if [ "$rc" = 0 ]; then
		fail "$1 ($with)" 'the container started'
	elif [ "${low_engine##*/}" = runc ]; then
		matches "$1 ($with)" "$2" "$errors"
	else
		ok "$1 ($with)"
	fi
}

# --- davit-runtime -------------------------------------------------------------------------------

with="davit-runtime, ${low_engine##*/}, cgroup $CGROUP"
ENGINE=$runtime
plugin="k8s.device-plugin.nvidia.com/gpu=1"
plugin_look="nvidia-smi -L; dlprobe libcuda.so.1; readlink $folder/libcuda.so; nodeprobe /dev/nvidia0 /dev/nvidia1; echo \$NVIDIA_VISIBLE_DEVICES"
plugin_sees="0 $one
libcuda.so.1: /usr/lib/x86_64-linux-gnu/libcuda.so.$version
libcuda.so.1
/dev/nvidia0: ENOENT
/dev/nvidia1: ENXIO
void"
plugin_gives() { # NAME
	run_script "$plugin_look"
	equal "$1 ($with)" "$plugin_sees" "$rc ${output//: \/lib\//: /usr/lib/}$errors"
	host_unchanged "$1 ($with)"
	drop_bundle
}
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=all
edit_bundle '.annotations = {"cdi.k8s.io/nvidia-device-plugin_x": $p}' --arg p "$plugin"
plugin_gives "the device plugin's annotation"
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=$plugin
plugin_gives "the device plugin's name in the variable"
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=all
edit_bundle '.mounts += [{destination: "/var/run/nvidia-container-devices/cdi/k8s.device-plugin.nvidia.com/gpu/1", source: "/dev/null", type: "bind", options: ["bind"]}]'
plugin_gives "the device plugin's name as a mount"

vendor_look='cat /opt/given/file /opt/given/beneath/file; nodeprobe /dev/thing; echo "$THING"; id -G; (: > /opt/given/x) 2>&1 | grep -c "Read-only"'
runtime_bundle debian 'NVIDIA_VISIBLE_DEVICES=vendor.com/thing=a,vendor.com/thing=a' THING=old
edit_bundle '.process.user = {uid: 1000, gid: 1000}'
rm -f "$work/ran"
run_script "$vendor_look"
equal "another vendor's device ($with)" '0 given
beneath
/dev/thing: ENXIO
a "b"
1000 4711
1 one' "$rc $output$errors $(cat "$work/ran")"
equal "another vendor's device ($with): its hook is after ours" '["davit-hook"] ["program"] 1' \
	"$(jq -c '[.hooks.createContainer[0].args[0]], [.hooks.createRuntime[0].args[0]], (.hooks.createRuntime | length)' < "$bundle/config.json" | xargs -d '\n')"
host_unchanged "another vendor's device ($with)"
drop_bundle

# What the engine has applied itself by the same annotation isn't made twice.
runtime_bundle debian
edit_bundle '.annotations = {"cdi.k8s.io/a": "vendor.com/thing=a"} |
	.mounts += [{destination: "/opt/given", source: $given, type: "bind", options: ["ro", "rbind"]}] |
	.hooks.createRuntime = [{path: $program, args: ["program", "one"], env: ["PATH=/bin:/usr/bin"]}] |
	.process.env += ["THING=a \"b\""]' --arg given "$work/given" --arg program "$work/program"
run_script 'grep -c " /opt/given " /proc/self/mountinfo; nodeprobe /dev/thing'
equal "an annotation that the engine has applied ($with)" '0 1
/dev/thing: ENXIO 1 1' \
	"$rc $output$errors $(jq '(.hooks.createRuntime | length), ([.mounts[] | select(.destination == "/opt/given")] | length)' < "$bundle/config.json" | xargs)"
drop_bundle

# Nodes as the spec has them: a rule for one way or none, block devices, FIFOs; no host's node is
# needed where it says type and numbers. Their owner is the container's user, unless it says so.
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=vendor.com/thing=readonly,vendor.com/thing=made
edit_bundle '.process.user = {uid: 1000, gid: 1001}'
run_script 'stat -c "%n %F %t:%T %a %u:%g" /dev/thing /dev/none /dev/block /dev/fifo'
equal "nodes of every kind ($with)" "0 /dev/thing character special file c3:1 666 1000:1001
/dev/none character special file 1:3 666 1000:1001
/dev/block block special file 7:fa 666 1000:1001
/dev/fifo fifo 0:0 660 7:8" "$rc $output$errors"
equal "nodes of every kind ($with): the rules" \
	'[{"allow":true,"type":"c","major":195,"minor":1,"access":"r"},{"allow":true,"type":"b","major":7,"minor":250,"access":"r"}]' \
	"$(jq -c '.linux.resources.devices[-2:]' < "$bundle/config.json")"
drop_bundle
block_look='(: < /dev/block) 2>&1 | grep -c "not permitted"; (: > /dev/block) 2>&1 | grep -c "not permitted"'
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=vendor.com/thing=made
run_script "$block_look"
equal "a block device that may only be read ($with)" '0 0
1' "$rc $output$errors"
drop_bundle

# Mounts as the spec has them: of other types, with propagation; the runtime makes them, and what
# is above one of them.
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=vendor.com/thing=tmpfs
run_script 'cat /x/file /x/beneath/file; grep -o " /x/y .* - tmpfs .*size=64k" /proc/self/mountinfo | grep -c nosuid; touch /x/y/a'
equal "a tmpfs in a bind ($with)" '0 given
beneath
1' "$rc $output$errors"
equal "a tmpfs in a bind ($with): nothing was made on the host" '' "$(ls "$work/given/y")"
host_unchanged "a tmpfs in a bind ($with)"
drop_bundle
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=vendor.com/thing=proc
run_script 'ls -d /opt/proc/self'
# crun takes a proc at /proc alone, and says so.
matches "a second proc ($with)" '^0 /opt/proc/self$|opt/proc.: it must be mounted at the root' "$rc $output$errors"
drop_bundle
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=vendor.com/thing=shared
edit_bundle '.linux.rootfsPropagation = "rslave"' # crun's default is a private root, with private mounts
run_script 'grep " /opt/given " /proc/self/mountinfo | grep -c "noatime.*master:"'
equal "a mount that is the host's slave ($with)" '0 1' "$rc $output$errors"
drop_bundle
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=vendor.com/thing=tmpfs
edit_bundle '.mounts += [{destination: "/x", source: $volume, type: "bind", options: ["rbind", "rw"]}]' --arg volume "$work/shared"
run_script true
says "a spec's tmpfs in a volume is refused" 'davit: cannot apply CDI vendor.com/thing=tmpfs: its mount on /x.* lies in a volume'
equal "a spec's tmpfs in a volume ($with): nothing was made there" '' "$(ls "$work/shared")"
drop_bundle
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=vendor.com/thing=tmpfs
edit_bundle '.linux.rootfsPropagation = "shared"'
run_script true
says "a spec's tmpfs in a shared root is refused" 'davit: cannot apply CDI vendor.com/thing=tmpfs: .* would show on the host'
drop_bundle
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=vendor.com/thing=made
edit_bundle '.mounts += [{destination: "/dev/sub", source: $volume, type: "bind", options: ["rbind", "rw"]}]' --arg volume "$work/shared"
run_script 'test -b /dev/block'
equal "a node beside a volume in /dev ($with)" 0 "$rc$errors"
drop_bundle

# A place is davit's to judge, also for what a spec mounts.
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=vendor.com/thing=nodes
edit_bundle '.mounts += [{destination: "/opt", source: $volume, type: "bind", options: ["rbind", "rw"]}]' --arg volume "$work/shared"
run_script true
says "a spec's mount in a volume is refused" 'davit: cannot create /opt/given in the container: it lies in the volume'
equal "a spec's mount in a volume ($with): nothing was made there" '' "$(ls "$work/shared")"
drop_bundle
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=vendor.com/thing=nodes
mkdir "$bundle/rootfs/opt"
ln -s ../../../../../../.. "$bundle/rootfs/opt/given"
run_script 'ls /opt/given/file; ls -A /tmp | grep -c given'
host_unchanged "a spec's mount on a link out of the root ($with)"
drop_bundle

refused() { # NAME PATTERN ENTRY [JQ-FILTER]
	runtime_bundle debian "$3"
	edit_bundle "${4:-.}"
	run_script true
	matches "$1 ($with)" "^[1-9][0-9]* davit: cannot $2 \(fix: " "$rc $errors"
	drop_bundle
}
refused 'an unknown kind' 'find the CDI device other.com/x=0: no spec has its kind; the specs define k8s.device-plugin.nvidia.com/gpu, vendor.com/thing' NVIDIA_VISIBLE_DEVICES=other.com/x=0
refused 'an unknown device' 'find the CDI device vendor.com/thing=z: the specs of its kind define a, nodes, rdt, net, readonly, made, block, tmpfs, proc, shared, gone' NVIDIA_VISIBLE_DEVICES=vendor.com/thing=z
refused 'RDT where the host has none' 'apply a CDI spec: it sets intelRdt, and no resctrl is mounted on .*' NVIDIA_VISIBLE_DEVICES=vendor.com/thing=rdt
# A runtime that knows runtime-spec 1.3 moves the interface; the host's is one of a namespace made for it.
if [ "$("$low" features 2> /dev/null | jq '.linux.netDevices.enabled')" = true ]; then
	cat > "$work/with-eth9" << END
#!/bin/sh
exec unshare --net sh -ec 'ip link add eth9 type veth peer name eth8; exec "\$0" "\$@"' "$runtime" "\$@"
END
	chmod +x "$work/with-eth9"
	ENGINE=$work/with-eth9
	runtime_bundle debian NVIDIA_VISIBLE_DEVICES=vendor.com/thing=net
	run_script 'ls /sys/class/net | grep -E "^(net|eth)"'
	equal "a network interface ($with)" '0 net0' "$rc $output$errors"
	equal "a network interface ($with): what the runtime is told" '{"eth9":{"name":"net0"}}' \
		"$(jq -c .linux.netDevices "$bundle/config.json")"
	drop_bundle
	ENGINE=$runtime
else
	refused 'a network interface with a runtime that would pass it over' "apply a CDI spec: .*$low_engine doesn't support network interfaces .*" NVIDIA_VISIBLE_DEVICES=vendor.com/thing=net
fi
refused 'a node that is not there' 'apply CDI vendor.com/thing=gone: cannot use the host.s /dev/gone: No such file or directory' NVIDIA_VISIBLE_DEVICES=vendor.com/thing=gone
chmod o+w "$work/cdi/vendor.json"
refused 'a spec that others can write' 'find the CDI device vendor.com/thing=a: .*vendor.json is ignored: users other than root can write it' NVIDIA_VISIBLE_DEVICES=vendor.com/thing=a
chmod 644 "$work/cdi/vendor.json"
chown 1000 "$work/cdi/vendor.json"
refused 'a spec of somebody else' 'find the CDI device vendor.com/thing=a: .*vendor.json is ignored: users other than root can write it' NVIDIA_VISIBLE_DEVICES=vendor.com/thing=a
chown 0 "$work/cdi/vendor.json"
cp -p "$work/cdi/vendor.json" "$work/cdi/twice.json"
refused 'a device in two files of one directory' 'use the CDI device vendor.com/thing=a: both .*twice.json and .*vendor.json define it' NVIDIA_VISIBLE_DEVICES=vendor.com/thing=a
rm "$work/cdi/twice.json"
vendor_spec "$work/later/vendor.json" '.containerEdits.env = ["THING=later"]'
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=vendor.com/thing=nodes
run_script 'echo $THING'
equal "of two directories the last one counts ($with)" '0 later' "$rc $output$errors"
drop_bundle
rm "$work/later/vendor.json"

# An image's variable is subject to policy, whatever it names.
for policy in never privileged; do
	configure_runtime "$low" ".cdi = {\"spec-dirs\": [\"$work/cdi\"]} | .policy.\"accept-env\" = \"$policy\""
	runtime_bundle debian NVIDIA_VISIBLE_DEVICES=vendor.com/thing=a
	run_script 'nodeprobe /dev/thing; ls /opt/given'
	matches "accept-env $policy holds for names of specs ($with)" '/dev/thing: ENOENT' "$output"
	drop_bundle
done
configure_runtime "$low" ".cdi = {\"spec-dirs\": [\"$work/cdi\"]}"

# Names that are built in, and names of our kind that somebody gave.
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=runtime.nvidia.com/gpu=1 NVIDIA_DRIVER_CAPABILITIES=utility
run_script 'nvidia-smi -L'
equal "runtime.nvidia.com/gpu=1 ($with)" "0 $one" "$rc $output$errors"
drop_bundle
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=management.nvidia.com/gpu=all NVIDIA_DRIVER_CAPABILITIES=utility
run_script 'nvidia-smi -L | grep -c GPU; dlprobe libcuda.so.1 | cut -d: -f1'
equal "management.nvidia.com/gpu=all ($with)" '0 2
libcuda.so.1' "$rc $output$errors"
drop_bundle
installed_spec toolkit-1.20 "$work/cdi/nvidia.yaml"
sed -i 's/name: "1"/name: "gpu1"/' "$work/cdi/nvidia.yaml"
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=nvidia.com/gpu=gpu1
edit_bundle '.process.user = {uid: 1000, gid: 1000}'
run_script "nvidia-smi -L; id -G"
equal "a name of nvidia.com/gpu that a spec gives ($with)" "0 $one
1000 44444" "$rc $output$errors"
drop_bundle

# --- the hook ------------------------------------------------------------------------------------

with="the hook, ${low_engine##*/}, cgroup $CGROUP"
ENGINE=$low_engine
hook_bundle() { # [NAME=VALUE...]
	new_bundle debian "$@"
}
hook_bundle NVIDIA_VISIBLE_DEVICES=all
edit_bundle '.annotations = {"cdi.k8s.io/nvidia-device-plugin_x": $p}' --arg p "$plugin"
plugin_sees=${plugin_sees%void}all
plugin_gives "the device plugin's annotation"
hook_bundle NVIDIA_VISIBLE_DEVICES=vendor.com/thing=nodes
run_script true
says "a spec that sets a variable is refused" "davit: cannot apply CDI vendor.com/thing=nodes: a hook can't set the variable THING=a"
drop_bundle
vendor_spec "$work/cdi/vendor.json" 'del(.containerEdits)'
hook_bundle NVIDIA_VISIBLE_DEVICES=vendor.com/thing=nodes,1 NVIDIA_DRIVER_CAPABILITIES=utility
run_script 'nvidia-smi -L; cat /opt/given/file; nodeprobe /dev/thing'
equal "a spec's nodes and mounts beside a GPU ($with)" "0 $one
given
/dev/thing: ENXIO" "$rc $output$errors"
host_unchanged "a spec's nodes and mounts beside a GPU ($with)"
drop_bundle
hook_refused() { # NAME DEVICE PATTERN
	hook_bundle "NVIDIA_VISIBLE_DEVICES=vendor.com/thing=$2"
	run_script true
	says "the hook refuses $1" "davit: cannot apply CDI vendor.com/thing=$2: $3 \(fix: use davit-runtime"
	drop_bundle
}
hook_refused 'RDT' rdt "a hook can't set intelRdt"
hook_refused 'a network interface' net "a hook can't move the network interface eth9"
hook_refused 'a node that the host lacks' made "a hook can't create the node /dev/block"
hook_refused 'a tmpfs' tmpfs "a hook can't mount the tmpfs on /x/y"
hook_refused 'propagation' shared "a hook can't mount /opt/given with the option rslave"
hook_bundle NVIDIA_VISIBLE_DEVICES=vendor.com/thing=a
edit_bundle '.process.user = {uid: 1000, gid: 1000}'
run_script true
says 'the hook refuses a group' "davit: cannot apply .*"
drop_bundle
hook_bundle NVIDIA_VISIBLE_DEVICES=vendor.com/thing=readonly
run_script '(: < /dev/thing) 2>&1 | grep -o "No such device.*"; (: > /dev/thing) 2>&1 | grep -o "Operation not permitted"'
if [ "$CGROUP" = v1 ]; then
	equal "a node that may only be read ($with)" 0 "$rc"
else
	equal "a node that may only be read ($with)" '0 No such device or address
Operation not permitted' "$rc $output$errors"
fi
drop_bundle
hook_bundle NVIDIA_VISIBLE_DEVICES=vendor.com/thing=block
run_script 'stat -c "%F %t:%T" /dev/block; (: < /dev/block) 2>&1 | grep -c "not permitted"; (: > /dev/null)'
equal "a block device ($with)" '0 block special file 7:fa
0' "$rc $output$errors"
drop_bundle
hook_bundle NVIDIA_VISIBLE_DEVICES=vendor.com/thing=a
run_script true
says "a spec with a program of its own is refused" 'davit: cannot apply CDI vendor.com/thing=a: its hook .*/program is not a davit command'
drop_bundle
rm "$work/cdi/nvidia.yaml"
"$davit" cdi generate --config "$config" --vendor example.com --output "$work/cdi/example.json"
hook_bundle NVIDIA_VISIBLE_DEVICES=example.com/gpu=1
run_script 'nvidia-smi -L; dlprobe libcuda.so.1'
equal "a spec of davit's of another kind ($with)" "0 $one
libcuda.so.1: $folder/libcuda.so.1" "$rc ${output//: \/lib\//: /usr/lib/}$errors"
host_unchanged "a spec of davit's of another kind ($with)"
drop_bundle

# What the commands of a spec make is in the record, too: gone when the container has ended.
hook_bundle NVIDIA_VISIBLE_DEVICES=all
edit_bundle '.annotations = {"cdi.k8s.io/nvidia-device-plugin_x": $p} |
	.hooks.prestart[0].args = ["davit-hook", "-config", $c, "-record", "prestart"] |
	.hooks.poststop = [{path: $h, args: ["davit-hook", "poststop"]}]' --arg p "$plugin" --arg h "$hook" --arg c "$config"
run_script "readlink $folder/libcuda.so; readlink $folder/libcuda.so.1"
equal "what commands of a spec make, while it runs ($with)" "0 libcuda.so.1
libcuda.so.$version" "$rc $output$errors"
equal "what commands of a spec make, when it has ended ($with)" '/etc/ld.so.cache' \
	"$(find "$bundle/upper" \( -type f -o -type l \) -printf '/%P\n' | grep -v '^/dev/')"
drop_bundle

# --- NVIDIA's own configuration, named by -config --------------------------------------------------

mkdir -p "$work/etc-of-nvidia"
toml=$work/etc-of-nvidia/config.toml
toml_hook() { # TOML NAME=VALUE...
	printf '%s\n' "$1" > "$toml"
	hook_bundle "${@:2}"
	edit_bundle '.hooks.prestart[0].args = ["nvidia-container-runtime-hook", "-config=\($c)", "prestart"]' --arg c "$toml"
}
toml_hook 'accept-nvidia-visible-devices-envvar-when-unprivileged = false' NVIDIA_VISIBLE_DEVICES=all
run_script 'nodeprobe /dev/nvidiactl'
equal "a config.toml that doesn't accept the environment ($with)" '0 /dev/nvidiactl: ENOENT' "$rc $output$errors"
drop_bundle
toml_hook "[nvidia-container-cli]
root = \"$work/none\"" NVIDIA_VISIBLE_DEVICES=all
run_script true
says "a config.toml with another root" "davit: cannot .*$work/none"
drop_bundle
toml_hook 'disable-require = "so"' NVIDIA_VISIBLE_DEVICES=all
run_script true
says "a config.toml that is wrong" "davit: cannot .*config.toml.*line 1.*\(fix: "
drop_bundle
toml_hook 'disable-require = true' NVIDIA_VISIBLE_DEVICES=all
chmod o+w "$toml"
run_script true
says "a config.toml that others can write" 'davit: cannot trust .*config.toml: users other than its owner can write it'
drop_bundle

# --- mounts that nobody sees -----------------------------------------------------------------------

# Docker puts what CDI mounts before the user's volumes, so a volume on /usr hides it.
hook_bundle
cp -a "$work/roots/debian/usr" "$work/usr"
edit_bundle '.hooks = {createContainer: [{path: $h, args: ["davit-hook", "create-symlinks", "--link",
		"libcuda.so.1::\($d)/libcuda.so"]}]} |
	.mounts += [{destination: "\($d)/libcuda.so.\($v)", type: "bind", source: "\($host)/driver/lib64/libcuda.so.\($v)", options: ["bind", "ro"]},
		{destination: "/usr", type: "bind", source: $usr, options: ["rbind", "ro"]}]' \
	--arg h "$hook" --arg d "$folder" --arg v "$version" --arg host "$host" --arg usr "$work/usr"
run_script "readlink $folder/libcuda.so"
equal "a mount that a later volume hides ($with)" '0 libcuda.so.1' "$rc $output$errors"
equal "a mount that a later volume hides ($with): nothing is in the volume" '' "$(find "$work/usr" -name 'libcuda*')"
drop_bundle

umount "$work/given/beneath"
report_exit
