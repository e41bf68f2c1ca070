#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The commands of CDI specs, called directly on roots that lead out of themselves, and with bad
# input: nothing but the root is changed, and every refusal is one line.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
folder=/usr/lib/x86_64-linux-gnu
bundle=$work/bundle
rootfs=$bundle/rootfs

# new_root [SETUP]: an overlay over a Debian root, as a runtime leaves it before createContainer; the
# driver's libcuda is mounted in it. SETUP runs in it.
new_root() {
	if [ -e "$rootfs" ]; then
		unmount_below "$bundle"
		rm -rf --one-file-system "$bundle"
	fi
	mkdir -p "$bundle"
	kind_root debian > /dev/null
	overlay_root "$work/roots/debian"
	jq -n --arg rootfs "$rootfs" '{ociVersion: "1.0.2", root: {path: $rootfs}}' > "$bundle/config.json"
	state=$(jq -n --arg bundle "$bundle" '{ociVersion: "1.0.2", id: "x", pid: 0, bundle: $bundle}')
	mount -t proc proc "$rootfs/proc"
	mount -t tmpfs -o mode=0755 tmpfs "$rootfs/dev"
	: > "$rootfs$folder/libcuda.so.$version"
	mount --bind "$host/driver/lib64/libcuda.so.$version" "$rootfs$folder/libcuda.so.$version"
	(cd "$rootfs" && eval "${1:-}")
}

# call COMMAND...: sets rc and errors.
call() {
	rc=0
	errors=$(cd / && timeout 20 "$hook" "$@" <<< "$state" 2>&1) || rc=$?
}

# closed NAME: it was refused with a line of ours, or did its work within the root.
closed() {
	canary_untouched "$1"
	if [ "$rc" = 0 ] || [[ $errors = 'davit: cannot '*'(fix: '*')' || $errors = 'davit: cannot '* ]]; then
		ok "$1: within the root, or refused"
	else
		fail "$1: within the root, or refused" "exit $rc" "$errors"
	fi
	equal "$1: one line" 1 "$(grep -c . <<< "${errors:-none}")"
}

# --- what they do --------------------------------------------------------------------------------

new_root
call create-symlinks --link "libcuda.so.$version::$folder/libcuda.so.1" --link=libcuda.so.1::usr/lib/x/y/libcuda.so
equal 'create-symlinks' "0  libcuda.so.$version libcuda.so.1" \
	"$rc $errors $(readlink "$rootfs$folder/libcuda.so.1") $(readlink "$rootfs/usr/lib/x/y/libcuda.so")"
call create-symlinks --link "libcuda.so.$version::$folder/libcuda.so.1"
equal 'create-symlinks, again' '0 ' "$rc $errors"
call update-ldcache --folder "$folder" --ldconfig-path /nonexistent
equal 'update-ldcache' "0  $folder/libcuda.so.1" "$rc $errors $(
	ldconfig -C "$rootfs/etc/ld.so.cache" -p | awk '$1 == "libcuda.so.1" { print $NF }')"
before=$(tree_state "$rootfs/etc")
call update-ldcache --folder "$folder"
equal 'update-ldcache, again: nothing changes' "0  $before" "$rc $errors $(tree_state "$rootfs/etc")"
call update-ldcache --folder /not/there
equal 'update-ldcache of a folder that is not there' 0 "$rc"
call invented-tomorrow
equal 'an unknown command under our own name is a mistake' 2 "$rc"
ln -s "$hook" "$tools/nvidia-cdi-hook"
rc=0
errors=$("$tools/nvidia-cdi-hook" invented-tomorrow --how so 2>&1 < /dev/null) || rc=$?
matches 'an unknown command under the name nvidia-cdi-hook is warned of' \
	'^0 .*unknown hook invented-tomorrow: nothing was done' "$rc $errors"

for call in "$hook hook" "$tools/nvidia-ctk hook" "$tools/nvidia-ctk --quiet hook" "$davit ctk hook" "$tools/nvidia-cdi-hook"; do
	ln -sf "$davit" "$tools/nvidia-ctk"
	new_root
	rc=0
	# shellcheck disable=SC2086 # a program and words
	errors=$(cd / && $call create-symlinks --link "libcuda.so.$version::$folder/libcuda.so.1,libcuda.so.1::$folder/libcuda.so" \
		--link gbm/x::/usr/lib/y <<< "$state" 2>&1) || rc=$?
	equal "${call##*/} create-symlinks, lists" "0  libcuda.so.$version libcuda.so.1 gbm/x" \
		"$rc $errors $(cd "$rootfs$folder" && readlink libcuda.so.1 libcuda.so "$rootfs/usr/lib/y" | xargs)"
