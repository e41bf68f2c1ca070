#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# runc CVE-2019-16884, CVE-2023-28642, CVE-2025-52881: the image decides what /proc is: a directory of
# its own with links, a link, another file system. The hook has a proven procfs of the host, and takes
# what the image has at /proc for what it is.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
without_proc='.mounts |= map(select(.destination | startswith("/proc") | not)) |
	.linux.maskedPaths = [] | .linux.readonlyPaths = []'

# Whoever takes the image at its word is led to the canary, and told of another driver.
fake='rmdir proc; mkdir -p proc/driver/nvidia proc/self/fd proc/1 proc/self/ns
	for i in {0..40}; do ln -s "$out$canary" proc/self/fd/$i; done
	ln -s "$out" proc/1/root; ln -s "$out" proc/self/root
	echo "NVRM version: 1.2.3" > proc/driver/nvidia/version; ln -s "$out$canary" proc/driver/nvidia/gpus'
# The hook itself serves such roots; runtimes refuse them, or need a /proc of their own later on.
direct_bundle debian NVIDIA_VISIBLE_DEVICES=all
fake_direct="with_dev; secrets=\$out\$canary; $fake"
direct 'a /proc of the image, to the hook' 'done' "$fake_direct"
direct '/proc is a link out, to the hook' 'done' 'with_dev; rmdir proc; ln -s "$out$canary" proc'
direct '/proc is a tmpfs, to the hook' 'done' 'with_dev; mount -t tmpfs tmpfs proc; mkdir -p proc/driver/nvidia'
direct '/proc is a file, to the hook' 'done' 'with_dev; rmdir proc; echo text > proc'
direct 'another /proc beneath a fake one' 'done' \
	"$fake_direct; mkdir -p proc/real; mount -t proc proc proc/real; mount --bind proc/real/driver proc/driver"

hostile debian "$fake"
edit_bundle "$without_proc"
closed_or_blind 'a /proc of the image' runtime

hostile debian "$fake"
edit_bundle "$without_proc | .root.readonly = true"
closed_or_blind 'a /proc of the image, on a read-only root' runtime

hostile debian 'rmdir proc; ln -s "$out$canary" proc'
edit_bundle "$without_proc"
closed_or_blind '/proc is a link out' runtime

hostile debian 'rmdir proc; ln -s "$out$canary" proc'
closed_or_blind '/proc is a link out, and procfs is mounted on it' runtime

hostile debian 'rm -rf sys; ln -s proc sys'
edit_bundle '.mounts |= map(select(.destination | startswith("/sys") | not))'
closed_or_blind '/sys is a link to /proc' 'done'

honest_works 'proc of the image'
report_exit
