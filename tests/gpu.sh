#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# davit on a machine with a real GPU: runs containers over an overlay of the machine's own root,
# whose driver is a mount of its own and so isn't in the overlay, and looks at what is inside.
# Needs root, cgroup v2, python3 (with torch for one test), and a folder of programs, since such a
# machine may have neither packages nor a network. On Debian 12, after a build:
#
#     tests/gpu.sh --pack .carry          # the programs, nodeprobe, runc, busybox, peak
#
# and on the machine, with that folder and this repository:
#
#     tests/gpu.sh --bin .carry
#
# With --bench before either it is tests/bench.sh that is packed, or run on the machine's own driver.
# --fake plays the driver with the tests' fake one: to test this script where there is no GPU.
# PYTHON names another python3. The last line is `N passed, N failed[, N skipped]`.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/lib/place.sh"
# Carried programs count as installed ones.
word_before=''
for word; do
	[ "$word_before" != --bin ] || PATH=$(realpath "$word"):$PATH
	word_before=$word
done
# shellcheck source=tests/lib/timing.sh
. "$repository/tests/lib/timing.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"

usage() {
	printf 'usage: tests/gpu.sh [--bench] --bin DIR\n       tests/gpu.sh [--bench] --pack DIR\n       tests/gpu.sh --bin DIR --fake\n' >&2
	exit 2
}

