#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What davit-runtime does to config.json files of all makers, and what it says to bad ones; with
# low-level runtimes that do nothing.
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
rootfs=$(kind_root debian)

# --- round trips ---------------------------------------------------------------------------------

configure_runtime /bin/true '.runtime.mounts = "spec"'
mkdir -p "$work"/{runc,crun,trip}
(cd "$work/runc" && runc spec)
(cd "$work/crun" && crun spec)
equal '1,000 config.json files of docker, containerd, podman, runc and crun: nothing changes but what the plan says' \
	'0 differ, more than half are GPU containers' \
	"$(python3 "$repository/tests/engines/round_trips.py" "$runtime" "$davit" "$work/trip" "$rootfs" 1000 \
		"$repository"/tests/engines/configs/*.json "$work"/{runc,crun}/config.json 2>&1)"

# --- the low-level runtime -----------------------------------------------------------------------

# Says how it was called, and with what.
cat > "$work/low" << 'END'
#!/bin/sh
printf '%s\n' "$*"
grep -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs|Seccomp|SigIgn|SigBlk):' /proc/self/status
umask; pwd; ulimit -n; ls /proc/self/fd | wc -l
END
chmod +x "$work/low"
configure_runtime "$work/low"
bundle=$work/trip
jq --arg root "$rootfs" '.root.path = $root | .process.env += ["NVIDIA_VISIBLE_DEVICES=1"]' \
	< "$work/runc/config.json" > "$bundle/config.json"
calls=(features '--version' 'state c' '--root create delete -f c' 'exec c create -b x'
	'--log create kill c' '--unknown flag' '')
for call in "${calls[@]}"; do
	# shellcheck disable=SC2086 # words
	equal "passed through: $call" "$(cd "$bundle" && "$work/low" $call)" \
		"$(cd "$bundle" && "$runtime" $call 2>&1)"
done
for call in --help -help -h; do
	matches "passed through: $call, behind davit's own lines" '^davit-runtime gives containers their GPUs\.' \
		"$(cd "$bundle" && "$runtime" "$call" 2>&1)"
	equal "passed through: $call" "$(cd "$bundle" && "$work/low" "$call")" \
		"$(cd "$bundle" && "$runtime" "$call" 2>&1 | sed '1,/^$/d')"
done
equal 'passed through: config.json is as before' '1 null' \
	"$(jq -r '"\([.process.env[] | select(. == "NVIDIA_VISIBLE_DEVICES=1")] | length) \(.hooks)"' < "$bundle/config.json")"
equal 'passed through: standard input' text "$(configure_runtime /bin/cat && echo text | "$runtime" 2>&1)"
configure_runtime "$work/low"
cp "$bundle/config.json" "$work/fresh.json"
for call in "--log $work/log create -b $bundle c" "create --bundle=$bundle c" 'create c' "create -b . c" \
	"run -d --bundle $bundle c"; do
	cp "$work/fresh.json" "$bundle/config.json"
	# shellcheck disable=SC2086 # words
	equal "after the edit: $call: called as if there had been none" "$(cd "$bundle" && "$work/low" $call)" \
		"$(cd "$bundle" && "$runtime" $call 2>&1)"
	equal "after the edit: $call: there was one" davit-hook \
		"$(jq -r '.hooks.createContainer[0].args[0]' < "$bundle/config.json")"
done
cp "$work/fresh.json" "$bundle/config.json"
equal 'the caller ignores SIGCHLD: so does the low-level runtime' "$(trap '' CHLD; "$work/low" create -b "$bundle" c)" \
	"$(trap '' CHLD; "$runtime" create -b "$bundle" c 2>&1)"

# fails NAME REGULAR-EXPRESSION ARGUMENT...: exit code 1 and one line of ours.
fails() {
	local rc=0
	output=$(cd "$bundle" && timeout 20 "$runtime" "${@:3}" 2>&1 < /dev/null) || rc=$?
	equal "$1: exit code and lines" '1 1' "$rc $(grep -c '' <<< "$output")"
	matches "$1: our line" "^davit: cannot $2" "$output"
}

for low in absent /nonexistent/runc "$runtime" "$work/plain" /etc; do
	: > "$work/plain"
	configure_runtime "$low"
	fails "low-level runtime $low" 'find a low-level runtime.*\(fix: ' create -b "$bundle" c
	fails "low-level runtime $low, features" 'find a low-level runtime' features
