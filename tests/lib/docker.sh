# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of the other files and of the scripts
# A real dockerd of its own. Needs place.sh, container.sh, $work, and $with to name the tests.

require_docker() {
	if [ ! -x /usr/bin/docker ]; then
		skip "${0##*/}" "Debian's docker isn't installed (apt-get install docker.io)"
		report_exit
	fi
}

# What is in $work/docker/bin is first on dockerd's PATH.
make_docker() {
	mkdir -p "$work"/docker/{bin,data,exec,config}
	export DOCKER_HOST=unix://$work/docker/socket DOCKER_CONFIG=$work/docker/config
	unset DOCKER_CONTEXT DOCKER_TLS_VERIFY
}

docker() {
	local printed rc=0
	if [ "$1 ${2:-}" != 'run --rm' ] || [ "${*: -1}" = true ]; then
		timeout 60 /usr/bin/docker "$@"
		return
	fi
	# On a busy machine Docker loses what a container that ends at once has printed.
	printed=$(timeout 60 /usr/bin/docker "$@") || rc=$?
	[ "$rc$printed" != 0 ] || printed=$(timeout 60 /usr/bin/docker "$@") || rc=$?
	[ -z "$printed" ] || printf '%s\n' "$printed"
	return $rc
}

# start_dockerd CONFIGURATION: the text of its daemon.json.
start_dockerd() {
	local i
	printf '%s\n' "$1" > "$work/docker/daemon.json"
	PATH=$work/docker/bin:$PATH dockerd --config-file "$work/docker/daemon.json" \
		--data-root "$work/docker/data" --exec-root "$work/docker/exec" \
		--pidfile "$work/docker/pid" -H "$DOCKER_HOST" --group root \
		--iptables=false --ip6tables=false --bridge=none --exec-opt native.cgroupdriver=cgroupfs \
		--cgroup-parent "$cgroup" \
		< /dev/null >> "$work/docker/log" 2>&1 &
	dockerd=$!
	at_end stop_dockerd
	for ((i = 0; i < 300; i++)); do
		if docker version > /dev/null 2>&1; then
			return
		fi
		kill -0 "$dockerd" 2> /dev/null || break
		sleep 0.1
	done
	fail "dockerd starts ($with)" 'it does not answer' "$(tail -n 20 "$work/docker/log")"
	report_exit
}

stop_dockerd() {
	kill "$dockerd" 2> /dev/null || return 0
	wait "$dockerd" || true
}
