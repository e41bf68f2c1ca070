#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Volumes where davit would make or mount something, by the hook, davit-runtime (INJECTOR) and CDI's
# hooks: not a byte, inode or mount comes to lie in them, what is there already is used, and
# the container starts with its GPU or is refused by the volume's name. (tests/attacks/generate tries
# all combinations; here is each row of the table in docs/architecture.md, with what is right.)
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
# shellcheck source=tests/lib/volume.sh
. "$repository/tests/lib/volume.sh"
enter_namespace "$@"
volume_place
# --- read-only: a private view -----------------------------------------------------------
for destination in etc $lib usr/bin usr/lib/firmware usr; do
	volume "[ ! -d '$work/roots/debian/$destination' ] || cp -a '$work/roots/debian/$destination/.' ."
	done_in "$with: a read-only volume at /$destination" true '["rbind", "ro"]' "/$destination"
done
volume "cp -a '$work/roots/debian/usr/.' ."
inside='nvidia-smi -L; touch /usr/x 2> /dev/null && echo writable; touch /usr/lib/x 2> /dev/null && echo writable'
place '' true '["rbind", "ro"]' /usr
equal "$with: a view of a read-only volume can't be written" "$gpu" "$output"
unset inside
drop_bundle
volume_untouched "$with: the same"

