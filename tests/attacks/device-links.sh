#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# runc CVE-2025-31133, CVE-2025-52565; crun CVE-2026-47766: /dev, or a node in it, is a link that the
# image made, and what is mounted there goes elsewhere. Runtimes that are not up to date write through
# such links themselves: what counts is that with the hook nothing more happens than without it.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
plain_dev='.mounts |= map(select(.destination | startswith("/dev") | not)) | .linux.maskedPaths = []'

canary_names() {
	find "$canary" -printf '%P %y %l\n' | LC_ALL=C sort
	find "$canary" -type f -exec cat {} +
}

# beside NAME SETUP [JQ-FILTER]: the container without the hook, then with it.
beside() {
	local alone
	hostile debian "$2"
	edit_bundle "${3:-.} | del(.hooks)"
	run_container /bin/busybox true
	alone=$(canary_names)
	drop_bundle
	rm -rf "$canary" && make_canary
	hostile debian "$2"
	edit_bundle "${3:-.}"
	run_container /bin/sh -c \
		"$inspect_container"'; cd /dev; stat -c "%n %F %t:%T" nvidiactl nvidia1 2>&1'
	host_unchanged "$1"
	equal "$1: the hook adds nothing to what the runtime does" "$alone" "$(canary_names)"
	if [ $rc = 0 ]; then
		equal "$1: inside there is the GPU" "$(smi_line 0 "$uuid1")
nvidiactl character special file c3:ff
nvidia1 character special file c3:1" "$output"
	else
		# By the hook or by the runtime, whose words are its own.
		equal "$1: refused, and nothing ran" '' "$output"
	fi
	rm -rf "$canary" && make_canary
	drop_bundle
}

beside '/dev is a link out' 'rm -r dev; ln -s "$out$canary" dev'
beside '/dev is a link out, and no mount' 'rm -r dev; ln -s "$out$canary" dev' "$plain_dev"
beside '/dev is a link to /etc' 'rm -r dev; ln -s etc dev'
beside '/dev is a link to /proc/self/fd' 'rm -r dev; ln -s proc/self/fd dev' "$plain_dev"
for name in nvidiactl nvidia1 nvidia-uvm null; do
	beside "/dev/$name of the image is a link out" \
		'ln -s "$out$canary/nvidiactl" dev/$name; mkdir -p dev/pts dev/shm' "$plain_dev"
done
# A path that the runtime masks with /dev/null leads to what the hook puts in.
beside 'the node for masked paths leads to a GPU' 'ln -s nvidia1 dev/null; mkdir -p dev/pts dev/shm' \
	"$plain_dev"' | .linux.maskedPaths += ["/etc/passwd"]'
honest_works 'device links'
report_exit
