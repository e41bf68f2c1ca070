#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # functions that are called by their names
# WSL2 and Jetson, case by case: each host and request by the hook, by davit-runtime and by a CDI spec, and
# what the container sees is the same; or none of them lets it start, and says why.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
# shellcheck source=tests/lib/platforms.sh
. "$repository/tests/lib/platforms.sh"
enter_namespace "$@"
make_work
host=$work/host
config=$host/davit.json
spare_crun_memlock
low=$(command -v "$ENGINE")

# Whether the host is as before is asked of the hook alone: the others do the same by the same means.
eval "whole_$(declare -f host_state)"
lean=''
host_state() { [ -n "$lean" ] || whole_host_state; }

# --- hosts -----------------------------------------------------------------------------------------

# Each kind is made once, at its place, since paths are in it; then it is copied.
make_host() { # OPTIONS
	local name=host${1// /_}
	rm -rf "$host"
	if [ ! -e "$work/pristine/$name" ]; then
		mkdir -p "$work/pristine"
		# shellcheck disable=SC2086 # options, to be split
		"$fixture/fake-host" "$host" $1
		cp -a "$host" "$work/pristine/$name"
	else
		cp -a "$work/pristine/$name" "$host"
	fi
}

# An image's newer CUDA libraries: compat DIRECTORY CUDA-VERSION. Orin's have padding before the text.
compat() {
	mkdir -p "$bundle/rootfs$1"
	if [ ! -e "$work/compat-$2" ]; then
		printf '          {"format":1,"CUDA version":"%s"}' "$2" > "$work/note.json"
		"${CC:-cc}" -fPIC -shared -nostdlib -DSTUB_NAME='"newer"' -DSTUB_NOTE="\"$work/note.json\"" \
			-Wl,-soname,libcuda.so.1 -o "$work/compat-$2" "$fixture/src/stub.c"
	fi
	cp "$work/compat-$2" "$bundle/rootfs$1/libcuda.so.999.1"
	ln -sf libcuda.so.999.1 "$bundle/rootfs$1/libcuda.so.1"
}
{
	nothing() { :; }
	images_compat() { compat /usr/local/cuda/compat_orin 99.1; compat /usr/local/cuda/compat 99.1; }
	images_other_compat() { compat /another/compat/root 99.1; compat /usr/local/cuda/compat_orin 99.1; }
	images_old_compat() { compat /usr/local/cuda/compat_orin 1.0; }
}

# --- what is seen ----------------------------------------------------------------------------------

# Files with sizes, links with texts, nodes with numbers, what the loader finds before and after an ldconfig.
look='
echo "== files"
find /usr /etc $(ls -d /opt 2> /dev/null) ! -type d ! -path /etc/ld.so.cache -exec stat -c "%N %F %s" {} + | sort
echo "== nodes"
find /dev -type c -exec stat -c "%n %t:%T" {} + | sort
echo "== loaded"
for round in 1 2; do
	for name in libcuda.so.1 libcuda.so libnvidia-ml.so.1 libdxcore.so libnvargus.so; do
		path=$(dlprobe $name 2> /dev/null) && readlink -f "${path#*: }"
	done
	[ ! -x /sbin/ldconfig ] || ldconfig 2> /dev/null
done
'

# "21 libcuda.so.1.1": how many nodes more than a container has anyway, and what libcuda.so.1 is.
summary() {
	local nodes cuda
	nodes=$(comm -13 <(printf '%s\n' "$plain" | grep '^/dev') <(part nodes) | wc -l)
	cuda=$(part loaded | grep libcuda -m1 || true)
	printf '%s %s' "$nodes" "${cuda##*/}"
}

make_bundle() { # KIND-OF-BUNDLE, then what is asked for: NAME=VALUE, @ANNOTATION=VALUE
	local variables=() annotations=() item make=$1
	shift
	for item; do
		case $item in
		@*) annotations+=("${item#@}") ;;
		*) variables+=("$item") ;;
		esac
	done
	$make debian "${variables[@]}"
	[ ${#annotations[@]} = 0 ] || edit_bundle '.annotations = ($a | map(capture("^(?<key>[^=]*)=(?<value>.*)$")) | from_entries)' \
		--argjson a "$(json_strings "${annotations[@]}")"
	$image
}

# What an engine makes of the edits of a spec and of some of its devices.
give_spec() { # DEVICE...
	local numbers
	numbers=$(find "$host" -type c -exec stat -c '%n %t %T' {} + | while read -r path major minor; do
		printf '%s %d %d\n' "$path" "0x$major" "0x$minor"
	done | jq -Rn '[inputs | split(" ") | {key: .[0], value: [(.[1] | tonumber), (.[2] | tonumber)]}] | from_entries')
	edit_bundle '($spec[0] | [.containerEdits, (.devices[] | select(.name as $n | $names | index($n)).containerEdits)]) as $edits |
		[$edits[].deviceNodes[]? | . + {numbers: $numbers[.hostPath // .path]}] as $nodes |
		.hooks = {createContainer: [$edits[].hooks[]? | {path, args}]} |
		.process.env += [$edits[].env[]?] |
		.process.user.additionalGids = ([$edits[].additionalGids[]?] | unique) |
		.mounts += [$edits[].mounts[]? | {destination: .containerPath, source: .hostPath, type: "bind", options}] |
		.linux.devices += [$nodes[] | {path, type: "c", major: .numbers[0], minor: .numbers[1], fileMode, uid: 0, gid: (.gid // 0)}] |
		.linux.resources.devices += [$nodes[] | {allow: true, type: "c", major: .numbers[0], minor: .numbers[1], access: .permissions}]' \
		--slurpfile spec "$work/spec.json" --argjson numbers "$numbers" --argjson names "$(json_strings "$@")"
}

new_bundle debian
edit_bundle 'del(.hooks)'
run_script "$look"
plain=$output
drop_bundle

# --- cases -----------------------------------------------------------------------------------------

# A spec can't know what a container asks for: policy says it, for all three.
limit_capabilities() {
	local item capabilities=compute,utility
	for item; do
		[[ $item != NVIDIA_DRIVER_CAPABILITIES=* ]] || capabilities=${item#*=}
	done
	[ "$capabilities" = all ] ||
		edit_configuration ".policy.capabilities = (\"$capabilities\" | split(\",\"))"
}

# row NAME HOST CHANGE IMAGE DEVICES EXPECTED [NAME=VALUE|@ANNOTATION=VALUE...]
#   DEVICES   of the CDI spec that mean the same; `none`: no device; `!X`: there is no device X, or no spec;
#             `-`: a spec has no such thing
#   EXPECTED  what `summary` prints, or `error: REGULAR-EXPRESSION`
row() {
	local name=$1 options=$2 change=$3 devices=$5 expected=$6 by_hook groups
	image=$4
	shift 6
	make_host "$options"
	$change
	limit_capabilities "$@"
	ENGINE=$low lean=''
	make_bundle new_bundle "$@"
	run_script "$look"
	host_unchanged "$name: hook"
	if [[ $expected = error:* ]]; then
		matches "$name: hook" "${expected#error: }" "$rc $errors"
	else
		equal "$name: hook" "0 $expected" "$rc $(summary)$errors"
	fi
	by_hook=$output
	drop_bundle

	ENGINE=$runtime lean=1
	configure_runtime "$low"
	make_bundle runtime_bundle "$@"
	run_script "$look"
	if [[ $expected = error:* ]]; then
		matches "$name: davit-runtime" "${expected#error: }" "$rc $errors"
	else
		equal "$name: davit-runtime: the same" "$by_hook" "$output$errors"
	fi
	groups=$(jq -c '.process.user.additionalGids // [] | sort' < "$bundle/config.json")
	drop_bundle

	ENGINE=$low
	case $devices in
	-) ;;
	!*)
		if "$davit" cdi generate --config "$config" --format json > "$work/spec.json" 2> "$work/errors"; then
			equal "$name: CDI: there is no such device" '' "$(jq -r --arg n "${devices#!}" '.devices[] | select(.name == $n).name' "$work/spec.json")"
		else
			matches "$name: CDI" "${expected#error: }" "1 $(cat "$work/errors")"
		fi
		;;
	*)
		"$davit" cdi generate --config "$config" --format json > "$work/spec.json"
		make_bundle runtime_bundle
		give_spec "$devices"
		run_script "$look"
		equal "$name: CDI: the same" "$by_hook" "$output$errors"
		equal "$name: CDI: the same groups" "$groups" "$(jq -c '.process.user.additionalGids // [] | sort' < "$bundle/config.json")"
		drop_bundle
		;;
	esac
}

wsl='--platform wsl' orin='--platform orin' xavier='--platform xavier' thor='--platform thor'
shim='1 libcuda_loader.so'
all=NVIDIA_VISIBLE_DEVICES=all
first=NVIDIA_VISIBLE_DEVICES=0
row 'WSL 1: all' "$wsl" nothing nothing all "$shim" $all
row 'WSL 2: none' "$wsl" nothing nothing none '0 libcuda_loader.so' NVIDIA_VISIBLE_DEVICES=none
row 'WSL 3: void' "$wsl" nothing nothing - '0 ' NVIDIA_VISIBLE_DEVICES=void
row 'WSL 3: empty' "$wsl" nothing nothing - '0 ' NVIDIA_VISIBLE_DEVICES=
row 'WSL 3: unset' "$wsl" nothing nothing - '0 '
row 'WSL 4: an index that there is not' "$wsl" nothing nothing '!7' 'error: cannot inject GPU 7: the host has 1 GPU' NVIDIA_VISIBLE_DEVICES=7
unknown=GPU-deadbeef-0000-0000-0000-000000000000
row 'WSL 5: a UUID that there is not' "$wsl" nothing nothing "!$unknown" "error: cannot inject GPU $unknown: the host has 1 GPU" NVIDIA_VISIBLE_DEVICES=$unknown
row 'WSL 6: utility' "$wsl" nothing nothing 0 '1 ' $first NVIDIA_DRIVER_CAPABILITIES=utility
row 'WSL 7: the name of a spec' "$wsl" nothing nothing 0 "$shim" @cdi.k8s.io/x=nvidia.com/gpu=0
row 'WSL 8: no /dev/dxg' "$wsl" wsl_no_node nothing !all 'error: the host is WSL2, but has no .*/dev/dxg' $all
row 'WSL 9: two stores' "$wsl" wsl_two_stores nothing 0 "$shim" $first
row 'WSL 10: no store of NVIDIA' "$wsl" wsl_only_amd nothing !0 'error: cannot find an NVIDIA GPU in Windows: .*u0777777' $first
row 'WSL 11: a constraint' "$wsl" nothing nothing - 'error: cuda>=99.9' $first 'NVIDIA_REQUIRE_CUDA=cuda>=99.9'
row 'WSL 12: an old driver' "$wsl" wsl_old_driver nothing 0 "$shim" $first
row 'WSL 13: links out of the store' "$wsl" wsl_evil_links nothing 0 "$shim" $first
row 'WSL 14: all capabilities' "$wsl" nothing nothing GPU-11111111-2222-3333-4444-555555555555 "$shim" \
	NVIDIA_VISIBLE_DEVICES=GPU-11111111-2222-3333-4444-555555555555 NVIDIA_DRIVER_CAPABILITIES=all
row 'WSL 15: not in the loader cache' "$wsl" wsl_loader_cache nothing 0 "$shim" $first
row 'WSL 16: a server with a stray libdxcore' '' stray_dxcore nothing 0 '4 libcuda.so.580.159.04' $first
row 'WSL: folders in the store' "$wsl" wsl_folder nothing 0 "$shim" $first
row 'WSL: libraries replaced by links' "$wsl" wsl_replaced_by_links nothing 0 "$shim" $first
row 'WSL: no shim in the store' "$wsl" wsl_no_shim nothing 0 '1 libcuda.so.1' $first

newer='1 libcuda.so.999.1'
row 'Jetson 1: one node' "$orin" tegra_one_node images_compat 0 "$newer" $first
row 'Jetson 2: another root for newer libraries' "$orin" tegra_other_compat images_other_compat 0 "$newer" $first
row 'Jetson 3: an empty root' "$orin" tegra_nothing nothing !0 'error: the kernel module nvidia is not loaded' $first
row 'Jetson 4: driver and nodes in two roots' "$orin" tegra_split_roots nothing 0 '2 libcuda.so.1.1' $first
row 'Jetson 5: the chip beside a discrete GPU' "$thor+dgpu" nothing nothing 0 '11 libcuda.so.1.1' $first
row 'Jetson 5: a discrete GPU' "$thor+dgpu" nothing nothing 1 '10 libcuda.so.1.1' NVIDIA_VISIBLE_DEVICES=1
row 'Jetson 6: all' "$orin" nothing nothing all '21 libcuda.so.1.1' $all
row 'Jetson 6: by index' "$orin" nothing nothing 0 '21 libcuda.so.1.1' $first
row 'Jetson 7: by UUID' "$orin" nothing nothing 54d0709b-1111-5222-9333-444444444444 '21 libcuda.so.1.1' NVIDIA_VISIBLE_DEVICES=GPU-54d0709b-1111-5222-9333-444444444444
row 'Jetson 8: none' "$orin" nothing nothing none '0 libcuda.so.1.1' NVIDIA_VISIBLE_DEVICES=none
row 'Jetson 9: an index that there is not' "$orin" nothing nothing !1 'error: cannot inject GPU 1: the host has 1 GPU' NVIDIA_VISIBLE_DEVICES=1
row 'Jetson 9: MIG' "$orin" nothing nothing !0:0 'error: 0:0' NVIDIA_VISIBLE_DEVICES=0:0
row 'Jetson 10: a constraint' "$orin" nothing nothing - 'error: cuda>=99.0' $first 'NVIDIA_REQUIRE_CUDA=cuda>=99.0'
row 'Jetson 11: JetPack 5' "$xavier" nothing images_compat all '6 libcuda.so.1.1' $all
row 'Jetson 12: no release file' "$xavier" tegra_no_release nothing all '6 libcuda.so.1.1' $all
row 'Jetson 13: JetPack 7' "$thor" nothing nothing 0 '11 libcuda.so.1.1' $first
row 'Jetson 14: every list' "$orin" nothing nothing - '21 libcuda.so.1.1' $all NVIDIA_REQUIRE_JETPACK=csv-mounts=all
row 'Jetson 15: the base lists' "$orin" nothing nothing all '21 libcuda.so.1.1' $all NVIDIA_REQUIRE_JETPACK=csv-mounts=base-only
row 'Jetson 16: no lists' "$orin" tegra_no_lists nothing !all 'error: has no CSV files .*install nvidia-l4t-init' $all
row 'Jetson 17: no nodes' "$orin" tegra_no_nodes nothing !all 'error: /dev/nvgpu, .*/dev/nvmap' $all
row 'Jetson 17: no nodes of the GPU' "$orin" tegra_only_nvmap nothing !all 'error: /dev/nvgpu, .*/dev/nvmap, do' $all
row 'Jetson 18: no NVML' "$orin" tegra_no_nvml nothing all '21 libcuda.so.1.1' $all
row 'Jetson 18: NVML fails' "$orin" tegra_nvml_fails nothing all '21 libcuda.so.1.1' $all
row 'Jetson 19: the image has older libraries' "$orin" nothing images_old_compat 0 '21 libcuda.so.1.1' $first
row 'Jetson 20: patterns and odd lines' "$orin" tegra_odd_lists nothing - '21 libcuda.so.1.1' $all NVIDIA_REQUIRE_JETPACK=csv-mounts=all
row 'Jetson 21: links that are ignored' "$orin" tegra_ignore_names nothing 0 '21 libcuda.so.1.1' $first
row 'Jetson 21: whole paths' "$orin" tegra_ignore_path nothing 0 '21 libcuda.so.1.1' $first
row 'Jetson 22: the chip by UUID' "$orin+dgpu" nothing nothing 54d0709b-1111-5222-9333-444444444444 '21 libcuda.so.1.1' NVIDIA_VISIBLE_DEVICES=54d0709b-1111-5222-9333-444444444444
row 'Jetson 22: the discrete GPU by UUID' "$orin+dgpu" nothing nothing GPU-bbbbbbbb-1111-2222-3333-444444444441 '11 libcuda.so.1.1' NVIDIA_VISIBLE_DEVICES=GPU-bbbbbbbb-1111-2222-3333-444444444441
row 'Jetson: the chip is off' "$orin+dgpu" tegra_chip_off nothing 0 '11 libcuda.so.1.1' $first
row 'Jetson: a board of unknown names' "$thor" tegra_odd_board nothing 0 '11 libcuda.so.1.1' $first

# --- musl ------------------------------------------------------------------------------------------

# musl has no cache: its path file has to name each directory that has a library, except beneath libv4l,
# where they are opened by their paths. Printed are these directories, what the loader finds, and what
# the file names twice.
look_musl='
path=$(cat /etc/ld-musl-*.path 2> /dev/null || printf "/lib\n/usr/local/lib\n/usr/lib\n")
path=$(echo "$path" | tr ":" "\n")
find / \( -path /proc -o -path /sys -o -path "*/libv4l" \) -prune -o -name "lib*.so*" -type f -print |
	sed "s,/[^/]*\$,," | sort -u | while read -r dir; do
	echo "$path" | grep -qxF "$dir" && echo "$dir" || echo "not in the path file: $dir"
done
dlprobe libcuda.so.1 || true
echo "$path" | grep . | sort | uniq -d
'

# musl_row NAME HOST DEVICE PATH-FILE DIRECTORIES FOUND [NAME=VALUE...]
#   DEVICE       of the CDI spec that means the same; '-': its libraries lie elsewhere
#   PATH-FILE    of the image: its text; '-': there is none
#   DIRECTORIES  that have libraries, with spaces between
#   FOUND        the directory that libcuda.so.1 is found in
musl_row() {
	local name="musl: $1" device=$3 path=$4 directories expected by
	read -ra directories <<< "$5"
	expected="$(printf '%s\n' "${directories[@]}")
libcuda.so.1: $6/libcuda.so.1"
	make_host "$2"
	shift 6
	limit_capabilities "$@"
	musl_image() {
		mkdir -p "$bundle/rootfs/usr/lib/vdpau"
		[ "$path" = - ] || printf '%s\n' "$path" > "$bundle/rootfs/etc/ld-musl-$(uname -m).path"
	}
	for by in hook davit-runtime 'CDI hook' 'CDI spec'; do
		[[ $device != - || $by != CDI* ]] || continue
		case $by in
		hook) new_bundle musl "$@" ;;
		davit-runtime)
			ENGINE=$runtime
			configure_runtime "$low"
			runtime_bundle musl "$@"
			;;
		CDI*)
			"$davit" cdi generate --config "$config" --format json --mounts "${by#CDI }" > "$work/spec.json"
			runtime_bundle musl
			give_spec "$device"
			;;
		esac
		musl_image
		run_script "$look_musl"
		equal "$name: $by" "0 $expected" "$rc $output$errors"
		ENGINE=$low
		drop_bundle
	done
}
store=/usr/lib/wsl/drivers/nv_fake.inf_amd64_0123456789abcdef
board=/usr/lib/aarch64-linux-gnu/nvidia
musl_row 'WSL' "$wsl" 0 - "$store /usr/lib/wsl/lib" /usr/lib/wsl/lib $first
musl_row 'Jetson' "$orin" 0 - $board $board $first
musl_row 'Jetson, a path file that names it' "$orin" 0 "/lib:$board" $board $board $first
musl_row 'libvdpau has a directory' '' - '/lib:/usr/lib' '/usr/lib /usr/lib/vdpau' /usr/lib \
	$first NVIDIA_DRIVER_CAPABILITIES=compute,utility,video
report_exit
