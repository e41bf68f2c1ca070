#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Podman's user namespaces with CDI specs of others, on $ENGINE: --uidmap and --userns=auto of root,
# and keep-id and nomap of an ordinary user. NVIDIA's hooks (`nvidia-cdi-hook NAME`, `nvidia-ctk hook
# NAME` of toolkits before 1.16) are davit's under these names, and often can't read their bundle.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
enter_namespace "$@"
for program in podman newuidmap setpriv; do
	if ! command -v $program > /dev/null; then
		skip "${0##*/}" "$program isn't installed (apt-get install podman uidmap util-linux)"
		report_exit
	fi
done
make_work
host=$work/host
"$fixture/fake-host" "$host"
version=$(cat "$host/driver/version")
spare_crun_memlock
mount -t tmpfs tmpfs /run
mkdir -p "$work"/podman/{root,run,tmp,home} "$work"/{home,user,etc,bin} /run/cdi
export HOME=$work/podman/home
kind_root debian > /dev/null
chmod 0755 "$work" "$work/podman"

# In a user namespace runtimes bind a node from the path that it has in the container: the host's /dev,
# in our namespace, has them.
mkdir "$work/dev"
mount -t tmpfs -o mode=0755 tmpfs "$work/dev"
cp -a /dev/{null,zero,full,random,urandom,tty,ptmx,fd,stdin,stdout,stderr} "$host"/dev/nvidia* "$host/dev/dri" "$work/dev"
[ ! -e /dev/fuse ] || cp -a /dev/fuse "$work/dev"
cp -a "$host/dev/nvidia0" "$work/dev/thing"
for place in pts shm mqueue; do
	mkdir "$work/dev/$place"
	[ ! -d "/dev/$place" ] || mount --bind "/dev/$place" "$work/dev/$place"
done
mount --rbind "$work/dev" /dev
at_end 'umount -R -l /dev'

# The users of the ids, and one who isn't root; a tmpfs over /etc keeps the machine's as is.
user=davit id=54321
mount -t tmpfs tmpfs "$work/etc"
mkdir -p "$work"/etc/{upper,work}
mount -t overlay overlay /etc -o "lowerdir=/etc,upperdir=$work/etc/upper,workdir=$work/etc/work"
at_end 'umount -l /etc'
printf '%s:x:%s:%s::%s:/bin/sh\n' $user $id $id "$work/home" >> /etc/passwd
printf '%s:x:%s:\n' $user $id >> /etc/group
printf 'containers:2000000:1000000\n%s:1000000:65536\n' $user | tee /etc/subuid > /etc/subgid
chown $id:$id "$work/home" "$work/user"
mkdir -m 0700 /run/user-of-test
chown $id:$id /run/user-of-test

# Where every user reaches them; the checkout may lie in a private directory.
cp "$hook" "$davit" "$work/bin"
ln -s davit-hook "$work/bin/nvidia-cdi-hook"
ln -s davit "$work/bin/nvidia-ctk"
chmod -R a+rX "$work/bin" "$host"
folder=/usr/lib/x86_64-linux-gnu

# One vendor's spec besides, with what davit's hooks don't do: nodes, mounts and variables alone.
jq -n --arg host "$host" '{cdiVersion: "0.5.0", kind: "vendor.com/thing", devices: [{name: "a", containerEdits: {
	env: ["THING=a"], deviceNodes: [{path: "/dev/thing"}],
	mounts: [{hostPath: "\($host)/driver/version", containerPath: "/opt/version", options: ["ro", "rbind"]}]}}]}' > /run/cdi/thing.json
# A spec whose hook does nothing.
jq -n '{cdiVersion: "0.5.0", kind: "vendor.com/nothing", devices: [{name: "a", containerEdits: {
	hooks: [{hookName: "createContainer", path: "/bin/true"}]}}]}' > /run/cdi/nothing.json
