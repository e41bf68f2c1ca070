#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `davit try`: a bundle's command with its GPUs and without a runtime. The plan is applied as a hook
# would, the exit codes are docker run's, and nothing of it stays: no file, mount, cgroup, process.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
enter_namespace "$@"
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host"
mkdir "$work/spec"
(cd "$work/spec" && runc spec)
[ "$CGROUP" = v2 ] && cgroups=/sys/fs/cgroup || cgroups=/sys/fs/cgroup/devices

# make_bundle [JQ-FILTER]: a root as plain files, so that a change of any would show.
make_bundle() {
	bundle=$work/bundle
	rm -rf --one-file-system "$bundle"
	mkdir "$bundle"
	cp -a "$(kind_root debian)" "$bundle/rootfs"
	jq '.process.terminal = false | .root.readonly = false | .process.env += ["NVIDIA_VISIBLE_DEVICES=1"] | '"${1:-.}" \
		< "$work/spec/config.json" > "$bundle/config.json"
	bundle_before=$(tree_state "$bundle")
}

# attempt [OPTION...] [-- COMMAND...]: sets rc, output, errors.
attempt() {
	rc=0
	output=$(timeout 20 "$davit" try --bundle "$bundle" --config "$config" "$@" 2> "$work/errors" < <(:)) || rc=$?
	errors=$(cat "$work/errors")
}

list_cgroups() {
	find "$cgroups" -maxdepth 1 -name 'davit-try-*'
}
cgroups_before=$(list_cgroups)

nothing_stays() { # NAME
	equal "$1: the bundle is as before" '' \
		"$(diff <(printf '%s\n' "$bundle_before") <(tree_state "$bundle") || true)"
	equal "$1: the host is as before" '' "$(diff "$work/host-before" <(host_state) || true)"
	equal "$1: no cgroup and no process stays" "$cgroups_before" \
		"$(list_cgroups; pgrep -f "try --bundle $bundle " || true)"
}

both=$(smi_line 0 "$uuid0" && smi_line 1 "$uuid1")
make_bundle
host_state > "$work/host-before"

# --- GPUs ----------------------------------------------------------------------------------------

attempt -- nvidia-smi -L
equal 'try: the GPU of config.json' "0 $(smi_line 0 "$uuid1")" "$rc $output$errors"
nothing_stays 'try: after a run'
attempt --gpus device=0 -- nvidia-smi -L
equal 'try: --gpus, an index' "0 $(smi_line 0 "$uuid0")" "$rc $output$errors"
attempt --gpus all -- nvidia-smi -L
equal 'try: --gpus all' "0 $both" "$rc $output$errors"
attempt --gpus 2 -- nvidia-smi -L
equal 'try: --gpus, a number of GPUs' "0 $both" "$rc $output$errors"
attempt --gpus '"device=1,0",capabilities=utility' -- nvidia-smi -L
equal 'try: --gpus, a list' "0 $both" "$rc $output$errors"
attempt --gpus 0 -- nvidia-smi -L
equal 'try: --gpus, no GPU by number' \
	'125 davit: cannot use --gpus 0: a plain number is a number of GPUs, and this one is 0 (fix: use device=0 for the GPU with index 0, or none for the driver alone)' \
	"$rc $output$errors"
attempt --gpus "$uuid0" --capabilities utility -- dlprobe libnvidia-ml.so.1 libcuda.so.1
equal 'try: --capabilities' "1 libcuda.so.1: error:" "$rc $(grep -o 'libcuda.so.1: error:' <<< "$output")"
attempt --gpus none -- nvidia-smi -L
equal 'try: --gpus none, the driver alone' 6 "$rc"
attempt --gpus device=5 -- nvidia-smi -L
equal 'try: a GPU that the host lacks' \
	'125 davit: cannot inject GPU 5: the host has 2 GPUs (0, 1) (fix: choose one of them in --gpus)' \
	"$rc $output$errors"
attempt --gpus void -- ls /dev
equal 'try: without GPUs it runs and says so' '0 0 1' \
	"$rc $(grep -c nvidia <<< "$output" || true) $(grep -c 'no GPU: env NVIDIA_VISIBLE_DEVICES is void' <<< "$errors")"
nothing_stays 'try: after other GPUs'

