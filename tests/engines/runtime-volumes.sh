#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# davit-runtime and volumes: what lies in one, by whichever links of the image, isn't for the runtime
# to mount on or to make files in. What that takes of a large config.json, and which low-level
# runtimes are run at all.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
needs python3
enter_namespace "$@"
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host"
spare_crun_memlock
low=$(command -v "$ENGINE")
with="${ENGINE##*/}, cgroup $CGROUP"
ENGINE=$runtime
one=$(smi_line 0 "$uuid1")
lib=usr/lib/x86_64-linux-gnu
volume=$work/volume

# volume_bundle PLACE OPTION: its directory is the volume, as the image has it.
volume_bundle() {
	runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1 NVIDIA_DRIVER_CAPABILITIES=all
	rm -rf "$volume"
	mkdir -p "$volume" "$bundle/rootfs/$1"
	cp -a "$bundle/rootfs/$1/." "$volume/"
	edit_bundle '.mounts += [{destination: $to, type: "bind", source: $source, options: ["rbind", $option]}]' \
		--arg to "/$1" --arg source "$volume" --arg option "$2"
	volume_before=$(tree_state "$volume")
}

# --- containers ----------------------------------------------------------------------------------

configure_runtime "$low"
for place in usr usr/lib/firmware $lib usr/bin; do
	volume_bundle "$place" ro
	run_script 'nvidia-smi -L; dlprobe libcuda.so.1'
	equal "/$place is a read-only volume ($with)" "0 $one
