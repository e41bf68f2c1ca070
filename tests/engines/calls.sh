#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The calls of programs that Debian doesn't have, word for word: enroot 4.1, Pyxis, Slurm's OCI containers,
# soperator, gVisor, Kata Containers, Sarus, jailmaker. What is called, in which namespaces, with which
# environment and descriptors, and what has to come out.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
require_root
if [ "${DAVIT_TEST_NAMESPACE:-}" != "$$" ]; then
	export DAVIT_TEST_NAMESPACE=$$
	exec unshare --mount --propagation private "$script" "$@"
fi
unset DAVIT_TEST_NAMESPACE
TMPDIR=/var/tmp make_work
export host=$work/host work
"$fixture/fake-host" "$host" --mig > /dev/null
mkdir -p "$work"/{etc,bin,layers,session}
mount -t tmpfs tmpfs "$work/etc"
mkdir -p "$work"/etc/{upper/davit,work}
# The rules of a cgroup would be those of this script's own.
jq '.cgroups = "never"' "$host/davit.json" > "$work/etc/upper/davit/config.json"
cp "$work/etc/upper/davit/config.json" "$work/davit.json"
mount -t overlay overlay /etc -o "lowerdir=/etc,upperdir=$work/etc/upper,workdir=$work/etc/work"
at_end 'umount -l /etc'
for name in nvidia-container-cli:davit-container-cli davit-nvml:davit-nvml nvidia-container-toolkit:davit-hook \
	nvidia-container-runtime-hook:davit-hook nvidia-container-runtime:davit-runtime davit-hook:davit-hook; do
	cp "$DAVIT_BUILD/${name#*:}" "$work/bin/${name%%:*}"
done
"$fixture/fake-rootfs" debian "$work/plain" > /dev/null
mkdir -p "$work"/plain/{dev,proc,sys,run}
export PATH=$work/bin:/usr/sbin:/usr/bin:/sbin:/bin
one=$(smi_line 0 "$uuid1")
all="$(smi_line 0 "$uuid0")
  MIG 1g.18gb     Device  0: (UUID: MIG-ecc52f4a-afa4-da6c-11d7-0531c67dd826)
  MIG 1g.18gb     Device  1: (UUID: MIG-194463d8-cedc-4be2-cac4-d9275e063d45)
$(smi_line 1 "$uuid1")"
mig="$(smi_line 0 "$uuid0")
  MIG 1g.18gb     Device  0: (UUID: MIG-194463d8-cedc-4be2-cac4-d9275e063d45)"
cuda='libcuda.so.1: /usr/lib/x86_64-linux-gnu/libcuda.so.1'

# call NAME NAMESPACES EXPECTED CALL LOOK: CALL and then LOOK by bash, in these namespaces, with $R the
# container's root, a mount. All that both print.
call() {
	local root=$work/root as=() seen before
	rm -rf "$root"
	cp -a "$work/plain" "$root"
	case $2 in
	host) as=(unshare --mount --propagation private) ;;
	user | user-pid)
		chown -R 1500:1500 "$root"
		as=(setpriv --reuid 1500 --regid 1500 --clear-groups unshare --user --map-root-user --mount)
		[ "$2" = user ] || as+=(--pid --fork)
		;;
	esac
	before=$(sort /proc/self/mountinfo)
	# shellcheck disable=SC2016 # of the inner shell
	seen=$(R=$root "${as[@]}" bash -c '
		mount --bind "$R" "$R"
		mount -t tmpfs -o mode=755 tmpfs "$R/dev"
		eval "$1" || echo "exit $?"
		eval "$2"' - "$4" "$5" 2>&1 < /dev/null) || true
	equal "$1" "$3" "$seen"
	equal "$1: the host has the mounts it had" "$before" "$(sort /proc/self/mountinfo)"
}
look='chroot "$R" nvidia-smi -L; chroot "$R" dlprobe libcuda.so.1'

# --- enroot: conf/hooks/98-nvidia.sh ------------------------------------------------------------------

# Its environment is that of the user with all NVIDIA_* of the image.
enroot='env -i PATH="$work/bin:/usr/bin:/bin:/usr/sbin:/sbin:$R/usr/bin:$R/usr/local/bin" HOME=/ NVIDIA_VISIBLE_DEVICES=1 \
	NVIDIA_DRIVER_CAPABILITIES=compute,utility LD_LIBRARY_PATH="$R/lib" LD_PRELOAD=nowhere.so'
configure='--no-cgroups --ldconfig=@/usr/sbin/ldconfig'
for namespaces in host user user-pid; do
	call "enroot, $namespaces" $namespaces "$one
$cuda" "$enroot nvidia-container-cli --user configure $configure --device=1 --compute --utility \
		'--require=cuda>=12.0 brand=tesla,driver>=470,driver<471' \"\$R\" 2> >(grep -v 'LD_PRELOAD' >&2)" "$look"
