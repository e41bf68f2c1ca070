#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# MIG instances by all their names, and requirements that only NVML can decide. Both start davit-nvml,
# with the fixture's libnvidia-ml.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
enter_namespace "$@"
make_work
host=$work/host
config=$work/davit.json
log=$work/log
"$fixture/fake-host" "$host" --mig
# crun doesn't show what a hook has to say.
jq --arg log "$log" '.log.file = $log' < "$host/davit.json" > "$config"
with="$ENGINE, cgroup $CGROUP"
spare_crun_memlock
version=$(cat "$host/driver/version")
nvml=$host/driver/lib64/libnvidia-ml.so.$version

# The table of GPUs inside the fixture's library. Its code has pieces of such lines, too.
gpu_table() {
	tr '\0' '\n' < "$nvml" |
		grep -aE '^(davit-gpus 1$|driver [0-9]|cuda [0-9]|dev /.|gpu minor=[0-9]|mig gi=[0-9])' |
		awk '$1 != "davit-gpus" || !n++'
}
mig_uuid() { # GPU-INSTANCE
	gpu_table | sed -n "s/^mig gi=$1 .*uuid=//p"
}

# NVML has the second GPU instance first: its order is not that of the numbers.
gpu_table | awk '/^mig/ { mig = $0 "\n" mig; next } { printf "%s", mig; mig = ""; print }
	END { printf "%s", mig }' > "$work/table"
"$DAVIT_BUILD/tests/fixture/tools/driver-patch" gpus "$nvml" < "$work/table"
mig1=$(mig_uuid 1)
mig2=$(mig_uuid 2)

# --- davit-nvml ----------------------------------------------------------------------------------