done
rc=0
errors=$("$hook" hook invented-tomorrow 2>&1 < /dev/null) || rc=$?
matches "an unknown command behind the word hook is warned of" '^0 .*unknown hook invented-tomorrow' "$rc $errors"

# What a later ldconfig in the container finds.
new_root "mkdir -p opt/drv; cp -P .$folder/libcuda.so.$version opt/drv/"
mount --bind "$host/driver/lib64/libcuda.so.$version" "$rootfs/opt/drv/libcuda.so.$version"
umount "$rootfs$folder/libcuda.so.$version"
rm "$rootfs$folder/libcuda.so.$version"
call update-ldcache --folder "/opt/drv,$folder" --folder /opt/drv
equal 'update-ldcache leaves the folder in ld.so.conf.d' '0  /opt/drv' "$rc $errors $(cat "$rootfs/etc/ld.so.conf.d/00-davit.conf")"
matches 'update-ldcache leaves the system directories in ld.so.conf.d' '/usr/lib$' "$(cat "$rootfs/etc/ld.so.conf.d/zz-davit.conf")"
ldconfig -r "$rootfs"
equal "a later ldconfig keeps the driver" /opt/drv/libcuda.so.1 \
	"$(ldconfig -C "$rootfs/etc/ld.so.cache" -p | awk '$1 == "libcuda.so.1" { print $NF }')"
before=$(tree_state "$rootfs/etc/ld.so.conf.d")
call update-ldcache --folder /opt/drv
equal 'update-ldcache, again: ld.so.conf.d is as before' "0  $before" "$rc $errors $(tree_state "$rootfs/etc/ld.so.conf.d")"
call update-ldcache --folder /opt
equal "update-ldcache of another spec: both folders are there" '/opt/drv /opt' "$(xargs < "$rootfs/etc/ld.so.conf.d/00-davit.conf")"
new_root 'rm -rf etc/ld.so.conf etc/ld.so.conf.d; mkdir -p opt/drv'
call update-ldcache --folder /opt/drv
equal 'update-ldcache in an image without ld.so.conf' '0  include /etc/ld.so.conf.d/*.conf /opt/drv' \
	"$rc $errors $(cat "$rootfs/etc/ld.so.conf" "$rootfs/etc/ld.so.conf.d/00-davit.conf" | paste -sd ' ')"
# What is mounted is found by its mount: its file system may be the root's own.
in_cache() { ldconfig -C "$rootfs/etc/ld.so.cache" -p | awk '/=>/ { print $NF }' | sort | xargs; }
new_root "umount .$folder/libcuda.so.$version; mkdir -p opt/drv run/from
	cp '$host/driver/lib64/libcuda.so.$version' run/from
	ln -s libcuda.so.$version run/from/libcuda.so.1; mount --bind --make-private run/from opt/drv"
call update-ldcache --folder /opt/drv
equal 'update-ldcache of a folder of the same file system that was mounted as a whole' \
	"0  /opt/drv/libcuda.so.1" "$rc $errors $(in_cache | grep -o "/opt.*")"
new_root "umount .$folder/libcuda.so.$version; mkdir -p opt/drv run/from
	cp '$host/driver/lib64/libcuda.so.$version' run/from/library
	ln -s libcuda.so.1 opt/drv/libcuda.so; : > opt/drv/libcuda.so.1; cp run/from/library opt/drv/libofimage.so
	mount --bind run/from/library opt/drv/libcuda.so.1"
call update-ldcache --folder /opt/drv
equal 'update-ldcache of files of the same file system that were mounted, with a link' \
	"0  /opt/drv/libcuda.so /opt/drv/libcuda.so.1" "$rc $errors $(in_cache | grep -o "/opt.*")"
new_root "mkdir -p opt/drv; cp .$folder/libcuda.so.$version opt/drv/libofimage.so; : > opt/drv/libcuda.so.1
	mount --bind --make-private opt opt; mount -o remount,bind,ro opt
	mount --bind '$host/driver/lib64/libcuda.so.$version' opt/drv/libcuda.so.1"
