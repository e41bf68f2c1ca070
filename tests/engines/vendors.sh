#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# AMD's and Intel's GPUs, and NVIDIA's beside them: what containers of a real runtime get by the hook
# and by davit-runtime, and which users of theirs may open it.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
own_processes "$@"
enter_namespace "$@"
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host" --vendor amd --model mi300x-8-spx
spare_crun_memlock
low=$(command -v "$ENGINE")
with="${ENGINE##*/}, cgroup $CGROUP"

# What stands for "allowed": there is no hardware behind these nodes.
allowed() { sed -E 's/: (ENXIO|ENODEV)$/: ok/' <<< "$1"; }

# As Docker has it: nodes may be made, and what they open is a matter of the rules.
may_mknod() {
	edit_bundle '.process.capabilities[] += ["CAP_MKNOD"] |
		.linux.resources.devices += [{allow: true, type: "c", access: "m"}]'
}

# Two of eight GPUs: their nodes and links, and no way to the others.
inside="nodeprobe /dev/kfd /dev/dri/card1 /dev/dri/renderD128 /dev/dri/card17 /dev/dri/renderD144
	nodeprobe --mknod c 226 136 /tmp/other
	ls /dev/dri /dev/dri/by-path | xargs
	readlink /dev/dri/by-path/pci-0000:47:00.0-render"
expected="/dev/kfd: ok
/dev/dri/card1: ok
/dev/dri/renderD128: ok
/dev/dri/card17: ok
/dev/dri/renderD144: ok
mknod /tmp/other: ok
/tmp/other: EPERM
/dev/dri: by-path card1 card17 renderD128 renderD144 /dev/dri/by-path: pci-0000:05:00.0-card pci-0000:05:00.0-render pci-0000:47:00.0-card pci-0000:47:00.0-render
../renderD144"

# --- the hook ------------------------------------------------------------------------------------

new_bundle debian AMD_VISIBLE_DEVICES=0,2
may_mknod
run_script "$inside"
equal "AMD, two GPUs by the hook ($with)" "0 $expected" "$rc $(allowed "$output$errors")"
host_unchanged "AMD, two GPUs by the hook ($with)"
drop_bundle

jq --arg log "$work/log" '.log = {file: $log}' < "$config" > "$work/config.json"
cat "$work/config.json" > "$config"
new_bundle debian AMD_VISIBLE_DEVICES=0
edit_bundle '.process.user = {uid: 1000, gid: 1000}'
run_script 'nodeprobe /dev/kfd /dev/dri/renderD128'
equal "AMD, another user by the hook ($with)" "0 /dev/kfd: EACCES
/dev/dri/renderD128: EACCES" "$rc $output$errors"
matches "AMD, another user by the hook ($with): the log names the group" \
	"warning: the container's user 1000 can't open /dev/kfd, /dev/dri/renderD128, which needs group 105 \(fix: --group-add 105, or davit-runtime" \
	"$(cat "$work/log")"
edit_bundle '.process.user.additionalGids = [105]'
: > "$work/log"
run_script 'nodeprobe /dev/kfd /dev/dri/renderD128'
equal "AMD, another user with --group-add ($with)" "0 /dev/kfd: ok
/dev/dri/renderD128: ok " "$rc $(allowed "$output$errors") $(cat "$work/log")"
drop_bundle

new_bundle debian AMD_VISIBLE_DEVICES=9
run_script true
matches "AMD, a GPU that isn't there ($with)" \
	'cannot inject AMD GPU 9: the host has 8 GPUs \(0-7\) \(fix: choose one of them in AMD_VISIBLE_DEVICES\)' \
	"$rc $errors $(cat "$work/log")"
drop_bundle

# --- as the vendors' libraries look ----------------------------------------------------------------

# gpuwalk takes ROCm's steps (tests/fixture/src/gpuwalk.c): KFD's nodes, of which the kernel hides those
# that the device rules refuse.
mkdir "$work/kernel"
for node in "$host"/dev/dri/renderD*; do
	mknod -m 0666 "$work/kernel/${node##*/}" c 226 "${node##*/renderD}"
