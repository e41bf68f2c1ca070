# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # the lists are read by the scripts
# Debian packages, installed when they are missing.

build_packages=(gcc libc6-dev cmake ninja-build pkg-config libjson-c-dev libelf-dev zlib1g-dev
	libcap-dev libseccomp-dev libcmocka-dev)
container_packages=(runc jq busybox-static musl-tools)
test_packages=(clang clang-format clang-tidy clang-tools shellcheck python3 binutils crun podman docker.io
	docker-compose squashfs-tools procps util-linux strace fuse-overlayfs valgrind libclang-rt-14-dev file
	systemd udev dbus uidmap patch diffutils git rpm lintian mmdebstrap zsh fish mandoc groff python3-grpcio
	lxc lxd charliecloud-builders charliecloud-runtime rootlesskit)
# What the scripts of tests/engines need in the chroots of tests/suites.
suite_packages=(rootlesskit crun podman docker.io docker-cli docker-compose containerd python3 python3-grpcio binutils procps
	util-linux mount iproute2 fuse-overlayfs uidmap strace file systemd udev dbus git diffutils squashfs-tools
	lxc incus charliecloud)
# Beside this machine's own libraries: those of arm64, and what builds and runs for it.
arm64_packages=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static libc6-dev:arm64
	libjson-c-dev:arm64 libelf-dev:arm64 zlib1g-dev:arm64 libcap-dev:arm64 libseccomp-dev:arm64
	libcmocka-dev:arm64 libgcc-s1:arm64 musl:arm64)

# Without `:arm64`, it's this machine's package that counts.
is_installed() { # PACKAGE
	local architecture=${1#*:}
	[ "$architecture" != "$1" ] || architecture="($(dpkg --print-architecture)|all)"
	dpkg-query -W -f '${db:Status-Status} ${Architecture}\n' "$1" 2> /dev/null |
		grep -qxE "installed $architecture"
}

# The names are those of Debian 12. Another distribution may lack some: they move from need_packages'
# `missing` to `unavailable`. CI (MUST_WORK=1) needs all of them.
keep_available() {
	local package available=()
	[ "${MUST_WORK:-0}" != 1 ] || return 0
	for package in "${missing[@]}"; do
		if apt-cache show "$package" > /dev/null 2>&1; then
			available+=("$package")
		else
			unavailable+=("$package")
		fi
	done
	missing=("${available[@]}")
}

# Installs what isn't there. No service is started by it.
need_packages() { # PACKAGE...
	local package missing=() unavailable=() policy=/usr/sbin/policy-rc.d made=''
	for package; do
		is_installed "$package" || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	if ! command -v apt-get > /dev/null || [ "$(id -u)" != 0 ]; then
		printf 'cannot install %s: not root on Debian (fix: install them)\n' "${missing[*]}" >&2
		return 1
	fi
	printf 'installing: %s\n' "${missing[*]}" >&2
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' > $policy
		chmod +x $policy
		made=$policy
	fi
	local rc=0
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get -q update && keep_available && apt-get -qy --no-install-recommends install "${missing[@]}"; } \
		> "${TMPDIR:-/tmp}/davit-apt.log" 2>&1 < /dev/null || rc=$?
	[ ${#unavailable[@]} = 0 ] ||
		printf 'not in this distribution: %s (what needs them is skipped)\n' "${unavailable[*]}" >&2
	[ -z "$made" ] || rm -f "$made"
	if [ $rc != 0 ]; then
		tail -n 20 "${TMPDIR:-/tmp}/davit-apt.log" >&2
		printf 'cannot install %s: apt-get failed (fix: see the lines above)\n' "${missing[*]}" >&2
	fi
	rm -f "${TMPDIR:-/tmp}/davit-apt.log"
	return $rc
}

need_arm64_packages() {
	if command -v dpkg > /dev/null && [ "$(id -u)" = 0 ] &&
		[[ " $(dpkg --print-foreign-architectures | xargs) " != *' arm64 '* ]]; then
		dpkg --add-architecture arm64
	fi
	need_packages "${arm64_packages[@]}"
}
