#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real drivers: Debian's non-free packages, installed by their own scripts and alternatives into
# roots of their own, without kernel modules. davit looks at each from inside (driver.root "/") and
# from outside; every library of its packages must come into a container, load there as far as the
# image allows, and be the same by CDI and by davit-runtime; the real nvidia-smi must get as far as
# NVML's own error.
#
# FULL=1 takes every driver that the mirror has. DRIVERS_KEPT=DIR keeps the roots there, for the next
# run. The mirror is this machine's own.
set -euo pipefail

if [ "${DAVIT_TEST_NAMESPACE:-}" != "$$" ] && [ "$(id -u)" = 0 ]; then
	export DAVIT_TEST_NAMESPACE=$$
	exec unshare --mount --propagation private "$0" "$@"
fi
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
# shellcheck source=tests/lib/suite.sh
. "$repository/tests/lib/suite.sh"
require_root
if [ "$(uname -m)" != x86_64 ] || ! command -v mmdebstrap > /dev/null; then
	skip 'drivers: real ones' 'they are taken on x86_64, by mmdebstrap'
	report_exit
fi
make_work
roots=${DRIVERS_KEPT:-$work/roots-of-drivers}
mkdir -p "$roots" "$work/spec"
(cd "$work/spec" && runc spec)
host=$work/host
"$fixture/fake-host" "$host" --gpus 1 --majors captured

# --- roots ---------------------------------------------------------------------------------------

# make_root NAME SUITE PACKAGE...: 1, when it can't be had.
make_root() {
	local root=$roots/$1 components=main,contrib,non-free,non-free-firmware packages
	[ "$2" != bullseye ] || components=main,contrib,non-free
	[ ! -e "$root.made" ] || return 0
	packages=$(IFS=,; echo "${*:3}")
	rm -rf "$root"
	if ! mmdebstrap --variant=apt --components="$components" --include="$packages" \
		--aptopt='APT::Install-Recommends "false"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		"$2" "$root" "$(suite_mirror)" > "$work/mmdebstrap.log" 2>&1; then
		skip "drivers: $1" "its packages can't be had: $(grep -E '^(E|W):' "$work/mmdebstrap.log" | tail -n 1)"
		rm -rf "$root"
		return 1
	fi
	: > "$root.made"
}

# --- one driver ----------------------------------------------------------------------------------

# What the packages have: files of the version, and those with a version of their own.
expected_libraries() { # ROOT VERSION FLAVOUR
	find "$1/usr/lib/x86_64-linux-gnu" -maxdepth 1 -type f \
		\( -name "lib*.so.$2" -o -name 'libnvidia-egl-*.so.*' \) -printf '%f\n'
	find "$1/usr/lib/x86_64-linux-gnu/nvidia/$3" -type f -name 'lib*.so.*' -printf '%f\n'
	find "$1/usr/lib/nvidia/$3" -type f -name "lib*.so.$2" -printf '%f\n'
}

set_version() { # VERSION
	chmod u+w "$host/proc/driver/nvidia/version"
	printf 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  %s  Sat Jan  1 00:00:00 UTC 2022\n' "$1" \
		> "$host/proc/driver/nvidia/version"
}

# What a driver of the same version finds from inside its root.
list_inside() { # ROOT
	mkdir -p "$1/davit-test"
	mount -t tmpfs tmpfs "$1/davit-test"
	cp "$davit" "$1/davit-test/davit"
	cp -a "$host"/{proc,dev,sys,run} "$1/davit-test/"
	mkdir "$1/davit-test/self"
	mount --rbind /proc "$1/proc"
	printf '{"driver": {"proc": "/davit-test/proc", "dev": "/davit-test/dev", "sys": "/davit-test/sys", "run": "/davit-test/run"}}\n' \
		> "$1/davit-test/davit.json"
	chroot "$1" /davit-test/davit list --config /davit-test/davit.json
	umount -l "$1/proc" "$1/davit-test"
}

names() { grep -v "/davit-test/\|^/dev/\|^$host/\|nvidia-mps" | sed 's|.*/||' | sort -u; }

