# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of the other files and of the scripts
# A real containerd of its own with the CRI plugin, and pods in it, as a kubelet starts them. Needs
# place.sh, container.sh, runtime.sh (its /etc), $work, $host, and $with to name the tests.

require_containerd() {
	local program
	for program in containerd ctr; do
		if ! command -v $program > /dev/null; then
			skip "${0##*/}" "$program isn't installed (apt-get install containerd)"
			report_exit
		fi
	done
	if ! /usr/bin/python3 -c 'import grpc' 2> /dev/null; then
		skip "${0##*/}" "there is no grpc for Python (apt-get install python3-grpcio)"
		report_exit
	fi
}

# 1.6, 1.7, 2.1: sets containerd_version, and what the CRI plugin is called in its file.
find_containerd_version() {
	containerd_version=$(containerd --version | grep -oE '[0-9]+\.[0-9]+' | head -n 1)
	file_version=2
	runtime_plugin=io.containerd.grpc.v1.cri images_plugin=io.containerd.grpc.v1.cri
	if [ "${containerd_version%%.*}" != 1 ]; then
		file_version=3
		runtime_plugin=io.containerd.cri.v1.runtime images_plugin=io.containerd.cri.v1.images
	fi
}

# The low-level runtime: this machine's cgroup v2 may have no controllers, which a pod wants.
make_low_runtime() { # RUNTIME: sets low
	low=$work/low
	cat > "$low" << END
#!/bin/sh
for word; do
	if [ "\$previous" = --bundle ] || [ "\$previous" = -b ]; then
		jq 'del(.linux.resources.cpu, .linux.resources.memory, .linux.resources.pids, .linux.resources.unified, .linux.resources.hugepageLimits, .linux.resources.blockIO)' \\
			< "\$word/config.json" > "\$word/config.json.low" && mv "\$word/config.json.low" "\$word/config.json"
	fi
	previous=\$word
done
exec $1 "\$@"
END
	chmod +x "$low"
}

# Networks without a network: what the plugins would have said.
make_cni() {
	mkdir -p "$work/cni/bin" "$work/cni/net.d"
	cat > "$work/cni/bin/loopback" << 'END'
#!/bin/sh
case $CNI_COMMAND in
VERSION) echo '{"cniVersion": "1.0.0", "supportedVersions": ["0.3.1", "0.4.0", "1.0.0"]}' ;;
ADD) echo '{"cniVersion": "0.3.1", "interfaces": [{"name": "'$CNI_IFNAME'", "sandbox": "'$CNI_NETNS'"}], "ips": [{"version": "4", "interface": 0, "address": "10.9.8.7/24"}]}' ;;
esac
END
	chmod +x "$work/cni/bin/loopback"
	cp "$work/cni/bin/loopback" "$work/cni/bin/nothing"
	echo '{"cniVersion": "0.3.1", "name": "test", "plugins": [{"type": "nothing"}]}' > "$work/cni/net.d/10-test.conflist"
}

# write_containerd_config [LINE...]: /etc/containerd/config.toml; lines for the runtime's plugin.
write_containerd_config() {
	mkdir -p /etc/containerd "$work/containerd"
	{
		cat << END
version = $file_version
root = "$work/containerd/root"
state = "$work/containerd/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.internal.v1.tracing"]
imports = ["/etc/containerd/conf.d/*.toml"]
[grpc]
  address = "$work/containerd/socket"
[ttrpc]
  address = "$work/containerd/socket.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "$work/containerd/opt"
END
		[ "$file_version" = 2 ] || cat << END
[plugins."io.containerd.grpc.v1.cri"]
  stream_server_address = "127.0.0.1"
[plugins."$images_plugin".pinned_images]
  sandbox = "localhost/gpu-test:latest"
END
		printf '[plugins."%s"]\n' "$runtime_plugin"
		[ "$file_version" = 3 ] || printf '  stream_server_address = "127.0.0.1"\n  sandbox_image = "localhost/gpu-test:latest"\n'
		printf '  restrict_oom_score_adj = true\n'
		[ $# = 0 ] || printf '  %s\n' "$@"
		cat << END
  [plugins."$runtime_plugin".cni]
    bin_dir = "$work/cni/bin"
    conf_dir = "$work/cni/net.d"
  [plugins."$runtime_plugin".containerd]
    default_runtime_name = "runc"
  [plugins."$runtime_plugin".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."$runtime_plugin".containerd.runtimes.runc.options]
      BinaryName = "$low"
END
	} > /etc/containerd/config.toml
}

ctr() {
	timeout 60 /usr/bin/ctr --address "$work/containerd/socket" -n k8s.io "$@"
}

