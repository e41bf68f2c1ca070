#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What an image can make the hook take: memory, time, and system calls that its filter kills. Nothing
# here takes more than 32 MiB; every call ends, with a line when it fails.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
needs python3
enter_namespace "$@"
attack_place
LIMIT_KIB=32768
"${CC:-cc}" -O2 -static -o "$tools/peak" "$repository/tests/lib/peak.c"
bomb=$repository/tests/attacks/elf-bomb.py
direct_bundle debian NVIDIA_VISIBLE_DEVICES=all

# bounded NAME SETUP: a container so; the hook ends as it should, and its peak is below the limit.
bounded() {
	local wrong peak
	start_container "with_proc; with_dev; $2"
	: > "$work/peak"
	call_hook "$tools/peak" "$work/peak"
	wrong=$(judge)
	stop_container
	peak=$(tail -n 1 "$work/peak")
	most=$((peak > ${most:-0} ? peak : most))
	if [ -n "$wrong" ]; then
		fail "$1" "${wrong//$'\n'/ }" "exit $rc: $errors"
	elif [ "${peak:-0}" -gt "$LIMIT_KIB" ] || [ "${peak:-0}" = 0 ]; then
		fail "$1" "it took $peak KiB, allowed are $LIMIT_KIB"
	else
		ok "$1: bounded"
	fi
}

# --- memory ----------------------------------------------------------------------------------------

at='mkdir -p usr/local/cuda/compat; cd usr/local/cuda/compat'
for kind in sections segments both dynamic soname; do
	bounded "a library that promises too much: $kind" "$at; python3 $bomb $kind libcuda.so.999.1"
	bounded "250 names of it: $kind" "$at; python3 $bomb $kind libcuda.so.999.1
		for i in {1..250}; do ln libcuda.so.999.1 libx\$i.so.999.1; done"
done
bounded 'a folder of 100,000 libraries' "$at; seq -f 'libx%.0f.so.999.1' 100000 | xargs touch; cp $host/driver/lib64/libcuda.so.$version libcuda.so.999.1"
bounded 'a loader cache of 4 MB' "python3 $bomb cache etc/ld.so.cache"
bounded 'a loader cache of 1 TB' 'truncate -s 1T etc/ld.so.cache'
bounded 'a loader cache of 64 MB' 'head -c 64M /dev/zero > etc/ld.so.cache'
bounded 'a path file of musl of 1 GB' 'rm -rf lib64 etc/ld.so.cache usr/lib/x86_64-linux-gnu/ld-linux*; : > lib/ld-musl-x86_64.so.1
	truncate -s 1G etc/ld-musl-x86_64.path'
bounded 'directories 500 deep' 'mkdir -p "$(printf "d/%.0s" {1..500})"'
bounded 'a chain of 39 links to the library directory' 'mv usr/lib/x86_64-linux-gnu usr/lib/l0; cd usr/lib
	for i in {1..38}; do ln -s l$((i - 1)) l$i; done; ln -s l38 x86_64-linux-gnu'
printf '    the most: %d KiB\n' "$most"

# --- system calls of the C library's own -------------------------------------------------------------

printf 'int f(void) { return 0; }\n' > "$work/l.c"
mkdir "$work/libs"
for i in {1..150}; do
	"${CC:-cc}" -shared -nostdlib -Wl,-soname,"libx$i.so.1" -o "$work/libs/libx$i.so.999.1" "$work/l.c"
done
cp "$host/driver/lib64/libcuda.so.$version" "$work/libs/libcuda.so.999.1"
direct '150 libraries of the image: sorted without asking for the size of memory' 'done' \
	"with_proc; with_dev; mkdir -p usr/local/cuda/compat; cp $work/libs/* usr/local/cuda/compat/"
direct '140 mounts beneath a read-only directory' 'done' 'with_proc; with_dev; mount --bind usr usr; mkdir -p usr/lib/m
	mount -t tmpfs t usr/lib/m; for i in {1..140}; do mkdir usr/lib/m/$i; mount -t tmpfs t usr/lib/m/$i; done
	mount -o remount,bind,ro usr'

# --- time ----------------------------------------------------------------------------------------------

if ! command -v fuse-overlayfs > /dev/null || [ ! -c /dev/fuse ]; then
	skip "${0##*/}: a file system that doesn't answer" "fuse-overlayfs or /dev/fuse isn't here"
	report_exit
fi
bundle=$work/fuse
mkdir -p "$bundle/rootfs" "$work"/{upper,overlay}
fuse-overlayfs -o "lowerdir=$(kind_root debian),upperdir=$work/upper,workdir=$work/overlay" "$bundle/rootfs"
server=$(pgrep -n -f "^fuse-overlayfs .*$work/upper")
at_end "kill -KILL $server"
jq --arg rootfs "$bundle/rootfs" '.root = {path: $rootfs} | .process.env += ["NVIDIA_VISIBLE_DEVICES=all"]' \
	< "$work/spec/config.json" > "$bundle/config.json"
jq '.cgroups = "never" | .limits = {seconds: 2}' < "$config" > "$work/limited.json"

# fuse_hook STAGE OPTION...: in a container whose root is that; sets rc and errors.
fuse_hook() {
	rc=0
	# Into a file: where nothing can end a process, it would hold a pipe.
	printf '{"ociVersion":"1.0.2","id":"x","status":"creating","pid":%d,"bundle":"%s"}' "$waiting" "$bundle" |
		timeout -s KILL 25 "$hook" --config "$work/limited.json" "${@:2}" "$1" > "$work/fuse-errors" 2>&1 || rc=$?
	errors=$(cat "$work/fuse-errors")
}

# stop_server: returns when it has stopped. A request that it has read can't be given up: Linux waits for
# its answer whatever the signal (fs/fuse/dev.c, request_wait_answer).
stop_server() {
	local attempt
	kill -STOP "$server"
	for ((attempt = 0; attempt < 200; attempt++)); do
		! grep -hE '^State:' "/proc/$server"/task/*/status | grep -qv 'T (stopped)' || { sleep 0.05 && continue; }
		return
	done
	fail "a root that doesn't answer" 'its server does not stop'
}
unshare --mount sleep 100 &
waiting=$!
sleep 0.3
fuse_hook prestart -record
equal 'a root on FUSE: it has its GPU' '0 ' "$rc $errors"
stop_server
fuse_hook prestart
equal "a root that doesn't answer: prestart ends" 1 "$rc"
matches "a root that doesn't answer: with a line" "^davit: cannot .*: not finished after 2 s \(fix: .*limits.seconds\)$" "$errors"
kill -KILL "$waiting"
wait "$waiting" 2> /dev/null || true
waiting=0
fuse_hook poststop
equal "a root that doesn't answer: poststop ends well" 0 "$rc"
matches "a root that doesn't answer: and says so" \
	"^davit: cannot remove the created files from the container's root: not finished after 5 s" "$errors"
kill -CONT "$server"
umount -l "$bundle/rootfs"
report_exit
