#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The libraries in /usr/local/cuda/compat are files of the image, which the hook reads as root: with
# sizes and tables that lie, as links and devices, and 10,000 of them. None keeps the driver of the host
# from its place.
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
library=$host/driver/lib64/libcuda.so.$version
size=$(stat -c %s "$library")
at="with_proc; with_dev; mkdir -p usr/local/cuda/compat; cd usr/local/cuda/compat
	lib=libcuda.so.999.1; cp $library \$lib
	poke() { printf \"\$2\" | dd of=\$lib bs=1 seek=\$1 conv=notrunc status=none; }"

for length in 0 1 4 16 52 63 64 65 120 $((size / 2)) $((size - 1)); do
	direct "a library is cut off at byte $length" 'done' "$at; truncate -s $length \$lib"
done
# The ELF header: class, data, type, machine, program and section tables, their sizes and counts.
for field in 4 5 16 18 32 40 52 54 56 58 60 62; do
	for value in '\x00' '\xff\xff' '\xff\xff\xff\xff\xff\xff\xff\x7f'; do
		direct "a library has $value at byte $field of its header" 'done' "$at; poke $field '$value'"
	done
done
# Each program header and section header: types, offsets, sizes.
for ((offset = 64; offset < 64 + 56 * 8; offset += 56)); do
	for field in 8 32; do
		direct "a program header at $offset lies in byte $field" 'done' \
			"$at; poke $((offset + field)) '\xff\xff\xff\xff\xff\xff\xff\x7f'"
	done
done
direct 'a library is random after its header' 'done' "$at; head -c 20000 /dev/urandom |
	dd of=\$lib bs=64 seek=1 conv=notrunc status=none"
direct 'a library of 1 TB of holes' 'done' "$at; truncate -s 1T \$lib"
direct '10,000 libraries' 'done' "$at; for i in {1..10000}; do echo > libx\$i.so.999.1; done"
direct '10,000 links to a library' 'done' "$at; mkdir many; cd many; for i in {1..10000}; do : > liby\$i.so.999.1; done
	cp -s \$PWD/* ..; cd ..; rm -r many"
direct 'a library name of 255 bytes' 'done' "$at; n=libcuda.so.999.\$(printf '9%.0s' {1..240}); cp \$lib \$n"
direct 'a library name with control characters' 'done' "$at; cp \$lib \$'libx\n\e[1m.so.999.1'"
direct 'a version of 1000 digits is none' 'done' "$at; mv \$lib libcuda.so.99999999999999999999999999.1"
for to in "$out$canary/libcuda.so.1" /proc/kmsg /proc/kcore /proc/self/mem /dev/null loop /proc/self/exe; do
	direct "a library is a link to ${to//"$work"/TMP}" 'done' "$at; ln -sf $to \$lib; ln -s loop loop"
done
direct 'a library is a FIFO' 'done' "$at; rm \$lib; mkfifo \$lib"
direct 'a library is a watchdog' 'done' "$at; rm \$lib; mknod \$lib c 10 130"
direct 'a library is a directory' 'done' "$at; rm \$lib; mkdir \$lib"
printf '    %d directories of libraries\n' "$count_attacks"

hostile debian 'mkdir -p usr/local/cuda/compat; cp "$library" usr/local/cuda/compat/libcuda.so.999.1
	printf "\xff\xff\xff\xff" | dd of=usr/local/cuda/compat/libcuda.so.999.1 bs=1 seek=56 conv=notrunc status=none
	for i in {1..300}; do ln -s "$out$canary/libcuda.so.1" "usr/local/cuda/compat/libz$i.so.999.1"; done'
closed_or_blind 'a compatibility directory of lies and links' 'done'
honest_works 'hostile compatibility libraries'
report_exit