done
rocm_bundle() { # VARIABLE [JQ-FILTER]
	if [ "$ENGINE" = "$runtime" ]; then runtime_bundle debian "$1"; else new_bundle debian "$1"; fi
	edit_bundle '.mounts += [{destination: "/kfd", source: $kfd, type: "bind", options: ["rbind", "ro"]},
		{destination: "/kernel", source: $kernel, type: "bind", options: ["rbind", "ro"]}] | '"${2:-.}" \
		--arg kfd "$host/sys/devices/virtual/kfd/kfd/topology/nodes" --arg kernel "$work/kernel"
}
rocm_sees() { # NAME EXPECTED
	run_script 'gpuwalk rocm /kfd /kernel; echo $?'
	equal "ROCm: $1 ($with)" "$2" "$output$errors"
	drop_bundle
}
one='agent 0: /dev/dri/renderD144 gfx942
hsa_init: ok
0'
rocm_bundle AMD_VISIBLE_DEVICES=2
rocm_sees 'one of eight GPUs' "$one"
rocm_bundle AMD_VISIBLE_DEVICES=all
rocm_sees 'eight GPUs' "$(for ((i = 0; i < 8; i++)); do echo "agent $i: /dev/dri/renderD$((128 + 8 * i)) gfx942"; done)
hsa_init: ok
0"
another='.process.user = {uid: 1000, gid: 1000}'
rocm_bundle AMD_VISIBLE_DEVICES=2 "$another"
rocm_sees "another user, the hook's" 'Unable to open /dev/kfd read-write: Permission denied
1'
rocm_bundle AMD_VISIBLE_DEVICES=2 "$another | .process.user.additionalGids = [105]"
rocm_sees 'another user, with --group-add' "$one"
# Without device rules the kernel shows all of them.
jq '.cgroups = "never"' "$config" > "$work/config.json"
cp "$config" "$work/kept.json"
cat "$work/config.json" > "$config"
everything='.linux.resources.devices = [{allow: true, access: "rwm"}]'
: > "$work/log"
rocm_bundle AMD_VISIBLE_DEVICES=2 "$everything"
rocm_sees 'one of eight without device rules' 'agent 0: /dev/dri/renderD144 gfx942
Failed to set mem policy for GPU
hsa_init: 0x1008
1'
matches "ROCm: one of eight without device rules ($with): the log says why" 'hsa_init fails with 0x1008' "$(cat "$work/log")"
rocm_bundle AMD_VISIBLE_DEVICES=all "$everything"
rocm_sees 'all without device rules' "$(for ((i = 0; i < 8; i++)); do echo "agent $i: /dev/dri/renderD$((128 + 8 * i)) gfx942"; done)
hsa_init: ok
0"
cat "$work/kept.json" > "$config"

# --- davit-runtime -------------------------------------------------------------------------------

hook_engine=$ENGINE
ENGINE=$runtime
configure_runtime "$low"
runtime_bundle debian AMD_VISIBLE_DEVICES=0,2 NVIDIA_VISIBLE_DEVICES=void
may_mknod
run_script "$inside; echo \$AMD_VISIBLE_DEVICES \$NVIDIA_VISIBLE_DEVICES"
equal "AMD, two GPUs by davit-runtime ($with)" "0 $expected
void void" "$rc $(allowed "$output$errors")"
host_unchanged "AMD, two GPUs by davit-runtime ($with)"
equal "davit-runtime ($with): NVIDIA's variable is left alone" 1 \
	"$(jq '[.process.env[] | select(startswith("NVIDIA_VISIBLE"))] | length' < "$bundle/config.json")"
drop_bundle

runtime_bundle debian AMD_VISIBLE_DEVICES=0
edit_bundle '.process.user = {uid: 1000, gid: 1000, additionalGids: [7]}'
run_script 'id -G; nodeprobe /dev/kfd /dev/dri/card1 /dev/dri/renderD128'
equal "A16: AMD, another user by davit-runtime ($with): the groups are added" "0 1000 7 44 105
/dev/kfd: ok
/dev/dri/card1: ok
/dev/dri/renderD128: ok" "$rc $(allowed "$output$errors")"
drop_bundle

mv "$host/dev/dri/card1" "$work/card1"
runtime_bundle debian AMD_VISIBLE_DEVICES=0
edit_bundle '.process.user = {uid: 1000, gid: 1000}'
run_script 'id -G; ls /dev/dri | xargs'
equal "A16: AMD, another user, without a card ($with): the render node's group alone" "0 1000 105
by-path renderD128" "$rc $output$errors"
drop_bundle
mv "$work/card1" "$host/dev/dri/card1"
rocm_bundle AMD_VISIBLE_DEVICES=2 "$another"
rocm_sees 'another user' "$one"

