#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the hook says to input that can't be served: the exit code, one line with cause and remedy,
# and nothing changed. Needs no runtime: the container is a process in a mount namespace of its own.
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
version=$(cat "$host/driver/version")

new_bundle debian NVIDIA_VISIBLE_DEVICES=all
unshare --mount --propagation private sleep 600 &
container=$!
at_end "kill $container"
good=$(cat "$bundle/config.json")
state=$(jq -nc --arg bundle "$bundle" --argjson pid "$container" \
	'{ociVersion: "1.0.2", id: "c", status: "creating", pid: $pid, bundle: $bundle}')

# Waits for what unshare does before sleep: the namespace differs from ours then.
for ((i = 0; i < 100; i++)); do
	[ "$(readlink /proc/$container/ns/mnt)" = "$(readlink /proc/self/ns/mnt)" ] || break
	sleep 0.02
done

everything() {
	tree_state "$bundle/rootfs"
	find "$bundle/upper" "$host" -printf '%p %y %m %s %T@\n'
	sort /proc/self/mountinfo
	sort "/proc/$container/mountinfo"
}

# refused NAME EXIT-CODE PATTERN COMMAND...: one line that matches, on stderr alone.
refused() {
	local name=$1 code=$2 pattern=$3 before rc=0 output errors
	shift 3
	before=$(everything)
	output=$(timeout 10 "$@" 2> "$work/errors") || rc=$?
	errors=$(cat "$work/errors")
	if [ "$rc" != "$code" ]; then
		fail "$name" "exit $rc, not $code" "$output$errors"
	elif [ -n "$output" ] || [ "$(wc -l < "$work/errors")" != 1 ] || [ ${#errors} -gt 400 ]; then
		fail "$name" 'not one line on standard error, of at most 400 characters' "$output$errors"
	elif ! grep -qE '^davit: cannot .+ \(fix: .+\)$' "$work/errors"; then
		fail "$name" 'not of the form: davit: cannot ... (fix: ...)' "$errors"
	elif ! grep -qE -- "$pattern" "$work/errors"; then
		fail "$name" "no match of: $pattern" "$errors"
	elif [ "$before" != "$(everything)" ]; then
		fail "$name" 'something was changed' "$(diff <(printf '%s\n' "$before") <(everything) || true)"
	else
		ok "$name"
	fi
}

# `timeout` needs a program: this one has the state in a file.
with_state() { # STATE [CONFIG]: sets `call`
	printf '%s' "$1" > "$work/state.json"
	call=(sh -c '"$1" --config "$2" prestart < "$3"' sh "$hook" "${2:-$config}" "$work/state.json")
}
bad_state() { # NAME PATTERN STATE
	with_state "$3"
	refused "$1" 1 "$2" "${call[@]}"
}
# bad_bundle NAME EXIT-CODE PATTERN: the bundle as it stands now; then it is good again.
bad_bundle() {
	with_state "$state"
	refused "$1" "$2" "$3" "${call[@]}"
	rm -rf "$bundle/config.json"
	printf '%s\n' "$good" > "$bundle/config.json"
}
bad_config() { # NAME PATTERN FILE
	with_state "$state" "$3"
	refused "$1" 1 "$2" "${call[@]}"
}

# --- the state -----------------------------------------------------------------------------------

refused 'standard input is closed' 1 'standard input' sh -c '"$1" --config "$2" prestart <&-' sh "$hook" "$config"
refused 'standard input is /dev/null' 1 '.' sh -c '"$1" --config "$2" prestart < /dev/null' sh "$hook" "$config"
bad_state 'an empty state' 'empty' ''
bad_state 'a truncated state' '.' "${state:0:40}"
bad_state 'a state that is no object' '.' '[1]'
bad_state 'a state without pid' 'pid' "$(jq 'del(.pid)' <<< "$state")"
bad_state 'a state with pid 0' 'pid' "$(jq '.pid = 0' <<< "$state")"
bad_state 'a state with a pid of text' 'pid' "$(jq '.pid = "1"' <<< "$state")"
bad_state 'a state of a process that is gone' '.' "$(jq '.pid = 4194303' <<< "$state")"
bad_state 'a state without bundle' 'bundle' "$(jq 'del(.bundle)' <<< "$state")"
bad_state 'a relative bundle' 'bundle' "$(jq '.bundle = "here"' <<< "$state")"
bad_state 'a bundle that does not exist' "$work/nowhere" "$(jq --arg d "$work/nowhere" '.bundle = $d' <<< "$state")"

# --- config.json ---------------------------------------------------------------------------------

rm "$bundle/config.json"
bad_bundle 'no config.json' 1 'config\.json: No such file'
rm "$bundle/config.json" && mkdir "$bundle/config.json"
bad_bundle 'config.json is a directory' 1 'config\.json'
rm "$bundle/config.json" && mkfifo "$bundle/config.json"
bad_bundle 'config.json is a FIFO' 1 'config\.json'
printf '%s' "${good:0:300}" > "$bundle/config.json"
bad_bundle 'a truncated config.json' 1 'config\.json'
edit_bundle '.process.env = "NVIDIA_VISIBLE_DEVICES=all"'
bad_bundle 'process.env is no list' 1 'process\.env'
edit_bundle 'del(.root)'
bad_bundle 'no root' 1 'root'
edit_bundle '.root.path = $p' --arg p "$work/no-root"
bad_bundle 'a root.path that does not exist' 1 "$work/no-root"

# --- requests ------------------------------------------------------------------------------------

ask() { # VARIABLE...
	edit_bundle '.process.env += $variables' --argjson variables "$(json_strings "$@")"
}
ask NVIDIA_VISIBLE_DEVICES=7
bad_bundle 'an unknown index' 3 '7.*2 GPUs.*0.*1'
ask NVIDIA_VISIBLE_DEVICES=GPU-00000000-0000-0000-0000-000000000000
bad_bundle 'an unknown UUID names those there are' 3 "GPU-00000000-.*(${uuid0:0:12}|$uuid0)"
ask NVIDIA_VISIBLE_DEVICES=0000:00:1f.0
bad_bundle 'an unknown bus id' 3 '0000:00:1f\.0'
ask NVIDIA_VISIBLE_DEVICES=nonsense
bad_bundle 'a device that is no name of one' 3 'nonsense'
ask NVIDIA_DRIVER_CAPABILITIES=compute,utilty
bad_bundle 'an unknown capability' 1 'utilty'
ask 'NVIDIA_REQUIRE_CUDA=cuda>=99.0'
bad_bundle 'a requirement that does not hold: have and need' 3 'cuda>=99\.0.*13\.0|13\.0.*cuda>=99\.0'

# --- the driver ----------------------------------------------------------------------------------

# other_host CHANGES...: sets `other`, the configuration of a host like $host after the changes.
other_host() {
	rm -rf "$work/other"
	"$fixture/fake-host" "$work/other" "${@:2}"
	(cd "$work/other" && eval "$1")
	other=$work/other/davit.json
}
other_host 'rm -r proc/driver/nvidia'
bad_config 'the kernel module is not loaded' 'module' "$other"
# Left to itself, the hook would make the nodes that are missing.
no_repair='jq ".driver[\"load-modules\"] = false" davit.json > new && mv new davit.json'
other_host "rm dev/nvidiactl; $no_repair"
bad_config 'a node is missing' '/nvidiactl' "$other"
other_host "rm dev/nvidia0; $no_repair"
bad_config 'the node of a GPU is missing' '/nvidia0' "$other"
other_host 'rm dev/nvidia0; mknod dev/nvidia0 c 195 77'
bad_config 'the node of a GPU has another number' '/nvidia0' "$other"
other_host 'rm driver/lib64/libcuda.so* driver/lib64/libnvidia-ml.so*'
bad_config 'no userland: the directories searched' "libraries were not found in $work/other/driver: searched /lib64, /lib," "$other"
other_host : --driver-version 535.104.05
bad_config 'a userland of another version: both' "535\.104\.05.*${version//./\\.}|${version//./\\.}.*535\.104\.05" "$other"

# --- our configuration ---------------------------------------------------------------------------

cp "$config" "$work/davit.json"
chmod 0666 "$work/davit.json"
bad_config 'a configuration that others can write' "$work/davit\.json" "$work/davit.json"
chmod 0644 "$work/davit.json"
chown 1234 "$work/davit.json"
bad_config 'a configuration of another user' "$work/davit\.json" "$work/davit.json"
chown 0 "$work/davit.json"
printf '{"driver": {"rot": "/"}}\n' > "$work/davit.json"
bad_config 'an unknown key: the nearest name' 'rot.*(driver\.)?root' "$work/davit.json"
printf '{"driver": {"root": 5}}\n' > "$work/davit.json"
bad_config 'a value of the wrong type' 'driver\.root' "$work/davit.json"
printf '{"driver": \n' > "$work/davit.json"
bad_config 'a configuration that is no JSON' "$work/davit\.json" "$work/davit.json"
bad_config 'a configuration that does not exist' "$work/nothing\.json" "$work/nothing.json"
# policy KEY VALUE: the fake host's configuration with that policy, in $work/davit.json.
policy() {
	jq --arg key "$1" --argjson value "$2" '.policy[$key] = $value' < "$config" > "$work/davit.json"
}
policy capabilities '["utility"]'
with_state "$state" "$work/davit.json"
ask NVIDIA_DRIVER_CAPABILITIES=graphics,utility
refused 'a capability that policy does not allow' 3 'graphics.*utility' "${call[@]}"
printf '%s\n' "$good" > "$bundle/config.json"

# What policy doesn't accept as a request is none: the container starts, without GPUs.
policy accept-env '"privileged"'
with_state "$state" "$work/davit.json"
before=$(everything)
rc=0
"${call[@]}" 2> "$work/errors" || rc=$?
equal 'a variable that policy does not accept' "0 $before" "$rc $(cat "$work/errors")$(everything)"

# --- usage ---------------------------------------------------------------------------------------

usage() { # NAME ARGUMENT...
	local rc=0 name=$1
	shift
	"$hook" "$@" > "$work/output" 2> "$work/errors" < /dev/null || rc=$?
	equal "usage: $name" '2 usage: davit-hook' "$rc $(head -n1 "$work/errors" | cut -c1-17)"
}
usage 'no stage'
usage 'an unknown stage' startContainer
usage 'two stages' prestart poststop
usage 'an unknown option' --root=/ prestart
usage 'an option without its value' prestart --config
for option in -version --version; do
	matches "$option" '^davit-hook [0-9]+\.[0-9]+' "$("$hook" "$option")"
done
for stage in poststart poststop; do
	rc=0
	"$hook" -config=/nonexistent -debug $stage < /dev/null || rc=$?
	equal "$stage has nothing to do" 0 $rc
done

# And all of this was no accident: as it stands now, the bundle is served. (The process is in our
# own cgroup, whose rules are to stay as they are.)
jq '.cgroups = "never"' < "$config" > "$work/davit.json"
with_state "$state" "$work/davit.json"
rc=0
"${call[@]}" 2> "$work/errors" || rc=$?
equal 'the bundle without a fault is served' '0 ' "$rc $(cat "$work/errors")"
matches 'and the mounts are in its namespace' "/libcuda\.so\.$version " "$(cat "/proc/$container/mountinfo")"
report_exit
