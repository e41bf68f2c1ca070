#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real drivers: Debian's non-free packages, installed by their own scripts and alternatives into
# roots of their own, without kernel modules. davit looks at each from inside (driver.root "/") and
# from outside; every library of its packages must come into a container, load there as far as the
# image allows, and be the same by CDI and by davit-runtime; the real nvidia-smi must get as far as
# NVML's own error.
#
# FULL=1 takes every driver that Debian has, with every package of each (340 to 555, 10 GiB).
# DRIVERS_KEPT=DIR keeps the roots there, for the next run. The mirror is this machine's own.
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
needs mmdebstrap
if [ "$(uname -m)" != x86_64 ]; then
	skip 'drivers: real ones' 'these drivers are for x86_64'
	report_exit
fi
make_work
roots=${DRIVERS_KEPT:-$work/roots-of-drivers}
mkdir -p "$roots" "$work/spec"
(cd "$work/spec" && runc spec)
host=$work/host
"$fixture/fake-host" "$host" --gpus 1 --majors captured

# --- roots ---------------------------------------------------------------------------------------

# bootstrap NAME SUITE MMDEBSTRAP-OPTION...: 1, when it can't be had.
bootstrap() {
	local root=$roots/$1 suite=$2 components='main contrib non-free non-free-firmware' sources
	[ "$suite" != bullseye ] || components='main contrib non-free'
	[ ! -e "$root.made" ] || return 0
	sources=("deb $(suite_mirror) $suite $components")
	# Experimental is nothing by itself.
	[ "$suite" != experimental ] || sources=("deb $(suite_mirror) sid $components" "${sources[@]}")
	rm -rf "$root"
	# A mirror may be of an earlier day: sid's and experimental's lists expire within a week.
	if ! mmdebstrap --variant=apt --aptopt='APT::Install-Recommends "false"' \
		--aptopt='Acquire::Check-Valid-Until "false"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		"${@:3}" "${suite/experimental/sid}" "$root" "${sources[@]}" > "$work/mmdebstrap.log" 2>&1; then
		skip "drivers: $1" "its packages can't be had: $(grep -E '^(E|W):' "$work/mmdebstrap.log" | tail -n 1)"
		rm -rf "$root"
		return 1
	fi
	: > "$root.made"
}

make_root() { # NAME SUITE PACKAGE... [MMDEBSTRAP-OPTION...]
	local word packages=() options=()
	for word in "${@:3}"; do
		if [[ $word = --* ]]; then options+=("$word"); else packages+=("$word"); fi
	done
	bootstrap "$1" "$2" --include="$(IFS=,; echo "${packages[*]}")" "${options[@]}"
}

