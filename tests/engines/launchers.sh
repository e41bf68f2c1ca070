#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The real LXC, LXD or Incus, Charliecloud and Apptainer, whichever of them are installed, with
# davit-container-cli under NVIDIA's name. Debian 12 has the first three (LXD), Debian 13 Incus in the
# place of LXD, sid all of them: tests/run.sh trixie, tests/run.sh sid.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
require_root
if [ "${DAVIT_TEST_NAMESPACE:-}" != "$$" ]; then
	export DAVIT_TEST_NAMESPACE=$$
	exec unshare --mount --propagation private "$script" "$@"
fi
unset DAVIT_TEST_NAMESPACE
# Where users reach it, and no launcher mounts it in its containers.
TMPDIR=/srv make_work
CGROUP=${CGROUP:-v2} report_host '580.159.04, fake'
host=$work/host
"$fixture/fake-host" "$host" --mig > /dev/null
mkdir "$work"/{etc,bin}
mount -t tmpfs tmpfs "$work/etc"
mkdir -p "$work"/etc/{upper/davit,work}
cp "$host/davit.json" "$work/etc/upper/davit/config.json"
mount -t overlay overlay /etc -o "lowerdir=/etc,upperdir=$work/etc/upper,workdir=$work/etc/work"
at_end 'umount -l /etc'
for file in /etc/subuid /etc/subgid; do
	[ ! -e "$file" ] || sed -i '/^root:/d' "$file"
	echo root:100000:65536 >> "$file"
done
grep -q '^davit-test:' /etc/passwd || printf 'davit-test:x:1500:1500::%s/home:/bin/sh\n' "$work" >> /etc/passwd
grep -q '^davit-test:' /etc/group || echo davit-test:x:1500: >> /etc/group
mkdir "$work/home"
chown 1500:1500 "$work/home"
cp "$DAVIT_BUILD/davit-container-cli" "$work/bin/nvidia-container-cli"
cp "$DAVIT_BUILD/davit-nvml" "$work/bin/"
# Where packages have them: daemons have a PATH of their own.
mount -t overlay overlay /usr/bin -o "lowerdir=$work/bin:/usr/bin"
at_end 'umount -l /usr/bin'
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
one=$(smi_line 0 "$uuid1")
both="$(smi_line 0 "$uuid0")
$(smi_line 1 "$uuid1")"
cuda='libcuda.so.1: /usr/lib/x86_64-linux-gnu/libcuda.so.1'
# A root with what launchers expect of one.
"$fixture/fake-rootfs" debian "$work/root" > /dev/null
mkdir -p "$work"/root/{proc,sys,dev,run,home,root,etc,usr/local/lib,tmp,var/tmp}
chmod 1777 "$work"/root/{tmp,var/tmp}
touch "$work"/root/etc/{resolv.conf,hosts,passwd,group,localtime}
mkdir -p "$work/root/.singularity.d/actions"
printf '#!/bin/sh\n' > "$work/root/.singularity.d/actions/start"
chmod 0755 "$work/root/.singularity.d/actions/start"
before=$(sort /proc/self/mountinfo)

root_of() { # UID: sets root, a copy that belongs to that user
	root=$work/root-$1
	rm -rf "$root"
	cp -a "$work/root" "$root"
	chown -R "$1:$1" "$root"
}
as_user() { # COMMAND...
	env HOME="$work/home" USER=davit-test setpriv --reuid 1500 --regid 1500 --clear-groups "$@"
}
tested=''

# --- LXC -----------------------------------------------------------------------------------------------

