#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each kind of root file system gets one of the host's two GPUs: what is inside, and what is not.
# $ENGINE and $CGROUP say with which runtime and on which version of cgroups.
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
with="$ENGINE, cgroup $CGROUP"
spare_crun_memlock

probe='
echo "== smi"; nvidia-smi -L
echo "== dl"; dlprobe libcuda.so.1 libnvidia-ml.so.1
echo "== cache"; ldconfig -p | sed -n "s/^\t\(lib\(cuda\|nvidia-ml\)\.so\.1 .*\)/\1/p" | sort
echo "== links"; cd LIBDIR; for l in libcuda.so.1 libcuda.so libnvidia-ml.so.1; do echo "$l $(readlink $l)"; done
echo "== nodes"; cd /dev; ls -d nvidia* | sort
echo "== open"; nodeprobe /dev/nvidiactl /dev/nvidia1 /dev/nvidia-uvm
echo "== mknod"; nodeprobe --mknod c 195 0 /tmp/node; nodeprobe --mknod c 195 1 /tmp/node
echo "== null"; nodeprobe /dev/null /dev/zero
'

nodes='nvidia-uvm
nvidia-uvm-tools
nvidia1
nvidiactl'
# ENXIO: the rule allows it, and there is no hardware.
opened='/dev/nvidiactl: ENXIO
/dev/nvidia1: ENXIO
/dev/nvidia-uvm: ENXIO'
made='mknod /tmp/node: ok
/tmp/node: EPERM
mknod /tmp/node: ok
/tmp/node: ENXIO'
lib_dir() { # KIND
	case $1 in
	rhel) echo /usr/lib64 ;;
	musl) echo /usr/lib ;;
	*) echo /usr/lib/x86_64-linux-gnu ;;
	esac
}

allow_mknod='.process.capabilities |= map_values(. + ["CAP_MKNOD"] | unique) |
	.linux.resources.devices += [{allow: true, type: "c", access: "m"}]'

# A root with a shell: one container tells all.
test_kind() { # KIND
	local kind=$1 name="$1 ($with)" dir
	dir=$(lib_dir "$kind")
	new_bundle "$kind" NVIDIA_VISIBLE_DEVICES=1
	edit_bundle "$allow_mknod"
	run_script "${probe//LIBDIR/$dir}"
	# Programs for glibc don't start on musl, and it has no ldconfig.
	[ "$kind" != musl ] || errors=$(grep -v ': not found$' <<< "$errors" || true)
	equal "$name: it starts" '0 ' "$rc $errors"
	host_unchanged "$name"
	equal "$name: links" "libcuda.so.1 libcuda.so.$version
libcuda.so libcuda.so.1
libnvidia-ml.so.1 libnvidia-ml.so.$version" "$(part links)"
	equal "$name: nodes" "$nodes" "$(part nodes)"
	equal "$name: selected nodes can be opened" "$opened" "$(part open)"
	equal "$name: a node made for the other GPU can't" "$made" "$(part mknod)"
	equal "$name: the runtime's own rules still hold" '/dev/null: ok
/dev/zero: ok' "$(part null)"
	equal "$name: the loader finds the libraries" "libcuda.so.1: $dir/libcuda.so.1
libnvidia-ml.so.1: $dir/libnvidia-ml.so.1" "$(part dl | sed 's|: /lib/|: /usr/lib/|; s|: /lib64/|: /usr/lib64/|')"
	if [ "$kind" != musl ]; then
		equal "$name: nvidia-smi -L" "$(smi_line 0 "$uuid1")" "$(part smi)"
		equal "$name: ldconfig -p" "libcuda.so.1 (libc6,x86-64) => $dir/libcuda.so.1
libnvidia-ml.so.1 (libc6,x86-64) => $dir/libnvidia-ml.so.1" "$(part cache)"
	fi
	drop_bundle
}

# Without one: a container for each question.
test_distroless() {
	local name="distroless ($with)"
	new_bundle distroless NVIDIA_VISIBLE_DEVICES=1
	edit_bundle "$allow_mknod"
	run_container /usr/bin/nvidia-smi -L
	equal "$name: nvidia-smi -L" "0 $(smi_line 0 "$uuid1")" "$rc $output$errors"
	host_unchanged "$name"
	run_container /usr/bin/dlprobe libcuda.so.1 libnvidia-ml.so.1
	equal "$name: the loader finds the libraries" "0 libcuda.so.1: /usr/lib/x86_64-linux-gnu/libcuda.so.1
libnvidia-ml.so.1: /usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1" "$rc ${output//: \/lib\//: /usr/lib/}$errors"
	run_container /usr/bin/nodeprobe /dev/nvidia{ctl,0,1,-uvm,-uvm-tools}
	equal "$name: nodes" '/dev/nvidiactl: ENXIO
/dev/nvidia0: ENOENT
/dev/nvidia1: ENXIO
/dev/nvidia-uvm: ENXIO
/dev/nvidia-uvm-tools: ENXIO' "$output"
	run_container /usr/bin/nodeprobe --mknod c 195 0 /tmp/node
	equal "$name: a node made for the other GPU can't be opened" 'mknod /tmp/node: ok
/tmp/node: EPERM' "$output"
	drop_bundle
}

for kind in debian rhel musl old-glibc; do
	test_kind "$kind"
done
test_distroless
report_exit