done
# Names are searched in the engine's PATH first: k3s has its own runc, perhaps beside an older one.
mkdir -p "$work"/{engine,own}
printf '#!/bin/sh\necho "the engine has its own: $1"\n' > "$work/engine/runc"
printf '#!/bin/sh\necho "not this one"\n' > "$work/own/runc"
chmod 0755 "$work"/{engine,own}/runc "$work"/{engine,own}
configure_runtime unused '.runtime.candidates = ["crun-of-nobody", "runc"]'
searched() { # PATH
	rc=0
	output=$(cd "$work/own" && PATH=$1 "$runtime" features 2>&1) || rc=$?
}
searched ".::$work/engine:/usr/sbin:/usr/bin"
equal "the engine's PATH: its own runc, and none of the working directory" '0 the engine has its own: features' "$rc $output"
chmod 0777 "$work/engine"
searched "$work/engine:/usr/sbin:/usr/bin"
matches "the engine's PATH: what others can exchange is skipped, and the usual runc runs" '^0$' "$rc"
equal "the engine's PATH: what others can exchange isn't run" '' "$(grep -o 'the engine has its own' <<< "$output" || true)"
mount -t tmpfs -o mode=0755 tmpfs /usr/libexec
mkdir /usr/libexec/crio
mv "$work/engine/runc" /usr/libexec/crio/runc-of-crio
configure_runtime runc-of-crio
searched /nonexistent
equal "CRI-O's packages have their runtimes in a directory that is on no PATH" '0 the engine has its own: features' "$rc $output"
umount /usr/libexec
# `davit configure` doesn't register a runtime of which no container starts.
registers() { # OPTION...
	rc=0
	output=$("$davit" configure docker --runtime-path "$runtime" "$@" 2>&1) || rc=$?
}
daemon_json=$(cat /etc/docker/daemon.json 2> /dev/null || true)
configure_runtime absent
registers
matches 'configure: no low-level runtime: refused' '^1 davit: cannot find a low-level runtime: none of absent exists' "$rc $output"
registers --dry-run
matches 'configure --dry-run: no low-level runtime: a note' "davit: note: containers of the runtime nvidia won't start: cannot find a low-level runtime" "$output"
configure_runtime "$work/engine/runc-of-many"
install -m 0755 "$(command -v runc)" "$work/engine/runc-of-many"
chmod 2775 "$work/engine"
registers
equal 'configure: a low-level runtime that others can replace: refused' \
	"1 davit: cannot run the low-level runtime: users other than its owner can write $work/engine (fix: run \`chmod go-w $work/engine\`, or name another in runtime.candidates)" "$rc $output"
equal 'configure: refused, and nothing is written' "$daemon_json" "$(cat /etc/docker/daemon.json 2> /dev/null || true)"
chmod 0755 "$work/engine"
registers --dry-run
jq '.runtime.candidates = ["absent"]' < /etc/davit/config.json > "$work/other.json"
registers --dry-run --config "$work/other.json"
matches 'configure --config: its candidates count' "won't start: cannot find a low-level runtime: none of absent" "$output"
registers --dry-run
equal 'configure --dry-run: now it is found' '0 0' "$rc $(grep -c "won't start" <<< "$output" || true)"

printf '#!/nonexistent/interpreter\n' > "$work/broken"
chmod +x "$work/broken"
configure_runtime "$work/broken"
rc=0
output=$("$runtime" features 2>&1) || rc=$?
equal 'a low-level runtime that cannot be run' "1 davit: cannot run $work/broken: No such file or directory (fix: correct runtime.candidates in the configuration)" "$rc $output"

printf '{"runtime": 1' > /etc/davit/config.json
fails 'a bad configuration, create' 'read /etc/davit/config.json' create -b "$bundle" c
rc=0
PATH=/usr/sbin:/usr/bin:/sbin:/bin "$runtime" --version > "$work/version" 2>&1 || rc=$?
equal 'a bad configuration: what makes no container still works' "$(runc --version | head -n 1)" "$(head -n 1 "$work/version")"

# --- bad bundles ---------------------------------------------------------------------------------

