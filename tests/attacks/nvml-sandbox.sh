#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The driver's root may be a driver container's, so its libnvidia-ml is anybody's: what it tries on the
# host from inside davit-nvml fails, each layer of the sandbox alone or all together, and what it takes
# is bounded.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
enter_namespace "$@"
make_work
nvml=$DAVIT_BUILD/davit-nvml
place=$work/place
mkdir "$place"
printf 'victim %5000s' '' > "$place/victim"
printf 'secret\n' > "$place/key"
chmod 0600 "$place/key"
before=$(sha256sum "$place"/*; cat /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname)
sleep 1000 &
victim=$!
at_end "kill $victim 2> /dev/null"

build() { # NAME [OPTION...]: a library in $place
	"${CC:-cc}" -shared -fPIC -O1 -Wall -Wextra -Werror -D_GNU_SOURCE -Wno-nonnull -Wno-missing-field-initializers -Wno-unused-function \
		"-DPLACE=\"$place\"" "-DPID=$victim" \
		"${@:2}" -o "$place/$1.so" "$repository/tests/attacks/hostile-nvml.c"
}

held() { # NAME OUTPUT: every attempt failed, and the host is as before
	if [ "$(grep -c ': E' <<< "$2")" -lt 80 ]; then
		fail "$1" 'the library did not get as far as its attempts' "$2"
	else
		equal "$1: no attempt is done" '' "$(grep -E 'DONE$' <<< "$2" || true)"
	fi
	rm -f "$place"/*.so
	equal "$1: the host is as before" "$before alive" \
		"$(sha256sum "$place"/*; cat /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname) $(kill -0 "$victim" && echo alive)"
}

# A machine's own nodes may be a group's: then root stays the user.
mkdir "$work/no-nodes"
build open
output=$("$nvml" "$place/open.so" "$work/no-nodes" 2>&1 || true)
matches 'it runs as another user than root' '^root: no$' "$output"
matches 'it sees neither key nor passwords' '^open /etc/shadow: ENOENT$' "$output"
held 'a hostile library' "$output"

# Where others may not read the library, root stays its user: the files are kept by the root of its own.
chmod 0700 "$place"
build closed
output=$("$nvml" "$place/closed.so" "$work/no-nodes" 2>&1 || true)
matches 'only root may read it: it is root' '^root: yes$' "$output"
held 'a hostile library as root' "$(grep -v "^open $place/key: DONE" <<< "$output")"
chmod 0755 "$place"

# No privileges at all.
build user
output=$(setpriv --reuid 4321 --regid 4321 --clear-groups "$nvml" "$place/user.so" "$work/no-nodes" 2>&1 || true)
held 'a hostile library, by an ordinary user' "$output"
build user
output=$(unshare --user --map-root-user "$nvml" "$place/user.so" "$work/no-nodes" 2>&1 || true)
held 'a hostile library, in a user namespace' "$(grep -v "^open $place/key: DONE" <<< "$output")"
build bare
output=$(setpriv --bounding-set -all --inh-caps -all "$nvml" "$place/bare.so" "$work/no-nodes" 2>&1 || true)
held 'a hostile library, by root without capabilities' "$(grep -v "^open $place/key: DONE" <<< "$output")"

# Of the driver's nodes those that NVML asks: none that changes MIG instances or is for other things.
mkdir -p "$work/nodes/nvidia-caps" "$work/nodes/nvidia-caps-imex-channels"
for node in nvidiactl nvidia0 nvidia-uvm nvidia-nvswitch0 nvidia-modeset nvidia-fs0 nvidia0x kvm \
	nvidia-caps/nvidia-cap1 nvidia-caps/nvidia-cap2 nvidia-caps-imex-channels/channel0; do
	mknod -m 0600 "$work/nodes/$node" c 1 3
done
asked='nodes: nvidiactl nvidia0 nvidia-uvm nvidia-nvswitch0 nvidia-caps/nvidia-cap2'
build nodes
output=$("$nvml" "$place/nodes.so" "$work/nodes" 2>&1 || true)
equal 'root with nodes that are only its: which can be opened' "$asked root: yes" \
	"$(grep '^nodes: ' <<< "$output") $(grep '^root: ' <<< "$output")"
chmod -R a+rwX "$work/nodes"
chmod 0755 "$work"
output=$("$nvml" "$place/nodes.so" "$work/nodes" 2>&1 || true)
equal 'nodes of everybody: which can be opened' "$asked root: no" \
	"$(grep '^nodes: ' <<< "$output") $(grep '^root: ' <<< "$output")"
rm "$place/nodes.so"
# Landlock alone.
build alone "-DDEV=\"$work/nodes\""
output=$(setpriv --bounding-set -all --inh-caps -all "$nvml" "$place/alone.so" "$work/nodes" 2>&1 || true)
equal 'no root of its own: which nodes can be opened' "$asked" "$(grep '^nodes: ' <<< "$output")"
rm "$place/alone.so"

# One that was opened before the limit was lowered is above it.
build inherited
output=$(ulimit -n 8192; exec 5000< "$place/key"; ulimit -n 256; "$nvml" "$place/inherited.so" "$work/no-nodes" 2>&1 || true)
held 'a descriptor with a high number is left open' "$output"

bomb() { # NAME WANTED
	local output rc=0
	build "$1" "-DBOMB=\"$1\""
	output=$(timeout 100 "$nvml" "$place/$1.so" 2>&1 | tail -c 300) || rc=$?
	matches "bomb of $1: $2" "$2" "$output"
	rm "$place/$1.so"
}
bomb memory '^[0-9]{2,3} MiB$'
bomb threads '^(1?[0-9]?[0-9]|2[0-5][0-9]) threads$'
chmod 0700 "$place"
bomb threads '^(1?[0-9]?[0-9]|2[0-5][0-9]) threads$'
chmod 0755 "$place"
bomb descriptors '^10[0-9][0-9] descriptors$'
bomb output 'cannot continue: the library prints without end$'
bomb crash 'cannot go on: the library was ended by signal 4$'
build sleeper '-DBOMB="sleep"'
"$nvml" "$place/sleeper.so" > /dev/null 2>&1 &
starter=$!
sleep 1
asleep=$(pgrep -P "$starter" || true)
{ kill -KILL "$starter" && wait "$starter"; } 2> /dev/null || true
sleep 0.5
equal 'when it is killed, the library ends with it' '1 ended' \
	"$(wc -w <<< "$asleep") $(grep -qs '^State:.[RSD]' "/proc/${asleep:-none}/status" && echo lives || echo ended)"
rm "$place/sleeper.so"
[ -z "${FULL:-}" ] || bomb time 'cannot go on: the library was ended by signal 9$'
equal 'nothing for a terminal gets through' 0 \
	"$(build output '-DBOMB="output"'; "$nvml" "$place/output.so" 2> /dev/null | grep -c $'\033' || true)"
report_exit