call create-symlinks --link libcuda.so.1::/opt/drv/libcuda.so
call update-ldcache --folder /opt/drv
equal 'update-ldcache of a folder in a view: the libraries of the image are not added' \
	"0  /opt/drv/libcuda.so /opt/drv/libcuda.so.1" "$rc $errors $(in_cache | grep -o "/opt.*")"
umount -R "$rootfs/opt"
new_root "rm -rf etc/ld.so.conf.d; ln -s '$canary' etc/ld.so.conf.d; mkdir -p opt/drv"
call update-ldcache --folder /opt/drv
canary_untouched 'ld.so.conf.d is a link out'
equal 'ld.so.conf.d is a link out: the container starts without' 0 "$rc"

# An own libcuda of the image stands for the newer one.
new_root
for arguments in '' --host-driver-version= '--host-driver-version=../1' '--host-cuda-version='; do
	call enable-cuda-compat ${arguments:+"$arguments"}
	equal "enable-cuda-compat without a version ($arguments)" "0 $(case $arguments in *../1) echo 1 ;; *) echo 0 ;; esac)" \
		"$rc $(grep -c 'is ignored: it is not a version' <<< "$errors")"
done

# The bundle can't be read: crun's state has the root, runc starts the hook in it.
new_root
mount --bind "$rootfs" "$rootfs"
for state in "$(jq -n --arg root "$rootfs" '{ociVersion: "1.0.2", id: "x", pid: 0, bundle: "/nonexistent", root: $root}')" \
	'{"ociVersion": "1.0.2", "id": "x", "pid": 0, "bundle": "/nonexistent"}'; do
	rm -f "$rootfs$folder/libcuda.so.1"
	rc=0
	errors=$(cd "$rootfs" && "$hook" create-symlinks --link "libcuda.so.$version::$folder/libcuda.so.1" <<< "$state" 2>&1) || rc=$?
	equal "a bundle that can't be read, $(jq -r 'if .root then "the root in the state" else "started in the root" end' <<< "$state")" \
		"0  libcuda.so.$version" "$rc $errors $(readlink "$rootfs$folder/libcuda.so.1")"
done
rc=0
errors=$(cd "$work" && "$hook" create-symlinks --link a::/made <<< "$state" 2>&1) || rc=$?
matches "started in a directory that is no root" '^1 davit: cannot run create-symlinks: cannot read /nonexistent/config.json' "$rc $errors"
rc=0
errors=$(cd / && "$hook" create-symlinks --link a::/made <<< "$state" 2>&1) || rc=$?
matches "started in the host's root" "^1 davit: cannot run create-symlinks: " "$rc $errors"
equal "started in the host's root: nothing is made" no "$([ -e /made ] || [ -L /made ] || echo no)"

new_root "printf 'a driver of the image' > .$folder/libcuda.so; printf old > usr/lib/x"
call create-symlinks --link "libcuda.so.1::$folder/libcuda.so" --link ../sbin/none::/usr/lib/x
equal "create-symlinks over files of the image, to what isn't there (yet): the links take their place" \
	'0  libcuda.so.1 ../sbin/none' "$rc $errors $(readlink "$rootfs$folder/libcuda.so") $(readlink "$rootfs/usr/lib/x")"

new_root "printf 'a driver of the image' > .$folder/libcuda.so.1"
call create-symlinks --link "libcuda.so.$version::$folder/libcuda.so.1"
equal "create-symlinks over a file of the image: the driver's is bound there" "0  same" \
	"$rc $errors $(cmp "$rootfs$folder/libcuda.so.1" "$host/driver/lib64/libcuda.so.$version" && echo same)"
equal 'create-symlinks over a file of the image: that file stays' 'a driver of the image' \
	"$(cat "$bundle/upper$folder/libcuda.so.1")"

new_root 'mkdir -m 0700 dev/dri; mkdir -m 0700 private'
call chmod --mode 755 --path /dev/dri --path=/private
equal 'chmod: of directories of nodes alone' '0 755 700' \
	"$rc $(stat -c %a "$rootfs/dev/dri") $(stat -c %a "$rootfs/private")"

# --- roots that lead out of themselves -----------------------------------------------------------

