#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A container starts a program called dockerd from /snap/docker of its image. Snaps have a mount
# namespace of their own, too: doctor must not take it for the host's Docker, nor read the file that
# its arguments name.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
own_processes "$@"
enter_namespace "$@"
attack_place
attack_tool false-snap -static
snap=/snap/docker/1/bin/dockerd
top=$work/top # the host, as davit sees it
image=$work/image
mkdir -p "$top"/{proc,run/snapd/ns,etc/davit,"${snap%/*}",usr/bin} "$image/snap"
mount --bind /proc "$top/proc"
cp "$davit" "$top/usr/bin/davit"
printf '{"chosen": }\n' > "$top/etc/chosen.json"
doctor() {
	chroot "$top" /usr/bin/davit doctor --all --engine docker 2>&1 | grep -E 'docker|chosen' || true
}

# start ROOT [COMMAND...]: with arguments that the container chooses, run by the command.
start() {
	local i
	"${@:2}" "$tools/false-snap" "$1" "$snap" --config-file /etc/chosen.json 2> "$work/errors" &
	daemon=$!
	for ((i = 0; i < 100; i++)); do
		[ "$(cat "/proc/$daemon/comm")" != dockerd ] || return 0
		sleep 0.02
	done
	fail 'the container starts' "$(< "$work/errors")"
}
stop() {
	kill -KILL "$daemon"
	wait "$daemon" 2> /dev/null || true
}
isnt_believed() { # NAME
	output=$(doctor)
	matches "$1: Docker isn't installed" '^FAIL +engine.docker +not installed' "$output"
	equal "$1: nothing else is said of it" '' "$(grep -oE 'docker\.snap|chosen' <<< "$output" | sort -u)"
}

mkdir -p "$image/${snap%/*}"
cp "$tools/false-snap" "$image$snap"
start "$image"
isnt_believed "an image's dockerd in /snap"
stop
# The host's own file, run by a container: the arguments are the container's.
cp "$tools/false-snap" "$top$snap"
rm -r "$image/snap/docker"
mount --bind "$top/snap" "$image/snap"
start "$image"
isnt_believed "the host's dockerd in /snap, run by a container"
stop
# What makes the difference is that snapd keeps the namespace.
: > "$top/run/snapd/ns/docker.mnt"
# The kernel binds only namespaces that are newer than the caller's, by numbers that each CPU has of
# its own: on that of ours, it is.
for ((cpu = 0; cpu < $(nproc --all); cpu++)); do
	taskset -c "$cpu" true 2> /dev/null || continue
	start "$image" taskset -c "$cpu"
	! mount --bind "/proc/$daemon/ns/mnt" "$top/run/snapd/ns/docker.mnt" 2> /dev/null || break
	stop
done
if mountpoint -q "$top/run/snapd/ns/docker.mnt" || [ "$(stat -f -c %T "$top/run/snapd/ns/docker.mnt")" = nsfs ]; then
	matches "a snap's dockerd" "^FAIL +docker.snap +$snap is from a snap" "$(doctor)"
	umount "$top/run/snapd/ns/docker.mnt"
	stop
else
	skip "a snap's dockerd" "its namespace can't be bound"
fi
report_exit