# What fails to load has to fail for a library of the image's own, not one of the driver's.
check_loads() { # NAME KIND SONAME...
	local answer rc=0 bad
	new_bundle "$2" NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all
	edit_bundle '.process.args = $ARGS.positional' --args /usr/bin/dlprobe "${@:3}"
	answer=$(runc run --bundle "$bundle" "davit-$$-$bundle_serial" 2>&1) || rc=$?
	bad=$(grep 'error: ' <<< "$answer" | sed 's/.*error: \([^:]*\):.*/\1/' |
		grep -E 'nvidia|libcuda|libnvcuvid|libnvoptix' || true)
	equal "$1: nothing of the driver is missing when its libraries are loaded ($2)" '' "$bad"
	matches "$1: libcuda and libnvidia-ml load ($2)" '^libcuda\.so\.1: /' "$answer"
	matches "$1: and NVML ($2)" '^libnvidia-ml\.so\.1: /' "$answer"
	drop_bundle
}

# The merged cache has every name that ldconfig would have made of the same files.
check_cache() { # NAME
	local answer
	new_bundle debian NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all
	edit_bundle '.process.args = ["/bin/sh", "-c", "ldconfig -p | sed s/^/before/; ldconfig; ldconfig -p | sed s/^/after/"]'
	answer=$(runc run --bundle "$bundle" "davit-$$-$bundle_serial" 2>&1) || true
	cache_names() { sed -n "s/^$1[[:space:]]*\(lib[^ ]*\) (.*/\1/p" <<< "$answer" | sort -u; }
	matches "$1: ldconfig knows libcuda" '^libcuda\.so\.1$' "$(cache_names after)"
	equal "$1: the merged cache has all names that ldconfig finds" '' "$(comm -13 <(cache_names before) <(cache_names after))"
	drop_bundle
}

# The loaders of Vulkan, EGL and OpenCL, of an image that has them, find the driver by its texts:
# each of them loads the library that the text names. (The driver itself then finds no GPU.)
check_icds() { # NAME VERSION
	local answer what
	[ -e "$roots/image.made" ] || return 0
	[ -e "$work/icds" ] || cc -x c -o "$work/icds" - -ldl <<- 'EOF'
		#include <dlfcn.h>
		#include <stdio.h>
		#include <string.h>
		int main(int argc, char **argv)
		{
			struct { int type; void *next; unsigned flags; void *application; unsigned layers;
				 void *names; unsigned extensions; void *more; } info = {.type = 1};
			void *library, *instance = 0, *devices[16];
			unsigned count = 0;
			int (*call)();

			(void)argc;
			library = dlopen(argv[1], RTLD_NOW);
			if (!library)
				return puts(dlerror()), 1;
			if (strstr(argv[1], "OpenCL") && (call = (int (*)())dlsym(library, "clGetPlatformIDs")))
				call(0, (void *)0, &count);
			else if (strstr(argv[1], "vulkan") && (call = (int (*)())dlsym(library, "vkCreateInstance")))
				call(&info, (void *)0, &instance);
			else if ((call = (int (*)())((void *(*)(const char *))dlsym(library, "eglGetProcAddress"))("eglQueryDevicesEXT")))
				call(16, devices, &count);
			return 0;
		}
	EOF
	new_bundle debian NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all LD_DEBUG=files
	umount "$bundle/rootfs"
	rm -rf "$bundle"/{upper,overlay-work}
	overlay_root "$roots/image"
	cp "$work/icds" "$bundle/rootfs/usr/bin/icds"
	edit_bundle '.process.args = ["/bin/sh", "-c", "for l in libvulkan.so.1 libEGL.so.1 libOpenCL.so.1; do icds $l; done"]'
	answer=$(runc run --bundle "$bundle" "davit-$$-$bundle_serial" 2>&1) || true
	for what in libGLX_nvidia libEGL_nvidia libnvidia-opencl; do
		matches "$1: $what is loaded by its text" "calling init: .*/$what\.so" "$answer"
	done
	drop_bundle
}

check_smi() { # NAME ROOT
	local answer rc=0
	new_bundle debian NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=utility
	edit_bundle '.process.args = ["/usr/bin/nvidia-smi"]'
	answer=$(runc run --bundle "$bundle" "davit-$$-$bundle_serial" 2>&1) || rc=$?
	matches "$1: the real nvidia-smi runs up to NVML's own error" \
		"couldn't communicate|Failed to initialize NVML|No devices were found|not found in the driver" "$answer"
	drop_bundle
}

