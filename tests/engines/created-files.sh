#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The container's root after poststop: files that the hook or the runtime created are removed if they are
# unchanged, and all others are kept. For the hook and for davit-runtime.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
enter_namespace "$@"
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host"
spare_crun_memlock
low=$(command -v "$ENGINE")
name_of_engine=${ENGINE##*/}
configure_runtime "$low"
one=$(smi_line 0 "$uuid1")

# root_files: of $bundle: types, sizes, links. The image's own loader cache, into which
# the driver's libraries were merged, doesn't count.
root_files() {
	(cd "$bundle/rootfs" && find . ! -path ./etc/ld.so.cache \
		\( -type d -printf '%p/\n' -o -printf '%p %y %s %l\n' \) | sort)
}

# gpu_bundle KIND JQ-FILTER: sets `files_before`, too.
gpu_bundle() {
	new_bundle "$1" NVIDIA_VISIBLE_DEVICES=1 NVIDIA_DRIVER_CAPABILITIES=all
	edit_bundle "$2" --arg hook "$hook" --arg config "$config"
	files_before=$(root_files)
}
with_poststop='.hooks = {
	prestart: [{path: $hook, args: ["davit-hook", "-config", $config, "-record", "prestart"]}],
	poststop: [{path: $hook, args: ["davit-hook", "-config", $config, "poststop"]}]}'

same_files() { # NAME
	equal "$1: the root is as before" '' "$(diff <(echo "$files_before") <(root_files) || true)"
	equal "$1: the record is gone" no "$([ -e "$bundle/davit-made" ] && echo yes || echo no)"
}

runs() { # NAME COMMAND...
	run_container "${@:2}"
	equal "$1: the container runs" "0 $one" "$rc $output$errors"
	host_unchanged "$1"
}

for by in davit-hook davit-runtime; do
	with="$by, $name_of_engine"
	hooks='del(.hooks)'
	ENGINE=$runtime
	if [ $by = davit-hook ]; then
		hooks=$with_poststop
		ENGINE=$low
	fi
	for kind in musl distroless; do
		gpu_bundle $kind "$hooks"
		run_container nodeprobe /dev/nvidia1
		equal "$kind ($with): the container runs" '0 /dev/nvidia1: ENXIO' "$rc $output$errors"
		same_files "$kind ($with)"
		drop_bundle
	done

	gpu_bundle debian "$hooks"
	for run in first second; do
		runs "the $run start of a bundle ($with)" nvidia-smi -L
		same_files "the $run start of a bundle ($with)"
	done
	drop_bundle

	# By a root that has mounts of its own in no namespace but the host's: nothing is left there.
	gpu_bundle debian "$hooks"
	edit_bundle '.root.readonly = true'
	runs "a read-only root ($with)" nvidia-smi -L
	same_files "a read-only root ($with)"
	drop_bundle

	# What the image has already stays: an empty file, an empty directory, a link, a file.
	gpu_bundle debian "$hooks"
	lib=$bundle/rootfs/usr/lib/x86_64-linux-gnu
	version=$(cat "$host/driver/version")
	: > "$lib/libcuda.so.$version"
	ln -s "libnvidia-ml.so.$version" "$lib/libnvidia-ml.so.1"
	mkdir -p "$bundle/rootfs/usr/share/nvidia"
	echo mine > "$bundle/rootfs/usr/bin/nvidia-debugdump"
	files_before=$(root_files)
	runs "what the image has stays ($with)" nvidia-smi -L
	same_files "what the image has stays ($with)"
	drop_bundle

	# runc calls poststop also if it fails after the hooks (crun doesn't). No engine calls delete then.
	if [[ $name_of_engine = runc* ]]; then
		gpu_bundle debian "$hooks"
		run_container /no/such/command
		equal "a command that the image lacks ($with): it doesn't start" yes "$([ "$rc" != 0 ] && echo yes || echo no)"
		same_files "a command that the image lacks ($with)"
		drop_bundle
	fi

	# What the container writes stays, also in directories that were made for the driver.
	gpu_bundle musl "$hooks"
	edit_bundle '.process.capabilities |= with_entries(.value += ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"])'
	run_container sh -c '
		mkdir -p /usr/share/nvidia; echo mine > /usr/share/nvidia/notes
		umount /usr/bin/nvidia-debugdump; echo mine > /usr/bin/nvidia-debugdump
		rm -f /usr/lib/libcuda.so.1; ln -s elsewhere /usr/lib/libcuda.so.1
		rm -f /usr/lib/libcuda.so; mkdir /usr/lib/libcuda.so'
	equal "what the container writes stays ($with): it runs" '0 ' "$rc $output$errors"
	equal "what the container writes stays ($with): files" './usr/bin/nvidia-debugdump f 5 