# A user namespace of its own has no group 105: it gets none, and the log says why that matters.
runtime_bundle debian AMD_VISIBLE_DEVICES=0
configure_runtime "$low" ".log = {file: \"$work/log\"}"
: > "$work/log"
edit_bundle '.linux.namespaces += [{type: "user"}] | .process.user = {uid: 1000, gid: 1000} |
	.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] |
	.linux.gidMappings = [{containerID: 0, hostID: 200000, size: 65536}]'
chown 100000:200000 "$bundle/rootfs"
chmod 0755 "$work" "$bundle"
run_script 'ls /dev/kfd /dev/dri/renderD128 | xargs; id -G'
if [ "$rc" = 0 ]; then
	equal "A17: AMD, a user namespace ($with): nodes without the group" \
		'/dev/dri/renderD128 /dev/kfd 1000' "$(xargs <<< "$output")"
	matches "AMD, a user namespace ($with): the log says so" \
		"user 1000 can't open /dev/kfd, /dev/dri/renderD128, which needs group 105 of the host; the group is not in the container's user namespace" \
		"$(cat "$work/log")"
else
	skip "AMD, a user namespace ($with)" "the runtime can't make one here: $(tail -n 1 <<< "$errors")"
fi
drop_bundle

# --- which containers have which GPU -------------------------------------------------------------

configure_runtime "$low"
runtime_bundle debian AMD_VISIBLE_DEVICES=3,5
mkfifo "$work/go"
edit_bundle '.process.args = ["sh", "-c", "echo up; read line < /go"] | .mounts += [{destination: "/go",
	type: "bind", source: $go, options: ["bind"]}]' --arg go "$work/go"
: > "$work/up"
(cd / && exec "$ENGINE" --root "$work/state" run -b "$bundle" davit-listed) > "$work/up" 2> "$work/errors" < <(:) &
listed=$!
for ((i = 0; i < 100; i++)); do
	! grep -q up "$work/up" || break
	sleep 0.1
done
# Others may run containers on this machine, so it is told by its process.
pid=$("$ENGINE" --root "$work/state" state davit-listed | jq .pid)
listed_text() { "$davit" list --containers --config "$config" 2> /dev/null | sed -n "s/^.*  pid $pid  -  //p"; }
equal "davit list --containers ($with)" "amd 3, amd 5" "$(listed_text)"
equal "davit list --containers --json ($with)" '[{"vendor":"amd","index":3},{"vendor":"amd","index":5}]' \
	"$("$davit" list --containers --json --config "$config" | jq -c --argjson pid "$pid" '.containers[] | select(.pid == $pid).gpus')"
echo > "$work/go"
wait "$listed" || true
equal "davit list --containers ($with): afterwards" '' "$(listed_text)"
drop_bundle

# --- several vendors in one host -----------------------------------------------------------------

"$fixture/fake-host" "$host" --gpus 2 --vendor amd --model desktop-radeon-igpu --vendor intel --model igpu
configure_runtime "$low"
runtime_bundle debian AMD_VISIBLE_DEVICES=0 NVIDIA_VISIBLE_DEVICES=1 NVIDIA_DRIVER_CAPABILITIES=utility
edit_bundle '.annotations = {"org.davit.devices": "intel.com/gpu=all"} |
	.process.user = {uid: 1000, gid: 1000}'
run_script 'nvidia-smi -L; ls /dev/dri /dev/dri/by-path | xargs; echo $AMD_VISIBLE_DEVICES $NVIDIA_VISIBLE_DEVICES
	nodeprobe /dev/kfd /dev/dri/renderD129 /dev/dri/renderD130; id -G'
equal "A20, NVIDIA, AMD and Intel ($with): both variables are void" "0 $(smi_line 0 "$uuid1")
/dev/dri: by-path card1 card2 renderD129 renderD130 /dev/dri/by-path: pci-0000:00:02.0-card pci-0000:00:02.0-render pci-0000:03:00.0-card pci-0000:03:00.0-render
void void
/dev/kfd: ok
/dev/dri/renderD129: ok
/dev/dri/renderD130: ok
1000 44 105" "$rc $(allowed "$output$errors")"
host_unchanged "NVIDIA, AMD and Intel ($with)"
drop_bundle

