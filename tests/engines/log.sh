#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The log: what is in it at each level, whole lines from many containers at a time, and never in a
# container's way.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
direct_bundle debian NVIDIA_VISIBLE_DEVICES=1
mkdir "$work/log"
log=$work/log/davit.log
date='20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z'
head='davit\[[0-9]+\]: +[0-9]+\.[0-9]{3} ms'
summary='info: container direct: GPUs: 1; 4 nodes, [0-9]+ mounts, [0-9]+ links; by env NVIDIA_VISIBLE_DEVICES; driver [0-9.]+'

# call JQ-FILTER [WRAPPER...]: the hook on a fresh container with that log; the log is new.
call() {
	rm -rf "$log"
	again_call "$@"
}
again_call() {
	jq --arg log "$log" '.cgroups = "never" | .log = ('"$1"')' < "$config" > "$direct_config"
	shift
	start_container
	call_hook "$@"
	stop_container
}

call '{}'
equal 'the default: nothing is said' '0 ' "$rc $output$errors"
call '{file: $log}'
equal 'level warning: the file is there and empty' '0  640 0' "$rc $errors $(stat -c '%a %s' "$log")"
call '{file: $log, level: "info"}'
matches 'level info: a summary' "^$date $head $summary\$" "$(tail -n 1 "$log")"
equal 'level info: nothing on standard error' '0 ' "$rc $errors"
call '{file: $log, level: "debug"}'
equal 'level debug: every line has its time' '' "$(grep -vE "^$date $head (debug|info): " "$log" || true)"
for step in 'davit-hook [0-9.]+: prestart' 'env NVIDIA_VISIBLE_DEVICES requests GPUs' 'driver [0-9.]+: 2 GPUs' \
	'selected 1 ' 'planned ' "opened the host's files" 'device /dev/nvidia1' 'bind .*/libcuda.so' 'symlink ' 'loader-cache '; do
	matches "level debug: $step" "^$date $head debug: $step" "$(grep -E "debug: $step" "$log" | head -n 1)"
done
rm "$log"
start_container
errors=$("$hook" -debug -config "$direct_config" prestart < "$work/state.json" 2>&1)
stop_container
matches '-debug: the steps on standard error' "^$head debug: " "$(head -n 1 <<< "$errors")"
matches '-debug: the summary' "^$head $summary\$" "$(tail -n 1 <<< "$errors")"
equal '-debug: no file' no "$([ -e "$log" ] && echo yes || echo no)"

# --- never in the way ----------------------------------------------------------------------------

passes() { # NAME REGULAR-EXPRESSION: the container started, with that warning on standard error
	equal "$1: the container starts" 0 "$rc"
	matches "$1: a warning" "^$head warning: $2\$" "$errors"
}
log=$work/nowhere/davit.log
call '{file: $log, level: "info"}'
passes 'no such directory' "cannot open the log $log: No such file or directory"
log=$work/log/davit.log
rm -f "$log"
ln -s "$canary/new" "$log"
again_call '{file: $log, level: "info"}'
passes 'the file is a link' "cannot open the log $log: Too many levels of symbolic links"
rm "$log"
ln "$canary/ld.so.cache" "$log"
again_call '{file: $log, level: "info"}'
passes 'the file has another name' "cannot open the log $log: it has several hard links"
rm "$log"
canary_before=$(canary_state)
mkfifo "$log"
again_call '{file: $log, level: "info"}'
passes 'the file is a FIFO that nobody reads' "cannot open the log $log: No such device or address"
rm "$log"
: > "$log"
chmod 0666 "$log"
chown 1234 "$log"
again_call '{file: $log, level: "info"}'
passes "the file is another user's" "cannot open the log $log: it does not belong to root"
rm -r "$log"
mkdir "$log"
again_call '{file: $log, level: "info"}'
passes 'the file is a directory' "cannot open the log $log: Is a directory"
rmdir "$log"
canary_untouched 'hostile logs'

mount -t tmpfs -o size=4k tmpfs "$work/log"
head -c 4096 /dev/zero > "$work/log/full"
call '{file: $log, level: "info"}'
passes 'a full disk' 'cannot write the log: No space left on device'
umount "$work/log"

# --- many at a time ------------------------------------------------------------------------------

jq --arg log "$log" '.log = {file: $log, level: "debug"}' < "$config" > "$direct_config"
rm -f "$log"
printf '{"id":"bad\\n2026 davit[1]: forged","bundle":"%s","pid":1,"status":"creating"}' "$bundle" > "$work/early.json"
edit_bundle 'del(.process.env)'
for ((i = 0; i < 64; i++)); do
	"$hook" --config "$direct_config" prestart < "$work/early.json" &
done
wait
equal '64 hooks at a time: whole lines' '128 ' \
	"$(wc -l < "$log") $(grep -vE "^$date $head debug: (davit-hook [0-9.]+: prestart|the container requests no GPU)\$" "$log" || true)"

# --- the other programs --------------------------------------------------------------------------

if command -v runc > /dev/null; then
	configure_runtime "$(command -v runc)" '.log = {file: "'"$log"'", level: "info"}'
	ENGINE=$runtime
	runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1 NVIDIA_REQUIRE_CUDA='cuda>=99'
	rm -f "$log"
	run_container nvidia-smi -L
	equal 'davit-runtime: the container has its GPU' "0 $(smi_line 0 "$uuid1")" "$rc $output$errors"
	matches 'davit-runtime: a summary' "^$date $head info: container davit-test-$unique: GPUs: 1; " "$(grep GPUs: "$log")"
	matches 'davit-runtime: a constraint that it does not enforce' \
		"^$date $head warning: cannot satisfy NVIDIA_REQUIRE_CUDA: .*cuda>=99.*policy.requirements" "$(grep REQUIRE "$log")"
	matches 'davit-runtime: its hook' "^$date $head info: container davit-test-$unique: applied [0-9]+ operations planned by davit-runtime\$" \
		"$(grep 'planned by' "$log")"
	drop_bundle
	printf '#!/bin/sh\nexec %s --debug "$@"\n' "$runtime" > "$work/with-debug"
	chmod +x "$work/with-debug"
	configure_runtime "$(command -v runc)" '.log = {}'
	ENGINE=$work/with-debug
	runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1
	run_container nvidia-smi -L
	matches 'davit-runtime --debug: steps on standard error' "$head debug: planned " "$errors"
	drop_bundle
fi
cli=$DAVIT_BUILD/davit-container-cli
rm -f "$log"
configure_runtime runc
"$cli" --debug="$log" list > /dev/null
matches 'davit-container-cli --debug=FILE' "^$date $head debug: driver " "$(cat "$log")"
matches 'davit-container-cli --debug=/dev/stderr' "^$head debug: driver " \
	"$("$cli" --debug=/dev/stderr list 2>&1 > /dev/null)"
report_exit
