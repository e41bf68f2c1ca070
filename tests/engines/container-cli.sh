#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# davit-container-cli under NVIDIA's name: `ctr run --gpus` on a real containerd of its own, and the
# calls of enroot and Apptainer in namespaces like theirs.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
ENGINE=containerd
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/containerd.sh
. "$repository/tests/lib/containerd.sh"
enter_namespace "$@"
make_work
host=$work/host
"$fixture/fake-host" "$host"
with="cgroup $CGROUP"
both="$(smi_line 0 "$uuid0")
$(smi_line 1 "$uuid1")"

# Callers give no configuration: it is /etc/davit/config.json, here of our namespace alone.
mkdir "$work/etc"
mount -t tmpfs tmpfs "$work/etc"
mkdir -p "$work"/etc/{upper,work} "$work/etc/upper/davit"
cp "$host/davit.json" "$work/etc/upper/davit/config.json"
mount -t overlay overlay /etc -o "lowerdir=/etc,upperdir=$work/etc/upper,workdir=$work/etc/work"
at_end 'umount -l /etc'
mkdir "$work/bin"
ln -s "$DAVIT_BUILD/davit-container-cli" "$work/bin/nvidia-container-cli"
PATH=$work/bin:$PATH

cli() { # ARGUMENT...: sets rc, output and errors
	rc=0
	output=$(nvidia-container-cli "$@" 2> "$work/errors" < /dev/null) || rc=$?
	errors=$(cat "$work/errors")
}

# --- what callers read ---------------------------------------------------------------------------

cli --version
matches 'version: the first line' '^cli-version: [0-9]+\.[0-9]+\.[0-9]+$' "$(head -n 1 <<< "$output")"
equal 'version: not one that callers make an exception for' no \
	"$(grep -qx 'cli-version: 1.17.7' <<< "$output" || echo no)"
cli -k -d /dev/null info --csv
equal 'info --csv' "0 NVRM version,CUDA version
580.159.04,13.0

Device Index,Device Minor,Model,Brand,GPU UUID,Bus Location,Architecture
0,0,NVIDIA H200,Nvidia,$uuid0,00000000:00:06.0,9.0
1,1,NVIDIA H200,Nvidia,$uuid1,00000000:00:07.0,9.0" "$rc $output"
cli info
equal 'info: the first GPU' "NVRM version:   580.159.04
CUDA version:   13.0

Device Index:   0
Device Minor:   0
Model:          NVIDIA H200
Brand:          Nvidia
GPU UUID:       $uuid0
Bus Location:   00000000:00:06.0
Architecture:   9.0" "$(head -n 10 <<< "$output")"

listed() { # OPTION...: as names beneath the host
	cli list "$@"
	printf '%s\n' "${output//"$host/"/}"
}
equal 'list --ipcs' 'run/nvidia-persistenced/socket' "$(listed --ipcs)"
equal 'list --ipcs --no-persistenced' '' "$(listed --ipcs --no-persistenced)"
equal 'list --device 1' 'dev/nvidia-modeset
dev/nvidia-uvm
dev/nvidia-uvm-tools
dev/nvidia1
dev/nvidiactl' "$(listed --device 1 | grep -v /dri/ | sort)"
matches 'list --libraries: libcuda' 'libcuda\.so\.580\.159\.04$' "$(listed --libraries)"
equal 'list --libraries: nothing else' '' "$(listed --libraries | grep -v '\.so\b' || true)"
equal 'list --binaries' 'nvidia-cuda-mps-control
nvidia-cuda-mps-server
nvidia-debugdump
nvidia-persistenced
nvidia-smi' "$(listed --binaries | sed 's|.*/||' | grep -v nv-fabricmanager | sort)"
equal 'list --firmwares' 'gsp_ga10x.bin
gsp_tu10x.bin' "$(listed --firmwares | sed 's|.*/||' | sort)"
cli list
equal 'list: every kind' '0 yes yes yes' "$rc $(for name in nvidia-smi libcuda.so.580.159.04 nvidia1; do
	grep -q "/$name\$" <<< "$output" && printf 'yes '; done | sed 's/ $//')"

