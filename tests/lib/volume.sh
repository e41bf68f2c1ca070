# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034,SC2154 # variables of the other files and of the scripts
# Containers with a volume where davit would make or mount something: what they get, and that the
# volume and the host's mounts are as before. After container.sh and attack.sh.

# Once, in the namespace: sets `low`, the low-level runtime's name, `with`, `lib`, `uuid` and `gpu`.
# shellcheck disable=SC2034 # used by who sources this
volume_place() {
	low=${ENGINE##*/} # before it is davit-runtime
	with=$low
	attack_place
	lib=usr/lib/x86_64-linux-gnu
	uuid=$(sed -n 's/^GPU UUID: *\t* *//p' "$host/proc/driver/nvidia/gpus/0000:00:06.0/information")
	gpu="GPU 0: NVIDIA H200 (UUID: $uuid)"
	kind_root debian > /dev/null
}

# volume SETUP [shared]: a directory of the host's, on a tmpfs of its own.
volume() {
	vol=$work/vol
	mkdir -p "$vol"
	mount -t tmpfs tmpfs "$vol"
	[ "${2:-}" != shared ] || mount --make-shared "$vol"
	(cd "$vol" && eval "$1")
	volume_before=$(tree_state "$vol")
	mounts_before=$(sort /proc/self/mountinfo)
}

# volume_untouched NAME: after a container that writes nothing.
volume_untouched() {
	equal "$1: the volume is as it was" "$volume_before" "$(tree_state "$vol")"
	equal "$1: no mount came back" "$mounts_before" "$(sort /proc/self/mountinfo)"
	umount -l "$vol"
}

# in_image TEXT: run in the root of the bundle, before the container.
in_image() {
	(cd "$bundle/rootfs" && eval "$1")
}

# place NAME IMAGE OPTIONS DESTINATION: a container with $vol there; sets rc, output, errors.
place() {
	new_bundle debian NVIDIA_VISIBLE_DEVICES=0 NVIDIA_DRIVER_CAPABILITIES=all
	in_image "$2"
	edit_bundle '.mounts += [{destination: $d, type: "bind", source: $s, options: $o}]' \
		--arg d "$4" --arg s "$vol" --argjson o "$3"
	[[ $3 != *shared* ]] || edit_bundle '.linux.rootfsPropagation = "rshared"'
	run_script "${inside:-nvidia-smi -L}"
}

# done_in NAME IMAGE OPTIONS DESTINATION: the container has its GPU.
done_in() {
	place "$@"
	equal "$1: it has its GPU" "0 $gpu" "$rc ${output%%$'\n'*}${errors:+ $errors}"
	[ "$rc" = 0 ] || printf '    %s\n' "$errors"
	drop_bundle
	volume_untouched "$1"
}

# refused_in NAME IMAGE OPTIONS DESTINATION: it isn't started, and the line names the volume.
refused_in() {
	place "$@"
	equal "$1: refused" 1 "$((rc != 0))"
	# crun doesn't show a hook's line.
	if [ "$low" != crun ] && [[ $errors != *"davit: cannot "*"$4"*"(fix: "* ]]; then
		fail "$1: by its name" "$errors"
	else
		ok "$1: by its name"
	fi
	drop_bundle
	volume_untouched "$1"
}