done
call 'enroot, NVIDIA_VISIBLE_DEVICES=none' user "No devices were found
$cuda" "$enroot nvidia-container-cli --user configure $configure --compute --utility \"\$R\" 2> >(grep -v 'LD_PRELOAD' >&2)" "$look"
call 'enroot, a MIG instance and requirements on arch and brand' user "$mig
$cuda" "nvidia-container-cli --user configure $configure --device=0:1 --compute --utility '--require=arch>=9.0' \
	'--require=brand=nvidia' \"\$R\"" "$look"
call 'enroot, all capabilities' user "$all
$cuda" "nvidia-container-cli --user configure $configure --device=all --compute --compat32 --display --graphics --utility \
	--video \"\$R\"" "$look"
call 'enroot, NVIDIA_DEBUG_LOG' user "log
$one" "nvidia-container-cli --user --debug=/dev/stderr configure $configure --device=1 --utility \"\$R\" 2> \"\$R/log\"
	grep -q ' debug: ' \"\$R/log\" && echo log" 'chroot "$R" nvidia-smi -L'
call 'enroot, a requirement that does not hold' user 'davit: cannot satisfy --require=cuda>=99.0: the image needs cuda>=99.0, the host has cuda 13.0 (driver 580.159.04) (fix: upgrade the driver, use an older image, or set NVIDIA_DISABLE_REQUIRE=1)
exit 3' "nvidia-container-cli --user configure $configure --device=1 --utility '--require=cuda>=99.0' \"\$R\"" ':'
# slurmstepd's descriptors, and no standard input at all.
call 'Pyxis' user "$one
$cuda" "nvidia-container-cli --user configure $configure --device=$uuid1 --compute --utility \"\$R\" <&- \
	3< /etc/hostname 4> /dev/null 9< /" "$look"

# --- Apptainer's --contain: the container's /dev is a directory of its session's tmpfs -----------------------

for namespaces in host user; do
	call "Apptainer, --contain, $namespaces" $namespaces "$one
$cuda
null
null nvidia-uvm nvidia-uvm-tools nvidia1 nvidiactl" 'mkdir -p "$work/session"
	mount -t tmpfs -o mode=755 tmpfs "$work/session"
	mkdir "$work/session/dev"
	touch "$work/session/dev/null"
	mount --bind /dev/null "$work/session/dev/null"
	mount --rbind "$work/session/dev" "$R/dev"
	nvidia-container-cli configure --no-cgroups --device=1 --compute --utility --ldconfig=@/sbin/ldconfig "$R"' \
		"$look"'; ls "$work/session/dev" | xargs; chroot "$R" ls /dev | xargs'
done

# --- soperator: complement_jail.sh ---------------------------------------------------------------------

# The jail is one for all workers; the host's /dev is in it, and its loader cache is made under a lock.
call 'soperator' host "$all
the cache is as it was
$cuda" 'mount -t proc /proc "$R/proc"; mount --rbind "$host/dev" "$R/dev"; mount --rbind /run "$R/run"
	sum=$(md5sum < "$R/etc/ld.so.cache")
	nvidia-container-cli --user --debug=/dev/stderr --no-pivot configure --no-cgroups --ldconfig=/usr/bin/true --device=all \
		--utility --compute "$R" 2> "$R/log" || cat "$R/log"' \
	'chroot "$R" nvidia-smi -L; [ "$sum" = "$(md5sum < "$R/etc/ld.so.cache")" ] && echo "the cache is as it was"
	chroot "$R" dlprobe /usr/lib/x86_64-linux-gnu/libcuda.so.1 | sed "s/^[^:]*/libcuda.so.1/"'

# --- jailmaker, and others that bind what is listed ------------------------------------------------------

call 'jailmaker: all that is listed exists' host 'exists
the libraries are among the files' 'nvidia-container-cli list > "$R/list"; nvidia-container-cli list --libraries > "$R/libraries"' \
	'[ -s "$R/list" ] && while read -r file; do [ -e "$file" ] || echo "$file: no"; done < "$R/list"; echo exists
	grep -qvxFf "$R/list" "$R/libraries" || echo "the libraries are among the files"'

# --- hooks, and a process with a mount namespace of its own -----------------------------------------------

