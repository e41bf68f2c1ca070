#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What davit says of hosts on which a part is missing or odd: info, require, and CDI specs.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
needs python3
require_root
make_work
host=$work/host
config=$host/davit.json
new_host() { "$fixture/fake-host" "$host" --majors captured "$@"; }
run() { # ARGUMENT...: sets output and rc
	rc=0
	output=$("$davit" "$@" --config "$config" 2>&1) || rc=$?
}

# --- require -------------------------------------------------------------------------------------

# A libcuda without the note, of that version.
forget_cuda() { # VERSION
	chmod u+w "$host/proc/driver/nvidia/version"
	sed -i "s/580.159.04/$1/" "$host/proc/driver/nvidia/version"
	python3 - "$host/driver/lib64/libcuda.so.$1" <<- 'END'
		import sys
		data = open(sys.argv[1], "rb").read()
		open(sys.argv[1], "wb").write(data.replace(b"NVIDIA Corporation\0", b"XVIDIA Corporation\0"))
	END
}
new_host
run require 'cuda>=13.0'
equal 'require: this host, by the note' '0 satisfied: cuda>=13.0 (decided by: cuda>=13.0)' "$rc $output"
run require 'cuda>=99'
equal 'require: this host has less' 3 "$rc"
run require 'arch>=8.0'
equal 'require: what only NVML tells is unknown' '1 unknown: arch>=8.0 (not known: arch; name it with --have)' "$rc $output"
run require 'arch>=8.0' 'cuda>=99'
equal 'require: one that fails weighs more' 3 "$rc"
run require --have driver=535.1 'cuda>=12.2'
equal 'require: facts that are named leave the others unknown' 1 "$rc"
equal 'require: as JSON, too' '["cuda"]' "$("$davit" require --json --have driver=535.1 'cuda>=12.2' | jq -c '.[0].missing')"
new_host --driver-version 535.161.08
forget_cuda 535.161.08
run require 'cuda>=12.2,cuda<12.3'
equal 'require: by the branch, without a note' 0 "$rc"
new_host --driver-version 999.1
forget_cuda 999.1
run require 'cuda>=12.2'
equal 'require: an unknown branch' '1 unknown: cuda>=12.2 (not known: cuda; name it with --have)' "$rc $output"

# --- info ----------------------------------------------------------------------------------------

new_host
rm "$host/driver"/lib64/libcuda.so*
run info
matches 'info without libcuda lists the GPUs' '^gpu 1 ' "$output"
matches 'info without libcuda: and says so' 'has no usable libcuda.so.580' "$output"
equal 'info without libcuda: exit code' 1 "$rc"
new_host --gpus 3
: > "$work/empty"
cp "$work/empty" "$host/proc/driver/nvidia/gpus/0000:00:07.0/information" 2> /dev/null ||
	{ chmod u+w "$host/proc/driver/nvidia/gpus/0000:00:07.0/information" && : > "$host/proc/driver/nvidia/gpus/0000:00:07.0/information"; }
run info
matches 'info: a GPU that cannot be read is named' '^lost    0000:00:07.0  cannot read' "$output"
matches 'info: the others keep their numbers' '^gpu 2 ' "$output"
run doctor
matches 'doctor: and says so' '^warn +driver.gpus +usable GPUs: 2 ' "$output"

# --- CDI -----------------------------------------------------------------------------------------

spec() { "$davit" cdi generate --config "$config" > "$work/spec.json" 2> "$work/errors"; }
new_host
mkdir -p "$host/driver/etc" "$host/driver/store"
mv "$host/driver/bin/nvidia-smi" "$host/driver/store/"
ln -s /etc/nvidia-smi "$host/driver/bin/nvidia-smi"
ln -s /store/nvidia-smi "$host/driver/etc/nvidia-smi"
chown 0:44 "$host/dev/nvidia0" "$host/dev/dri/card1"
chmod 0660 "$host/dev/nvidia0" "$host/dev/dri/card1"
spec
equal 'cdi: a link of the driver root is resolved in it' "$host/driver/store/nvidia-smi" \
	"$(jq -r '.containerEdits.mounts[] | select(.containerPath == "/usr/bin/nvidia-smi").hostPath' "$work/spec.json")"
"$davit" cdi generate --config "$config" --mounts hook > "$work/hook.json" 2> "$work/errors"
equal 'cdi: a link of the driver root is resolved in it, for the hook, too' "$host/driver/store/nvidia-smi" \
	"$(jq -r '[.containerEdits.hooks[].args[] | select(test("::/usr/bin/nvidia-smi::")) | split("::")[0]] | join(" ")' "$work/hook.json")"
equal 'cdi: engines fill in the numbers of nodes' '[]' "$(jq -c '[.. | objects | select(has("major"))]' "$work/spec.json")"
equal 'cdi: a node that only a group may open carries it' '[[44],44,432]' \
	"$(jq -c '.devices[] | select(.name == "0").containerEdits |
		[.additionalGids] + (.deviceNodes[] | select(.path == "/dev/nvidia0") | [.gid, .fileMode])' "$work/spec.json")"
equal 'cdi: others need no group' null "$(jq -c '.devices[] | select(.name == "1").containerEdits.additionalGids' "$work/spec.json")"
equal 'cdi: the version that groups need' 0.7.0 "$(jq -r .cdiVersion "$work/spec.json")"
new_host
rm "$host/dev/nvidia0"
printf 'x' > "$host/dev/nvidia0"
spec
equal 'cdi: a GPU whose node is masked is not described, and the numbers are those of NVML' \
	"0 $uuid1 all" "$(jq -r '[.devices[].name] | join(" ")' "$work/spec.json")"
rm "$host/dev/nvidia0"
chmod u+w "$host/proc/driver/nvidia/params"
sed -i 's/ModifyDeviceFiles: 1/ModifyDeviceFiles: 0/' "$host/proc/driver/nvidia/params"
spec
equal 'cdi: nor one whose node cannot be made' "0 $uuid1 all" "$(jq -r '[.devices[].name] | join(" ")' "$work/spec.json")"
rm "$host/dev/nvidia1"
rc=0
spec || rc=$?
equal 'cdi: without any there is no spec' 3 "$rc"
report_exit
