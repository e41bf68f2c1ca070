#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Environment, annotations, mounts and names of config.json come from whoever made the image: with
# control characters, of a megabyte, nested deeply, with paths that lead out. What is refused, is refused
# with one clean line.
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
good=$(cat "$bundle/config.json")

# config NAME WANTED JQ-FILTER [JQ-OPTION...]: the container with another config.json.
config() {
	jq "$3" "${@:4}" <<< "$good" > "$bundle/config.json"
	direct_text "$1" "$2"
}
direct_text() {
	direct "$1" "$2" 'with_proc; with_dev'
	if [ ${#errors} -gt 400 ] && [ "$outcome" = closed ] || grep -qP '[^\n\x20-\x7e]' <<< "$errors"; then
		fail "$1" 'its message is long, or has other than printable characters' "${errors:0:1000}"
	fi
}

# The value of each variable that means something to us: of a megabyte, with control characters.
printf 'A%.0s' {1..1000000} > "$work/megabyte"
printf '0,%.0s' {1..500000} > "$work/list"
ugly=$'\e[2J\r\nroot: all is well\x01\x7f\xc3\xa9'
variables=(NVIDIA_VISIBLE_DEVICES NVIDIA_DRIVER_CAPABILITIES NVIDIA_REQUIRE_CUDA NVIDIA_REQUIRE_JETPACK
	NVIDIA_DISABLE_REQUIRE NVIDIA_IMEX_CHANNELS NVIDIA_MIG_CONFIG_DEVICES NVIDIA_MIG_MONITOR_DEVICES
	NVIDIA_GDS NVIDIA_MOFED NVIDIA_GDRCOPY NVIDIA_NVSWITCH CUDA_VERSION CUDA_MPS_PIPE_DIRECTORY OTHER)
for name in "${variables[@]}"; do
	config "$name of a megabyte" either '.process.env += ["\($n)=\($v)"]' --arg n "$name" --rawfile v "$work/megabyte"
	config "$name with control characters" either '.process.env += ["\($n)=\($v)"]' --arg n "$name" --arg v "$ugly"
done
for name in NVIDIA_VISIBLE_DEVICES NVIDIA_DRIVER_CAPABILITIES NVIDIA_REQUIRE_CUDA NVIDIA_IMEX_CHANNELS; do
	config "$name is a list of a megabyte" either '.process.env += ["\($n)=\($v)"]' --arg n "$name" --rawfile v "$work/list"
done
config 'all of them of a megabyte' either '.process.env += ($ARGS.positional | map("\(.)=\($v)"))' \
	--rawfile v "$work/megabyte" --args "${variables[@]}"
config '200,000 variables' either '.process.env += [range(200000) | "A=1"]'
config 'a name of a megabyte' either '.process.env += ["\($v)=1"]' --rawfile v "$work/megabyte"
config 'a variable without =' either '.process.env += ["NVIDIA_VISIBLE_DEVICES", "", "=", "=x"]'

for field in .hostname .process.cwd .linux.cgroupsPath .ociVersion; do
	config "$field of a megabyte" either "$field = \$v" --rawfile v "$work/megabyte"
	config "$field with control characters" either "$field = \$v" --arg v "$ugly"
done
config 'a root path of a megabyte' closed '.root.path = "/\($v)"' --rawfile v "$work/megabyte"
config 'a root path with control characters' closed '.root.path = "/\($v)"' --arg v "$ugly"
config 'annotations of a megabyte' either '.annotations = {"org.davit.devices": $v, ($v): $v}' --rawfile v "$work/megabyte"
config 'annotations with control characters' closed '.annotations = {"org.davit.devices": $v, ($v): $v}' --arg v "$ugly"
config 'mounts of a megabyte' either '.mounts += [{destination: $v, source: $v, type: $v, options: [$v]}]' \
	--rawfile v "$work/megabyte"
config 'mounts with control characters' either '.mounts += [{destination: $v, source: $v, type: $v, options: [$v]}]' --arg v "$ugly"
config '20,000 mounts' either '.mounts += [range(20000) | {destination: "/run/nvidia-container-devices/\(.)", source: "/dev/null"}]'
config 'mounts whose names lead out' either '.mounts += [{source: "/dev/null", destination: ("/run/nvidia-container-devices/" + "../" * 1000 + "etc")}]'

# Texts that jq would not write. Where no word of a request is in one, the hook reads no further: the
# runtime has to refuse it.
asks='"annotations":{"org.davit.devices":"all"}'
{ printf '{%s,"a":' "$asks"; printf '[%.0s' {1..100000}; } > "$bundle/config.json"
direct_text 'brackets without end' closed
{ printf '{%s,"root":{"path":"x"},"process":' "$asks"; printf '{"a":%.0s' {1..100000}; printf '1'; printf '}%.0s' {1..100001}; } > "$bundle/config.json"
direct_text '100,000 objects in one another' closed
printf '%s' "${good/\"ociVersion\"/\"root\": {\"path\": \"$canary\"\}, \"ociVersion\"}" > "$bundle/config.json"
direct_text 'two roots' either
printf '%s\0%s' "$good" "$good" > "$bundle/config.json"
direct_text 'a zero byte in the text' either
printf '%s' "${good/NVIDIA_VISIBLE_DEVICES=all/NVIDIA_VISIBLE_DEVICES=all\\u0000,1}" > "$bundle/config.json"
direct_text 'a zero character in a variable' either
printf '%s' "${good/NVIDIA_VISIBLE_DEVICES=all/NVIDIA_VISIBLE_DEVICES=$'\xff\xfe'}" > "$bundle/config.json"
direct_text 'a variable that is no UTF-8' closed
{ printf '{%s' "$asks"; head -c 40M /dev/zero | tr '\0' ' '; } > "$bundle/config.json"
direct_text '40 MB of blanks' closed
truncate -s 1T "$bundle/config.json" 2> /dev/null || truncate -s 100G "$bundle/config.json"
direct_text 'a text without end' closed
rm "$bundle/config.json"
printf '%s\n' "$good" > "$bundle/config.json"
printf '    %d bundles\n' "$count_attacks"

# Where the MPS daemon's pipes go to, when the host has some. Nothing else goes into its directory.
pipes=$host/tmp/nvidia-mps
mkdir -p "${pipes%/*}"
mkdir -m 0755 "$pipes"
for to in /etc /proc/1/root /proc/self/cwd /proc /proc/driver /dev /usr /usr/lib /usr/bin /run /lib/firmware \
	/usr/../../../etc "$out/etc" / /etc/passwd /dev/nvidia0 /proc/1/root/tmp "$canary" /usr/lib/x86_64-linux-gnu; do
	config "MPS pipes at ${to//"$work"/TMP}" either '.process.env += ["CUDA_MPS_PIPE_DIRECTORY=\($v)"]' --arg v "$to"
	equal "MPS pipes at ${to//"$work"/TMP}: the host's directory stays empty" '' "$(ls -A "$pipes")"
	find "$pipes" -mindepth 1 -delete
done
config 'MPS pipes at the usual place' 'done' .
direct 'MPS pipes, and /tmp is a link out' 'done' 'with_proc; with_dev; rmdir tmp; ln -s $out$canary tmp'
direct 'MPS pipes, and the place is a link out' 'done' 'with_proc; with_dev; ln -s $out$canary tmp/nvidia-mps'
equal 'the directory of the MPS pipes stays empty' '' "$(ls -A "$pipes")"
honest_works 'hostile bundle'
report_exit