start_containerd() {
	local i
	containerd --config /etc/containerd/config.toml < /dev/null >> "$work/containerd/log" 2>&1 &
	containerd_pid=$!
	at_end stop_containerd
	for ((i = 0; i < 200; i++)); do
		! cri version > /dev/null 2>&1 || break
		kill -0 "$containerd_pid" 2> /dev/null || break
		sleep 0.1
	done
	if ! output=$(cri version 2>&1); then
		fail "containerd and its CRI plugin run ($with)" "$output" "$(tail -n 20 "$work/containerd/log")"
		report_exit
	fi
	if ! ctr images ls -q 2> /dev/null | grep -q gpu-test; then
		"$repository/tests/lib/cri.py" image "$(kind_root debian)" localhost/gpu-test:latest > "$work/image.tar"
		ctr images import "$work/image.tar" > "$work/log" 2>&1 || fail "an image ($with)" "$(< "$work/log")"
		rm "$work/image.tar"
	fi
}

# shellcheck disable=SC2317 # called by clean_up
stop_containerd() {
	[ -n "${containerd_pid:-}" ] || return 0
	kill "$containerd_pid" 2> /dev/null || return 0
	wait "$containerd_pid" || true
	containerd_pid=''
}

cri() {
	timeout 100 "$repository/tests/lib/cri.py" "${cri_socket:-$work/containerd/socket}" "$@"
}

# pod HANDLER JQ-FILTER COMMAND...: a pod of that RuntimeClass, changed by the filter. Sets rc, output
# (of the command) and errors.
pod() {
	local handler=$1 filter=$2
	shift 2
	pod_serial=$((${pod_serial:-0} + 1))
	rc=0
	output=$(jq -n --arg handler "$handler" --arg name "pod$pod_serial-$$" --arg cgroup "$cgroup" \
		--argjson command "$(json_strings "$@")" '{handler: $handler, exec: $command,
		sandbox: {metadata: {name: $name, uid: $name, namespace: "default"}, hostname: "pod",
			linux: {cgroup_parent: $cgroup, security_context: {namespace_options: {pid: 1}}}},
		container: {metadata: {name: "c"}, image: {image: "localhost/gpu-test:latest", user_specified_image: "localhost/gpu-test:latest"}, envs: [],
			command: ["sleep", "1000000"], linux: {security_context: {namespace_options: {pid: 1}}}}} |
		'"$filter" | cri run 2> "$work/errors") || rc=$?
	errors=$(< "$work/errors")
}
# Parts of filters.
env_is() { # NAME=VALUE...
	local variable filter=.
	for variable; do
		filter+=" | .container.envs += [{key: \"${variable%%=*}\", value: \"${variable#*=}\"}]"
	done
	printf '%s' "$filter"
}
pod_userns='(.sandbox, .container).linux.security_context.namespace_options.userns_options =
	{mode: 0, uids: [{host_id: 100000, length: 65536}], gids: [{host_id: 100000, length: 65536}]}'

# A /dev of this namespace's own, with the fake driver's nodes: in a user namespace runtimes bind them
# from the host's /dev.
make_dev() {
	mkdir "$work/dev"
	mount -t tmpfs -o mode=0755 tmpfs "$work/dev"
	cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/fuse "$work/dev"
	cp -a "$host"/dev/nvidia* "$host/dev/dri" "$work/dev"
	ln -s pts/ptmx "$work/dev/ptmx"
	ln -s /proc/self/fd "$work/dev/fd"
	mkdir "$work/dev/pts" "$work/dev/shm"
	mount --rbind /dev/pts "$work/dev/pts"
	mount --rbind /dev/shm "$work/dev/shm"
	mount --rbind "$work/dev" /dev
	at_end 'umount -l /dev'
}

# write_cdi_specs DIRECTORY: davit's spec with the mounts in it, as NVIDIA's has them, for nvidia.com/gpu; and
# with its hook making them, for davit.test/gpu. A mapped user has to reach the hook.
write_cdi_specs() {
	local make
	cp "$hook" "$work/davit-hook"
	mkdir -p "$1"
	for make in spec hook; do
		"$davit" cdi generate --mounts $make | jq --arg hook "$work/davit-hook" '(.. | objects | select(has("hookName")).path) = $hook' \
			> "$1/$make.json"
	done
	jq '.kind = "davit.test/gpu"' < "$1/hook.json" > "$1/davit-test.json"
	rm "$1/hook.json"
	mv "$1/spec.json" "$1/nvidia.json"
}

# cdi_in_user_namespace NAME: a CDI device in a pod with a user namespace. crun before 1.29 crashes there when
# a mount of the spec has no type: https://github.com/containers/crun/issues/1948
cdi_in_user_namespace() {
	local device=".container.CDI_devices = [{name: \"nvidia.com/gpu=$uuid1\"}]"
	pod '' "$device | $pod_userns" nvidia-smi -L
	equal "$1 ($with)" "0 $one" "$rc $output${errors:+ $errors}"
	pod '' "${device/nvidia.com/davit.test} | $pod_userns" nvidia-smi -L
	equal "$1, the hook mounts ($with)" "0 $one" "$rc $output${errors:+ $errors}"
}