# container COMMAND...: a process in a mount namespace with a root at $R; $P is its number. Then the
# command, and a look from inside.
container() { # NAME EXPECTED CALL
	local root=$work/layers/root seen pid
	rm -rf "$work/layers"
	mkdir -p "$root" "$work"/layers/{upper,work,bundle}
	unshare --mount --propagation private bash -c '
		mount -t overlay overlay "$1/root" -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work"
		mount -t tmpfs -o mode=755 tmpfs "$1/root/dev"
		mount --bind /proc "$1/root/proc"
		echo > "$1/ready"
		exec sleep 60' - "$work/layers" "$work/plain" < /dev/null > /dev/null 2>&1 &
	pid=$!
	until [ -e "$work/layers/ready" ]; do
		sleep 0.02
	done
	jq -n --arg root "$root" '{ociVersion: "1.0.2", root: {path: $root}, process: {args: ["true"], cwd: "/",
		env: ["PATH=/usr/bin", "NVIDIA_VISIBLE_DEVICES=1", "NVIDIA_DRIVER_CAPABILITIES=compute,utility"]}}' \
		> "$work/layers/bundle/config.json"
	seen=$(R=$root P=$pid bash -c '
		state() { printf "{\"ociVersion\": \"1.0.2\", \"id\": \"c\", \"status\": \"creating\", \"pid\": %d, \"bundle\": \"%s\"}" "$P" "$work/layers/bundle"; }
		eval "$1" || echo "exit $?"' - "$3" 2>&1 < /dev/null) || true
	seen+=$'\n'$(nsenter --target $pid --mount chroot "$root" sh -c 'nvidia-smi -L; dlprobe libcuda.so.1' 2>&1 < /dev/null || true)
	seen=${seen#$'\n'}
	equal "$1" "$2" "${seen//sh: line 0: /sh: }" # newer busybox names the line
	kill $pid
	wait $pid 2> /dev/null || true
}
# runsc/cmd: its gofer's process; the first line of --version is parsed.
container 'gVisor, runsc' "$one
$cuda" 'nvidia-container-cli --version | head -n 1 | grep -qE "^cli-version: ([0-9]+)\.([0-9]+)\.([0-9]+)$" || echo version
	nvidia-container-cli --load-kmods configure --ldconfig=@/sbin/ldconfig --no-cgroups --utility --compute "--pid=$P" --device=1 "$R"'
# The guest's hook script: its arguments are the stage alone, and it has no environment.
container 'Kata Containers' "$one
$cuda" 'state | env -i "$work/bin/nvidia-container-toolkit" -debug prestart 2>&1 | grep -v " \(debug\|info\): " || true'
container 'Sarus, with a configuration of davit' "$one
$cuda" 'state | env -i PATH=/opt/none/bin LD_LIBRARY_PATH=/opt/none/lib "$work/bin/nvidia-container-runtime-hook" \
	-config="$work/davit.json" prestart'
# With NVIDIA's file, which says that an unprivileged container's variables don't count.
printf '%s\n' 'accept-nvidia-visible-devices-envvar-when-unprivileged = false' '[nvidia-container-cli]' \
	'no-cgroups = true' 'ldconfig = "@/sbin/ldconfig"' > "$work/config.toml"
container 'Sarus, with a configuration of NVIDIA' 'sh: nvidia-smi: not found
libcuda.so.1: error: libcuda.so.1: cannot open shared object file: No such file or directory' \
	'state | env -i PATH=/opt/none/bin "$work/bin/nvidia-container-runtime-hook" -config="$work/config.toml" prestart'

# --- Slurm: oci.conf ---------------------------------------------------------------------------------------

# As its page has it for nvidia-container-runtime: everything but `run` is the low-level runtime's.
mkdir -p "$work/user"
chown 1500:1500 "$work/user"
slurm() { # COMMAND...
	setpriv --reuid 1500 --regid 1500 --clear-groups env -i PATH="$PATH" HOME="$work/user" \
		nvidia-container-runtime --rootless=true "--root=$work/user/" "$@" 2>&1 < /dev/null
}
matches 'Slurm, RunTimeQuery' 'does not exist' "$(slurm state n.u.1.0.0 || true)"
matches 'Slurm, RunTimeDelete' '^$' "$(slurm delete --force n.u.1.0.0 || true)"
bundle=$work/user/bundle
mkdir "$bundle"
cp -a "$work/plain" "$bundle/rootfs"
(cd "$bundle" && runc spec --rootless && jq '.process.terminal = false | .process.args = ["nvidia-smi", "-L"] |
	.process.env += ["NVIDIA_VISIBLE_DEVICES=1", "NVIDIA_DRIVER_CAPABILITIES=compute,utility"] |
	(.linux.uidMappings[], .linux.gidMappings[]).hostID = 1500' config.json > new && mv new config.json)
chown -R 1500:1500 "$bundle"
equal 'Slurm, RunTimeRun' "$one" "$(slurm run n.u.1.0.0 -b "$bundle" || true)"

# --- the administrator's log, which users can't write ---------------------------------------------------

jq '.log.file = "/none/davit.log"' "$work/davit.json" > /etc/davit/config.json
errors() { # COMMAND...: of `info`
	"$@" nvidia-container-cli info 2>&1 > /dev/null < /dev/null || echo "exit $?"
}
equal 'a log that cannot be written: a user is not told' '' "$(errors setpriv --reuid 1500 --regid 1500 --clear-groups)"
matches 'a log that cannot be written: root is' '/none/davit\.log' "$(errors env)"
report_exit
