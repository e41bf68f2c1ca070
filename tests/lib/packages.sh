# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # the lists are read by the scripts
# Debian packages, installed when they are missing.

build_packages=(gcc libc6-dev cmake ninja-build pkg-config libjson-c-dev libelf-dev zlib1g-dev
	libcap-dev libseccomp-dev libcmocka-dev)
container_packages=(runc jq busybox-static musl-tools)
test_packages=(clang clang-format clang-tidy clang-tools shellcheck python3 binutils crun podman docker.io
	docker-compose squashfs-tools procps util-linux strace valgrind libclang-rt-14-dev file
	systemd dbus uidmap patch diffutils)

is_installed() { # PACKAGE
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null)" = installed ]
}

# Installs what isn't there. No service is started by it.
need_packages() { # PACKAGE...
	local package missing=() policy=/usr/sbin/policy-rc.d made=''
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
	{ apt-get -q update && apt-get -qy --no-install-recommends install "${missing[@]}"; } \
		> "${TMPDIR:-/tmp}/davit-apt.log" 2>&1 < /dev/null || rc=$?
	[ -z "$made" ] || rm -f "$made"
	if [ $rc != 0 ]; then
		tail -n 20 "${TMPDIR:-/tmp}/davit-apt.log" >&2
		printf 'cannot install %s: apt-get failed (fix: see the lines above)\n' "${missing[*]}" >&2
	fi
	rm -f "${TMPDIR:-/tmp}/davit-apt.log"
	return $rc
}