# lxc NAME EXPECTED VARIABLE...: an unprivileged container of root's, with LXC's own hook for NVIDIA.
lxc_case() {
	local name=$1 expected=$2 variable rc=0 hook=/usr/share/lxc/hooks/nvidia
	shift 2
	root_of 100000
	cat > "$root/init" << 'END'
#!/bin/sh
exec > /tmp/result 2>&1
nvidia-smi -L
dlprobe libcuda.so.1
END
	chmod 0755 "$root/init"
	mkdir -p "$work/lxc/c"
	{
		[ "$name" = privileged ] || printf 'lxc.idmap = %s\n' 'u 0 100000 65536' 'g 0 100000 65536'
		printf 'lxc.%s\n' "rootfs.path = dir:$root" 'net.0.type = none' 'mount.auto = proc:mixed' 'autodev = 1' 'hook.version = 1' \
			'apparmor.profile = unconfined' "hook.mount = $hook" 'init.cmd = /init'
		for variable; do
			printf 'lxc.environment = %s\n' "$variable"
		done
	} > "$work/lxc/c/config"
	timeout 60 lxc-start -P "$work/lxc" -n c -F -l DEBUG -o "$work/lxc/log" > "$work/lxc/out" 2>&1 < /dev/null || rc=$?
	if [ "$name" = privileged ]; then
		matches "LXC, privileged: its hook itself refuses" 'only works in unprivileged mode' "$(cat "$work/lxc/log")"
	else
		equal "LXC $(lxc-start --version), $name" "$expected" "$(cat "$root/tmp/result" 2>&1 || true)"
		[ -e "$root/tmp/result" ] || sed -n 's/^.*produced output: /    /p' "$work/lxc/log" | tail -n 12
	fi
	rm -rf "$work/lxc"
}
if command -v lxc-start > /dev/null; then
	tested+=' LXC'
	lxc_case 'a GPU by its index' "$one
$cuda" NVIDIA_VISIBLE_DEVICES=1 NVIDIA_DRIVER_CAPABILITIES=compute,utility
	lxc_case 'all, and requirements' "$both
$cuda" NVIDIA_VISIBLE_DEVICES=GPU-1074aade-e34c-4efc-662a-2954e7cab1dc,1 NVIDIA_DRIVER_CAPABILITIES=all \
		'NVIDIA_REQUIRE_CUDA=cuda>=12.0 driver>=470'
	lxc_case privileged '' NVIDIA_VISIBLE_DEVICES=1
	lxc_case 'a MIG instance' "$(smi_line 0 "$uuid0")
  MIG 1g.18gb     Device  0: (UUID: MIG-194463d8-cedc-4be2-cac4-d9275e063d45)
$cuda" NVIDIA_VISIBLE_DEVICES=0:1 NVIDIA_DRIVER_CAPABILITIES=compute,utility
fi

# --- LXD, Incus ------------------------------------------------------------------------------------------

# daemon_case DAEMON CLIENT: nvidia.runtime, and the node of a GPU as a device.
daemon_case() {
	local daemon=$1 client=$2 dir=$work/$2-dir pid seen
	root_of 0
	printf '#!/bin/sh\nexec sleep 1000\n' > "$root/init"
	chmod 0755 "$root/init"
	ln -sfn /init "$root/usr/sbin/init"
	mkdir -p "$dir/image"
	mv "$root" "$dir/image/rootfs"
	printf 'architecture: x86_64\ncreation_date: 1700000000\nproperties:\n  description: davit\n' > "$dir/image/metadata.yaml"
	tar -C "$dir/image" -cf "$dir/image.tar" metadata.yaml rootfs
	export LXD_DIR=$dir/var INCUS_DIR=$dir/var HOME=$dir
	mkdir "$dir/var"
	"$daemon" --group root --logfile "$dir/log" > "$dir/out" 2>&1 < /dev/null &
	pid=$!
	timeout 60 "$client" admin waitready > /dev/null 2>&1 || timeout 60 "$daemon" waitready > /dev/null 2>&1 || true
	{
		"$client" storage create default dir
		"$client" profile device add default root disk path=/ pool=default
		"$client" image import "$dir/image.tar" --alias davit
		"$client" init -q davit c -c nvidia.runtime=true -c nvidia.driver.capabilities=compute,utility \
			-c raw.lxc=lxc.apparmor.profile=unconfined
		# Its own device of the type gpu needs one on a PCI bus.
		"$client" config device add c node unix-char path=/dev/nvidia1 \
			"major=$((0x$(stat -c %t "$host/dev/nvidia1")))" minor=1
		"$client" start c
	} > "$dir/steps" 2>&1 < /dev/null || true
	seen=$("$client" exec c -- sh -c 'dlprobe libcuda.so.1; ls /usr/bin/nvidia-smi; nodeprobe /dev/nvidia1; ls /dev/nvidiactl' 2>&1 < /dev/null) || true
	equal "${daemon##*/} $("$daemon" --version | head -n 1), nvidia.runtime=true" "$cuda
/usr/bin/nvidia-smi
/dev/nvidia1: ENXIO
/dev/nvidiactl" "$seen"
	if [[ $seen != *nvidiactl ]]; then
		tail -n 3 "$dir/steps" | sed 's/^/    /'
		"$client" info c --show-log 2>&1 < /dev/null | grep -E 'ERROR|produced' | tail -n 12 | sed 's/^/    /' || true
	fi
	"$client" delete -f c > /dev/null 2>&1 || true
	"$client" admin shutdown > /dev/null 2>&1 || "$daemon" shutdown > /dev/null 2>&1 || kill "$pid" || true
	wait "$pid" || true
	unmount_below "$dir"
}
if command -v lxd > /dev/null; then
	tested+=' LXD'
	daemon_case lxd lxc
