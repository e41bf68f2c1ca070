#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `davit system` and `davit list` on a fake host; the modules that `prepare` loads are in
# tests/engines/missing.sh.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
require_root
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host" --mig > /dev/null
major() { # NAME: of the fake host's /proc/devices
	awk -v name="$1" '$2 == name { print $1; exit }' "$host/proc/devices"
}
uvm=$(major nvidia-uvm)
caps=$(major nvidia-caps)

# --- create-device-nodes -------------------------------------------------------------------------

create() {
	"$davit" system create-device-nodes --config "$config" "$@" 2>&1
}
name='system create-device-nodes'
equal "$name: all is there" 'everything is in place' "$(create)"
rm "$host/dev/nvidia1" "$host/dev/nvidia-uvm"
equal "$name --control-devices --dry-run: says what it would do" "would create $host/dev/nvidia-uvm (c $uvm:0)" \
	"$(create --control-devices --dry-run)"
equal "$name --dry-run: and nothing is there" '' "$(find "$host/dev" -name nvidia1 -o -name nvidia-uvm)"
equal "$name --control-devices" "created $host/dev/nvidia-uvm (c $uvm:0)" "$(create --control-devices)"
equal "$name --json" "[\"created $host/dev/nvidia1 (c 195:1)\"]" "$(create --json | jq -c .done)"
equal "$name: the node" "character special file c3:1 666" \
	"$(stat -c '%F %t:%T %a' "$host/dev/nvidia1")"
equal "davit ctk $name, as Go writes options" 'everything is in place' \
	"$("$davit" ctk system create-device-nodes -control-devices=true --config "$config" --driver-root=/)"

# --- create-dev-char-symlinks --------------------------------------------------------------------

link() {
	"$davit" system create-dev-char-symlinks --config "$config" --dev-char-path "$work/char" "$@" 2>&1
}
links() {
	find "$work/char" -type l -printf '%f %l\n' | sort
}
name='system create-dev-char-symlinks'
expected="195:0 $host/dev/nvidia0
195:1 $host/dev/nvidia1
195:254 $host/dev/nvidia-modeset
195:255 $host/dev/nvidiactl
$caps:1 $host/dev/nvidia-caps/nvidia-cap1
$caps:2 $host/dev/nvidia-caps/nvidia-cap2"
rm "$host/dev/nvidia1"
# The userland plays no part.
mv "$host/driver" "$host/elsewhere"
mkdir "$host/driver"
equal "$name --dry-run: names the links" "$work/char/195:255 -> $host/dev/nvidiactl" \
	"$(link --dry-run | grep 195:255)"
equal "$name --dry-run: and makes none" no "$([ -e "$work/char" ] && echo yes || echo no)"
link > "$work/output" || true
equal "$name: the nodes that are there" "$(grep -v '^195:1 ' <<< "$expected")" \
	"$(links | grep -E "^(195:|$caps:[12] )")"
equal "$name: says so" "$(links)" "$(sed "s|^$work/char/||; s| ->||" "$work/output" | sort)"
equal "$name --create-all --json: the one that isn't, too" \
	"[{\"path\":\"$work/char/195:1\",\"target\":\"$host/dev/nvidia1\"}]" "$(link --create-all --json | jq -c .links)"
equal "$name --create-all: all of them" "$expected" "$(links | grep -E "^(195:|$caps:[12] )")"
equal "$name: again, nothing" '' "$(link --create-all)"
equal "$name: the node wasn't made" no "$([ -e "$host/dev/nvidia1" ] && echo yes || echo no)"
link --create-all --create-device-nodes > /dev/null
equal "$name --create-device-nodes: now it is" yes "$([ -c "$host/dev/nvidia1" ] && echo yes || echo no)"
ln -sfn nowhere "$work/char/195:0"
link > /dev/null
equal "$name: a link that leads elsewhere gives way" "$expected" "$(links | grep -E "^(195:|$caps:[12] )")"
rm -r "$host/proc/driver/nvidia"
rc=0
output=$(link) || rc=$?
equal "$name without the module: fails" 1 "$rc"
matches "$name without the module: one line" '^davit: cannot .*kernel module nvidia is not loaded.*\(fix: ' "$output"

# --- list, info ----------------------------------------------------------------------------------

"$fixture/fake-host" "$host" > /dev/null
"$davit" list --config "$config" > "$work/list"
"$davit" list --config "$config" --json > "$work/list.json"
equal 'list --json: the same files and nodes' "$(sort "$work/list")" \
	"$(jq -r '.nodes[].path, .files[].path' "$work/list.json" | sort)"
equal 'list --json: each with its target and reason' 0 \
	"$(jq '[.nodes[], .files[] | select(.target == "" or .because == "")] | length' "$work/list.json")"
equal 'info --json: the GPUs that the text names' "$("$davit" info --config "$config" | grep -oE 'GPU-[0-9a-f-]+')" \
	"$("$davit" info --config "$config" --json | jq -r '.gpus[].uuid')"
report_exit