configure_runtime "$work/low"
place_config() { # COMMAND: writes $bundle/config.json
	rm -rf "$bundle/config.json"
	eval "$1"
}
bad() { # NAME REGULAR-EXPRESSION COMMAND
	place_config "$3"
	fails "$1" "$2" --log "$work/bad.log" --log-format json create -b "$bundle" c
	equal "$1: in the log, too" "error $output" "$(tail -n 1 "$work/bad.log" | jq -r '"\(.level) \(.msg)"')"
	equal "$1: nothing is left behind" '' "$(find "$bundle" -name '*.davit-*')"
}
# shellcheck disable=SC2016 # place_config evaluates it
{
	bad 'no config.json' 'read .*No such file.*\(fix: ' ':'
	bad 'config.json is a directory' 'read .*not a regular file.*\(fix: ' 'mkdir "$bundle/config.json"'
	bad 'config.json is a FIFO' 'read .*not a regular file.*\(fix: ' 'mkfifo "$bundle/config.json"'
	bad 'config.json has 100 MB' 'read .*too large.*\(fix: ' 'truncate -s 100M "$bundle/config.json"'
	bad 'config.json is nested deeply' 'use .*nesting too deep.*\(fix: ' \
		'printf "{\"CUDA_VERSION\":%s%s}" "$(printf "[%.0s" {1..5000})" "$(printf "]%.0s" {1..5000})" > "$bundle/config.json"'
	bad 'config.json is a list' 'use .*not a JSON object' 'echo "[\"NVIDIA_VISIBLE_DEVICES=1\"]" > "$bundle/config.json"'
	bad 'config.json ends in the middle of a value' 'use .*ends in the middle of a value' \
		'jq "{process, root, hooks: 1}" "$work/fresh.json" | head -c -6 > "$bundle/config.json"'
	bad 'config.json has a NUL' 'use .*NUL' 'printf "{\"NVIDIA_VISIBLE_DEVICES\":\"\0\"}" > "$bundle/config.json"'
	bad 'linux.devices is an object' 'edit config.json: linux.devices is not an array.*\(fix: ' \
		'jq ".linux.devices = {}" "$work/fresh.json" > "$bundle/config.json"'
	bad 'linux.resources is a number' 'edit config.json: linux.resources is not an object.*\(fix: ' \
		'jq ".linux.resources = 1" "$work/fresh.json" > "$bundle/config.json"'
	bad 'no root file system' 'open .*\(fix: correct root.path' 'jq ".root.path = \"absent\"" "$work/fresh.json" > "$bundle/config.json"'
	bad 'an unknown GPU' '.*' 'sed s/DEVICES=1/DEVICES=9/ "$work/fresh.json" > "$bundle/config.json"'
	bad 'text that is not UTF-8 in the request' '.*' \
		'LC_ALL=C sed "s/DEVICES=1/DEVICES=\xff\xfe/" "$work/fresh.json" > "$bundle/config.json"'
}
place_config 'LC_ALL=C sed "s/\"TERM=xterm\"/\"TERM=\xff\xfe\"/" "$work/fresh.json" > "$bundle/config.json"'
equal 'text that is not UTF-8 elsewhere: it stays' "create -b $bundle c 1" \
	"$("$runtime" create -b "$bundle" c | head -n 1) $(LC_ALL=C grep -c $'TERM=\xff\xfe' "$bundle/config.json")"
# Where none of the words of a request is, nothing is parsed: that is the runtime's to judge.
for text in '' '[]' '{"a": ' '{"process": {"env": ["NO_EQUALS_SIGN"]}}'; do
	printf '%s' "$text" > "$bundle/config.json"
	equal "asks for nothing, and isn't parsed: $text" "create -b $bundle c" \
		"$("$runtime" create -b "$bundle" c 2>&1 | head -n 1)"
done
cp "$work/fresh.json" "$work/elsewhere.json"
place_config 'ln -s "$work/elsewhere.json" "$bundle/config.json"'
"$runtime" create -b "$bundle" c > /dev/null
equal 'config.json is a link: it stays one' 'symbolic link createContainer' \
	"$(stat -c %F "$bundle/config.json") $(jq -r '.hooks | keys[0]' < "$work/elsewhere.json")"

# crun's --config: another file than the one that hooks will read.
place_config 'jq ".process.env = []" "$work/fresh.json" > "$bundle/config.json"'
cp "$work/fresh.json" "$bundle/other.json"
cp "$bundle/config.json" "$bundle/none.json"
for option in "--config $bundle/other.json" "--config=$bundle/other.json" "-f $bundle/other.json" "-f$bundle/other.json" \
	'--config other.json'; do
	# shellcheck disable=SC2086 # an option and its value
	fails "$option, which asks for a GPU" 'add GPUs to a container configured by .*other.json \(--config\) \(fix: name the file config.json' \
		create $option -b "$bundle" c || true
done
for option in "--config $bundle/none.json" '--config config.json' "--config $bundle/config.json"; do
	# shellcheck disable=SC2086 # as above
	equal "$option, which asks for nothing" "create $option -b $bundle c" \
		"$("$runtime" create $option -b "$bundle" c 2>&1 | head -n 1)"
done
cp "$work/fresh.json" "$bundle/config.json"
"$runtime" create --config "$bundle/config.json" -b "$bundle" c > /dev/null
equal 'the bundle'"'"'s own file by --config: edited' createContainer "$(jq -r '.hooks | keys[0]' < "$bundle/config.json")"

mkdir "$work/read-only"
cp "$work/fresh.json" "$work/read-only/config.json"
mount --bind "$work/read-only" "$work/read-only"
mount -o remount,bind,ro "$work/read-only"
bundle=$work/read-only
fails 'a read-only bundle' 'write .*Read-only file system.*\(fix: ' create -b "$bundle" c || true
report_exit
