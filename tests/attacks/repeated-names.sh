#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A config.json with a name twice, or in another case: runc merges and folds, crun takes one of the
# two, so whichever davit decided on, some runtime makes another container of it. The hook and
# davit-runtime refuse it, and davit-runtime leaves the file as it is.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
enter_namespace "$@"
attack_place
new_bundle debian NVIDIA_VISIBLE_DEVICES=1 MARK=first
good=$(jq -c . "$bundle/config.json")
process=$(jq -c '.process | .env |= map(select(startswith("MARK=") | not) | select(startswith("NVIDIA") | not))' \
	<<< "$good")
second=$(jq -c '.env += ["NVIDIA_VISIBLE_DEVICES=all", "MARK=second"]' <<< "$process")

# with NAME VALUE: the good text, and behind its last member one more.
with() { printf '%s,"%s":%s}\n' "${good%\}}" "$1" "$2"; }
# instead PATTERN TEXT: the good text, changed once.
instead() { printf '%s\n' "${good/"$1"/"$2"}"; }

# --- what the runtimes make of it ------------------------------------------------------------------

# run_container edits the text with jq, which would take the second name out.
run_text() { # TEXT [RUNTIME]
	local before
	before=$(host_state)
	printf '%s' "$1" > "$bundle/config.json"
	rc=0
	output=$("${2:-$ENGINE}" --root "$work/state" run -b "$bundle" "repeated-$$" 2> "$work/errors" < /dev/null) || rc=$?
	errors=$(cat "$work/errors")
	host_change=$(diff <(printf '%s\n' "$before") <(host_state) || true)
}
# shellcheck disable=SC2016 # for the container's shell
good=$(jq -c '.process.args = ["/bin/sh", "-c", "echo $MARK"]' <<< "$good")
# shellcheck disable=SC2016 # for the container's shell
second=$(jq -c '.args = ["/bin/sh", "-c", "echo $MARK"]' <<< "$second")
without_hook() { printf '%s\n' "${1/'"prestart":'/'"unknown":'}"; }

for name in process Process $'proce\xc5\xbfs' 'proces\u017f'; do
	run_text "$(without_hook "$(with "$name" "$second")")"
	case ${ENGINE##*/}:$name in
	runc:*) equal "runc takes the second of process and $name" "0 second" "$rc $output" ;;
	crun:process) equal 'crun takes one of two' 0 "$rc" ;;
	crun:*) equal "crun passes $name over" "0 first" "$rc $output" ;;
	esac
done

# --- what davit makes of it ------------------------------------------------------------------------

count=0
# refused NAME TEXT [PATTERN]: by the hook, by davit-runtime and by explain, with one line.
refused() {
	local said
	count=$((count + 1))
	run_text "$2"
	equal "$1: the hook closes" "1 " "$((rc != 0)) $output"
	said=$("$davit" explain --config "$config" --bundle "$bundle" --json |
		jq -r '.error | .code + " " + .message') || true
	if ! grep -qE "^bad-bundle .*${3:-appears twice}" <<< "$said"; then
		fail "$1: the line names it" "no ${3:-appears twice}" "$said"
	else
		ok "$1: the line names it"
	fi
	host_unchanged "$1"
	run_text "$(without_hook "$2")" "$runtime"
	equal "$1: davit-runtime closes" "1 " "$rc $output"
	equal "$1: davit-runtime leaves the file" "$(without_hook "$2")" "$(cat "$bundle/config.json")"
}
configure_runtime "$(command -v "$ENGINE")"
# What is a root for one of the readers; the runtime makes /proc and its like there.
elsewhere=$work/elsewhere
mkdir "$elsewhere"

refused 'two process' "$(with process "$second")"
refused 'two process, the second empty' "$(with process '{}')"
refused 'two process, the second null' "$(with process null)"
refused 'two process, one escaped' "$(with 'pr\u006fcess' "$second")"
refused 'Process' "$(with Process "$second")" 'runc reads "Process" as process,'
refused 'PROCESS' "$(with PROCESS '{}')" 'runc reads "PROCESS" as process,'
refused 'process with a long s' "$(with $'proce\xc5\xbfs' "$second")" 'as process,'
refused 'process with an escaped long s' "$(with 'proces\u017f' "$second")" 'as process,'
refused 'two env' "$(instead '"env":' '"env":["NVIDIA_VISIBLE_DEVICES=all"],"env":')"
refused 'Env' "$(instead '"env":' '"Env":["NVIDIA_VISIBLE_DEVICES=all"],"env":')" 'as process.env,'
refused 'two root' "$(with root "{\"path\":\"$elsewhere\"}")"
refused 'ROOT' "$(with ROOT "{\"path\":\"$elsewhere\"}")" 'runc reads "ROOT" as root,'
refused 'two root.path' "$(instead '"root":{' "\"root\":{\"path\":\"$elsewhere\",")"
refused 'Mounts' "$(with Mounts '[]')" 'runc reads "Mounts" as mounts,'
refused 'Source of a mount' "$(instead '"source":' '"Source":"/etc","source":')" 'as mounts\[[0-9]+\].source,'
refused 'two linux' "$(with linux '{}')"
refused 'two namespaces' "$(instead '"namespaces":' '"namespaces":[{"type":"user"}],"namespaces":')"
refused 'two linux.resources' "$(instead '"resources":' '"resources":{},"resources":')"
refused 'Devices of linux' "$(instead '"linux":{' '"linux":{"Devices":[],')" 'as linux.devices,'
refused 'two additionalGids' "$(instead '"user":{' '"user":{"additionalGids":[1],"additionalGids":[2],')"
refused 'hooks with a kelvin sign' "$(with $'hoo\xe2\x84\xaas' '{}')" 'as hooks,'
refused 'two annotations' "$(with annotations '{"org.davit.devices":"0","org.davit.devices":"all"}')"
refused 'an annotation twice, one escaped' "$(with annotations '{"cdi.k8s.io/a":"","cdi.k8s.io\/a":"nvidia.com/gpu=all"}')"
equal 'the driver is in neither root' '' "$(find "$elsewhere" "$bundle/rootfs" "$bundle/upper" -name nvidiactl)"
canary_untouched 'all of them'
configure_runtime "$(command -v "$ENGINE")" '.cdi."annotation-prefixes" = ["example.com/gpus/"]'
cp /etc/davit/config.json "$config"
refused 'an annotation with a configured prefix twice' \
	"$(with annotations '{"example.com/gpus/a":"","example.com/gpus/a":"nvidia.com/gpu=all"}')"

# --- what nobody reads differently -----------------------------------------------------------------

for text in "$good" "$(instead '"process":' '"pr\u006fcess":')" "$(with hostnamE '"x"')" "$(with annotations '{"a":"1","a":"2"}')"; do
	run_text "$text"
	equal "it runs: ${text:0:12}...${text: -40}" "0 first" "$rc $output"
done
printf '    %d texts\n' "$count"
report_exit