# Every package of a driver, by its source package and version, but those for building and loading
# the kernel module; of GL's two kinds the one with GLVND.
make_whole() { # NAME SUITE SOURCE VERSION [MMDEBSTRAP-OPTION...]
	cat > "$work/install-whole" <<- 'EOF'
		#!/bin/bash
		set -euo pipefail
		source=$1 version=$2 suite=$3
		export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG
		mapfile -t packages < <(apt-cache -o APT::Default-Release="$suite" dumpavail | awk -v source="$source" -v version="$version-" '
			/^Package: / { name = $2 }
			/^Source: / { of = $2 }
			/^Architecture: / { architecture = $2 }
			/^Version: / { is = $2 }
			/^$/ {
				if (of == source && index(is, version) == 1)
					print name (architecture == "all" ? "" : ":" architecture) "=" is
				name = of = is = ""
			}' | grep -vE 'kernel|-driver(-full)?[:=]|detect|legacy-check|nonglvnd|powerd|suspend|libopencl1' |
			grep -vE '^lib(e?gl1)-nvidia-(legacy-390xx|tesla-418)(-glx)?[:=]|^(xserver|nvidia).*:i386' | sort -u)
		[ ${#packages[@]} -gt 0 ]
		apt-get -y --no-install-recommends -t "$suite" -oDPkg::Chroot-Directory="$4" install "${packages[@]}"
	EOF
	chmod 0755 "$work/install-whole"
	bootstrap "$1" "$2" "${@:5}" --customize-hook="$work/install-whole $3 $4 $2 \"\$1\""
}

# --- one driver ----------------------------------------------------------------------------------

# The files of the driver's packages, as paths beneath the root.
package_files() { # ROOT VERSION
	local source version package path
	dpkg-query --admindir="$1/var/lib/dpkg" -W -f '${source:Package} ${source:Version} ${binary:Package}\n' |
		while read -r source version package; do
			[[ $source = nvidia-graphics-drivers* && $version = "$2"-* ]] || continue
			cat "$1/var/lib/dpkg/info/$package.list" 2> /dev/null ||
				cat "$1/var/lib/dpkg/info/${package%%:*}.list"
		done | sort -u | while read -r path; do
		# (/lib is a link to /usr/lib.)
		[ ! -f "$1$path" ] || [ -L "$1$path" ] || printf '%s\n' "${path/#\/lib\//\/usr\/lib\/}"
	done
}

# Why a container gets nothing of a file, or 1.
why_left_out() { # PATH
	case $1 in
	*.so | *.so.*) return 1 ;;
	/usr/share/bug/* | /usr/share/lintian/* | /usr/share/metainfo/* | *.1.gz | *bug-report.sh) echo 'for people who report problems' ;;
	/etc/nvidia/*.conf | */modprobe.d/* | */modules-load.d/*) echo "the host's kernel modules" ;;
	*/systemd/* | /etc/init.d/* | */udev/* | */initramfs-tools/*) echo "the host's services" ;;
	*/nvidia/wine/*.dll) echo "for Wine; NVIDIA's toolkit doesn't give them, either" ;;
	*/nvidia/*/monitoring.conf) echo 'what nvidia-smi as a daemon watches' ;;
	*/rim/*.swidtag) echo "for the attestation of GPUs; NVIDIA's toolkit doesn't give them, either" ;;
	*/nvidia.ids) echo "which GPUs the packages are for" ;;
	/usr/share/nvidia/*application-profiles*) echo "NVIDIA's own settings of single programs, which its toolkit doesn't give, either" ;;
	*) return 1 ;;
	esac
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

# What these images can't load: a module of X's server; what takes its symbols from
# libnvidia-egl-wayland, which the driver loads before it; what needs the OpenSSL of years ago; what
# sid built for a newer C library.
may_fail='libnvidia-(wfb|vulkan-producer)\.so.*undefined symbol|libcrypto\.so\.1\.1|GLIBC_2\..* not found \(required by .*/libnvidia-egl-'

# An image of packages in place of the bundle's.
use_image() { # ROOT
	umount "$bundle/rootfs"
	rm -rf "$bundle"/{upper,overlay-work}
	overlay_root "$roots/$1"
	cp "$DAVIT_BUILD/tests/fixture/tools/dlprobe" "$bundle/rootfs/usr/bin/"
}

# Every library loads, by its file and by its SONAME.
check_loads() { # NAME KIND FOLDER SONAME...
	local answer bad names=("${@:4}")
	mapfile -t -O ${#names[@]} names < <(grep -v '^libglx' "$work/expected" | sed "s|^|$3/|")
	new_bundle "$2" NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all
	if [ "$2" = debian ]; then
		use_image image
	else
		mkdir "$bundle/rootfs/opt"
		cp -a "$roots/image/usr/lib/x86_64-linux-gnu" "$bundle/rootfs/opt/x"
		find "$bundle/rootfs/opt/x" \( -name 'libc.so*' -o -name 'ld-*' -o -name 'lib[mc]*.so.6' -o -name 'libpthread*' -o -name 'libdl.*' \) -delete
		edit_bundle '.process.env += ["LD_LIBRARY_PATH=/opt/x"]'
	fi
	edit_bundle '.process.args = $ARGS.positional' --args /usr/bin/dlprobe "${names[@]}"
	answer=$(runc run --bundle "$bundle" "davit-$unique-$bundle_serial" 2>&1) || true
	bad=$(grep -vE '^[^:]*: /' <<< "$answer" | grep -vE "$may_fail" || true)
	equal "$1: every library loads ($2)" '' "$bad"
	equal "$1: and is told of ($2)" ${#names[@]} "$(grep -c . <<< "$answer")"
	drop_bundle
}

# The 32-bit ones find all that they need, by the loader of an image that has one for 32 bits.
check_loads_32() { # NAME LIBRARY...
	local answer
	make_root image-32 bookworm libc6:i386 libgl1:i386 libx11-6:i386 libxext6:i386 --architectures=amd64,i386 || return 0
	new_bundle debian NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all
	use_image image-32
	edit_bundle '.process.args = ["/bin/sh", "-c", "for l; do echo \"== $l\"; /lib/ld-linux.so.2 --list $l; done", "sh"] + $ARGS.positional' \
		--args "${@:2}"
	answer=$(runc run --bundle "$bundle" "davit-$unique-$bundle_serial" 2>&1) || true
	equal "$1: every 32-bit library finds what it needs" '' "$(grep -E 'not found|cannot' <<< "$answer" || true)"
	equal "$1: and all were tried" $(($# - 1)) "$(grep -c 'libc.so.6 => .*/i386-linux-gnu/' <<< "$answer" || true)"
	drop_bundle
}

# The merged cache has every name that ldconfig would have made of the same files.
check_cache() { # NAME
	local answer
	new_bundle debian NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all
	edit_bundle '.process.args = ["/bin/sh", "-c", "ldconfig -p | sed s/^/before/; ldconfig; ldconfig -p | sed s/^/after/"]'
	answer=$(runc run --bundle "$bundle" "davit-$unique-$bundle_serial" 2>&1) || true
	cache_names() { sed -n "s/^$1[[:space:]]*\(lib[^ ]*\) (.*/\1/p" <<< "$answer" | sort -u; }
	matches "$1: ldconfig knows libcuda" '^libcuda\.so\.1$' "$(cache_names after)"
	equal "$1: the merged cache has all names that ldconfig finds" '' "$(comm -13 <(cache_names before) <(cache_names after))"
	drop_bundle
}

# The loaders of Vulkan, EGL and OpenCL, of an image that has them, find the driver by its texts:
# each of them loads the library that the text names. (The driver itself then finds no GPU.)
check_icds() { # NAME
	local answer text texts=nvidia.icd:libnvidia-opencl
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
	use_image image
	cp "$work/icds" "$bundle/rootfs/usr/bin/icds"
	edit_bundle '.process.args = ["/bin/sh", "-c", "for l in libvulkan.so.1 libEGL.so.1 libOpenCL.so.1; do icds $l; done"]'
	answer=$(runc run --bundle "$bundle" "davit-$unique-$bundle_serial" 2>&1) || true
	# A driver without GLVND has neither a text of Vulkan that GLVND's loader takes nor one of EGL.
	[[ $1 = *nonglvnd* ]] || texts+=' nvidia_icd.json:libGLX_nvidia 10_nvidia.json:libEGL_nvidia'
	for text in $texts; do
		matches "$1: it has ${text%:*}" "/${text%:*}\$" "$(cat "$work/outside")"
		matches "$1: by which ${text#*:} is loaded" "calling init: .*/${text#*:}\.so" "$answer"
	done
	drop_bundle
}

check_smi() { # NAME
	local answer
	new_bundle debian NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=utility
	edit_bundle '.process.args = ["/usr/bin/nvidia-smi"]'
	answer=$(runc run --bundle "$bundle" "davit-$unique-$bundle_serial" 2>&1) || true
	matches "$1: the real nvidia-smi runs up to NVML's own error" \
		"couldn't communicate|Failed to initialize NVML|No devices were found|not found in the driver" "$answer"
	drop_bundle
}

# `HOST-PATH CONTAINER-PATH` of each mount of a spec: of its own, or of its hook.
cdi_mounts() {
	jq -r '.containerEdits | ((.mounts // [])[] | "\(.hostPath) \(.containerPath)"),
		(.hooks[].args | . as $words | range(length) | select($words[.] == "--mount" or $words[.] == "--try-mount") |
			$words[. + 1] | split("::") | "\(.[0]) \(.[1])")' < "$work/cdi.json"
}

check_cdi() { # NAME ROOT FILE-OF-PATHS
	local path bad='' missing=''
	"$davit" cdi generate --config "$config" > "$work/cdi.json" 2> "$work/cdi.errors" || {
		fail "$1: CDI" 'no spec' "$(cat "$work/cdi.errors")"
		return
	}
	while read -r path; do
		[ -f "$path" ] && [ ! -L "$path" ] && [ "$(realpath "$path")" = "$path" ] || bad+="$path "
	done < <(cdi_mounts | cut -d' ' -f1 | grep -v '/socket$')
	equal "$1: CDI names the files themselves" '' "$bad"
	cdi_mounts | cut -d' ' -f1 | sed "s|^$2/|/|" | sort -u > "$work/given"
	while read -r path; do
		why_left_out "$path" > /dev/null || missing+="$path "
	done < <(comm -13 "$work/given" "$3")
	equal "$1: every file of its packages is in containers, or left out for a reason" '' "$missing"
}

check_runtime() { # NAME FILE-OF-NAMES ROOT
	configure_runtime "$(command -v runc)" ".driver.root = \"$3\""
	new_bundle debian NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all
	edit_bundle 'del(.hooks)'
	equal "$1: the plan of davit-runtime has every library" '' "$("$davit" explain --json --bundle "$bundle" --config "$config" |
		jq -r '.operations[] | select(.op == "bind") | .target' | sed 's|.*/||' | sort -u | comm -13 - "$2")"
	edit_bundle '.process.args = ["/bin/sh", "-c", "ls /usr/lib/x86_64-linux-gnu"]'
	equal "$1: davit-runtime gives every library" '' "$("$runtime" run --bundle "$bundle" "davit-$unique-$bundle_serial" 2>&1 < <(:) |
		sort -u | comm -13 - <(grep -v '^libglx' "$2"))"
	drop_bundle
}

# By Debian's alternatives. The last packages of a branch that has ended say no more than that others
# are to be used: their own script registers the driver when it is told to.
choose_driver() { # ROOT FLAVOUR
	local script=$1/var/lib/dpkg/info/nvidia-$2-alternative.postinst
	chroot "$1" update-alternatives --set nvidia "/usr/lib/nvidia/$2" > /dev/null 2>&1 && return
	sed 's/"DISABLED"/"slave"/' "$script" > "$1/register"
	chroot "$1" /bin/sh /register triggered > /dev/null 2>&1
	rm "$1/register"
	chroot "$1" update-alternatives --set nvidia "/usr/lib/nvidia/$2" > /dev/null 2>&1
}

# check_driver ROOT VERSION FLAVOUR
check_driver() {
	local root=$roots/$1 version=$2 flavour=$3 name names=()
	name="driver $version ($1, $flavour)"
	choose_driver "$root" "$flavour" || fail "$name" 'its alternatives cannot be chosen'
	chroot "$root" ldconfig
	set_version "$version"
	config=$work/davit.json
	jq --arg root "$root" '.driver.root = $root' < "$host/davit.json" > "$config"
	package_files "$root" "$version" > "$work/files"
	# EGL's platforms have packages and versions of their own.
	find "$root/usr/lib/x86_64-linux-gnu" -maxdepth 1 -type f -name 'libnvidia-egl-*.so.*' -printf '/usr/lib/x86_64-linux-gnu/%f\n' |
		sort -u - "$work/files" > "$work/all-files"
	grep -v '/i386-linux-gnu/' "$work/all-files" | sed -n 's|.*/\(lib[^/]*\.so[^/]*\)$|\1|p' | sort -u > "$work/expected"
	[ "$(wc -l < "$work/expected")" -ge 10 ] || fail "$name" 'its packages have hardly a library' "$(cat "$work/expected")"
	"$davit" list --config "$config" > "$work/outside" 2>&1 || fail "$name: from outside" 'list fails' "$(cat "$work/outside")"
	equal "$name: every library is found from outside" '' \
		"$(names < "$work/outside" | comm -13 - "$work/expected")"
	list_inside "$root" > "$work/inside" 2>&1 || fail "$name: from inside" 'list fails' "$(cat "$work/inside")"
	equal "$name: and from inside" "$(names < "$work/outside")" "$(names < "$work/inside")"
	matches "$name: nvidia-smi is found" '/nvidia-smi$' "$(cat "$work/outside")"
	equal "$name: its CUDA version is what libcuda says" "$(cuda_of "$root" "$version" "$flavour")" \
		"$("$davit" info --json --config "$config" | jq -r .cuda)"
	mapfile -t names < <(find "$root/usr/lib/x86_64-linux-gnu/nvidia/$flavour" -type l -name 'lib*.so.*' -printf '%f\n' | sort)
	check_loads "$name" debian /usr/lib/x86_64-linux-gnu "${names[@]}"
	check_loads "$name" rhel /usr/lib64 "${names[@]}"
	mapfile -t names < <(grep '/i386-linux-gnu/' "$work/files" | sed 's|.*/|/usr/lib/i386-linux-gnu/|')
	[ ${#names[@]} = 0 ] || check_loads_32 "$name" "${names[@]}"
	check_cache "$name"
	check_icds "$name"
	check_smi "$name"
	check_cdi "$name" "$root" "$work/all-files"
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

if [ -z "$(suite_mirror)" ]; then
	skip 'drivers: real ones' "this machine's package sources name no Debian mirror"
	report_exit
fi
# What a program with graphics has in its image.
make_root image bookworm libvulkan1 libegl1 libgl1 ocl-icd-libopencl1 libx11-6 libxext6 libgbm1 libwayland-client0 \
	libwayland-server0 libxcb1 libxcb-present0 libxcb-dri3-0 libssl3 || report_exit
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

# whole ROOT SUITE FLAVOUR VERSION [MMDEBSTRAP-OPTION...]: a driver with all its packages.
whole() {
	local source=nvidia-graphics-drivers
	[ "$3" = current ] || source+=-$3
	make_whole "$1" "$2" "$source" "$4" "${@:5}" || return 0
	check_driver "$1" "$4" "$3"
	[ -n "${DRIVERS_KEPT:-}" ] || rm -rf --one-file-system "${roots:?}/$1"
}

if [ "${FULL:-0}" = 1 ]; then
	whole legacy-340-nonglvnd sid legacy-340xx 340.108
	whole legacy-390 bullseye legacy-390xx 390.157
	whole tesla-418 bullseye tesla-418 418.226.00
	# Their packages bring 470 along: two drivers side by side.
	whole tesla-450 bullseye tesla-450 450.248.02
	whole tesla-460 bullseye tesla-460 460.106.00
	whole bullseye bullseye current 470.256.02
	whole tesla bookworm tesla 525.147.05
	whole bookworm-i386 bookworm current 535.261.03 --architectures=amd64,i386
	whole tesla-535 bookworm tesla-535 535.216.03
	whole trixie-tesla-535 trixie tesla-535 535.274.02
	whole tesla-550 sid tesla-550 550.54.15
	whole experimental experimental current 555.58.02
fi
report_exit