bad_usage() { # NAME ARGUMENT...
	cli "${@:2}"
	equal "$1: a usage error" 2 "$rc"
	matches "$1: one line" '^davit: cannot .*\(fix: ' "$errors"
}
bad_usage 'an unknown flag' configure --bogus /
bad_usage 'an unknown global flag' --bogus configure /
bad_usage 'no root' configure --device=all
bad_usage 'two roots' configure --device=all / /
bad_usage 'no command' -k
bad_usage 'an unknown command' inspect
bad_usage 'a command that is nearly known' lst
matches 'a command that is nearly known: which' 'unknown command "lst" \(fix: did you mean "list"\? ' "$errors"
bad_usage 'an option that is nearly known' configure --devcie=all /
matches 'an option that is nearly known: which' 'unknown option "--devcie=all" \(fix: did you mean "--device"\? ' "$errors"
bad_usage 'a pid that is none' configure --pid=x /
cli configure --device=all --compute "$work/nowhere"
equal 'a root that is not there: failed' 1 "$rc"
matches 'a root that is not there: one line' "^davit: cannot .*$work/nowhere.*\(fix: " "$errors"
cli configure --device=7 --compute "$(kind_root debian)"
equal 'an unknown GPU: refused' 3 "$rc"
cli configure --device=all --require='cuda>=99.0' "$(kind_root debian)"
equal 'a requirement that does not hold: refused' 3 "$rc"

# --- the caller's own mount namespace --------------------------------------------------------------

