# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of the other files and of the scripts
# Where things are: the repository, the build, a work folder that goes at the end, the fake driver.

script=$(realpath "$0")
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck source=tests/lib/report.sh
. "$repository/tests/lib/report.sh"

DAVIT_BUILD=${DAVIT_BUILD:-build}
case $DAVIT_BUILD in /*) ;; *) DAVIT_BUILD=$repository/$DAVIT_BUILD ;; esac
export DAVIT_BUILD
hook=$DAVIT_BUILD/davit-hook
runtime=$DAVIT_BUILD/davit-runtime
davit=$DAVIT_BUILD/davit
fixture=$repository/tests/fixture
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C
# Fake hosts have a place of their own for the pipes of MPS.
export FAKE_HOST_MPS=1

# For names of containers and cgroups. A PID isn't enough: other tests run in PID namespaces of their
# own beside the same cgroups, and PID 12 is the beginning of PID 123.
unique=$$-$(mktemp -u XXXXXX)

# The GPUs of a fake host with two of them, as the fixture's nvidia-smi lists them.
uuid0=GPU-1074aade-e34c-4efc-662a-2954e7cab1dc
uuid1=GPU-838f1a63-81fa-dfa9-e219-5da0cd7c6ddd
smi_line() { # INDEX UUID
	printf 'GPU %s: NVIDIA H200 (UUID: %s)\n' "$1" "$2"
}

# Where the userland of the loaded kernel module is: the prefix to configure as driver.root.
find_driver_root() {
	local version root dir
	version=$(grep -oE -m1 '[0-9]{3,}\.[0-9.]*[0-9]' /proc/driver/nvidia/version | head -n 1)
	for root in / /usr/local/nvidia /run/nvidia/driver; do
		for dir in usr/lib/x86_64-linux-gnu usr/lib64 lib64 lib; do
			if [ -f "$root/$dir/libnvidia-ml.so.$version" ]; then
				printf '%s\n' "$root"
				return
			fi
		done
	done
	printf 'cannot find the libraries of driver %s: neither in / nor in /usr/local/nvidia\n' \
		"$version" >&2
	return 1
}

clean_ups=()
# shellcheck disable=SC2317 # reached by the trap
clean_up() {
	local i rc=$?
	for ((i = ${#clean_ups[@]} - 1; i >= 0; i--)); do
		eval "${clean_ups[i]}" || true
	done
	exit "$rc"
}

# at_end COMMAND: when the script ends, last one first.
at_end() {
	[ ${#clean_ups[@]} -gt 0 ] || trap clean_up EXIT
	clean_ups+=("$1")
}

# Sets `work`. Mounts below it are gone before its files are.
make_work() {
	work=$(mktemp -d "${TMPDIR:-/tmp}/davit-test.XXXXXX")
	chmod 0755 "$work"
	at_end remove_work
}

unmount_below() { # DIRECTORY
	local mount
	awk -v below="$1/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | tac |
		while read -r mount; do
			umount -l "$mount"
		done
}

# shellcheck disable=SC2317 # called by clean_up
remove_work() {
	unmount_below "$work"
	! mountpoint -q "$work" || umount -l "$work"
	rm -rf --one-file-system "$work"
}

# overlay_over DIRECTORY: what is written there stays in our mount namespace.
overlay_over() {
	local place=$work/over/${1//\//-}
	mkdir -p "$place"
	mount -t tmpfs tmpfs "$place"
	mkdir -p "$place"/{upper,work}
	mount -t overlay overlay "$1" -o "lowerdir=$1,upperdir=$place/upper,workdir=$place/work"
	at_end "umount -l '$1'"
}

# What this machine's administrator has configured for engines, in a namespace where /etc is a mount
# of ours.
forget_engines() {
	mountpoint -q /etc || return 1
	rm -rf /etc/{docker,containerd,crio,cdi} /etc/containers/oci
	if [ -d /run/cdi ]; then
		mount -t tmpfs tmpfs /run/cdi
		at_end 'umount -l /run/cdi'
	fi
}

require_root() {
	if [ "$(id -u)" != 0 ]; then
		skip "${0##*/}" 'not root'
		report_exit
	fi
}

# A script that installs its packages itself (need_packages) says so before.
[ -n "${installs_packages:-}" ] || needs jq