./usr/lib/libcuda.so.1 l 9 elsewhere
./usr/lib/libcuda.so/
./usr/share/nvidia/
./usr/share/nvidia/notes f 5 ' "$(root_files | grep -E 'nvidia|cuda')"
	drop_bundle

	# Another container has the same root, and lives on.
	gpu_bundle debian "$hooks"
	edit_bundle '.process.args = ["sh", "-c", "sleep 600"] | .process.terminal = false'
	"$ENGINE" --root "$work/state" run -d -b "$bundle" "davit-other-$unique" < /dev/null > /dev/null 2>&1
	edit_bundle '.linux.cgroupsPath += "-2"'
	runs "a root of two containers ($with)" nvidia-smi -L
	equal "a root of two containers ($with): the other one keeps its GPU" "$one" \
		"$("$ENGINE" --root "$work/state" exec "davit-other-$unique" nvidia-smi -L 2>&1)"
	"$ENGINE" --root "$work/state" delete -f "davit-other-$unique"
	drop_bundle

	# The one that had the files made ends first, on an overlay and on a plain directory.
	for root_is in overlay directory; do
		gpu_bundle debian "$hooks"
		if [ $root_is = directory ]; then
			cp -a "$bundle/rootfs" "$bundle/plain"
			edit_bundle '.root.path = $path' --arg path "$bundle/plain"
		fi
		edit_bundle '.process.args = ["sh", "-c", "sleep 600"] | .process.terminal = false'
		"$ENGINE" --root "$work/state" run -d -b "$bundle" "davit-first-$unique" < /dev/null > /dev/null 2>&1
		second=$work/second-$by-$root_is
		mkdir "$second"
		jq --arg hook "$hook" --arg config "$config" '.linux.cgroupsPath += "-2" |
			.process.env = (.process.env | map(select(startswith("NVIDIA_VISIBLE") | not))) + ["NVIDIA_VISIBLE_DEVICES=1"] |
			'"$hooks" < "$bundle/config.json" > "$second/config.json"
		"$ENGINE" --root "$work/state" run -d -b "$second" "davit-second-$unique" < /dev/null > /dev/null 2>&1
		"$ENGINE" --root "$work/state" delete -f "davit-first-$unique"
		equal "a $root_is of two, the first ends ($with): the other one keeps its GPU" "$one" \
			"$("$ENGINE" --root "$work/state" exec "davit-second-$unique" nvidia-smi -L 2>&1)"
		"$ENGINE" --root "$work/state" delete -f "davit-second-$unique"
		drop_bundle
	done
done

# davit-runtime with a user namespace, beside `docker run --gpus`: dockerd's hook is registered already.
with="davit-runtime, $name_of_engine"
ENGINE=$runtime
gpu_bundle debian '.hooks = {prestart: [{path: $hook, args: ["nvidia-container-runtime-hook", "prestart"]}]} |
	.linux.namespaces += [{type: "user"}] |
	.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] |
	.linux.gidMappings = .linux.uidMappings | del(.linux.resources) |
	.mounts |= map(select(.type != "sysfs" and .type != "cgroup" and .type != "mqueue"))'
chown -R 100000:100000 "$bundle/rootfs"
files_before=$(root_files)
runs "a user namespace and --gpus ($with)" nvidia-smi -L
same_files "a user namespace and --gpus ($with)"
drop_bundle

# --- a poststop hook alone -----------------------------------------------------------------------

ENGINE=$low
poststop() { # NAME: on $bundle; sets rc and errors
	rc=0
	errors=$(printf '{"ociVersion":"1.0.2","id":"c","status":"stopped","bundle":"%s"}' "$bundle" |
		timeout 20 "$hook" -config "$config" "${2:-poststop}" 2>&1) || rc=$?
	equal "$1: it is no failure" 0 "$rc"
}
gpu_bundle debian "$with_poststop"
edit_bundle 'del(.hooks.poststop)'
runs 'a record without poststop' nvidia-smi -L
record=$(< "$bundle/davit-made")
matches 'the record: who may read it' '^600 0 0$' "$(stat -c '%a %u %g' "$bundle/davit-made")"
chmod 0666 "$bundle/davit-made"
poststop 'a record that anyone can write'
matches 'a record that anyone can write' 'warning: files created in container c are not removed: cannot read ' "$errors"
rm "$bundle/davit-made"
ln -s config.json "$bundle/davit-made"
poststop 'a record that is a link'
matches 'a record that is a link' 'warning: files created in container c are not removed: cannot read ' "$errors"
rm "$bundle/davit-made"
for bad in 'made' 'made 1 2 3 4 /x' 'root 1 2 relative' 'root x y /' 'stub' 'stub relative' 'other /x' $'\x01'; do
	echo "$bad" > "$bundle/davit-made"
	poststop "the record is <$bad>"
	matches "the record is <$bad>" 'warning: files created in container c are not removed: cannot read ' "$errors"
done
echo "${record/root*rootfs/root 1 1 \/}" > "$bundle/davit-made"
poststop 'another root in the place'
echo "$record" > "$bundle/davit-made"
poststop 'the stage prestart with the state of a stopped container' prestart
same_files 'the stage prestart with the state of a stopped container'
poststop 'no record'
equal 'no record: not a word' '' "$errors"
rm -r "$bundle/config.json"
bundle=$work/absent
poststop 'no bundle'
equal 'no bundle: not a word' '' "$errors"
rc=0
errors=$("$hook" -config "$config" poststop 2>&1 < <(echo '{')) || rc=$?
equal 'a state that is no JSON: it is no failure' 0 "$rc"
matches 'a state that is no JSON' '^davit: cannot read the state: ' "$errors"
report_exit