check_cdi() { # NAME ROOT FILE-OF-NAMES
	local path bad=''
	"$davit" cdi generate --config "$config" > "$work/cdi.json" 2> "$work/cdi.errors" || {
		fail "$1: CDI" 'no spec' "$(cat "$work/cdi.errors")"
		return
	}
	while read -r path; do
		[ -f "$path" ] && [ ! -L "$path" ] && [ "$(realpath "$path")" = "$path" ] || bad+="$path "
	done < <(jq -r '.containerEdits.mounts[].hostPath' < "$work/cdi.json" | grep -v '/socket$')
	equal "$1: CDI names the files themselves" '' "$bad"
	equal "$1: CDI has every library" '' "$(jq -r '.containerEdits.mounts[].containerPath' < "$work/cdi.json" |
		sed 's|.*/||' | sort -u | comm -13 - "$3")"
}

check_runtime() { # NAME FILE-OF-NAMES ROOT
	configure_runtime "$(command -v runc)" ".driver.root = \"$3\""
	new_bundle debian NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all
	edit_bundle 'del(.hooks)'
	equal "$1: the plan of davit-runtime has every library" '' "$("$davit" explain --json --bundle "$bundle" --config "$config" |
		jq -r '.operations[] | select(.op == "bind") | .target' | sed 's|.*/||' | sort -u | comm -13 - "$2")"
	edit_bundle '.process.args = ["/bin/sh", "-c", "ls /usr/lib/x86_64-linux-gnu"]'
	equal "$1: davit-runtime gives every library" '' "$("$runtime" run --bundle "$bundle" "davit-$$-$bundle_serial" 2>&1 < <(:) |
		sort -u | comm -13 - <(grep -v '^libglxserver' "$2"))"
	drop_bundle
}

# check_driver ROOT VERSION FLAVOUR CUDA
check_driver() {
	local root=$roots/$1 version=$2 flavour=$3 name sonames=()
	name="driver $version ($1, $flavour)"
	if ! chroot "$root" update-alternatives --set nvidia "/usr/lib/nvidia/$flavour" > /dev/null 2>&1; then
		fail "$name" 'update-alternatives fails'
		return
	fi
	chroot "$root" ldconfig
	set_version "$version"
	config=$work/davit.json
	jq --arg root "$root" '.driver.root = $root' < "$host/davit.json" > "$config"
	expected_libraries "$root" "$version" "$flavour" | sort -u > "$work/expected"
	[ -s "$work/expected" ] || fail "$name" 'its packages have no library'
	"$davit" list --config "$config" > "$work/outside" 2>&1 || fail "$name: from outside" 'list fails' "$(cat "$work/outside")"
	equal "$name: every library is found from outside" '' \
		"$(names < "$work/outside" | comm -13 - "$work/expected")"
	list_inside "$root" > "$work/inside" 2>&1 || fail "$name: from inside" 'list fails' "$(cat "$work/inside")"
	equal "$name: and from inside" "$(names < "$work/outside")" "$(names < "$work/inside")"
	matches "$name: nvidia-smi is found" '/nvidia-smi$' "$(cat "$work/outside")"
	equal "$name: its CUDA version is what libcuda says" "$(cuda_of "$root" "$version" "$flavour")" \
		"$("$davit" info --json --config "$config" | jq -r .cuda)"
	mapfile -t sonames < <(find "$root/usr/lib/x86_64-linux-gnu/nvidia/$flavour" -type l -printf '%f\n' |
		grep -E '\.so\.[0-9]+$' | sort)
	check_loads "$name" debian "${sonames[@]}"
	check_loads "$name" rhel "${sonames[@]}"
	check_cache "$name"
	check_icds "$name" "$version"
	check_smi "$name" "$root"
	check_cdi "$name" "$root" "$work/expected"
	check_runtime "$name" "$work/expected" "$root"
}

