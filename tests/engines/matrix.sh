#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Docker and Podman with each method (hook, runtime, CDI), in the usual conditions: as root, as a user, in
# a user namespace, with a read-only root, with a read-only volume over /etc. Prints a line for each; tests/suites/table makes docs/compatibility.md of them, and of cri.sh's.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
# shellcheck source=tests/lib/docker.sh
. "$repository/tests/lib/docker.sh"
# shellcheck source=tests/lib/cri.sh
. "$repository/tests/lib/cri.sh"
enter_namespace "$@"
report_host '580.159.04, fake'
make_work
host=$work/host
"$fixture/fake-host" "$host"
spare_crun_memlock
low_name=${ENGINE##*/}
make_low_runtime "$(command -v "$ENGINE")"
# Podman knows by a runtime's name what it is able to.
mkdir "$work/bin" "$work/front"
mv "$low" "$work/bin/$low_name"
low=$work/bin/$low_name
configure_runtime "$low"
one=$(smi_line 0 "$uuid1")
make_dev
# What a user, and a mapped one, can reach.
cp "$hook" "$work/davit-hook"
cp "$runtime" "$work/front/$low_name"
cp "$hook" "$work/front/davit-hook"
hook=$work/davit-hook runtime=$work/front/$low_name
mkdir -p "$work"/{cdi,volume,hooks,home,run,user}
"$davit" cdi generate | jq --arg hook "$hook" '(.. | objects | select(has("hookName")).path) = $hook' > "$work/nvidia.json"
mkdir -p /etc/cdi
cp "$work/nvidia.json" /etc/cdi
cp -a "$(kind_root debian)/etc/." "$work/volume"
touch "$work/volume/"{hostname,hosts,resolv.conf}
before=$(tree_state "$work/volume")
user=davit id=54321
printf '%s:x:%s:%s::%s:/bin/sh\n' $user $id $id "$work/home" >> /etc/passwd
printf '%s:x:%s:\n' $user $id >> /etc/group
printf '%s:1000000:65536\n' $user | tee /etc/subuid > /etc/subgid
chown $id:$id "$work"/{home,run,user}
chmod 0700 "$work/run"

low_version=$("$low_name" --version | sed -nE '1s/.* 1\.([0-9]+).*/\1/p')

# result ENGINE METHOD CONDITION: of $rc, $output and $errors.
result() {
	# crun up to 1.21: as the container's root it can't enter the bundle's directory, before it starts the
	# hook.
	if [ "$2 $3 $low_name" = 'CDI user namespace crun' ] && [ $rc != 0 ] && [ "$low_version" -le 21 ]; then
		matches "crun fails ($1, CDI in a user namespace)" 'executing hook|sync socket' "$output $errors"
		return 0
	fi
	equal "matrix: $1 | $2 | $3 | $low_name" "0 $one" "$rc $output${errors:+ $errors}"
	[[ $3 != *volume* ]] || equal "the volume is as before ($1, $2, $low_name)" "$before" "$(tree_state "$work/volume")"
}

# --- Docker ----------------------------------------------------------------------------------------

version_of() { # PACKAGE-PROGRAM
	"$1" --version | grep -oE '[0-9]+\.[0-9]+(\.[0-9]+)?' | head -n 1
}
# options_of METHOD: sets `options`.
options_of() {
	case $1 in
	hook) options=(--gpus '"device=1"') ;;
	runtime) options=(--runtime nvidia -e NVIDIA_VISIBLE_DEVICES=1) ;;
	CDI) options=(--runtime low --device nvidia.com/gpu=1) ;;
	esac
}
docker_case() { # METHOD CONDITION [OPTION...]
	local method=$1 condition=$2
	shift 2
	options_of "$method"
	rc=0
	output=$(docker run --rm --network none "${options[@]}" "$@" gpu-test nvidia-smi -L 2> "$work/errors" < /dev/null) || rc=$?
	errors=$(< "$work/errors")
	result "$docker_name" "$method" "$condition"
}
run_docker() {
	local methods=(hook runtime) method volume
	[ "$(version_of /usr/bin/docker | cut -d. -f1)" -lt 25 ] || methods+=(CDI)
	for method in "${methods[@]}"; do
		volume=/etc
		[ "$method" != CDI ] || volume=/data # over /etc it's the engine that mounts, and can't
		if [ "$1" = root ]; then
			docker_case "$method" rootful
			docker_case "$method" read-only --read-only
			docker_case "$method" 'read-only volume' -v "$work/volume:$volume:ro"
		else
			docker_case "$method" 'user namespace'
		fi
	done
}
docker_daemon() { # JQ-FILTER
	start_dockerd "$(jq -n --arg runtime "$runtime" --arg low "$low" '{runtimes: {nvidia: {path: $runtime}, low: {path: $low}},
		"default-runtime": "low", features: {cdi: true}} | '"$1")"
}
if [ -x /usr/bin/docker ]; then
	docker_name="Docker $(version_of /usr/bin/docker)"
	with=$docker_name
	make_docker
	ln -s "$hook" "$work/docker/bin/nvidia-container-runtime-hook"
	docker_daemon .
	tar -C "$(kind_root debian)" -c . | docker import - gpu-test > /dev/null
	run_docker root
	stop_dockerd
	docker_daemon '."userns-remap" = "davit"'
	tar -C "$(kind_root debian)" -c . | docker import - gpu-test > /dev/null
	run_docker userns
	stop_dockerd