# --- writable ----------------------------------------------------------------------------
volume "cp -a '$work/roots/debian/etc/.' ."
done_in "$with: a writable volume at /etc with a loader cache" true '["rbind"]' /etc
volume "cp -a '$work/roots/debian/$lib/.' ."
inside='nvidia-smi -L; ls /opt/davit/lib | grep -c libcuda.so.1'
place '' true '["rbind"]' "/$lib"
unset inside
equal "$with: a writable volume at the library directory: the libraries lie elsewhere" "0 $gpu"$'\n'1 "$rc $output"
drop_bundle
volume_untouched "$with: a writable volume at the library directory"
volume "cp -a '$work/roots/debian/usr/.' ."
refused_in "$with: a writable volume at /usr without nvidia-smi" true '["rbind"]' /usr
volume "cp -a '$work/roots/debian/usr/.' .; cp '$host'/driver/bin/* bin/; mkdir -p lib/firmware/nvidia/$version
	cp '$host/driver/firmware/nvidia/$version'/* lib/firmware/nvidia/$version"
place '' true '["rbind"]' /usr
equal "$with: a writable volume at /usr with all that goes there: started or refused by its name" yes \
	"$([ "$rc" = 0 ] || [[ $errors = *"it lies in a volume, /usr"* ]] || [ "$low" = crun ] && echo yes)"
drop_bundle
volume_untouched "$with: a writable volume at /usr"
volume 'cp /bin/true file'
refused_in "$with: a writable volume at /usr/bin" true '["rbind"]' /usr/bin
volume "cp -a '$work/roots/debian/etc/.' .; rm -f ld.so.cache"
refused_in "$with: a writable volume at /etc without a loader cache" true '["rbind"]' /etc
volume 'mkdir sub'
done_in "$with: the image's link to firmware leads into a writable volume" \
	'mkdir -p usr/lib/firmware vol; rm -rf usr/lib/firmware/nvidia; ln -s /vol/sub usr/lib/firmware/nvidia' '["rbind"]' /vol
volume 'mkdir sub'
refused_in "$with: the image's /usr/bin leads into a writable volume, by a chain" \
	'mkdir vol; cp -a usr/bin usr/real; rm -rf usr/bin; ln -s ../one usr/bin; ln -s vol/../vol/./sub one;
	rm -f bin; ln -s usr/real bin' '["rbind"]' /vol


# --- shared ------------------------------------------------------------------------------
for options in '["rbind", "rshared"]' '["rbind", "ro", "rshared"]'; do
	volume "cp -a '$work/roots/debian/etc/.' ." shared
	refused_in "$with: /etc, $options" true "$options" /etc
	volume 'mkdir etc; echo honest > etc/passwd' shared
	done_in "$with: firmware leads into a volume, $options" \
		'mkdir -p usr/lib/firmware vol; rm -rf usr/lib/firmware/nvidia; ln -s /vol/etc usr/lib/firmware/nvidia' \
		"$options" /vol
	volume 'mkdir etc; echo honest > etc/passwd' shared
	refused_in "$with: gbm leads into a volume, $options" \
		"mkdir vol; rm -rf $lib/gbm; ln -s /vol/etc $lib/gbm" "$options" /vol
done

# --- a file, the host's directories --------------------------------------------------------
volume ': > cache'
new_bundle debian NVIDIA_VISIBLE_DEVICES=0
edit_bundle '.mounts += [{destination: "/etc/ld.so.cache", type: "bind", source: $s, options: ["bind"]}]' \
	--arg s "$vol/cache"
run_script 'nvidia-smi -L'
equal "$with: the loader cache is a volume: it has its GPU" "0 $gpu" "$rc $output"
drop_bundle
volume_untouched "$with: the loader cache is a volume"
volume 'cp -a /dev/null /dev/zero /dev/urandom /dev/tty .; mkdir pts shm'
refused_in "$with: a /dev of the host's without the nodes" true '["rbind"]' /dev
volume "cp -a /dev/null /dev/zero /dev/urandom /dev/tty '$host'/dev/nvidia{ctl,-uvm,-uvm-tools,0,-modeset} .; mkdir pts shm"
done_in "$with: a /dev of the host's with the nodes" true '["rbind"]' /dev
volume 'mkdir nvidia-persistenced'
done_in "$with: a /run of the host's without the sockets" true '["rbind"]' /run
volume 'mkdir pipes'
new_bundle debian NVIDIA_VISIBLE_DEVICES=0 CUDA_MPS_PIPE_DIRECTORY=/mps
edit_bundle '.mounts += [{destination: "/mps", type: "bind", source: $s, options: ["rbind"]}]' --arg s "$vol"
run_script 'nvidia-smi -L; ls /mps'
equal "$with: MPS pipes of a device plugin are left alone" "0 $gpu"$'\n'pipes "$rc $output"
drop_bundle
volume_untouched "$with: MPS pipes"

# --- what the container writes -------------------------------------------------------------
volume "cp -a '$work/roots/debian/etc/.' ."
inside='nvidia-smi -L; echo written > /etc/new; echo more > /etc/passwd'
place '' true '["rbind"]' /etc
unset inside
equal "$with: what is written to a volume is there" "0 $gpu written more" \
	"$rc $output $(cat "$vol/new") $(cat "$vol/passwd")"
drop_bundle
umount -l "$vol"

# --- CDI's commands ------------------------------------------------------------------------------

# cdi NAME WANTED IMAGE OPTIONS DESTINATION ARGUMENT...
cdi() {
	local name=$1 wanted=$2 image=$3 options=$4 destination=$5
	shift 5
	new_bundle debian
	in_image "$image"
	edit_bundle '.hooks = {createContainer: [{path: $h, args: (["nvidia-cdi-hook"] + $a)}]} |
		.mounts += [{destination: $d, type: "bind", source: $s, options: $o}]' \
		--arg h "$hook" --argjson a "$(json_strings "$@")" --arg d "$destination" --arg s "$vol" --argjson o "$options"
	[[ $options != *shared* ]] || edit_bundle '.linux.rootfsPropagation = "rshared"'
	run_script 'echo ran'
	case $wanted in
	'done') equal "$name: it starts" '0 ran' "$rc $output" ;;
	closed) equal "$name: refused" 1 "$((rc != 0))" ;;
	esac
	drop_bundle
	volume_untouched "$name"
}
link=(create-symlinks --link "../libnvidia-allocator.so.1::/$lib/gbm/nvidia-drm_gbm.so")
image="mkdir vol; rm -rf $lib/gbm; ln -s /vol $lib/gbm"
for options in '["rbind"]' '["rbind", "rshared"]' '["rbind", "ro", "rshared"]'; do
	volume 'echo x > file' "$([[ $options != *shared* ]] || echo shared)"
	cdi "CDI create-symlinks, a volume $options" closed "$image" "$options" /vol "${link[@]}"
done
volume 'echo x > file'
cdi 'CDI create-symlinks, a read-only volume' 'done' "$image" '["rbind", "ro"]' /vol "${link[@]}"
mount=(cdi "--mount=$host/driver/bin/nvidia-smi::/usr/bin/nvidia-smi::ro")
image='mkdir vol; rm -rf usr/bin/nvidia-smi; ln -s /vol/nvidia-smi usr/bin/nvidia-smi; mv usr/bin usr/bin.own; ln -s /vol usr/bin'
for options in '["rbind"]' '["rbind", "rshared"]'; do
	volume "cp -a '$work/roots/debian/bin/.' ." "$([[ $options != *shared* ]] || echo shared)"
	cdi "davit-hook cdi, /usr/bin is a volume $options" closed "$image" "$options" /vol "${mount[@]}"
done
volume "cp -a '$work/roots/debian/etc/.' ."
cdi 'CDI update-ldcache, /etc is a volume' 'done' true '["rbind"]' /etc update-ldcache --folder "/$lib"
honest_works 'places'
report_exit
