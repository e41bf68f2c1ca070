# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of the other files
# A containerd of the test's own, without CRI, and ctr for it. Needs place.sh and $work.

ctr() {
	timeout 60 /usr/bin/ctr --address "$work/containerd/socket" "$@"
}

# shellcheck disable=SC2317 # called by clean_up
stop_containerd() {
	kill "$containerd" 2> /dev/null || return 0
	wait "$containerd" || true
}

# Sets `containerd`, its process.
start_containerd() {
	local i
	mkdir -p "$work/containerd"
	cat > "$work/containerd/config.toml" <<- END
		version = 2
		root = "$work/containerd/root"
		state = "$work/containerd/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
		[grpc]
		  address = "$work/containerd/socket"
		[ttrpc]
		  address = "$work/containerd/socket.ttrpc"
		[plugins."io.containerd.internal.v1.opt"]
		  path = "$work/containerd/opt"
	END
	containerd --config "$work/containerd/config.toml" > "$work/containerd/log" 2>&1 < /dev/null &
	containerd=$!
	at_end stop_containerd
	for ((i = 0; i < 100; i++)); do
		! ctr version > /dev/null 2>&1 || break
		sleep 0.1
	done
}