else
	skip 'matrix, Docker' "Debian's docker isn't installed (apt-get install docker.io)"
fi

# --- Podman ----------------------------------------------------------------------------------------

jq --arg hook "$hook" '.hook.path = $hook' < "$DAVIT_BUILD/src/davit.json" > "$work/hooks/davit.json"
export HOME=$work/home
unset DOCKER_CONFIG DOCKER_HOST
podman_case() { # METHOD CONDITION [OPTION...]
	local method=$1 condition=$2 global=(--runtime "$low") root as=(env) options=(-e NVIDIA_VISIBLE_DEVICES=1)
	shift 2
	root=$(kind_root debian):O
	[ "$method" != hook ] || global+=(--hooks-dir "$work/hooks")
	[ "$method" != runtime ] || global=(--runtime "$runtime")
	[ "$method" != CDI ] || options=(--device nvidia.com/gpu=1)
	if [ "$condition" = rootless ]; then
		as=(setpriv --reuid "$id" --regid "$id" --clear-groups --inh-caps=-all env -i PATH="$PATH" HOME="$work/home"
			USER="$user" XDG_RUNTIME_DIR="$work/run" TMPDIR="$work/user" LC_ALL=C)
		root=$work/user/rootfs
		[ "$low_name" = runc ] || options+=(--cgroups disabled)
	elif [ "$condition" = 'user namespace' ]; then
		root=$work/mapped
	else
		options+=(--pids-limit 0 --cgroup-parent "$cgroup")
	fi
	rc=0
	output=$(cd / && timeout 60 "${as[@]}" podman --root "$work/podman-${condition// /-}/root" --runroot "$work/run/${condition// /-}" --tmpdir "$work/run/tmp-${condition// /-}" \
		--storage-driver vfs --events-backend file --cgroup-manager cgroupfs "${global[@]}" run --rm --network none \
		--ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "${options[@]}" "$@" --rootfs "$root" nvidia-smi -L \
		2> "$work/errors" < /dev/null) || rc=$?
	errors=$(grep -v 'level=warning' "$work/errors" || true)
	result "$podman_name" "$method" "$condition"
}
if command -v podman > /dev/null; then
	podman_name="Podman $(version_of podman)"
	at_end wait_for_podman
	mkdir -p "$work/podman-rootless"
	cp -a "$(kind_root debian)" "$work/user/rootfs"
	cp -a "$(kind_root debian)" "$work/mapped"
	chown -hR $id:$id "$work/user/rootfs" "$work/podman-rootless"
	chown -hR 100000:100000 "$work/mapped"
	methods=(hook runtime)
	[ "$(version_of podman | tr -d .)" -lt 400 ] || methods+=(CDI)
	for method in "${methods[@]}"; do
		volume=/etc
		[ "$method" != CDI ] || volume=/data
		podman_case "$method" rootful
		podman_case "$method" rootless
		podman_case "$method" 'user namespace' --uidmap 0:100000:65536 --gidmap 0:100000:65536
		podman_case "$method" read-only --read-only
		podman_case "$method" 'read-only volume' -v "$work/volume:$volume:ro"
	done
else
	skip 'matrix, Podman' "podman isn't installed"
fi
report_exit