new_root "rm -rf etc; ln -s '$canary' etc"
call update-ldcache --folder "$folder"
closed 'the folder of the loader cache is a link out'
new_root "rm -f etc/ld.so.cache; ln -s '$canary/ld.so.cache' etc/ld.so.cache"
call update-ldcache --folder "$folder"
closed 'the loader cache is a link out'
new_root "rm -rf opt; ln -s '$out$canary' opt"
call update-ldcache --folder /opt
closed 'the folder of libraries is a link out'
call update-ldcache --folder "/opt/../../../..$canary"
closed 'the folder of libraries with ..'
new_root "rm -rf opt; ln -s '$canary' opt; ln -s / tmp/root"
call create-symlinks --link "x::/opt/made"
closed "a link's folder is a link out"
equal "a link's folder is a link out: nothing was made there" '' "$(find "$canary" -name made)"
call create-symlinks --link "x::/tmp/root/../../../..$canary/made"
closed "a link's folder with .."
equal "a link's folder with ..: nothing was made there" '' "$(find "$canary" -name made)"
new_root "ln -s '$canary/libcuda.so.1' .$folder/libcuda.so.1"
call create-symlinks --link "libcuda.so.$version::$folder/libcuda.so.1"
closed 'the link is there and leads out'
new_root 'mkdir -p dev; rm -rf dev/dri; ln -s "$canary" dev/dri'
call chmod --mode 777 --path /dev/dri
closed 'chmod of a link out'
new_root "rm -rf etc/nvidia; ln -s '$canary' etc/nvidia; mknod -m 0 dev/nvidia0 c 195 0"
call update-application-profile
closed 'the folder of profiles is a link out'
new_root "mkdir -p usr/local/cuda; ln -s '$canary' usr/local/cuda/compat; rm -rf etc/ld.so.conf.d; ln -s '$canary' etc/ld.so.conf.d"
call enable-cuda-compat --host-driver-version "$version"
closed 'the folder of newer libraries is a link out'
new_root "umount proc; rm -rf proc; mkdir -p '$work/elsewhere'; ln -s '$canary' proc"
call disable-device-node-modification
closed '/proc is a link out'
new_root "umount proc; mkdir -p proc/driver/nvidia; echo no > proc/driver/nvidia/params"
call disable-device-node-modification
closed "/proc is the image's own"
equal "/proc is the image's own: it stays as it is" no "$(cat "$rootfs/proc/driver/nvidia/params")"
new_root "printf 'ld.so-1.7.0 nonsense' > etc/ld.so.cache"
call update-ldcache --folder "$folder"
closed 'a damaged loader cache'
new_root "head -c 300 /dev/urandom > .$folder/libjunk.so; mkfifo .$folder/libfifo.so; ln -s libcycle.so .$folder/libcycle.so"
for name in junk fifo cycle; do
	mkdir -p "$work/any"
	[ $name = cycle ] || mount --bind "$rootfs$folder/lib$name.so" "$rootfs$folder/lib$name.so"
done
call update-ldcache --folder "$folder"
equal 'files that are no libraries are passed over' '0 ' "$rc $errors"

# --- bad input -----------------------------------------------------------------------------------

refused() { # NAME WANTED-EXIT PATTERN COMMAND...
	call "${@:4}"
	matches "$1" "^$2 davit: cannot $3" "$rc $errors"
}
new_root
refused 'a link without ::' 1 'run create-symlinks: cannot use --link a:b: it must be TARGET::LINK \(fix: ' create-symlinks --link a:b
refused 'a link without a name' 1 'run create-symlinks: cannot use --link a::: ' create-symlinks --link a::
refused 'a link that is a directory' 1 'run create-symlinks: cannot use /etc/ in the container: the path names no file' create-symlinks --link a::/etc/
refused 'a mode that is none' 1 'run chmod: cannot use --mode rwx: ' chmod --mode rwx --path /dev
refused 'a mode with set-uid' 1 'run chmod: cannot use --mode 4755: ' chmod --mode 4755 --path /dev
state=
refused 'no state' 1 'run update-ldcache: cannot read the state: ' update-ldcache --folder "$folder"
state='{"bundle": "relative"}'
refused 'a state with a relative bundle' 1 'run update-ldcache: ' update-ldcache --folder "$folder"
state='{"bundle": "/nonexistent", "pid": 0}'
refused 'a bundle that is not there' 1 'run update-ldcache: cannot read /nonexistent/config.json' update-ldcache --folder "$folder"
new_root
echo '{"ociVersion": "1.0.2", "root": {}}' > "$bundle/config.json"
refused 'a bundle without root' 1 'run update-ldcache: .*root.path is missing' update-ldcache --folder "$folder"
report_exit
