# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of the other files and of the scripts
# A real CRI-O of its own, where crio is on PATH (Debian has no package of it). Needs place.sh,
# container.sh, runtime.sh (its /etc), cri.sh, $work, $host, and $with to name the tests.

require_crio() {
	local program
	for program in crio pinns conmon podman; do
		if ! command -v $program > /dev/null; then
			skip "${0##*/}" "$program isn't on PATH (Debian has no package of CRI-O)"
			report_exit
		fi
	done
	if ! /usr/bin/python3 -c 'import grpc' 2> /dev/null; then
		skip "${0##*/}" "there is no grpc for Python (apt-get install python3-grpcio)"
		report_exit
	fi
}

# write_crio_config [LINE...]: /etc/crio/crio.conf, as packages' files have it in a folder; lines for
# the default handler.
write_crio_config() {
	mkdir -p /etc/crio/crio.conf.d "$work/crio"
	echo '{"default": [{"type": "insecureAcceptAnything"}]}' > "$work/crio/policy.json"
	cat > /etc/crio/crio.conf << END
[crio]
root = "$work/crio/root"
runroot = "$work/crio/run"
storage_driver = "vfs"
log_dir = "$work/crio/log"
version_file = "$work/crio/version"
clean_shutdown_file = "$work/crio/clean"
[crio.api]
listen = "$work/crio/socket"
[crio.image]
pause_image = "localhost/gpu-test:latest"
pause_command = "/bin/sleep"
signature_policy = "$work/crio/policy.json"
[crio.network]
network_dir = "$work/cni/net.d"
plugin_dirs = ["$work/cni/bin"]
[crio.nri]
enable_nri = false
[crio.runtime]
cgroup_manager = "cgroupfs"
namespaces_dir = "$work/crio/namespaces"
container_exits_dir = "$work/crio/exits"
container_attach_socket_dir = "$work/crio/attach"
cdi_spec_dirs = ["$work/cdi"]
apparmor_profile = "unconfined"
default_runtime = "crun"
[crio.runtime.runtimes.crun]
runtime_path = "$low"
runtime_root = "$work/crio/low"
END
	[ $# = 0 ] || printf '%s\n' "$@" >> /etc/crio/crio.conf
	mkdir -p "$work"/crio/{attach,exits,namespaces,log}
}

make_crio_image() {
	"$repository/tests/lib/cri.py" image "$(kind_root debian)" localhost/gpu-test:latest > "$work/image.tar"
	HOME=$work/crio podman --root "$work/crio/root" --runroot "$work/crio/run" --tmpdir "$work/crio/tmp" \
		--storage-driver vfs --events-backend file load -i "$work/image.tar" > "$work/log" 2>&1 ||
		fail "an image ($with)" "$(< "$work/log")"
	rm "$work/image.tar"
}

# Sets crio_pid; '' when it ended.
start_crio() {
	local i
	cri_socket=$work/crio/socket
	crio --config /etc/crio/crio.conf --config-dir /etc/crio/crio.conf.d < /dev/null > "$work/crio/log.txt" 2>&1 &
	crio_pid=$!
	at_end stop_crio
	for ((i = 0; i < 200; i++)); do
		! cri version > /dev/null 2>&1 || return 0
		kill -0 "$crio_pid" 2> /dev/null || break
		sleep 0.1
	done
	stop_crio
}

# shellcheck disable=SC2317 # called by clean_up
stop_crio() {
	[ -n "${crio_pid:-}" ] || return 0
	! kill "$crio_pid" 2> /dev/null || wait "$crio_pid" || true
	crio_pid=''
}