fi
for incusd in /usr/libexec/incus/incusd /usr/lib/incus/incusd; do
	if [ -x $incusd ]; then
		tested+=' Incus'
		ln -s $incusd "$work/incusd"
		daemon_case "$work/incusd" incus
		break
	fi
done

# --- Charliecloud ----------------------------------------------------------------------------------------

if command -v ch-fromhost > /dev/null; then
	tested+=' Charliecloud'
	root_of 1500
	# It runs the image's own.
	cp /sbin/ldconfig "$root/usr/sbin/"
	rc=0
	as_user ch-fromhost --nvidia "$root" > "$work/out" 2>&1 < /dev/null || rc=$?
	equal 'Charliecloud, ch-fromhost --nvidia' 0 "$rc"
	[ $rc = 0 ] || sed 's/^/    /' "$work/out"
	equal 'Charliecloud: the libraries and programs are in the image' 'libcuda.so.1 libcuda.so.580.159.04 libnvidia-ml.so.1 nvidia-smi' \
		"$(find "$root/usr" -name 'libcuda.so.*' -o -name libnvidia-ml.so.1 -o -name nvidia-smi | sed 's|.*/||' | sort | xargs)"
	equal 'Charliecloud: nothing but these' '' "$(find "$root" -name '*.json' -o -name 'card*')"
	# Where the image's ldconfig looks first.
	equal 'Charliecloud, ch-run' 'libcuda.so.1: /usr/local/lib/libcuda.so.1' \
		"$(as_user ch-run "$root" -- dlprobe libcuda.so.1 2>&1 < /dev/null || true)"
fi

# --- Apptainer -------------------------------------------------------------------------------------------

apptainer_case() { # WHO NAME EXPECTED OPTION...
	local who=$1 name=$2 expected=$3 as=() seen
	shift 3
	[ "$who" = root ] || as=(as_user)
	seen=$(cd / && NVIDIA_VISIBLE_DEVICES=${devices-1} "${as[@]}" apptainer --quiet exec "$@" "$root" \
		sh -c 'nvidia-smi -L; dlprobe libcuda.so.1' 2>&1 < /dev/null) || true
	equal "Apptainer $(apptainer version | sed 's/-.*//'), $who, $name" "$expected" "$seen"
}
# The host's own /dev has the nodes: without --contain it is the container's.
host_dev() {
	local name
	mkdir "$work/dev"
	mount -t tmpfs -o mode=0755 tmpfs "$work/dev"
	for name in null zero full random urandom tty fuse; do
		[ ! -e /dev/$name ] || cp -a /dev/$name "$work/dev/"
	done
	mkdir "$work"/dev/{pts,shm}
	mount --rbind /dev/pts "$work/dev/pts"
	mount -t tmpfs tmpfs "$work/dev/shm"
	ln -s /proc/self/fd "$work/dev/fd"
	ln -s fd/0 "$work/dev/stdin"
	ln -s fd/1 "$work/dev/stdout"
	ln -s fd/2 "$work/dev/stderr"
	ln -s pts/ptmx "$work/dev/ptmx"
	cp -a "$host"/dev/nvidia* "$work/dev/"
	mount --move "$work/dev" /dev
	at_end 'umount -l /dev'
	jq '.driver.dev = "/dev"' "$host/davit.json" > "$work/davit.json"
	cat "$work/davit.json" > /etc/davit/config.json
}
mig="$(smi_line 0 "$uuid0")
  MIG 1g.18gb     Device  0: (UUID: MIG-194463d8-cedc-4be2-cac4-d9275e063d45)"
