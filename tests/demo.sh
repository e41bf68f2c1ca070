#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# davit at work, in one command, as root on Debian: builds it, starts a real container with runc and
# the hook, and shows what is inside and what it cost. With a GPU the driver is the real one, else
# the tests' fake one.
set -euo pipefail
cd "$(dirname "$0")/.."
installs_packages=1
# shellcheck source=tests/lib/place.sh
. tests/lib/place.sh
# shellcheck source=tests/lib/packages.sh
. tests/lib/packages.sh
# shellcheck source=tests/lib/timing.sh
. tests/lib/timing.sh
rounds=20

say() {
	printf '\n\033[1m%s\033[0m\n' "$*"
}
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }

give_up() {
	printf 'demo: cannot %s\n' "$1" >&2
	exit 1
}

indented() {
	sed 's/^/    /'
}

[ "$(id -u)" = 0 ] || give_up 'start a container: not root (fix: sudo tests/demo.sh)'

say '1. What it needs'
need_packages "${build_packages[@]}" runc jq busybox-static
printf '    %s\n' 'gcc, cmake, ninja, json-c, libelf, libcap, runc, jq, busybox: installed'
started=$SECONDS

say '2. Build'
make_work
build() {
	cmake -G Ninja -S . -B "$DAVIT_BUILD" -DDAVIT_TESTS=ON && cmake --build "$DAVIT_BUILD" --target davit-hook davit fixture
}
build > "$work/build.log" 2>&1 || {
	tail -n 30 "$work/build.log" >&2
	give_up 'build: see the lines above'
}
printf '    %s: %d KiB, static, no loader\n' "${hook#"$PWD"/}" $(($(stat -c %s "$hook") / 1024))

say '3. The driver'
if [ -e /proc/driver/nvidia/version ]; then
	root=$(find_driver_root) || give_up 'use the real driver'
	config=$work/davit.json
	printf '{"driver": {"root": "%s"}}\n' "$root" > "$config"
	printf '    the real one, in %s\n' "$root"
else
	"$fixture/fake-host" "$work/host"
	config=$work/host/davit.json
	printf '    a fake one: this machine has no /proc/driver/nvidia\n'
fi
"$davit" info --config "$config" | indented

say '4. A container'
bundle=$work/bundle
mkdir "$bundle"
"$fixture/fake-rootfs" debian "$bundle/rootfs"
(cd "$bundle" && runc spec)
cp "$bundle/config.json" "$work/spec.json"

# container HOOK COMMAND...: the bundle's config.json; without hooks when HOOK is empty.
container() {
	printf '%s\036' "${@:2}" | jq -Rs 'split("\u001e")[:-1]' > "$work/command.json"
	jq --arg hook "$1" --arg config "$config" --slurpfile command "$work/command.json" '
		.process.terminal = false | .process.args = $command[0] |
		.process.env += ["NVIDIA_VISIBLE_DEVICES=all"] | .root.readonly = false |
		if $hook != "" then .hooks = {prestart: [{path: $hook,
			args: ["davit-hook", "--config", $config, "prestart"]}]} else . end
		' < "$work/spec.json" > "$bundle/config.json"
}

run_container() {
	(cd "$bundle" && runc --root "$work/state" run "davit-demo-$unique" < /dev/null)
}

mounts='cut -d" " -f4-6 /proc/self/mountinfo | sort'
container '' /bin/sh -c "$mounts"
run_container > "$work/mounts-before"
container "$hook" /bin/sh -c "nvidia-smi -L && $mounts > /tmp/mounts"
printf '    config.json: %s\n' "$(jq -c '.hooks.prestart[0].args' "$bundle/config.json")"
printf '                 NVIDIA_VISIBLE_DEVICES=all\n'
printf '    $ runc run davit-demo        # nvidia-smi -L\n'
run_container > "$work/output" 2>&1 || {
	indented < "$work/output"
	give_up 'run the container: see above'
}
indented < "$work/output"
grep -q '^GPU 0: ' "$work/output" || give_up 'see a GPU in the container'

say '5. What the hook mounted into it'
comm -13 "$work/mounts-before" "$bundle/rootfs/tmp/mounts" | awk '{ printf "    %-66s %s\n", $2, $3 }'
links=$(find "$bundle/rootfs/usr/lib" -type l -name 'lib*' -lname 'lib*' | wc -l)
printf '    and %d links, and the loader cache\n' "$links"

say "6. What it cost (median of $rounds, in turns)"
write_timed_hook "$work/timed-hook" "$hook" "$config" "$work/alone"
for ((i = 0; i < rounds; i++)); do
	container '' /bin/true
	timed "$work/without" run_container
	container "$hook" /bin/true
	timed "$work/with" run_container
	container "$work/timed-hook" /bin/true
	run_container
done
without=$(median "$work/without") with=$(median "$work/with") alone=$(median "$work/alone")
printf '    runc run /bin/true                   %s\n' "$(milliseconds "$without")"
printf '    the same with davit-hook             %s\n' "$(milliseconds "$with")"
printf '    davit-hook alone                     %s   (%s)\n' "$(milliseconds "$alone")" \
	"$(smallest_and_largest "$work/alone")"
printf '\nDone in %d s. Next: %s explain --help\n' $((SECONDS - started)) "${davit#"$PWD"/}"