installed_spec() { # NAME (Debian's Podman 4.3 knows no additionalGids)
	sed "s|@HOST@/dev|/dev|g; s|@HOST@|$host|g; s|@BIN@|$work/bin|g; s|@VERSION@|$version|g; s/0\.7\.0/0.5.0/; /additionalGids/,+1d" \
		"$repository/tests/engines/cdi-specs/$1.yaml" > /run/cdi/vendor.yaml
	chmod 0644 /run/cdi/*
}

as=(env)
home=$work/podman
podman_options=(--cgroup-parent "$cgroup" --pids-limit 0)
in_podman() { # COMMAND...
	"${as[@]}" timeout 60 podman --root "$home/root" --runroot "$home/run" --tmpdir "$home/tmp" --storage-driver vfs \
		--events-backend file --cgroup-manager cgroupfs --runtime "$ENGINE" "$@"
}
podman_run() { # OPTION... -- COMMAND...: sets rc, output and errors
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	rc=0
	output=$(cd / && in_podman run --rm --network none "${podman_options[@]}" --ulimit nofile=1024:1024 \
		--ulimit nproc=1024:1024 "${options[@]}" localhost/mapped "${@:2}" 2> "$work/errors" < /dev/null) || rc=$?
	errors=$(grep -v 'level=warning' "$work/errors" || true)
}
at_end wait_for_podman
import() {
	tar -C "$work/roots/debian" --exclude=./dev/* -c . > "$work/image.tar"
	chmod 0644 "$work/image.tar"
	(cd / && in_podman import "$work/image.tar" localhost/mapped > "$work/log" 2>&1)
}

look="nvidia-smi -L; readlink $folder/libcuda.so; dlprobe libcuda.so.1; nodeprobe /dev/nvidia1 /dev/nvidia0
rm /etc/ld.so.cache; ldconfig; dlprobe libcuda.so.1 libnvidia-encode.so.1
nodeprobe /dev/thing; echo \"\$(cat /opt/version) \$THING\""
sees="0 $(smi_line 0 "$uuid1")
libcuda.so.1
libcuda.so.1: $folder/libcuda.so.$version
/dev/nvidia1: ENXIO
/dev/nvidia0: ENOENT
libcuda.so.1: $folder/libcuda.so.1
libnvidia-encode.so.1: $folder/libnvidia-encode.so.1
/dev/thing: ENXIO
$version a"
# starts OPTION...: without devices, or the test is skipped.
starts() {
	podman_run "$@" -- true
	[ $rc = 0 ] || skip "podman $* ($with)" "this engine doesn't start such a container: $(tail -n 1 "$work/errors")"
	[ $rc = 0 ]
}
check() { # TOOLKIT OPTION...
	starts "${@:2}" || return 0
	# crun up to 1.21, as the container's root, can't enter some bundles before it starts a hook.
	podman_run "${@:2}" --device vendor.com/nothing=a -- true
	if [ $rc != 0 ] && [[ $("$ENGINE" --version) =~ ^crun\ version\ 1\.([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -le 21 ]; then
		matches "podman ${*:2}: a hook that does nothing fails, too ($with)" 'executing hook' "$errors"
		return
	fi
	installed_spec "toolkit-$1"
	podman_run "${@:2}" --device nvidia.com/gpu=1 --device vendor.com/thing=a -- sh -c "$look"
	equal "podman ${*:2}, the spec of toolkit $1, and another vendor's ($with)" "$sees" "$rc ${output//: \/lib\//: /usr/lib/}$errors"
}

with="root's Podman, ${ENGINE##*/}, cgroup $CGROUP"
import
check 1.20 --uidmap 0:3000000:65536
check 1.15 --userns=auto

# Two specs, each with a hook that writes a loader cache, for a container with a read-only root. runc makes the root read-only after these
# hooks, and so does crun 1.28. With crun up to 1.21, the root is read-only before. All hooks then share a view of a directory, because the
# kernel stacks only two overlays and the root is one. Afterwards the container can't write to the view.
jq -n '{cdiVersion: "0.5.0", kind: "vendor.com/second", devices: [{name: "a", containerEdits: {
	mounts: [{hostPath: "\($work)/second/libsecond.so.1", containerPath: "/opt/second/libsecond.so.1", type: "bind", options: ["ro", "rbind"]}],
	hooks: [{hookName: "createContainer", path: "\($work)/bin/nvidia-cdi-hook",
		args: ["nvidia-cdi-hook", "update-ldcache", "--folder", "/opt/second"]}]}}]}' --arg work "$work" > /run/cdi/second.json
mkdir "$work/second"
"${CC:-cc}" -shared -fPIC -nostdlib -x c /dev/null -Wl,-soname,libsecond.so.1 -o "$work/second/libsecond.so.1"
check_read_only() { # OPTION...
	local order
	starts --read-only --read-only-tmpfs=false "$@" || return 0
	installed_spec toolkit-1.20
	for order in 'nvidia.com/gpu=1 vendor.com/second=a' 'vendor.com/second=a nvidia.com/gpu=1'; do
		podman_run --read-only --read-only-tmpfs=false "$@" --device "${order% *}" --device "${order#* }" -- \
			sh -c 'nvidia-smi -L; dlprobe libcuda.so.1 libsecond.so.1; touch /etc/new 2>&1 | grep -o "Read-only.*"'
		equal "podman --read-only $* $order ($with)" "0 $(smi_line 0 "$uuid1")
libcuda.so.1: $folder/libcuda.so.$version
libsecond.so.1: /opt/second/libsecond.so.1
Read-only file system" "$rc ${output//: \/lib\//: /usr/lib/}$errors"
	done
}
check_read_only
mkdir "$work/volume"
touch "$work"/volume/{hostname,hosts,resolv.conf}
check_read_only -v "$work/volume:/etc:ro"
equal "the volume has no file more ($with)" "hostname hosts resolv.conf" "$(cd "$work/volume" && echo ./* | sed 's:\./::g')"

with="a user's Podman, ${ENGINE##*/}, cgroup $CGROUP"
as=(setpriv --reuid "$id" --regid "$id" --clear-groups --inh-caps=-all env -i "PATH=$PATH" HOME="$work/home" USER="$user"
	XDG_RUNTIME_DIR=/run/user-of-test TMPDIR="$work/user" LC_ALL=C)
home=$work/home
# runc insists on having tried a cgroup of its own, crun on having its way.
podman_options=(--cgroups disabled)
[ "${ENGINE##*/}" != runc ] || podman_options=()
import
check 1.20 --userns=host
check 1.15 --userns=keep-id --user 0
check 1.17 --userns=nomap
check_read_only
report_exit