libcuda.so.1: /$lib/libcuda.so.1" "$rc ${output//: \/lib\//: /usr/lib/}$errors"
	equal "/$place is a read-only volume ($with): it is as it was" "$volume_before" "$(tree_state "$volume")"
	host_unchanged "/$place is a read-only volume ($with)"
	drop_bundle
done

# --- what is left to the hook --------------------------------------------------------------------

cat > "$work/nothing" << 'END'
#!/bin/sh
exit 0
END
chmod 755 "$work/nothing"
configure_runtime "$work/nothing"
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1 NVIDIA_DRIVER_CAPABILITIES=all
"$runtime" create --bundle "$bundle" nobody
before=$(jq -c '[.mounts[].destination]' < "$work/spec/config.json")
equal 'mounts are the hook'"'"'s: config.json has its own alone' "$before" \
	"$(jq -c '[.mounts[].destination]' < "$bundle/config.json")"
of_hook=$(jq -r '.operations[] | select(.op == "bind" and .target != "/tmp/nvidia-mps") | .target' \
	< "$bundle/davit.json" | sort)
drop_bundle

configure_runtime "$work/nothing" '.runtime.mounts = "spec"'

# divided: edits the bundle; the targets of our mounts that are the runtime's, and those of the hook's.
divided() {
	"$runtime" create --bundle "$bundle" nobody
	ours=$(jq -r --arg host "$host/" '.mounts[] | select(.source | startswith($host)) | .destination' \
		< "$bundle/config.json" | sort)
	# (That of MPS is optional, and the host doesn't have it.)
	left=$(jq -r '.operations[] | select((.op == "bind" or .op == "device") and .target != "/tmp/nvidia-mps") | .target' \
		< "$bundle/davit.json" | sort)
}
none_in() { # NAME PATTERN TEXT
	equal "$1" '' "$(grep -E "$2" <<< "$3" || true)"
}

runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1 NVIDIA_DRIVER_CAPABILITIES=all
divided
all=$ours
equal "runtime.mounts is spec: without volumes all mounts are the runtime's" '' "$left"
equal "runtime.mounts is spec: the same mounts as the hook's" "$of_hook" "$all"
for name in runsc kata-runtime; do
	cp "$work/nothing" "$work/$name"
	configure_runtime "$work/$name"
	runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1 NVIDIA_DRIVER_CAPABILITIES=all
	divided
	equal "$name: the mounts are the runtime's" "$all" "$ours"
	drop_bundle
done
configure_runtime "$work/nothing" '.runtime.mounts = "spec"'
drop_bundle

# The image's PLACE is a link with that text, and /vol a volume.
linked() { # NAME PLACE TEXT PATTERN-OF-TARGETS
	runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1 NVIDIA_DRIVER_CAPABILITIES=all
	mkdir -p "$volume" "$bundle/rootfs/vol/deep" "$bundle/rootfs/$2"
	rm -rf "${bundle:?}/rootfs/$2"
	ln -s "$3" "$bundle/rootfs/$2"
	ln -s hop2 "$bundle/rootfs/hop1"
	ln -s /usr/../vol/deep/. "$bundle/rootfs/hop2"
	edit_bundle '.mounts += [{destination: "/vol", type: "bind", source: $source, options: ["rbind", "rw"]}]' \
		--arg source "$volume"
	divided
	none_in "$1: none of them are the runtime's" "$4" "$ours"
	equal "$1: nothing is lost" "$all" "$(sort <<< "$ours"$'\n'"$left" | sed '/^$/d')"
	none_in "$1: nothing in the volume is recorded" "^/vol|^/hop|$4" \
		"$(jq -r '.stubs[]' < "$bundle/davit.json")"
	drop_bundle
}
linked 'a directory is a link to a volume' usr/bin /vol '^/usr/bin/'
linked 'a relative link' usr/bin ../vol/deep '^/usr/bin/'
linked 'a link by too many ..' usr/bin ../../../../vol '^/usr/bin/'
linked 'a chain of links' usr/bin /hop1 '^/usr/bin/'
linked 'a directory that is missing, a link to a volume' usr/lib/firmware/nvidia /vol '^/lib/firmware/nvidia/'
linked 'a file is a link into a volume' usr/bin/nvidia-smi /vol/passwd '^/usr/bin/nvidia-smi$'
linked 'a loop of links' usr/bin bin '^/usr/bin/'

runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1 NVIDIA_DRIVER_CAPABILITIES=all
edit_bundle '.linux.rootfsPropagation = "rshared"'
divided
equal "with shared propagation no mount is the runtime's" " $all" "$ours $left"
equal 'the hook is told' true "$(jq '.shared_propagation == 1' < "$bundle/davit.json")"
equal 'the hook is told of the mounts of config.json' \
	"$(jq -c '[.mounts[] | .destination]' < "$work/spec/config.json")" \
	"$(jq -c '[.mounts[] | .destination]' < "$bundle/davit.json")"
drop_bundle

runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1
edit_bundle '(.mounts[] | select(.destination == "/dev")) = {destination: "/dev", type: "bind", source: "/dev", options: ["rbind"]}'
divided
equal "nodes in the host's /dev are the hook's" 'true 0' \
	"$(grep -qx /dev/nvidia1 <<< "$left" && echo true) $(jq '[.linux.devices[]?] | length' < "$bundle/config.json")"
drop_bundle

# --- a large config.json -------------------------------------------------------------------------

# memory NAME JQ-FILTER: at most ten times the file, beside what a small one takes.
memory() {
	local size peak
	runtime_bundle debian
	edit_bundle '.process.env += ["NVIDIA_VISIBLE_DEVICES=1"] | '"$2"
	jq -c . < "$bundle/config.json" > "$work/c.json"
	cp "$work/c.json" "$bundle/config.json"
	size=$(stat -c %s "$bundle/config.json")
	peak=$(python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)' \
		"$runtime" create --bundle "$bundle" nobody)
	equal "$1: the edit takes at most ten times the file's memory" yes \
		"$([ "$peak" -le $((size * 10 + small)) ] && echo yes || echo "$peak bytes for $size")"
	drop_bundle
}
# The runtime is none at all here.
if [ "$ENGINE $CGROUP" = 'runc v2' ]; then
	small=16000000 # the interpreter that measures
	memory '100,000 repetitions of the variable' '.process.env += [range(100000) | "NVIDIA_VISIBLE_DEVICES=all"]'
	memory '1,000,000 short variables' '.process.env += [range(1000000) | "A="]'
	memory '100,000 devices' '.linux.devices = [range(100000) | {path: "/dev/x\(.)", type: "c", major: 1, minor: 3}]'
	memory '100,000 mounts' '.mounts += [range(100000) | {destination: "/usr/lib/x\(.)", type: "bind", source: "/srv", options: ["bind"]}]'
	memory '100,000 hooks' '.hooks.prestart = [range(100000) | {path: "/usr/bin/davit-hook"}]'
	memory '1,000,000 groups' '.process.user.additionalGids = [range(1000000)]'
fi

# --- which runtime is run ------------------------------------------------------------------------

refused() { # NAME PATTERN: and so is every other command, since it would run that file, too
	local command
	for command in "create --bundle $bundle" state delete; do
		rc=0
		# shellcheck disable=SC2086 # words
		errors=$("$runtime" $command nobody 2>&1 < /dev/null) || rc=$?
		equal "$1, ${command%% *}: refused" 1 "$rc"
		matches "$1, ${command%% *}: the line" "$2" "$errors"
	done
}
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1
chmod 775 "$work/nothing"
refused 'a low-level runtime that its group can write' \
	"^davit: cannot run the low-level runtime: users other than its owner can write $work/nothing \(fix: run .chmod go-w"
chmod 755 "$work/nothing"
chown 1234 "$work/nothing"
refused 'a low-level runtime of a user' \
	"^davit: cannot run the low-level runtime: $work/nothing does not belong to root \(fix: run .chown root"
chown 0 "$work/nothing"
mkdir -m 777 "$work/open"
cp "$work/nothing" "$work/open/low"
configure_runtime "$work/open/low" '.runtime.candidates += ["runc"]'
refused 'a low-level runtime in a directory that all can write, with another one after it' \
	"^davit: cannot run the low-level runtime: users other than its owner can write $work/open \(fix:"
chmod 755 "$work/open"
equal 'as it should be, it runs' 0 "$("$runtime" state nobody > "$work/out" 2>&1 < /dev/null && echo 0)"
drop_bundle
report_exit