if command -v apptainer > /dev/null; then
	tested+=' Apptainer'
	host_dev
	before=$(sort /proc/self/mountinfo)
	whoever=(user)
	# It asks for all capabilities.
	if grep -q '^CapPrm:.*1ffffffffff$' /proc/self/status; then
		whoever+=(root)
	fi
	for who in "${whoever[@]}"; do
		[ "$who" = root ] || root_of 1500
		[ "$who" = user ] || root_of 0
		# The host's nodes are the container's: NVIDIA_VISIBLE_DEVICES hides none.
		apptainer_case "$who" '--nv --nvccli' "$(smi_line 0 "$uuid0")
  MIG 1g.18gb     Device  0: (UUID: MIG-ecc52f4a-afa4-da6c-11d7-0531c67dd826)
  MIG 1g.18gb     Device  1: (UUID: MIG-194463d8-cedc-4be2-cac4-d9275e063d45)
$(smi_line 1 "$uuid1")
$cuda" --nv --nvccli
		apptainer_case "$who" '--nv --nvccli --contain' "$one
$cuda" --nv --nvccli -c
		apptainer_case "$who" '--nv --nvccli --containall' "$one
$cuda" --nv --nvccli -C
		apptainer_case "$who" '--nv --nvccli --contain --pid' "$one
$cuda" --nv --nvccli -c --pid
		devices=0:1 apptainer_case "$who" '--nv --nvccli --contain, a MIG instance' "$mig
$cuda" --nv --nvccli -c
		as=()
		[ "$who" = root ] || as=(as_user)
		seen=$(cd / && export NVIDIA_VISIBLE_DEVICES=1 &&
			"${as[@]}" apptainer --quiet instance start --nv --nvccli -C "$root" "davit$unique" 2>&1 < /dev/null &&
			"${as[@]}" apptainer --quiet exec "instance://davit$unique" nvidia-smi -L 2>&1 < /dev/null) || true
		equal "Apptainer, $who, an instance" "$one" "$seen"
		"${as[@]}" apptainer --quiet instance stop "davit$unique" > /dev/null 2>&1 < /dev/null || true
		# --nv doesn't call us, but looks for the libraries in the host's loader cache itself.
		rm -rf "$work/called" "$work/fake"
		mkdir -m 0777 "$work/called"
		mkdir "$work/fake"
		printf '#!/bin/sh\ntouch %s\n' "$work/called/yes" > "$work/fake/nvidia-container-cli"
		chmod 0755 "$work/fake/nvidia-container-cli"
		(cd / && PATH=$work/fake:$PATH && "${as[@]}" apptainer --quiet exec --nv "$root" true) > /dev/null 2>&1 < /dev/null || true
		equal "Apptainer, $who, --nv alone calls nobody" no "$([ -e "$work/called/yes" ] && echo yes || echo no)"
	done
fi

# --- after all of them -------------------------------------------------------------------------------------

equal 'the host has the mounts it had' "$before" "$(sort /proc/self/mountinfo)"
[ -n "$tested" ] || skip launchers 'none of them is installed'
report_exit