# Nodes can be made with CAP_MKNOD; only the rules then keep them shut.
make_bundle '.process.capabilities[] += ["CAP_MKNOD"] | .process.noNewPrivileges = false'
attempt -- nodeprobe --mknod c 195 0 /tmp/other
equal 'try: device rules are in force' 'mknod /tmp/other: ok
/tmp/other: EPERM' "$output$errors"
attempt -- nodeprobe --mknod b 7 0 /tmp/block
equal 'try: nodes of block devices can be created, as with runc' 'mknod /tmp/block: ok
/tmp/block: EPERM' "$output$errors"
attempt -- nodeprobe /dev/nvidia1 /dev/null /dev/ptmx
equal 'try: what is allowed can be opened' '/dev/nvidia1: ENXIO
/dev/null: ok
/dev/ptmx: ok' "$output$errors"

# --- the process ---------------------------------------------------------------------------------

for wanted in 0 7; do
	attempt -- sh -c "exit $wanted"
	equal "try: exit code $wanted" "$wanted" "$rc$output$errors"
done
# shellcheck disable=SC2016 # for the shell inside
attempt -- sh -c 'kill -KILL $$'
equal 'try: 128 + the signal' 137 "$rc$output$errors"
attempt -- no-such-program
equal 'try: 127, not found' '127 davit: cannot run no-such-program in the container' "$rc $output${errors%%:\ No*}"
attempt -- /etc/ld.so.cache
equal "try: 126, can't be run" '126 davit: cannot run /etc/ld.so.cache in the container' "$rc $output${errors%%:\ Perm*}"
attempt --gpu 0 -- true
equal 'try: a usage error' 2 "$rc"
attempt -- sh -c 'sleep 60 & sleep 60 & exit 3'
equal 'try: what the command leaves running ends with it' 3 "$rc"
nothing_stays 'try: after failures'

make_bundle '.process.user = {uid: 1000, gid: 1001, umask: 63, additionalGids: [1002, 1003]} |
	.process.cwd = "/var" | .process.env += ["GREETING=hello"] | .process.args = ["sh", "-c",
		"id -u; id -G; umask; pwd; echo $GREETING; grep -E \"NoNewPrivs|CapBnd|CapEff\" /proc/self/status"] |
	.process.capabilities = {bounding: ["CAP_KILL", "CAP_CHOWN"], effective: ["CAP_KILL"],
		permitted: ["CAP_KILL"], inheritable: ["CAP_KILL"], ambient: ["CAP_KILL"]}'
attempt
equal 'try: the process of config.json' "0 1000
1001 1002 1003
0077
/var
hello
CapEff:	0000000000000020
CapBnd:	0000000000000021
NoNewPrivs:	1" "$rc $output$errors"
attempt -- sh -c 'echo x > /proc/sys/kernel/hostname; touch /sys/x; head -c 1 /proc/timer_list | wc -c'
equal 'try: what config.json masks or makes read-only' '0 2' \
	"$output $(grep -c 'Read-only file system' <<< "$errors")"
make_bundle '.root.readonly = true'
attempt -- sh -c 'nvidia-smi -L; touch /x /dev/shm/x'
equal 'try: a read-only root' "$(smi_line 0 "$uuid1")
touch: /x: Read-only file system" "$output
$errors"
make_bundle '.process.args = []'
attempt
equal 'try: no command at all' '125 davit: cannot try the bundle: its config.json names no command' "$rc $output${errors%% (*}"
printf '{"process": {"args": 5}, "root": {"path": "rootfs"}}\n' > "$bundle/config.json"
attempt
equal 'try: a config.json with a wrong type' "125 davit: cannot read the bundle's config.json: process: args is not an array" \
	"$rc $output${errors%% (*}"

# --- other bundles -------------------------------------------------------------------------------

make_bundle
rm "$bundle/config.json"
bundle_before=$(tree_state "$bundle")
attempt --gpus device=1 -- nvidia-smi -L
equal 'try: a directory with rootfs alone' "0 $(smi_line 0 "$uuid1")" "$rc $output$errors"
nothing_stays 'try: after a directory with rootfs alone'
make_bundle '.hooks = {createContainer: [{path: "/usr/bin/davit-hook", args: ["davit-hook", "createContainer"]}]}'
attempt -- true
matches "try: a bundle of davit-runtime's has its remedy" 'fix: name the GPUs with --gpus' "$rc $errors"
attempt --gpus device=1 -- nvidia-smi -L
equal "try: a bundle of davit-runtime's, with --gpus" "0 $(smi_line 0 "$uuid1")" "$rc $output$errors"
make_bundle '.mounts += [{destination: "/data", type: "bind", source: "/etc", options: ["bind"]}]'
attempt -- ls /data
matches 'try: volumes are left out, and named' 'mounts of config.json are ignored: /data$' "$errors"