# cuDriverGetVersion of the real library, which needs no GPU.
cuda_of() { # ROOT VERSION FLAVOUR
	if [ ! -e "$work/cuda-of" ]; then
		cc -x c -o "$work/cuda-of" - -ldl <<- 'EOF'
			#include <dlfcn.h>
			#include <stdio.h>
			int main(int argc, char **argv)
			{
				void *library = argc > 1 ? dlopen(argv[1], RTLD_LAZY) : 0;
				int (*get)(int *) = library ? (int (*)(int *))dlsym(library, "cuDriverGetVersion") : 0;
				int version = 0;

				if (!get || get(&version) != 0)
					return puts("unknown"), 1;
				return printf("%d.%d\n", version / 1000, version % 1000 / 10) < 0;
			}
		EOF
	fi
	# Of the root only what is the driver's: its C library may be another than this machine's.
	rm -rf "$work/libraries"
	mkdir "$work/libraries"
	find "$1/usr/lib/x86_64-linux-gnu" -maxdepth 1 -name "libnvidia-*.so.$2" -exec ln -s {} "$work/libraries" \;
	LD_LIBRARY_PATH=$1/usr/lib/x86_64-linux-gnu/nvidia/$3:$work/libraries \
		"$work/cuda-of" "$1/usr/lib/x86_64-linux-gnu/nvidia/$3/libcuda.so.$2" || true
}

versions_of() { # ROOT FLAVOUR: of the libcuda there
	find "$roots/$1/usr/lib/x86_64-linux-gnu/nvidia/$2" -type f -name 'libcuda.so.*' -printf '%f\n' | sed 's/libcuda.so.//'
}

check_flavours() { # ROOT FLAVOUR...
	local flavour version
	for flavour in "${@:2}"; do
		version=$(versions_of "$1" "$flavour")
		if [ -n "$version" ]; then
			check_driver "$1" "$version" "$flavour"
		else
			fail "drivers: $1" "it has no driver $flavour"
		fi
	done
}

# --- drivers -------------------------------------------------------------------------------------

main_driver=(nvidia-driver-libs nvidia-smi nvidia-vdpau-driver libnvcuvid1 libnvidia-encode1 libnvoptix1
	nvidia-opencl-icd nvidia-vulkan-icd xserver-xorg-video-nvidia)
flavour_packages() { # FLAVOUR
	printf '%s\n' "nvidia-$1-driver-libs" "nvidia-$1-smi" "nvidia-$1-opencl-icd" "nvidia-$1-vulkan-icd" "libnvidia-$1-cuda1" \
		"nvidia-$1-vdpau-driver" "libnvidia-$1-nvcuvid1" "libnvidia-$1-encode1"
}

if [ -z "$(mirror)" ]; then
	skip 'drivers: real ones' "this machine's package sources name no Debian mirror"
	report_exit
fi
# What a program with graphics has in its image.
make_root image bookworm libvulkan1 libegl1 libgl1 ocl-icd-libopencl1 libx11-6 libxext6 libgbm1 || true
mapfile -t packages < <(flavour_packages tesla-470)
if make_root bookworm bookworm "${main_driver[@]}" "${packages[@]}"; then
	check_flavours bookworm current tesla-470
	# Chosen otherwise than the module is: the remedy isn't a reboot.
	set_version "$(versions_of bookworm current)"
	matches 'drivers: alternatives of another version than the module' 'update-alternatives --config nvidia' \
		"$("$davit" info --config "$work/davit.json" 2>&1 || true)"
fi
if make_root trixie trixie "${main_driver[@]}"; then
	check_flavours trixie current
fi
mapfile -t packages < <(flavour_packages legacy-390xx)
if make_root legacy bullseye "${packages[@]}"; then
	check_flavours legacy legacy-390xx
fi
if [ "${FULL:-0}" = 1 ]; then
	# Of the others in bullseye (450, 460) most packages lead to 470 by now.
	for flavour in tesla-418 tesla-470; do
		mapfile -t packages < <(flavour_packages $flavour)
		! make_root "bullseye-$flavour" bullseye "${packages[@]}" ||
			check_flavours "bullseye-$flavour" $flavour
	done
	! make_root bullseye bullseye "${main_driver[@]}" || check_flavours bullseye current
	mapfile -t packages < <(flavour_packages tesla-535)
	! make_root trixie-tesla-535 trixie "${packages[@]}" || check_flavours trixie-tesla-535 tesla-535
fi
report_exit
