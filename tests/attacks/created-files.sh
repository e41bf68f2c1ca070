#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# poststop removes the files that the hook created. Before that, the container controlled the root: it
# replaced files and directories with links out of the root, linked files of the host, or had a mount of
# the host beneath the root. poststop removes only files of this container.
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

# An empty file, a link and an empty directory of the host, with the names of the record.
make_bait() {
	: > "$canary/libcuda.so.$version"
	: > "$canary/nvidia-smi.empty"
	rm "$canary/libcuda.so.1"
	ln -s "libcuda.so.$version" "$canary/libcuda.so.1"
	mkdir -p "$canary/usr/bin" "$canary/$lib"
	: > "$canary/usr/bin/nvidia-smi"
	: > "$canary/$lib/libcuda.so.$version"
	ln -s "libcuda.so.$version" "$canary/$lib/libcuda.so.1"
	cp -a "$canary/." "$work/bait"
	canary_before=$(canary_state)
}
make_bait

# poststop NAME SETUP [RECORD-FILTER]: a container runs and ends; SETUP is then run in its root, the
# record is put through the filter, and the hook is called.
poststop() {
	new_bundle debian NVIDIA_VISIBLE_DEVICES=1
	edit_bundle '.hooks.prestart[0].args = ["davit-hook", "-config", $config, "-record", "prestart"]' \
		--arg config "$config"
	run_container /bin/true
	(cd "$bundle/rootfs" && eval "$2")
	eval "${3:-cat}" < "$bundle/davit-made" > "$bundle/record"
	cat "$bundle/record" > "$bundle/davit-made"
	rc=0
	errors=$(printf '{"id":"c","status":"stopped","bundle":"%s"}' "$bundle" |
		timeout -k 1 20 "$hook" -debug -config "$config" poststop 2>&1) || rc=$?
	equal "$1: it is no failure" 0 "$rc"
	canary_untouched "$1"
	matches "$1: it was tried" "${4:-removed [0-9]+ of }" "$errors"
	umount "$canary/mounted" 2> /dev/null || true
	drop_bundle
}

for to in "$canary" "$out$canary"; do
	shown=${to//"$work"/TMP}
	poststop "files are links to $shown" 'for name in usr/bin/nvidia-smi $lib/libcuda.so.$version $lib/libcuda.so.1; do
		ln -sf "$to/libcuda.so.$version" "$name"; done'
	poststop "/usr/bin is a link to $shown" 'mv usr/bin usr/old; ln -s "$to/usr/bin" usr/bin'
	poststop "the library directory is a link to $shown" 'mv $lib usr/old; ln -s "$to/$lib" $lib'
	poststop "/usr is a link to $shown" 'mv usr old; ln -s "$to/usr" usr'
	# As if the numbers of inodes, sizes and times were the right ones.
	poststop "a record without numbers, /usr is a link to $shown" 'mv usr old; ln -s "$to/usr" usr' \
		'sed "s,^made .* /,stub /,"'
done
poststop 'files of the host under a second name' \
	'rm usr/bin/nvidia-smi; ln "$canary/usr/bin/nvidia-smi" usr/bin/nvidia-smi 2> /dev/null || cp -a "$canary/usr/bin/nvidia-smi" usr/bin/' \
	'sed "s,^made .* /,stub /,"'
poststop 'a record with paths that lead upwards' ':' \
	'sed "s,^made .* /usr/bin,stub /usr/../$out$canary/usr/bin,"'
poststop "a directory of the host's, mounted beneath the root" \
	'mv usr/bin usr/old; mkdir usr/bin; mount --bind "$canary/usr/bin" usr/bin' 'sed "s,^made .* /,stub /,"'
poststop 'the root is another directory' 'cd "$bundle"; umount -l rootfs; rmdir rootfs; ln -s "$canary" rootfs' cat \
	'nothing is removed: the root .* no longer exists'
poststop 'the root is mounted anew' 'cd "$bundle"; umount -l rootfs; mount --bind "$canary" rootfs' cat \
	'nothing is removed: the root .* no longer exists'

# While it is at work, the directory changes places with a link to the canary.
attack_tool race
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
edit_bundle '.hooks.prestart[0].args = ["davit-hook", "-config", $config, "-record", "prestart"]' --arg config "$config"
run_container /bin/true
name=libcuda.so.$version
{
	grep '^root ' "$bundle/davit-made"
	printf "stub /opt/lib/$name\n%.0s" {1..200}
} > "$work/record"
mkdir -p "$bundle/rootfs/opt/lib"
exec {directory}< "$bundle/rootfs/opt/lib"
"$tools/race" swap "$canary/$lib" "$bundle/rootfs/opt/lib" &
racer=$!
removed=0
for ((i = 0; i < 30; i++)); do
	: > "/proc/self/fd/$directory/$name"
	cp "$work/record" "$bundle/davit-made"
	printf '{"id":"c","status":"stopped","bundle":"%s"}' "$bundle" |
		timeout -k 1 20 "$hook" -debug -config "$config" poststop > "$work/errors" 2>&1 ||
		fail 'a race' "exit $?"
	! grep -q 'removed [1-9]' "$work/errors" || removed=$((removed + 1))
done
kill "$racer"
wait "$racer" 2> /dev/null || true
exec {directory}<&-
canary_untouched 'the directory and a link change places'
equal 'the directory and a link change places: the file in it went at times' yes "$([ $removed -gt 0 ] && echo yes || echo no)"
drop_bundle
honest_works 'created files'
report_exit
