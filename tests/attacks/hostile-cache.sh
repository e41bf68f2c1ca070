#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The loader cache is a file of the image, which the hook parses as root: broken in every way, endless,
# or no file at all. It is refused with one line, or taken for what can be read of it.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
direct_bundle debian NVIDIA_VISIBLE_DEVICES=all
cache=$work/cache
cp "$base/etc/ld.so.cache" "$cache"
size=$(stat -c %s "$cache")
at='c() { with_proc; with_dev; rm -f etc/ld.so.cache; cp '$cache' etc/ld.so.cache; cd etc; }
	poke() { printf "$2" | dd of=ld.so.cache bs=1 seek=$1 conv=notrunc status=none; }; c'

# glibc's new format: 20 bytes of magic, u32 entries, u32 length of the strings; entries from byte 48:
# s32 flags, u32 key, u32 value, u32 OS version, u64 hardware capabilities.
for length in 0 1 10 19 20 24 47 48 49 60 71 72 100 $((size / 2)) $((size - 1)); do
	direct "the cache is cut off at byte $length" either "$at; truncate -s $length ld.so.cache"
done
for count in '\xff\xff\xff\xff' '\x00\x00\x00\x80' '\xff\xff\xff\x7f' '\x00\x00\x01\x00' '\x00\x00\x00\x00'; do
	direct "the cache counts $count entries" either "$at; poke 20 '$count'"
	direct "the cache has $count bytes of strings" either "$at; poke 24 '$count'"
done
for offset in 52 56 $((48 + 24 + 4)) $((48 + 24 + 8)) 28 32 44; do
	for value in '\xff\xff\xff\xff' '\x00\x00\x00\x80' '\x01\x00\x00\x00'; do
		direct "the cache has $value at byte $offset" either "$at; poke $offset '$value'"
	done
done
direct 'the strings of the cache do not end' either "$at; head -c $((size - 48)) /dev/zero | tr '\\0' a |
	dd of=ld.so.cache bs=1 seek=48 conv=notrunc status=none"
direct 'the cache is random' closed "$at; head -c 100000 /dev/urandom > ld.so.cache"
direct 'the cache has a good head and is random' either "$at; head -c 200000 /dev/urandom |
	dd of=ld.so.cache bs=64 seek=1 conv=notrunc status=none"
direct 'the cache is 65 MB of holes' closed "$at; truncate -s 65M ld.so.cache"
direct 'the cache is 1 TB of holes' closed "$at; truncate -s 1T ld.so.cache"
direct 'the cache has the old magic alone' either "$at; printf 'ld.so-1.7.0\0\xff\xff\xff\xff' > ld.so.cache"

# No file, or one that never ends.
direct 'the cache is a FIFO' closed "$at; rm ld.so.cache; mkfifo ld.so.cache"
direct 'the cache is a directory' closed "$at; rm ld.so.cache; mkdir ld.so.cache"
direct 'the cache is a watchdog' closed "$at; rm ld.so.cache; mknod ld.so.cache c 10 130"
direct 'the cache is a link to the cache of the host' 'done' "$at; ln -sf $out$canary/ld.so.cache ld.so.cache"
direct 'the cache is a link to messages of the kernel' closed "$at; ln -sf /proc/kmsg ld.so.cache"
direct 'the cache is a link to the memory of the kernel' either "$at; ln -sf /proc/kcore ld.so.cache"
direct 'the cache is a link to /proc/self/exe' closed "$at; ln -sf /proc/self/exe ld.so.cache"
direct 'the cache is a link to /dev/zero' closed "$at; mknod ../dev/zero c 1 5; ln -sf /dev/zero ld.so.cache"
if grep -qw tracefs /proc/filesystems; then
	# A regular file to look at, whose reader waits.
	direct 'the cache is a link to a file of the kernel that blocks' closed "$at; mkdir ../trace
		mount -t tracefs tracefs ../trace; ln -sf /trace/trace_pipe ld.so.cache"
fi
printf '    %d caches\n' "$count_attacks"

# And under the runtime.
hostile debian 'printf "\xff\xff\xff\x7f" | dd of=etc/ld.so.cache bs=1 seek=20 conv=notrunc status=none'
closed_or_blind 'a cache of 2^31 entries' closed
hostile debian 'rm etc/ld.so.cache; mkfifo etc/ld.so.cache'
closed_or_blind 'a cache that is a FIFO' closed
hostile debian 'rm etc/ld.so.cache; mknod etc/ld.so.cache c 10 130'
closed_or_blind 'a cache that is a watchdog' closed
honest_works 'hostile cache'
report_exit
