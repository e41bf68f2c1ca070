#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# davit-container-cli as LXC, Incus, Apptainer and enroot call it: without --pid, in mount, PID and
# user namespaces of their own, with the /proc of the host still mounted. Their words, their
# namespaces; the programs themselves aren't needed.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
ENGINE=unshare
CGROUP=${CGROUP:-v2}
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
require_root
# The host: PID and mount namespaces, in which the first numbers are all in use.
if [ -z "${DAVIT_TEST_HOST:-}" ]; then
	DAVIT_TEST_HOST=1 exec unshare --mount --propagation private --pid --fork --mount-proc \
		--kill-child "$script" "$@"
fi
enter_namespace "$@"
TMPDIR=/var/tmp make_work
host=$work/host
# /tmp is this script's own.
FAKE_HOST_MPS='' "$fixture/fake-host" "$host" --gpus 2 --mig
mkdir "$work"/{etc,bin}
mount -t tmpfs tmpfs "$work/etc"
mkdir -p "$work"/etc/{upper/davit,work}
cp "$host/davit.json" "$work/etc/upper/davit/config.json"
mount -t overlay overlay /etc -o "lowerdir=/etc,upperdir=$work/etc/upper,workdir=$work/etc/work"
at_end 'umount -l /etc'
kind_root debian > /dev/null
# Root's programs, where every user reaches them.
cp "$DAVIT_BUILD/davit-container-cli" "$work/bin/nvidia-container-cli"
cp "$DAVIT_BUILD/davit-nvml" "$work/bin/"
PATH=$work/bin:$PATH
# A /tmp of our own, for the pipes of MPS.
mount -t tmpfs -o mode=1777 tmpfs /tmp
at_end 'umount -l /tmp'
for ((i = 0; i < 60; i++)); do
	sleep 300 > /dev/null 2>&1 &
done

# --- callers ---------------------------------------------------------------------------------------

# as NAMESPACES COMMAND...: in these. LXC and Incus map 65536 ids, so that nobody has one, too.
as() {
	local namespaces=$1
	shift
	case $namespaces in
	host) unshare --mount --propagation private "$@" ;;
	pid) unshare --mount --propagation private --pid --fork "$@" ;;
	user) user_is 1000 unshare --user --map-root-user --mount "$@" ;;
	user-pid) user_is 1000 unshare --user --map-root-user --mount --pid --fork "$@" ;;
	same-user) user_is 1000 unshare --user --map-current-user --keep-caps --mount "$@" ;;
	same-user-pid) user_is 1000 unshare --user --map-current-user --keep-caps --mount --pid --fork "$@" ;;
	mapped-pid) mapped unshare --mount --pid --fork "$@" ;;
	*) return 2 ;;
	esac
}
user_is() { # ID COMMAND...
	setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"
}
mapped() { # COMMAND...: as root of a user namespace of the ids 100000 to 165535
	local child rc=0
	[ -p "$work/mapped" ] || mkfifo "$work/mapped"
	# shellcheck disable=SC2016 # of the inner shell
	unshare --user --keep-caps sh -c 'read -r _ < "$0" && exec setpriv --reuid 0 --regid 0 --clear-groups "$@"' \
		"$work/mapped" "$@" &
	child=$!
	until [ "$(readlink "/proc/$child/ns/user")" != "$(readlink /proc/self/ns/user)" ]; do
		sleep 0.02
	done
	echo '0 100000 65536' > "/proc/$child/uid_map"
	echo '0 100000 65536' > "/proc/$child/gid_map"
	echo > "$work/mapped"
	wait $child || rc=$?
	return $rc
}
owner_of() { # NAMESPACES
	case $1 in
	host | pid) echo 0 ;;
	mapped-pid) echo 100000 ;;
	*) echo 1000 ;;
	esac
}