# What programs with graphics bring along: the loaders of Vulkan and EGL, and what the driver's
# libraries need of X.
pack_loaders() { # DIR
	local deb
	mkdir -p "$1" "$work/loaders"
	(cd "$work/loaders" && apt-get -q download libvulkan1 libegl1 libglvnd0 libx11-6 libxext6 libxcb1 \
		libxau6 libxdmcp6 libbsd0 libmd0 > apt.log 2>&1) || {
		cat "$work/loaders/apt.log" >&2
		exit 1
	}
	for deb in "$work/loaders"/*.deb; do
		dpkg -x "$deb" "$work/loaders/unpacked"
	done
	find "$work/loaders/unpacked/usr/lib/x86_64-linux-gnu" -name 'lib*.so.*' -type l \
		-exec cp -L {} "$1/" \;
}

# Debian's runc is dynamic: its libseccomp comes along.
pack() { # DIR
	make_work
	mkdir -p "$1"
	cp "$hook" "$davit" "$DAVIT_BUILD/davit-nvml" "$DAVIT_BUILD/davit-runtime" "$DAVIT_BUILD/tests/fixture/tools/nodeprobe" "$1/"
	mkdir -p "$work/loaders"
	chown _apt "$work" "$work/loaders" 2> /dev/null || true
	(cd "$work" && apt-get -q download runc libseccomp2 > apt.log 2>&1) || {
		cat "$work/apt.log" >&2
		exit 1
	}
	for deb in "$work"/*.deb; do
		dpkg -x "$deb" "$work/unpacked"
	done
	cp -L "$work/unpacked/usr/sbin/runc" "$1/runc"
	cp -L "$work"/unpacked/usr/lib/x86_64-linux-gnu/libseccomp.so.2 "$1/"
	# container.sh makes the roots of its containers with it.
	cp -L "$(command -v busybox)" "$1/"
	pack_loaders "$1/loaders"
	"${CC:-cc}" -O2 -static -o "$1/peak" "$repository/tests/lib/peak.c"
	ls -l "$1"
}

if [ "${1:-}" = --bench ]; then
	[ $# = 3 ] || usage
	case $2 in
	--pack) exec "$repository/tests/bench.sh" --pack "$3" ;;
	--bin) exec "$repository/tests/bench.sh" --gpu --bin "$3" ;;
	esac
	usage
fi

bin='' fake='' arguments=("$@")
while [ $# -gt 0 ]; do
	case $1 in
	--bin | --pack) [ $# -ge 2 ] || usage ;;&
	--bin) bin=$2 && shift ;;
	--pack)
		pack "$2"
		exit
		;;
	--fake) fake=y ;;
	*) usage ;;
	esac
	shift
done
[ -n "$bin" ] || usage
bin=$(cd "$bin" && pwd)
hook=$bin/davit-hook davit=$bin/davit
PATH=$bin:$PATH
CGROUP=v2 ENGINE=runc
enter_namespace "${arguments[@]}"
python=${PYTHON:-/opt/torch/.venv/bin/python3}
[ -x "$python" ] || python=$(command -v python3)
make_work
mount -t tmpfs tmpfs "$work"

if ! runc --version > /dev/null 2>&1; then
	# The loader of this namespace alone learns where runc's library is.
	ldconfig -X -C "$work/ld.so.cache" "$bin" && mount --bind "$work/ld.so.cache" /etc/ld.so.cache
	at_end 'umount -l /etc/ld.so.cache'
fi

# --- the driver ----------------------------------------------------------------------------------

config=$work/davit.json
if [ -n "$fake" ]; then
	mkdir "$work/host"
	"$fixture/fake-host" "$work/host"
	cp "$work/host/davit.json" "$config"
else
	root=$(find_driver_root)
	printf '{"driver": {"root": "%s"}}\n' "$root" > "$config"
fi

title() {
	printf '\n--- %s\n' "$*"
}
show() {
	sed 's/^/    /'
}

the_machine() {
	local version
	version=$(sed -nE 's/.*Kernel Module[^0-9]*([0-9.]+) .*/\1/p' /proc/driver/nvidia/version 2> /dev/null || true)
	title 'the machine'
	report_host "${version:-580.159.04}, $([ -n "$fake" ] && echo fake || echo real)" \
		"runc $(runc --version | sed -nE '1s/^runc version ([0-9.]+).*/\1/p')"
	uname -sr | show
	"$davit" info --config "$config" | show
	"$davit" info --json --config "$config" > "$work/info.json"
	# "INDEX MINOR UUID BUS-ID" of each GPU
	mapfile -t gpus < <("$python" -c '
import json, sys
for g in json.load(open(sys.argv[1]))["gpus"]:
    print(g["index"], g["minor"], g["uuid"], g["bus_id"])' "$work/info.json")
	equal 'davit info finds the GPUs that are there' \
		"$(if [ -n "$fake" ]; then echo 2; else find /proc/driver/nvidia/gpus -mindepth 1 -maxdepth 1 | wc -l; fi)" \
		"${#gpus[@]}"
}

# --- containers ----------------------------------------------------------------------------------

mkdir "$work/spec" && (cd "$work/spec" && runc spec)
cat > "$work/bundle.py" << 'END'
import json, os, sys
spec, out, rootfs, hook, config, count = sys.argv[1:7]
count = int(count)
c = json.load(open(spec))
c["process"].update(terminal=False, args=sys.argv[7 + count:], cwd="/")
c["process"]["env"] = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp"]
c["process"]["env"] += sys.argv[7:7 + count]
for kind in ("bounding", "effective", "permitted"):
    c["process"]["capabilities"][kind].append("CAP_MKNOD")
c["linux"]["resources"]["devices"].append({"allow": True, "type": "c", "access": "m"})
c["linux"]["cgroupsPath"] = "/davit-gpu-test"
c["root"] = {"path": rootfs, "readonly": False}
if hook:
    call = {"path": hook, "args": ["davit-hook", "--config", config, "prestart"]}
    c["hooks"] = {"prestart": [call] * int(os.environ.get("HOOK_TIMES", "1"))}
json.dump(c, open(out, "w"))
END

# An overlay of the machine's root, empty above. Mounts of the machine aren't in it.
fresh_root() {
	bundle_serial=$((${bundle_serial:-0} + 1))
	bundle=$work/bundle$bundle_serial
	mkdir -p "$bundle"/{upper,overlay-work,rootfs}
	mount -t overlay overlay "$bundle/rootfs" \
		-o "lowerdir=/,upperdir=$bundle/upper,workdir=$bundle/overlay-work"
	cp "$bin/nodeprobe" "$bundle/rootfs/usr/local/bin/nodeprobe"
}

configure() { # HOOK [NAME=VALUE...] -- COMMAND...
	local variables=() with=$1
	shift
	while [ "$1" != -- ]; do
		variables+=("$1")
		shift
	done
	shift
	"$python" "$work/bundle.py" "$work/spec/config.json" "$bundle/config.json" "$bundle/rootfs" \
		"$with" "$config" ${#variables[@]} "${variables[@]}" "$@"
}

start() {
	runc --root "$work/state" run -b "$bundle" davit-gpu-test
}

# inside [NAME=VALUE...] -- COMMAND...: sets rc, output (both streams).
inside() {
	configure "$hook" "$@"
	rc=0
	output=$(start 2>&1 < <(:)) || rc=$?
}

# What a CDI-capable engine makes of a specification: the edits of one device and the common ones.
cat > "$work/cdi.py" << 'END'
import json, os, stat, sys

specification, device, path = json.load(open(sys.argv[1])), sys.argv[2], sys.argv[3]
c = json.load(open(path))
chosen = [d["containerEdits"] for d in specification["devices"] if d["name"] == device]
for edits in chosen + [specification["containerEdits"]]:
    c["process"]["env"] += edits.get("env", [])
    for node in edits.get("deviceNodes", []):
        number = os.stat(node.get("hostPath", node["path"])).st_rdev
        major, minor = os.major(number), os.minor(number)
        c["linux"].setdefault("devices", []).append(
            {"path": node["path"], "type": "c", "major": major, "minor": minor, "fileMode": 0o666})
        c["linux"]["resources"]["devices"].append(
            {"allow": True, "type": "c", "major": major, "minor": minor, "access": "rw"})
    for mount in edits.get("mounts", []):
        c["mounts"].append({"source": mount["hostPath"], "destination": mount["containerPath"],
                            "type": "bind", "options": mount["options"]})
    for hook in edits.get("hooks", []):
        c.setdefault("hooks", {}).setdefault(hook["hookName"], []).append(
            {key: hook[key] for key in ("path", "args", "env") if key in hook})
json.dump(c, open(path, "w"))
END

loads='import ctypes, sys; ctypes.CDLL(sys.argv[1]); print("loaded", sys.argv[1])'
multiply='
import torch
a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
c = (a.cuda() @ b.cuda()).cpu()
error = ((c - a @ b).abs().max() / (a @ b).abs().max()).item()
print(torch.cuda.get_device_name(0), "x", torch.cuda.device_count(), "error", error)
assert error < 1e-4
print("product right")'
nvidia_nodes='ls -d /dev/nvidia[0-9]* 2>/dev/null | xargs'

all_of_it() {
	title 'nvidia-smi, all GPUs'
	fresh_root
	inside NVIDIA_VISIBLE_DEVICES=all -- nvidia-smi -L
	show <<< "$output"
	equal 'nvidia-smi -L lists every GPU' "0 $(for gpu in "${gpus[@]}"; do
		read -r _ _ uuid _ <<< "$gpu"
		echo "$uuid"
	done)" "$rc $(sed -n 's/.*UUID: \(GPU-[^)]*\)).*/\1/p' <<< "$output")"
	inside NVIDIA_VISIBLE_DEVICES=all -- nvidia-smi
	show <<< "$output"
	equal 'nvidia-smi ends well' 0 $rc
	title 'what was mounted'
	inside NVIDIA_VISIBLE_DEVICES=all -- sh -c 'grep -i -E "nvidia|cuda|nvcuvid|/dev/dri" /proc/self/mounts | cut -c1-150'
	show <<< "$output"

	title 'libraries'
	inside NVIDIA_VISIBLE_DEVICES=all -- "$python" -c "$loads" libcuda.so.1
	matches 'the loader finds libcuda.so.1' '^loaded libcuda.so.1$' "$output"
	inside NVIDIA_VISIBLE_DEVICES=all -- sh -c 'ldconfig -p | grep -E "lib(cuda|nvidia-ml)\.so\.1 "'
	show <<< "$output"
	matches 'ldconfig -p lists it where it is' 'libcuda\.so\.1 .*=> (/usr)?/lib/x86_64-linux-gnu/libcuda\.so\.1$' "$output"
	inside NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=utility -- sh -c 'nvidia-smi -L > /dev/null && echo listed; grep -c libcuda /proc/self/mounts; nodeprobe /dev/nvidia-uvm'
	# NVML makes that node by itself where it may; it is the device rule that keeps it shut.
	matches 'utility only: nvidia-smi, no libcuda, no nvidia-uvm' \
		'^listed 0 /dev/nvidia-uvm: (ENOENT|EPERM)$' "$(xargs <<< "$output")"
	inside NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=utility -- "$python" -c "$loads" libcuda.so.1
	equal 'utility only: libcuda.so.1 does not load' no "$(grep -q '^loaded' <<< "$output" || echo no)"
	drop_bundle
}

with_torch() {
	title 'torch'
	if [ -n "$fake" ] || ! "$python" -c 'import torch' 2> /dev/null; then
		skip 'a matrix product with torch' 'no GPU, or no torch'
		return
	fi
	fresh_root
	inside NVIDIA_VISIBLE_DEVICES=all -- "$python" -c "$multiply"
	show <<< "$output"
	matches 'a matrix product with torch is right' '^product right$' "$output"
	drop_bundle
}

# hidden NAME DEVICES SHOWN HIDDEN-GPU ("INDEX MINOR UUID BUS-ID"): that GPU is out of reach, also by
# the host's own node, which a volume may bring along.
hidden() {
	local name=$1 minor bus_id
	read -r _ minor _ bus_id <<< "$4"
	fresh_root
	: > "$bundle/rootfs/mnt/node"
	mount --bind "$(realpath "${fake:+$work/host}/dev/nvidia$minor")" "$bundle/rootfs/mnt/node"
	inside "NVIDIA_VISIBLE_DEVICES=$2" NVIDIA_DRIVER_CAPABILITIES=utility,compute -- sh -c "
echo '== smi'; nvidia-smi -L 2>&1 | sed -n 's/.*UUID: \(GPU-[^)]*\)).*/\1/p'
echo '== proc'; ls /proc/driver/nvidia/gpus 2>/dev/null
echo '== nodes'; $nvidia_nodes
echo '== params'; grep ModifyDeviceFiles /proc/driver/nvidia/params 2>/dev/null
echo '== mknod'; nodeprobe /dev/nvidia$minor; nodeprobe --mknod c 195 $minor /tmp/node
nodeprobe /mnt/node"
	umount "$bundle/rootfs/mnt/node"
	show <<< "$output"
	equal "$name: nvidia-smi lists what was selected" "$3" "$(part smi)"
	[ -n "$fake" ] || equal "$name: the other is not in /proc/driver/nvidia" no \
		"$(part proc | grep -qi "$bus_id" || echo no)"
	[ -n "$fake" ] || equal "$name: the driver's libraries make no nodes" 'ModifyDeviceFiles: 0' "$(part params)"
	equal "$name: the other's node is absent, and one made for it can't be opened" \
		"/dev/nvidia$minor: ENOENT
mknod /tmp/node: ok
/tmp/node: EPERM
/mnt/node: EPERM" "$(part mknod)"
	drop_bundle
}

one_of_them() {
	local index uuid other
	title 'hidden GPUs'
	if [ ${#gpus[@]} -ge 2 ]; then
		read -r index _ uuid _ <<< "${gpus[1]}"
		hidden 'one GPU by index' "$index" "$uuid" "${gpus[0]}"
		hidden 'one GPU by UUID' "$uuid" "$uuid" "${gpus[0]}"
		read -r _ _ other _ <<< "${gpus[0]}"
		hidden 'the other by index' 0 "$other" "${gpus[1]}"
		HOOK_TIMES=2 hidden 'the hook called twice' "$index" "$uuid" "${gpus[0]}"
	else
		skip 'one of two GPUs' 'this machine has one'
	fi
	hidden 'none' none '' "${gpus[0]}"
}

# Each library by its SONAME: what doesn't load has to fail for something that isn't the driver's.
every_library() {
	local names
	title 'every library loads'
	mapfile -t names < <("$davit" list --config "$config" | sed -n 's|.*/\(lib[^/]*\.so\.[0-9][^/]*\)$|\1|p' |
		grep -v '^libglxserver' | sort -u)
	fresh_root
	inside NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility,video,graphics,display,ngx -- \
		"$python" -c '
import ctypes, sys
for name in sys.argv[1:]:
    try:
        ctypes.CDLL(name)
        print("loads", name)
    except OSError as error:
        print("fails", name, "for", str(error).split(":")[0])' "${names[@]}"
	show <<< "$output"
	equal "every library that a container gets is tried" "${#names[@]}" "$(grep -cE '^(loads|fails) ' <<< "$output" || true)"
	equal "none fails for a library of the driver's" '' \
		"$(sed -n 's/^fails .* for //p' <<< "$output" | grep -E '^lib(nvidia|cuda|nv|GLX_nv|EGL_nv|GLES)' || true)"
	drop_bundle
}

devices_of_graphics='
import ctypes, sys
if sys.argv[1] == "EGL":
    egl = ctypes.CDLL("libEGL.so.1")
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    query = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int))(
        egl.eglGetProcAddress(b"eglQueryDevicesEXT"))
    devices, count = (ctypes.c_void_p * 64)(), ctypes.c_int()
    print("EGL", query(64, devices, ctypes.byref(count)), count.value)
else:
    vulkan = ctypes.CDLL("libvulkan.so.1")
    class Info(ctypes.Structure):
        _fields_ = [("type", ctypes.c_int), ("next", ctypes.c_void_p), ("flags", ctypes.c_uint),
                    ("application", ctypes.c_void_p), ("layers", ctypes.c_uint), ("names", ctypes.c_void_p),
                    ("extensions", ctypes.c_uint), ("more", ctypes.c_void_p)]
    instance, count = ctypes.c_void_p(), ctypes.c_uint()
    made = vulkan.vkCreateInstance(ctypes.byref(Info(type=1)), None, ctypes.byref(instance))
    found = vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None) if made == 0 else made
    print("Vulkan", int(found == 0), count.value)'