# --- interrupted ---------------------------------------------------------------------------------

make_bundle
wait_for_sleep() {
	local tries=0
	until pgrep -x -f 'sleep 4711' > "$work/sleep" || [ $((++tries)) = 100 ]; do sleep 0.05; done
	[ -s "$work/sleep" ] || fail 'try: a command that waits' 'it did not start'
}
# gone: within 5 s nothing of it runs, and its cgroup is removed.
wait_for_end() {
	local tries=0
	while pgrep -x -f 'sleep 4711' > /dev/null || pgrep -f "try --bundle $bundle " > /dev/null; do
		[ $((++tries)) != 100 ] || break
		sleep 0.05
	done
}
for signal in TERM KILL; do
	"$davit" try --bundle "$bundle" --config "$config" -- sleep 4711 2> /dev/null &
	pid=$!
	wait_for_sleep
	kill "-$signal" "$pid"
	rc=0
	wait "$pid" 2> /dev/null || rc=$?
	equal "try: SIG$signal while the command runs" "$((128 + $(kill -l "$signal")))" "$rc"
	wait_for_end
	nothing_stays "try: after SIG$signal"
done
# Wherever it is killed: 30 moments of some milliseconds.
for moment in {1..30}; do
	"$davit" try --bundle "$bundle" --config "$config" -- sleep 4711 > /dev/null 2>&1 &
	pid=$!
	sleep "0.00$((moment % 10))$((moment / 10))"
	kill -KILL "$pid" 2> /dev/null || true
	wait "$pid" 2> /dev/null || true
done
wait_for_end
nothing_stays 'try: after SIGKILL at 30 moments'

# --- hostile images ------------------------------------------------------------------------------

canary=$work/canary
mkdir -p "$canary"/{lib,dev}
printf 'canary\n' | tee "$canary/lib/libcuda.so.1" > "$canary/ld.so.cache"
canary_before=$(tree_state "$canary")
hostile() { # NAME EXIT-CODE SETUP
	make_bundle
	(cd "$bundle/rootfs" && eval "$3")
	bundle_before=$(tree_state "$bundle")
	attempt -- nvidia-smi -L
	equal "try: hostile: $1" "$2" "$rc"
	[ "$2" = 0 ] || matches "try: hostile: $1: its line" '^davit: cannot .* \(fix: .+\)$' "$errors"
	equal "try: hostile: $1: the canary is untouched" "$canary_before" "$(tree_state "$canary")"
	nothing_stays "try: hostile: $1"
}
hostile '/proc is a link' 125 "rm -rf proc; ln -s '$canary' proc"
hostile '/dev is a link' 125 "rm -rf dev; ln -s '$canary/dev' dev"
hostile '/dev is a file' 125 'rm -rf dev; : > dev'
hostile 'a library is a link to the host' 0 "ln -s '$canary/lib/libcuda.so.1' usr/lib/x86_64-linux-gnu/libcuda.so.1"
hostile 'the loader cache is a link to the host' 0 "rm -f etc/ld.so.cache; ln -s '$canary/ld.so.cache' etc/ld.so.cache"
hostile '/tmp and /run lead out' 0 'rm -rf tmp run; ln -s ../../../../../../etc tmp; ln -s /../../etc run'

# --- as an ordinary user -------------------------------------------------------------------------

make_bundle
install -m 0755 "$davit" "$work/davit"
chown -R nobody: "$bundle"
bundle_before=$(tree_state "$bundle")
as_nobody() { setpriv --reuid nobody --regid nogroup --clear-groups "$@"; }
if as_nobody unshare --user --map-root-user true 2> "$work/errors"; then
	rc=0
	output=$(as_nobody unshare --user --map-root-user "$work/davit" try --bundle "$bundle" --config "$config" \
		-- nvidia-smi -L 2> "$work/errors") || rc=$?
	equal 'try: in a user namespace' "0 $(smi_line 0 "$uuid1")" "$rc $output"
	matches 'try: in a user namespace there are no device rules, and it says so' \
		'device rules are not in effect' "$(cat "$work/errors")"
else
	skip 'try: in a user namespace' "users may not make any: $(cat "$work/errors")"
fi
rc=0
as_nobody "$work/davit" try --bundle "$bundle" --config "$config" -- true > "$work/out" 2>&1 || rc=$?
matches 'try: without rights' '^125 davit: cannot create mount and PID namespaces: .* \(fix: run it as root, or in' \
	"$rc $(grep '^davit: cannot' "$work/out")"
nothing_stays 'try: as an ordinary user'
report_exit