# call NAMESPACES SCRIPT ARGUMENT...: nvidia-container-cli with these and a root, in which SCRIPT is run
# then. Sets seen.
call() {
	local root=$work/user/root owner
	owner=$(owner_of "$1")
	rm -rf "$work/user"
	mkdir "$work/user"
	cp -a "$work/roots/debian" "$root"
	mkdir -p "$root"/{dev,proc}
	chown -R "$owner:$owner" "$work/user"
	before=$(sort /proc/self/mountinfo)
	# shellcheck disable=SC2016 # of the inner shell
	seen=$(as "$1" bash -c '
		root=$1 script=$2
		shift 2
		mount --bind "$root" "$root"
		mount -t tmpfs -o mode=755 tmpfs "$root/dev"
		nvidia-container-cli "$@" "$root" || echo "exit $?"
		chroot "$root" sh -c "$script"' - "$root" "$2" "${@:3}" 2>&1 < /dev/null) || true
	seen=${seen//sh: line 0: /sh: } # newer busybox
	[ "$before" = "$(sort /proc/self/mountinfo)" ] || seen+=' The mounts of the host have changed.'
}
# calls NAME NAMESPACES EXPECTED ARGUMENT...
calls() {
	call "$2" 'nvidia-smi -L' "${@:4}"
	equal "$1, $2" "$3" "$seen"
}
one=$(smi_line 0 "$uuid1")
mig="$(smi_line 0 "$uuid0")
  MIG 1g.18gb     Device  0: (UUID: MIG-194463d8-cedc-4be2-cac4-d9275e063d45)"
lxc=(--user configure --no-cgroups --ldconfig=@/sbin/ldconfig --compute --utility)
enroot=("${lxc[@]}" --require='cuda>=12.0' --require='driver>=470')

calls "the example of libnvidia-container" pid "$one" --load-kmods configure --no-cgroups --utility --device 1
for namespaces in pid mapped-pid; do
	calls "LXC's and Incus's hook" $namespaces "$one" "${lxc[@]}" --device=1
done
for namespaces in host pid user user-pid same-user same-user-pid; do
	calls "enroot's call" $namespaces "$one" "${enroot[@]}" --device=1
done
for namespaces in user user-pid; do
	calls "Apptainer's call" $namespaces "$one" --user configure --no-cgroups --device=1 --compute \
		--utility --ldconfig=@/sbin/ldconfig
done
# What only NVML knows: its helper is root's, whom these namespaces show as somebody else.
for namespaces in user user-pid same-user same-user-pid mapped-pid; do
	calls 'MIG by index' $namespaces "$mig" "${lxc[@]}" --device=0:1
	calls 'requirements' $namespaces "$one" "${lxc[@]}" --device=1 --require='arch>=9.0' --require='brand=nvidia'
done
calls 'a requirement that does not hold' mapped-pid "davit: cannot inject GPU 1: cannot satisfy --require=arch>=99.0: the image needs arch>=99.0, the host has arch 9.0 (fix: use an image built for this host, or set NVIDIA_DISABLE_REQUIRE=1)
exit 3
sh: nvidia-smi: not found" "${lxc[@]}" --device=1 --require='arch>=99.0'

# --- MPS -------------------------------------------------------------------------------------------

pipes() { # NAMESPACES OWNER EXPECTED
	rm -rf /tmp/nvidia-mps
	mkdir /tmp/nvidia-mps
	: > /tmp/nvidia-mps/control
	chown -R "$2:$2" /tmp/nvidia-mps
	call "$1" 'ls /tmp/nvidia-mps 2> /dev/null' "${lxc[@]}" --device=1
	equal "MPS pipes of user $2, $1" "$3" "${seen##*: }"
}
refused="it is not a root-owned directory"
pipes host 0 control
pipes host 1000 "$refused"
pipes host 65534 "$refused"
for namespaces in user same-user user-pid; do
	pipes $namespaces 0 control
	pipes $namespaces 1000 control
done
pipes mapped-pid 0 control
pipes mapped-pid 100000 control
# Users of the namespace, one of them with the id that the host's root is shown as.
pipes mapped-pid 101000 "$refused"
pipes mapped-pid 165534 "$refused"
rm -rf /tmp/nvidia-mps

# --- without a /proc to look at --------------------------------------------------------------------

# shellcheck disable=SC2016 # of the inner shell
seen=$(unshare --mount --propagation private sh -c 'mount -t tmpfs tmpfs /proc
	nvidia-container-cli "$@"; echo "exit $?"' - "${lxc[@]}" --device=1 "$work/user/root" 2>&1) || true
equal 'no procfs' 'davit: cannot inspect this process in /proc: no procfs is mounted there (fix: run `mount -t proc proc /proc` in this PID namespace first)
exit 1' "$seen"
unshare --mount --propagation private --pid --fork --mount-proc sh -c 'echo $$; exec sleep 60' > "$work/inner" &
until [ -s "$work/inner" ]; do
	sleep 0.02
done
inner=$(pgrep -P $!)
# shellcheck disable=SC2016 # of the inner shell
seen=$(nsenter --target "$inner" --mount "$work/bin/nvidia-container-cli" "${lxc[@]}" --device=1 "$work/user/root" 2>&1) || true
equal 'the procfs of another PID namespace' 'davit: cannot inspect this process in /proc: that procfs belongs to a PID namespace without this process (fix: run `mount -t proc proc /proc` in this PID namespace first)' "$seen"
# A number that /proc has for another process.
# shellcheck disable=SC2016 # of the inner shell
seen=$(unshare --mount --propagation private --pid --fork sh -c '
	nvidia-container-cli configure --no-cgroups --device=1 --pid=2 "$1"' - "$work/user/root" 2>&1) || true
equal '--pid, looked up in the /proc of an outer PID namespace' 'davit: cannot inspect process 2: /proc belongs to another PID namespace, where that number means another process (fix: run `mount -t proc proc /proc` in this PID namespace first)' "$seen"

# --- roots that are none -----------------------------------------------------------------------------

mkdir -p "$work/links" "$work/bound"
: > "$work/file"
ln -s / "$work/links/root"
ln -s "$work/links/root" "$work/links/chain"
# invalid ROOT WHY [NAMESPACES]
invalid() {
	local rc=0 before after
	# shellcheck disable=SC2016 # of the inner shell
	seen=$(as "${3:-host}" bash -c '
		bound=$1
		mount --rbind / "$bound"
		before=$(wc -l < /proc/self/mountinfo)
		cd /tmp
		nvidia-container-cli "${@:2}" || echo "exit $?"
		[ "$before" = "$(wc -l < /proc/self/mountinfo)" ] || echo "there are new mounts"
		' - "$work/bound" "${lxc[@]}" --device=1 "$1" 2>&1 < /dev/null) || true
	matches "configure '${1/"$work"/WORK}'${3:+, $3}: refused" \
		'^davit: cannot .*: invalid rootfs directory: '"$2.* \\(fix: .*\\)\$" "$seen"
	equal "configure '${1/"$work"/WORK}'${3:+, $3}: nothing is done" 'exit 1' "$(tail -n +2 <<< "$seen")"
}
own='it is davit.s own root directory'
for root in / // /. /./ /.. /usr/.. /../../.. "$work/links/root" "$work/links/chain" "$work/links/chain/./" \
	"$work/../../../../.." "$work/bound" "$work/bound/usr/.."; do
	invalid "$root" "$own"
done
invalid "$work/bound" "$own" pid
invalid / "$own" pid
for root in '' . .. tmp "${work#/}" '~'; do
	invalid "$root" 'it is not an absolute path'
done
for root in /proc/self/root /proc/1/root /proc/self/cwd; do
	invalid "$root" 'it is a loop of links, or a link of /proc'
done
for root in "$work/file" /dev/null /etc/passwd; do
	invalid "$root" 'it is not a directory'
done
for root in /usr /etc /dev /proc /usr/lib/.. "$work/bound/usr" "$work/links/root/etc"; do
	invalid "$root" "it is a system directory"
done
# The root of a caller that isn't the namespace's: what it calls / counts.
seen=$(unshare --mount --propagation private bash -c '
	mount --rbind / "$1"
	mount --rbind "$2" "$1/mnt"
	mount -t tmpfs tmpfs "$1/mnt/dev"
	chroot "$1" "$3/nvidia-container-cli" "${@:4}" /mnt
	chroot "$2" nvidia-smi -L 2> /dev/null || chroot "$1/mnt" nvidia-smi -L
	' - "$work/bound" "$work/user/root" "$work/bin" "${lxc[@]}" --device=1 2>&1 < /dev/null) || true
equal 'a caller with a root of its own' "$one" "$seen"
report_exit