# By the loaders that the image would have: they find the driver by its texts.
graphics() {
	local what
	title 'Vulkan and EGL'
	if [ -n "$fake" ] || [ ! -e "$bin/loaders/libvulkan.so.1" ]; then
		skip 'Vulkan and EGL' 'no GPU, or no loaders carried'
		return
	fi
	for what in Vulkan EGL; do
		fresh_root
		mkdir -p "$bundle/rootfs/opt/loaders"
		cp "$bin/loaders"/* "$bundle/rootfs/opt/loaders/"
		inside NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all LD_LIBRARY_PATH=/opt/loaders -- \
			"$python" -c "$devices_of_graphics" $what
		show <<< "$output"
		matches "$what finds every GPU" "^$what 1 [1-9][0-9]*$" "$output"
		drop_bundle
	done
}

# With the node of GPU 0 masked the second one is number 0, as nvidia-smi on that host has it.
masked() {
	local first second node
	title 'a masked node'
	if [ ${#gpus[@]} -lt 2 ]; then
		skip 'a masked node' 'this machine has one GPU'
		return
	fi
	read -r _ first _ _ <<< "${gpus[0]}"
	read -r _ _ second _ <<< "${gpus[1]}"
	node=${fake:+$work/host}/dev/nvidia$first
	: > "$work/mask"
	mount --bind "$work/mask" "$node"
	[ -n "$fake" ] || equal "nvidia-smi of the host counts without it" "GPU 0: $second" \
		"$(nvidia-smi -L | sed -n '1s/\(GPU 0\):.*UUID: \(GPU-[^)]*\)).*/\1: \2/p')"
	fresh_root
	inside NVIDIA_VISIBLE_DEVICES=0 -- nvidia-smi -L
	show <<< "$output"
	equal 'index 0 is the second GPU' "$second" "$(sed -n 's/.*UUID: \(GPU-[^)]*\)).*/\1/p' <<< "$output")"
	inside NVIDIA_VISIBLE_DEVICES=all -- nvidia-smi -L
	equal 'all are those that can be opened' $((${#gpus[@]} - 1)) "$(grep -c '^GPU ' <<< "$output" || true)"
	inside NVIDIA_VISIBLE_DEVICES=$((${#gpus[@]} - 1)) -- true
	matches 'the last index is one less' 'inject GPU' "$output"
	umount "$node"
	drop_bundle
}

constraints() {
	title 'constraints'
	fresh_root
	inside NVIDIA_VISIBLE_DEVICES=all 'NVIDIA_REQUIRE_CUDA=cuda>=1.0' -- true
	equal 'cuda>=1.0 holds' '0 ' "$rc $output"
	inside NVIDIA_VISIBLE_DEVICES=all 'NVIDIA_REQUIRE_CUDA=cuda>=99' -- true
	show <<< "$output"
	matches 'cuda>=99 does not, and runc shows why' 'davit: cannot .*cuda>=99.*\(fix: ' "$output"
	# What only NVML knows: davit-nvml is asked.
	inside NVIDIA_VISIBLE_DEVICES=all 'NVIDIA_REQUIRE_ARCH=arch>=1.0' -- true
	equal 'arch>=1.0 holds' '0 ' "$rc $output"
	inside NVIDIA_VISIBLE_DEVICES=all 'NVIDIA_REQUIRE_ARCH=arch>=99' -- true
	show <<< "$output"
	matches 'arch>=99 does not, and runc shows why' 'davit: cannot .*arch>=99.*\(fix: ' "$output"
	inside NVIDIA_VISIBLE_DEVICES=63 -- true
	show <<< "$output"
	matches 'an unknown GPU: runc shows which there are' 'davit: cannot .*63.*\(fix: ' "$output"
	inside -- sh -c "nodeprobe /dev/nvidiactl; grep -c -E 'libcuda|nvidia-smi' /proc/self/mounts"
	equal 'no variable: nothing is inside' '/dev/nvidiactl: ENOENT
0' "$output"
	drop_bundle
}

odd_images() {
	local version long branch lib=usr/lib/x86_64-linux-gnu
	title 'an image that carries links into /usr/local/nvidia, and 12 KB of environment'
	version=$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["version"])' "$work/info.json")
	fresh_root
	for name in libcuda.so libcuda.so.1 "libcuda.so.$version" libnvidia-ml.so.1; do
		rm -f "$bundle/rootfs/$lib/$name"
		ln -s "/usr/local/nvidia/lib64/$name" "$bundle/rootfs/$lib/$name"
	done
	rm -f "$bundle/rootfs/usr/bin/nvidia-smi"
	printf '#!/bin/sh\necho a script of the image\n' > "$bundle/rootfs/usr/bin/nvidia-smi"
	chmod +x "$bundle/rootfs/usr/bin/nvidia-smi"
	long='cuda>=1.0'
	for ((branch = 100; branch < 460; branch++)); do
		long+=" brand=tesla,driver>=$branch,driver<$((branch + 1))"
	done
	inside NVIDIA_VISIBLE_DEVICES=all "NVIDIA_REQUIRE_CUDA=$long" -- sh -c "nvidia-smi -L | grep -c UUID; $python -c '$loads' libcuda.so.1"
	equal "dangling links, a script, and ${#long} bytes of environment" "${#gpus[@]}
loaded libcuda.so.1" "$output"
	drop_bundle
}

# door NAME: through which the container of $bundle goes, by `start`: the same must be inside.
door() {
	local rc=0 output
	output=$(start 2>&1 < <(:)) || rc=$?
	show <<< "$output"
	equal "$1: nvidia-smi -L, ldconfig -p, and the mask" "0 ${#gpus[@]} 1 $([ -n "$fake" ] || echo ModifyDeviceFiles: 0)" \
		"$rc $(grep -c '^GPU ' <<< "$output" || true) $(grep -c 'libcuda\.so\.1 (libc6,x86-64)' <<< "$output" || true) $(grep ModifyDeviceFiles <<< "$output" || true)"
}

other_doors() {
	local look='nvidia-smi -L; ldconfig -p | grep "libcuda\.so\.1 "; grep ModifyDeviceFiles /proc/driver/nvidia/params 2> /dev/null; true'
	title 'davit-runtime, mode spec'
	mkdir -p /etc/davit
	mount -t tmpfs tmpfs /etc/davit
	"$python" -c 'import json, sys
c = json.load(open(sys.argv[1]))
c["runtime"] = {"candidates": [sys.argv[2]]}
json.dump(c, open("/etc/davit/config.json", "w"))' "$config" "$(command -v runc)"
	(
		start() { "$bin/davit-runtime" --root "$work/state" run -b "$bundle" davit-gpu-test; }
		fresh_root
		configure '' NVIDIA_VISIBLE_DEVICES=all -- sh -c "$look"
		door 'davit-runtime'
		if [ -z "$fake" ]; then
			configure '' NVIDIA_VISIBLE_DEVICES=all -- "$python" -c "$multiply"
			output=$(start 2>&1 < <(:)) || true
			show <<< "$output"
			matches 'davit-runtime: a matrix product with torch is right' '^product right$' "$output"
		fi
		# Without a word of capabilities: encoding, OpenCL and Vulkan.
		configure '' NVIDIA_VISIBLE_DEVICES=all -- sh -c \
			'ldconfig -p | grep -E "lib(nvidia-encode.so.1|nvidia-opencl.so.1|GLX_nvidia.so.0) .*x86-64"; echo "$NVIDIA_CTK_LIBCUDA_DIR"'
		output=$(start 2>&1 < <(:)) || true
		show <<< "$output"
		equal 'davit-runtime without capabilities: the libraries of encoding, OpenCL and Vulkan' 3 \
			"$(grep -c ' => ' <<< "$output" || true)"
		drop_bundle
	)
	umount /etc/davit

	title 'a CDI specification'
	"$davit" cdi generate --config "$config" --format json --output "$work/nvidia.json"
	fresh_root
	configure '' -- sh -c "$look"
	"$python" "$work/cdi.py" "$work/nvidia.json" all "$bundle/config.json"
	door 'CDI'
	if [ -z "$fake" ]; then
		configure '' -- "$python" -c "$multiply"
		"$python" "$work/cdi.py" "$work/nvidia.json" all "$bundle/config.json"
		output=$(start 2>&1 < <(:)) || true
		show <<< "$output"
		matches 'CDI: a matrix product with torch is right' '^product right$' "$output"
	fi
	drop_bundle
}

explanation() {
	title 'davit explain'
	fresh_root
	configure "$hook" NVIDIA_VISIBLE_DEVICES=0 -- true
	rc=0
	output=$("$davit" explain --bundle "$bundle" --config "$config" 2>&1) || rc=$?
	show <<< "$output"
	equal 'davit explain ends well' 0 $rc
	drop_bundle
}

# What the host's own checks say, and a container's command without a runtime.
self_help() {
	local failed
	title 'davit doctor'
	output=$("$davit" doctor --all --config "$config" 2>&1) || true
	show <<< "$output"
	failed=$({ "$davit" doctor --config "$config" --json || true; } | "$python" -c '
import json, sys
print(*(c["id"] for c in json.load(sys.stdin)["checks"]
        if c["result"] == "fail" and c["id"].split(".")[0] in ("driver", "nodes", "cgroup", "host")))')
	equal 'davit doctor finds nothing wrong with the driver, its nodes and cgroups' '' "$failed"

	title 'davit try'
	fresh_root
	configure '' -- true
	rc=0
	output=$("$davit" try --bundle "$bundle" --config "$config" --gpus all -- nvidia-smi -L 2>&1) || rc=$?
	show <<< "$output"
	equal 'davit try -- nvidia-smi -L lists every GPU' "0 ${#gpus[@]}" \
		"$rc $(grep -c '^GPU ' <<< "$output" || true)"
	if [ -z "$fake" ]; then
		output=$("$davit" try --bundle "$bundle" --config "$config" --gpus all -- "$python" -c "$multiply" 2>&1) || true
		show <<< "$output"
		matches 'davit try: a matrix product with torch is right' '^product right$' "$output"
	fi
	drop_bundle
	title 'davit explain --why'
	fresh_root
	configure "$hook" NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=utility -- true
	for name in nvidia-smi libcuda.so.1; do
		"$davit" explain --bundle "$bundle" --config "$config" --why "$name" 2>&1 || true
	done | show
	drop_bundle
}

speed() {
	local rounds=100 i with entry
	title "time (median of $rounds, in turns)"
	fresh_root
	write_timed_hook "$work/timed-hook" "$hook" "$config" "$work/alone"
	printf '#!/bin/sh\nexec %s %s %s --config %s prestart\n' "$bin/peak" "$work/memory" "$hook" \
		"$config" > "$work/measured-hook"
	chmod +x "$work/measured-hook"
	for with in without with alone measured; do
		case $with in
		without) entry='' ;;
		with) entry=$hook ;;
		alone) entry=$work/timed-hook ;;
		measured) entry=$work/measured-hook ;;
		esac
		configure "$entry" NVIDIA_VISIBLE_DEVICES=all -- true
		mv "$bundle/config.json" "$bundle/$with.json"
	done
	for ((i = 0; i < rounds; i++)); do
		for with in without with alone; do
			cp "$bundle/$with.json" "$bundle/config.json"
			case $with in
			alone) start ;;
			*) timed "$work/$with" start ;;
			esac < <(:) || fail 'the timed containers start' "exit $?"
		done
	done
	cp "$bundle/measured.json" "$bundle/config.json"
	start < <(:) || fail 'the measured container starts' "exit $?"
	printf '    runc run true                  %s (%s)\n' "$(milliseconds "$(median "$work/without")")" "$(smallest_and_largest "$work/without")"
	printf '    the same with davit-hook       %s (%s)\n' "$(milliseconds "$(median "$work/with")")" "$(smallest_and_largest "$work/with")"
	printf '    davit-hook alone               %s (%s)\n' "$(milliseconds "$(median "$work/alone")")" "$(smallest_and_largest "$work/alone")"
	printf '    its peak memory                %s KiB\n' "$(cat "$work/memory")"
	equal 'every round was timed' "$rounds $rounds $rounds" \
		"$(wc -l < "$work/without") $(wc -l < "$work/with") $(wc -l < "$work/alone")"
	drop_bundle
}

# --- the run -------------------------------------------------------------------------------------

before=$(sort /proc/self/mountinfo)
everything() {
	set -e
	the_machine
	all_of_it
	with_torch
	one_of_them
	every_library
	graphics
	masked
	constraints
	odd_images
	other_doors
	explanation
	self_help
	speed
	equal 'no mount is left on the host' '' "$(diff <(printf '%s\n' "$before") <(sort /proc/self/mountinfo) || true)"
}
set +e
everything 2>&1 | tee "$work/log"
ended=${PIPESTATUS[0]}
set -e
[ "$ended" = 0 ] || fail 'the whole of it' "it broke off with exit code $ended" | tee -a "$work/log"
passed=$(grep -c '^ok ' "$work/log" || true)
failed=$(grep -c '^FAIL ' "$work/log" || true)
skipped=$(grep -c '^skip ' "$work/log" || true)
closing="$passed passed, $failed failed"
[ "$skipped" = 0 ] || closing+=", $skipped skipped"
printf '\n%s\n' "$closing"
[ "$failed" = 0 ]
