#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Volumes of the host in the places that the hook writes to: what it mounts in them must not come back
# to the host by propagation, and what is read-only stays as it is.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
lib=usr/lib/x86_64-linux-gnu

# volume NAME WANTED PLACE OPTIONS: a copy of that directory of the image, as a volume.
volume() {
	local mounts_before
	mkdir -p "$work/volume"
	cp -a "$work/roots/debian/$3/." "$work/volume/"
	mount --bind "$work/volume" "$work/volume"
	mount --make-shared "$work/volume"
	mounts_before=$(sort /proc/self/mountinfo)
	hostile debian true
	edit_bundle '.mounts += [{destination: $p, type: "bind", source: $s, options: $o}]' \
		--arg p "/$3" --arg s "$work/volume" --argjson o "$4"
	# Only then the runtime lets mounts come back.
	[[ $4 != *rshared* ]] || edit_bundle '.linux.rootfsPropagation = "shared"'
	attack "$1" "$2" /bin/sh -c "$inspect_container"
	[ "$outcome" != 'done' ] || equal "$1: inside there is the GPU" "$(smi_line 0 "$uuid1")" "$output"
	drop_bundle
	equal "$1: no mount came back to the host" "$mounts_before" "$(sort /proc/self/mountinfo)"
	[[ $4 != *'"ro"'* ]] || equal "$1: it is as it was" "$(tree_state "$work/roots/debian/$3")" \
		"$(tree_state "$work/volume")"
	unmount_below "$work/volume" 2> /dev/null || true
	while mountpoint -q "$work/volume"; do
		umount -l "$work/volume" 2> /dev/null || true
	done
	rm -rf "$work/volume"
}
kind_root debian > /dev/null
for place in $lib usr/bin etc; do
	for propagation in rprivate rslave rshared; do
		volume "/$place is a volume, $propagation" either "$place" '["rbind", "rw", "'$propagation'"]'
	done
	volume "/$place is a read-only volume" 'done' "$place" '["rbind", "ro", "rprivate"]'
	volume "/$place is a read-only volume, rshared" either "$place" '["rbind", "ro", "rshared"]'
done
# Elsewhere it is nobody's concern.
volume 'a volume elsewhere, rshared' 'done' var '["rbind", "rw", "rshared"]'
honest_works 'shared volumes'
report_exit