# in_namespace NAME EXPECTED UNSHARE-OPTIONS CALL: a root in a mount namespace of its own, as a
# launcher has it; then what is seen in it.
in_namespace() {
	local seen
	bundle=$work/$((++bundle_serial))
	overlay_root "$(kind_root debian)"
	mkdir -p "$bundle/rootfs/dev" "$bundle/rootfs/proc"
	# shellcheck disable=SC2086,SC2016 # options and calls are words
	seen=$(unshare --mount $3 bash -euc '
		root=$1
		shift
		mount --rbind /proc "$root/proc"
		mount -t tmpfs tmpfs "$root/dev"
		touch "$root/dev/null"
		mount --bind /dev/null "$root/dev/null"
		"$@" "$root"
		chroot "$root" sh -c "nvidia-smi -L; ls /dev | grep -c nvidia; dlprobe libcuda.so.1" || true
		' - "$bundle/rootfs" $4 2>&1 < /dev/null) || true
	equal "$1" "$2" "${seen//sh: line 0: /sh: }" # newer busybox has a line
	unmount_below "$bundle"
}
bundle_serial=0
cuda='libcuda.so.1: /usr/lib/x86_64-linux-gnu/libcuda.so.1'
enroot='nvidia-container-cli --user configure --no-cgroups --ldconfig=@/sbin/ldconfig --device=all
	--compute --utility --require=cuda>=12.0 --require=driver>=470'
apptainer='nvidia-container-cli --user configure --no-cgroups --device=1 --compute --utility
	--ldconfig=@/sbin/ldconfig'
in_namespace "enroot's call" "$both
5
$cuda" '' "$enroot"
in_namespace "Apptainer's call" "$(smi_line 0 "$uuid1")
4
$cuda" '' "$apptainer"
in_namespace "enroot's call in a user namespace" "$both
5
$cuda" '--user --map-root-user' "$enroot"
in_namespace 'no device, no capability' 'sh: nvidia-smi: not found
1
libcuda.so.1: error: libcuda.so.1: cannot open shared object file: No such file or directory' '' \
	'nvidia-container-cli configure'

# Mounts that would come back to the caller's caller aren't made.
in_namespace 'a mount namespace that shares its mounts' 'davit: cannot create /dev/nvidiactl in the container: it lies on the shared mount /dev and would appear on the host (fix: mount that volume at another path, or not as shared)' \
	'--propagation unchanged' "$enroot"

# An ordinary user, as enroot and unprivileged Apptainer have it: its own root, its own namespaces;
# the host's root has no id there. The program is where that user can reach it.
mkdir "$work/user"
cp "$DAVIT_BUILD/davit-container-cli" "$work/user/nvidia-container-cli"
for map in --map-root-user --map-current-user; do
	rm -rf "$work/user/root"
	cp -a "$(kind_root debian)" "$work/user/root"
	mkdir -p "$work/user/root/dev" "$work/user/root/proc"
	chown -R 1000:1000 "$work/user/root"
	# shellcheck disable=SC2016 # of the inner shell
	seen=$(setpriv --reuid 1000 --regid 1000 --clear-groups \
		unshare --user "$map" --keep-caps --mount bash -euc '
		mount --bind "$1/root" "$1/root"
		mount --rbind /proc "$1/root/proc"
		mount -t tmpfs tmpfs "$1/root/dev"
		"$1/nvidia-container-cli" --user configure --no-cgroups --device=all --compute --utility "$1/root"
		chroot "$1/root" nvidia-smi -L
		' - "$work/user" 2>&1 < /dev/null) || true
	equal "an ordinary user's call, $map" "$both" "$seen"
done
equal 'the host has no mount more' '' "$(grep -E 'davit-test.*(nvidia|libcuda)' /proc/self/mountinfo || true)"

# --- ctr run --gpus ------------------------------------------------------------------------------

if ! command -v containerd > /dev/null; then
	skip 'ctr run --gpus' "containerd isn't installed"
	report_exit
fi
start_containerd
ctr_run() { # OPTION... -- COMMAND...: sets rc and output
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	rc=0
	bundle=$work/$((++bundle_serial))
	overlay_root "$(kind_root debian)"
	output=$(ctr run --rm --rootfs --cpu-shares 0 --cgroup "$cgroup" --env PATH=/usr/bin:/bin \
		"${options[@]}" "$bundle/rootfs" "davit-$unique-$bundle_serial" "$@" 2>&1 < /dev/null) || rc=$?
	unmount_below "$bundle"
}
ctr_run --gpus 0 -- nvidia-smi -L
equal "ctr run --gpus 0 ($with)" "0 $(smi_line 0 "$uuid0")" "$rc $output"
ctr_run --gpus 1 -- sh -c 'nvidia-smi -L; nodeprobe /dev/nvidia1; dlprobe libcuda.so.1'
equal "ctr run --gpus 1 ($with)" "0 $(smi_line 0 "$uuid1")
/dev/nvidia1: ENXIO
$cuda" "$rc $output"
ctr_run -- nodeprobe /dev/nvidiactl
equal "ctr run without --gpus ($with): nothing is inside" '0 /dev/nvidiactl: ENOENT' "$rc $output"
ctr_run --gpus 7 -- true
equal "ctr run --gpus 7 ($with): does not start" 1 "$rc"
matches "ctr run --gpus 7 ($with): our line" 'davit: cannot .*7.*\(fix: choose one of them in --device \(--gpus of ctr' "$output"
# --- a device cgroup that refuses a GPU, as those of Slurm and LXC do --------------------------------

# The numbers are NVML's: the GPUs that can be opened here.
refused=$work/refused
case $CGROUP in
v1)
	refused=/sys/fs/cgroup/devices$cgroup/refused
	mkdir -p "$refused"
	printf 'c %d:%d rwm\n' "0x$(stat -c %t "$host/dev/nvidia0")" "0x$(stat -c %T "$host/dev/nvidia0")" > "$refused/devices.deny"
	;;
v2)
	refused=/sys/fs/cgroup$cgroup/refused
	mkdir -p "$refused"
	"${CC:-cc}" -O2 -Wall -D_GNU_SOURCE -o "$work/device-filter" "$repository/tests/faults/device-filter.c"
	"$work/device-filter" deny "$refused" "$((0x$(stat -c %t "$host/dev/nvidia0")))" "$((0x$(stat -c %T "$host/dev/nvidia0")))"
	;;
esac
at_end "rmdir $refused 2> /dev/null"
in_refused() { (echo "$BASHPID" > "$refused/cgroup.procs" && exec nvidia-container-cli "$@"); }
equal "$with: a refused GPU is not told of, and the other is number 0" "0,1,$uuid1" \
	"$(in_refused info --csv 2> /dev/null | sed -n '5,$p' | cut -d, -f1,2,5)"
equal "$with: index 0 is the one that can be opened" "$host/dev/nvidia1" \
	"$(in_refused list --device=0 2> /dev/null | grep "/nvidia[0-9]*$")"
equal "$with: all are those that can be opened" "$host/dev/nvidia1" \
	"$(in_refused list --device=all 2> /dev/null | grep "/nvidia[0-9]*$")"
rc=0
output=$(in_refused list --device=1 2>&1) || rc=$?
matches "$with: unknown second one" 'davit: cannot .*GPU.* 1.*\(fix: |unknown device' "$rc $output"
equal "$with: outside both are counted" '0 1' "$(nvidia-container-cli info --csv | sed -n '5,$p' | cut -d, -f1 | xargs)"
report_exit