answer=$("$DAVIT_BUILD/davit-nvml" "$nvml" "$host/dev" | jq -c '.driver, .cuda,
	(.gpus[] | [.index, .bus_id, .minor, .uuid, .brand, .arch, .mig,
		(.instances[] | [.uuid, .gpu_instance, .compute_instance])])')
equal 'davit-nvml: what NVML says' "\"$version\"
\"13.0\"
[0,\"00000000:00:06.0\",0,\"$uuid0\",\"nvidia\",\"9.0\",true,[\"$mig2\",2,0],[\"$mig1\",1,0]]
[1,\"00000000:00:07.0\",1,\"$uuid1\",\"nvidia\",\"9.0\",false]" "$answer"

# --- instances -----------------------------------------------------------------------------------

# This machine's kernel may have no /proc/driver/nvidia: a hook before ours gives the container one.
cat > "$work/give-proc" << 'END'
#!/bin/sh
pid=$(jq .pid)
exec nsenter --mount="/proc/$pid/ns/mnt" sh -c "
	mount -t tmpfs tmpfs '$2/proc/driver' && cp -r '$1/proc/driver/nvidia' '$2/proc/driver/'"
END
chmod +x "$work/give-proc"

probe='
echo "== smi"; nvidia-smi -L
echo "== nodes"; cd /dev; ls -d nvidia[0-9]* nvidia-caps/* 2> /dev/null
echo "== refused"; nodeprobe -r nvidia[0-9]* nvidia-caps/* | grep -v ENXIO
cd /proc/driver/nvidia
echo "== gpus"; ls gpus 2> /dev/null
echo "== capabilities"; find capabilities -name "ci*" 2> /dev/null | sort
echo "== mask"; grep -c " /proc/driver/nvidia ro,.* - tmpfs " /proc/self/mountinfo'

in_container() { # VISIBLE-DEVICES [NAME=VALUE...]
	new_bundle debian "NVIDIA_VISIBLE_DEVICES=$1" "${@:2}"
	[ -e /proc/driver/nvidia ] || edit_bundle '.hooks.prestart |= [{path: $give,
		args: ["give-proc", $host, $root], env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}] + .' \
		--arg give "$work/give-proc" --arg host "$host" --arg root "$bundle/rootfs"
	run_script "$probe"
	drop_bundle
}

smi_mig() { # PLACE UUID
	printf '  MIG 1g.18gb     Device  %s: (UUID: %s)' "$1" "$2"
}

caps_of() { # GPU-INSTANCE: its node and that of its compute instance
	local directory=$host/proc/driver/nvidia/capabilities/gpu0/mig/gi$1
	sed -n 's|^DeviceFileMinor: *|nvidia-caps/nvidia-cap|p' "$directory/access" "$directory/ci0/access"
}

# gives NAME DEVICES GPU-INSTANCE: just that instance is inside.
gives() {
	local name="$1 ($with)"
	in_container "$2"
	equal "$name: it starts" '0 ' "$rc $errors"
	equal "$name: nvidia-smi -L" "$(smi_line 0 "$uuid0")
$(smi_mig 0 "$(mig_uuid "$3")")" "$(part smi)"
	equal "$name: its GPU's node and the instance's two" "$(caps_of "$3")
nvidia0" "$(part nodes)"
	equal "$name: which may be opened" '' "$(part refused)"
	equal "$name: the mask shows its GPU and its capability" "0000:00:06.0
capabilities/gpu0/mig/gi$3/ci0
1" "$(part gpus)
$(part capabilities)
$(part mask)"
	host_unchanged "$name"
}

gives 'the first place in NVML'\''s order' 0:0 2
gives 'the second' 0:1 1
gives 'a MIG UUID' "$mig1" 1
gives 'the name of drivers before 470' "MIG-$uuid0/2/0" 2

everything="$(smi_line 0 "$uuid0")
$(smi_mig 0 "$mig2")
$(smi_mig 1 "$mig1")
$(smi_line 1 "$uuid1")"
in_container all
equal "all ($with): both instances and the other GPU" "0 $everything" "$rc $(part smi)$errors"
equal "all ($with): their nodes, each once" "$({ caps_of 1 && caps_of 2; } | sort)
nvidia0
nvidia1" "$(part nodes)"
in_container 0:1,0:0
equal "both by their places ($with)" "$(head -n 3 <<< "$everything")" "$(part smi)$errors"

# --- failures ------------------------------------------------------------------------------------

# fails NAME REGULAR-EXPRESSION VISIBLE-DEVICES [NAME=VALUE...]: the container doesn't start.
fails() {
	: > "$log"
	in_container "${@:3}"
	equal "$1 ($with): the container doesn't start" no "$([ "$rc" = 0 ] || echo no)"
	matches "$1 ($with): why" "$2" "$(cat "$log")"
	host_unchanged "$1 ($with)"
}
candidates="the host has 2 MIG instances \\(0:0 $mig2, 0:1 $mig1\\) \\(fix: choose one of them"
unknown=MIG-00000000-0000-0000-0000-000000000000
fails 'an unknown MIG UUID' "cannot inject MIG instance $unknown: $candidates" "$unknown"
fails 'an unknown place' "cannot inject MIG instance 0:2: $candidates" 0:2
# For that name NVML isn't asked: /proc has the numbers.
fails 'unknown numbers' \
	"cannot inject MIG instance MIG-$uuid0/3/0: the host has 2 MIG instances \\(0:0, 0:1\\)" \
	"MIG-$uuid0/3/0"

# --- requirements --------------------------------------------------------------------------------

# meets NAME VISIBLE-DEVICES REQUIREMENT: the container starts.
meets() {
	in_container "$2" "NVIDIA_REQUIRE_TEST=$3"
	equal "$1 ($with): it starts" '0 ' "$rc $errors"
}
meets 'its brand' 1 brand=nvidia
meets 'its compute capability' 1 'arch>=9.0'
meets 'one of two alternatives' all 'brand=tesla,driver>=1 arch>=8,brand!=tesla'
meets 'no GPU, any brand' none brand=tesla
fails 'another brand' 'needs brand=tesla, the host has brand nvidia' 1 NVIDIA_REQUIRE_TEST=brand=tesla
fails 'a compute capability of the future' 'needs arch>=99, the host has arch 9.0' 1 \
	'NVIDIA_REQUIRE_TEST=arch>=99'

# --- a davit-nvml of ours ------------------------------------------------------------------------

# Beside a hook that isn't installed it is the one that is asked.
mkdir "$work/alone"
cp "$hook" "$work/alone/davit-hook"
hook=$work/alone/davit-hook
install_stand_in() { # TEXT-IT-PRINTS
	"${CC:-cc}" -o "$work/alone/davit-nvml" -x c - <<< "#include <stdio.h>
int main(void) { return puts($(jq -n --arg text "$1" '$text')) < 0; }"
}

meets 'all, without davit-nvml' all 'cuda>=12 brand=tesla'
meets 'an index, without davit-nvml' 0 'driver>=500,cuda>=12'
installed=$(strings -n 8 "$hook" | grep -m 1 '/libexec/davit/davit-nvml$' || true)
if [ -e "${installed:-/nonexistent}" ]; then
	skip "a place, without davit-nvml ($with)" "$installed is there"
else
	fails 'a place, without davit-nvml' 'ask NVML: .*/davit-nvml doesn.t exist \(fix: install' 0:0
fi

two_kinds=$(jq -n --arg driver "$version" --arg uuid0 "$uuid0" --arg uuid1 "$uuid1" '{driver: $driver,
	gpus: [{bus_id: "00:06.0", uuid: $uuid0, brand: "tesla", arch: "9.0", instances: []},
		{bus_id: "00:07.0", uuid: $uuid1, brand: "geforce", arch: "8.6", instances: []}]}')
install_stand_in "$two_kinds"
meets 'GPUs of two kinds, one' 0 'arch>=9,brand=tesla'
meets 'GPUs of two kinds, both' all 'arch>=8.6'
fails 'GPUs of two kinds, one that fails' \
	'inject GPU 1: cannot satisfy NVIDIA_REQUIRE_TEST: .* brand=tesla, the host has brand geforce' all \
	NVIDIA_REQUIRE_TEST=brand=tesla
install_stand_in 'GPU 0: NVIDIA H200'
fails 'an answer that is none' 'ask NVML: cannot read davit-nvml.s answer' 0:0
chmod g+w "$work/alone/davit-nvml"
fails 'a davit-nvml that others can write' 'davit-nvml is writable by other users' 0:0
rm "$work/alone/davit-nvml"
hook=$DAVIT_BUILD/davit-hook

# --- GPUs that were never opened -----------------------------------------------------------------

chmod u+w "$host"/proc/driver/nvidia/gpus/*/information
sed -i 's/GPU-.*/GPU-????????-????-????-????-????????????/' "$host"/proc/driver/nvidia/gpus/*/information
for device in "$uuid1" 1; do
	in_container "$device"
	equal "a GPU without a UUID in /proc, as $device ($with)" "$(smi_line 0 "$uuid1")" \
		"$(part smi)$errors"
done
gives 'a MIG instance of such a GPU' "MIG-$uuid0/1/0" 1
report_exit