runtime_bundle debian
edit_bundle '.annotations = {"org.davit.devices": "intel.com/gpu=0"} | .process.user = {uid: 1000, gid: 1000}'
run_script 'id -G; nodeprobe /dev/dri/card2 /dev/dri/renderD130'
equal "I9: Intel, another user by davit-runtime ($with): the groups are added" "0 1000 44 105
/dev/dri/card2: ok
/dev/dri/renderD130: ok" "$rc $(allowed "$output$errors")"
drop_bundle

# Level Zero takes what by-path links to, so those of the NVIDIA GPU alone would hide Intel's.
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=0 NVIDIA_DRIVER_CAPABILITIES=graphics
edit_bundle '.annotations = {"cdi.k8s.io/x": "intel.com/gpu=0"} | .process.user = {uid: 1000, gid: 1000}'
run_script 'gpuwalk neo 130; ls /dev/dri/by-path | grep -c render'
equal "Level Zero: an Intel GPU beside NVIDIA's ($with)" '0 device /dev/dri/renderD130
2' "$rc $output$errors"
drop_bundle

# Names of these kinds that somebody gave in a spec; those of davit's forms are read by davit, whatever
# a spec says of them.
mkdir -p "$work/cdi"
jq -n --arg dev "$host/dev" 'def node($name; $target): {name: $name, containerEdits:
		{deviceNodes: [{path: "/dev/given-\($name)", hostPath: "\($dev)/dri/\($target)"}]}};
	{cdiVersion: "0.6.0", kind: "intel.com/gpu", devices: [node("gpu0"; "card2"), node("0"; "card1")]}' > "$work/cdi/intel.json"
jq -n --arg dev "$host/dev" '{cdiVersion: "0.6.0", kind: "amd.com/gpu", devices: [{name: "fast", containerEdits:
	{deviceNodes: [{path: "/dev/given-fast", hostPath: "\($dev)/dri/card1"}]}}]}' > "$work/cdi/amd.json"
specs=".cdi = {\"spec-dirs\": [\"$work/cdi\"]}"
configure_runtime "$low" "$specs"
gives_by_spec() { # NAME EXPECTED ANNOTATION VARIABLE...
	runtime_bundle debian "${@:4}"
	edit_bundle '.annotations = {"cdi.k8s.io/x": $names}' --arg names "$3"
	run_script 'ls -d /dev/given-* /dev/kfd /dev/dri/* 2> /dev/null | grep -v by-path | xargs'
	equal "$1 ($with)" "0 $2" "$rc $output$errors"
	drop_bundle
}
gives_by_spec 'a name of intel.com/gpu that a spec gives' /dev/given-gpu0 intel.com/gpu=gpu0
gives_by_spec 'intel.com/gpu=0 is not taken from a spec' '/dev/dri/card2 /dev/dri/renderD130' intel.com/gpu=0
gives_by_spec 'both' '/dev/dri/card2 /dev/dri/renderD130 /dev/given-gpu0' intel.com/gpu=0,intel.com/gpu=gpu0
gives_by_spec 'a name of amd.com/gpu that a spec gives, in the variable' '/dev/dri/card1 /dev/dri/renderD129 /dev/given-fast /dev/kfd' '' \
	AMD_VISIBLE_DEVICES=0,amd.com/gpu=fast
gives_by_spec 'it alone' /dev/given-fast '' AMD_VISIBLE_DEVICES=amd.com/gpu=fast
runtime_bundle debian
edit_bundle '.annotations = {"org.davit.devices": "intel.com/gpu=gpu9"}'
run_script true
matches "a name that no spec gives ($with)" 'davit: cannot find the CDI device intel.com/gpu=gpu9: the specs of its kind define gpu0, 0' "$rc $errors"
drop_bundle
rm -r "$work/cdi"

ENGINE=$hook_engine
new_bundle debian NVIDIA_VISIBLE_DEVICES=void
edit_bundle '.annotations = {"cdi.k8s.io/x": "intel.com/gpu=0,amd.com/gpu=1"}'
run_script 'ls /dev/dri /dev/kfd | xargs; ls -d /dev/nvidia*'
equal "void of NVIDIA's leaves the others alone ($with)" \
	'/dev/kfd /dev/dri: by-path card0 card2 renderD128 renderD130' "$output"
drop_bundle

report_exit
